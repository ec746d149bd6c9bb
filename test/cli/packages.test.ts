import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import * as path from "node:path"
import { parse } from "smol-toml"
import { CheckReport } from "../../src/cli/CheckReport.ts"
import { prospectOf } from "../../src/cli/internal/prospect.ts"
import * as Enablement from "../../src/manifest/Enablement.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import { ECHO, type Files, MANIFEST, packageOf } from "../node/support/packages.ts"
import { mooring } from "./support/program.ts"

interface HostFile {
  readonly plugins: { readonly enabled: ReadonlyArray<object> }
}

const TOKEN = "xoxb-s3cr3t-t0ken"

const ofEcho = (piece: string, by: string): Files => {
  assert.include(MANIFEST, piece)
  return { ...ECHO, "plugin.toml": MANIFEST.replace(piece, by) }
}

/** What a command says of a package, with the folder's name taken out. */
const ran = (command: string, files: Files, ...flags: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const root = yield* packageOf(files)
    const ended = yield* mooring([command, root, ...flags])
    return { ...ended, root, lines: ended.stdout.replaceAll(root, "echo").split("\n") }
  })

const reportOf = (stdout: string) => Schema.decodeUnknownSync(Schema.fromJsonString(CheckReport))(stdout)

describe("mooring digest", () => {
  it.live("prints the digest and nothing else", () =>
    Effect.gen(function* () {
      const files = { "plugin.toml": "id = 1\n", "plugin.js": "export {}\n" }
      const { code, stderr, stdout } = yield* ran("digest", files)
      assert.strictEqual(stdout, "sha256:2279502912827ca4cfeb77ad31a9b217786533c45ec29b67e6c07437704cf654\n")
      assert.strictEqual(stderr, "")
      assert.strictEqual(code, 0)
    }).pipe(Effect.scoped)
  )

  it.live("prints hash, size and path of each file, one a line whatever their names are", () =>
    Effect.gen(function* () {
      const files = { "plugin.toml": "", "a\nb\u001b[2J": "abc" }
      const { lines } = yield* ran("digest", files, "--files")
      assert.deepStrictEqual(lines.slice(1), [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad         3  a\ufffdb\ufffd[2J",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855         0  plugin.toml",
        ""
      ])
    }).pipe(Effect.scoped)
  )

  it.live("exits with 3 for a folder that can't be read or is no package's, and says why on stderr", () =>
    Effect.gen(function* () {
      const { code, root, stderr, stdout } = yield* ran("digest", { "plugin.js": "" })
      assert.deepStrictEqual([code, stdout, stderr], [3, "", `mooring: ${root}: it has no plugin.toml\n`])
      for (const [name, problem] of [
        ["nothing", "ENOENT"],
        ["plugin.js", "ENOTDIR"]
      ]) {
        const ended = yield* mooring(["digest", `${root}/${name}`])
        const said = `mooring: ${root}/${name}: the package can't be read: ${problem}\n`
        assert.deepStrictEqual([ended.code, ended.stdout, ended.stderr], [3, "", said])
      }
      fs.symlinkSync("/etc/passwd", path.join(root, "link\u001b[2J"))
      const linked = yield* mooring(["digest", root])
      assert.strictEqual(linked.code, 3)
      assert.strictEqual(linked.stderr, `mooring: ${root}: the package can't be read: a symbolic link: link\ufffd[2J\n`)
    }).pipe(Effect.scoped)
  )
})

const REQUESTING = `${MANIFEST.replace("permissions = [", 'permissions = [\n  { kind = "host_api", api = "request" },')}
[[request]]
scheme = "https"
host = "api.example.com"
port = 8443
methods = ["GET", "POST"]
path_prefixes = ["/v1", "/v2"]
`

describe("mooring check", () => {
  it.live("prints what a package would do, and the entry with which it does exactly that", () =>
    Effect.gen(function* () {
      const { code, lines, root, stderr, stdout } = yield* ran("check", ECHO)
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.deepStrictEqual(lines.slice(0, 3), [
        "project:example.echo would start",
        "  gateway  97d359a5  ws://127.0.0.1:7700/gateway  would be dialled",
        ""
      ])
      const host = parse(stdout.slice(stdout.indexOf("#"))) as unknown as HostFile
      const enablement = Result.getOrThrow(Enablement.decode(host.plugins.enabled[0]))
      assert.strictEqual(enablement.package, root)
      const manifest = Result.getOrThrow(Manifest.decode(parse(MANIFEST)))
      const { digest } = enablement
      assert.strictEqual((yield* mooring(["digest", root])).stdout, `${digest}\n`)
      assert.deepStrictEqual(prospectOf({ manifest, digest }, enablement, 16).denials, [])
      const grantless = { ...enablement, grants: { permissions: [], websocket: [], request: [], sign: [] } }
      assert.strictEqual(prospectOf({ manifest, digest }, grantless, 16).plugin.tag, "PermissionMissing")
    }).pipe(Effect.scoped)
  )

  it.live("prints the same as JSON", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* ran("check", ECHO, "--json")
      assert.strictEqual(code, 0)
      const { enablement, ok, plugins, problems } = reportOf(stdout)
      assert.deepStrictEqual([ok, problems], [true, []])
      assert.deepStrictEqual(plugins, [
        {
          pluginRef: "project:example.echo",
          would: "start",
          sources: [{ id: "97d359a5", url: "ws://127.0.0.1:7700/gateway", ingressName: "gateway", would: "dial" }],
          requests: []
        }
      ])
      assert.strictEqual(enablement?.grants.websocket.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("says what may be requested, and grants it in the entry", () =>
    Effect.gen(function* () {
      const manifest = `${REQUESTING}\n[[request]]\nscheme = "*"\nhost = "*"\nmethods = []\npath_prefixes = ["/"]\n`
      const { code, lines, stdout } = yield* ran("check", { ...ECHO, "plugin.toml": manifest })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(lines.slice(0, 7), [
        "echo/plugin.toml:42:1: request[1].host: note: broad: it covers every host",
        "",
        "project:example.echo would start",
        "  gateway  97d359a5  ws://127.0.0.1:7700/gateway  would be dialled",
        "  GET, POST  https://api.example.com:8443/v1  may be requested",
        "  GET, POST  https://api.example.com:8443/v2  may be requested",
        ""
      ])
      const host = parse(stdout.slice(stdout.indexOf("#"))) as unknown as HostFile
      const { grants } = Result.getOrThrow(Enablement.decode(host.plugins.enabled[0]))
      const decoded = Result.getOrThrow(Manifest.decode(parse(manifest)))
      assert.deepStrictEqual(grants.request, decoded.request)
      assert.deepStrictEqual(grants.permissions, decoded.permissions)
    }).pipe(Effect.scoped)
  )

  it.live("notes requests that are declared without the permission for them", () =>
    Effect.gen(function* () {
      const manifest = REQUESTING.replace('  { kind = "host_api", api = "request" },\n', "")
      const { code, lines } = yield* ran("check", { ...ECHO, "plugin.toml": manifest })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(lines.slice(0, 2), [
        'echo/plugin.toml:6:1: permissions: note: nothing may be requested: the permission \'host_api request\' is not declared in the manifest; allowed by { kind = "host_api", api = "request" } among permissions in plugin.toml, which its author decides',
        ""
      ])
    }).pipe(Effect.scoped)
  )

  it.live("notes what is broad or isn't served, which is no problem", () =>
    Effect.gen(function* () {
      const manifest = MANIFEST.replace('surfaces = ["service"', 'surfaces = ["tool", "service"')
        .replace('host = "127.0.0.1"', 'host = "*"')
        .replace("ws://127.0.0.1:7700", "ws://example.com:7700")
        .replace("permissions = [", 'tools = [1]\npermissions = [\n  { kind = "tool", name = "x" },')
      const { code, lines } = yield* ran("check", { ...ECHO, "plugin.toml": manifest })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(lines.slice(0, 5), [
        "echo/plugin.toml:5:13: surfaces[0]: note: this host doesn't serve it",
        "echo/plugin.toml:6:1: tools: note: this host doesn't serve it",
        "echo/plugin.toml:8:3: permissions[0]: note: this host doesn't serve it",
        "echo/plugin.toml:30:1: websocket[0].host: note: broad: it covers every host",
        ""
      ])
    }).pipe(Effect.scoped)
  )

  it.live.each<readonly [what: string, files: Files, problem: string, tag: string]>([
    [
      "a source that no target covers",
      ofEcho('path_prefixes = ["/gateway"]', 'path_prefixes = ["/other"]'),
      'echo/plugin.toml:24:12: ingresses[0].sources[0]: no target that the manifest declares covers ws://127.0.0.1:7700/gateway; allowed by { scheme = "ws", host = "127.0.0.1", port = 7700, path_prefixes = ["/gateway"] } among websocket in plugin.toml, which its author decides',
      "stop TargetUndeclared"
    ],
    [
      "an ingress without its permission",
      ofEcho('"ingress", name = "gateway"', '"ingress", name = "other"'),
      'echo/plugin.toml:24:12: ingresses[0].sources[0]: the permission \'ingress gateway\' is not declared in the manifest; allowed by { kind = "ingress", name = "gateway" } among permissions in plugin.toml, which its author decides',
      "stop PermissionMissing"
    ],
    [
      "a service without its permission",
      ofEcho('{ kind = "service", name = "echo" },', ""),
      'echo/plugin.toml:6:1: permissions: the permission \'service echo\' is not declared in the manifest; allowed by { kind = "service", name = "echo" } among permissions in plugin.toml, which its author decides',
      "fail PermissionMissing"
    ],
    [
      "a URL that is refused",
      ofEcho("7700/gateway", "7700/a/../gateway"),
      "echo/plugin.toml:24:12: ingresses[0].sources[0]: ",
      "stop TargetInvalid"
    ],
    [
      "more sources than it may have connections",
      ofEcho(
        '"websocket:ws://127.0.0.1:7700/gateway"',
        Array.from({ length: 17 }, (_, index) => `"ws://127.0.0.1:7700/gateway/${index}"`).join(", ")
      ),
      "echo/plugin.toml:24:546: ingresses[0].sources[16]: ",
      "stop ConnectionLimit"
    ]
  ])("exits with 3 where something would be denied, and says what would allow it: %s", ([, files, problem, tag]) =>
    Effect.gen(function* () {
      const { code, lines, root } = yield* ran("check", files)
      assert.strictEqual(code, 3)
      assert.strictEqual(lines[0]?.slice(0, problem.length), problem)
      assert.strictEqual(lines[1], "")
      const { ok, plugins } = reportOf((yield* mooring(["check", root, "--json"])).stdout)
      assert.isFalse(ok)
      const [row] = plugins
      const source = row?.sources.at(-1)
      assert.strictEqual(row?.tag === undefined ? `stop ${source?.tag}` : `${row.would} ${row.tag}`, tag)
    }).pipe(Effect.scoped)
  )

  it.live("lists all errors of one file at once, in its order, without a piece of it", () =>
    Effect.gen(function* () {
      const text = `schema_version = "${TOKEN}"\nid = "${TOKEN}!"\nversion = 1\nsurfaces = "x"\n[runtme]\nx = 1\n[[services]]\nlifecycle = "${TOKEN}"\n`
      const { code, lines, stderr } = yield* ran("check", { ...ECHO, "plugin.toml": text })
      assert.strictEqual(code, 3)
      assert.strictEqual(stderr, "")
      assert.deepStrictEqual(
        lines.map((line) => line.split(": ").slice(0, 2).join(" ")),
        [
          "echo/plugin.toml:1:1 schema_version",
          "echo/plugin.toml:1:1 name",
          "echo/plugin.toml:1:1 runtime",
          "echo/plugin.toml:2:1 id",
          "echo/plugin.toml:3:1 version",
          "echo/plugin.toml:4:1 surfaces",
          "echo/plugin.toml:5:2 runtme",
          "echo/plugin.toml:7:3 services[0].name",
          "echo/plugin.toml:8:1 services[0].lifecycle",
          ""
        ]
      )
      assert.notInclude(lines.join(), TOKEN.slice(0, 6))
    }).pipe(Effect.scoped)
  )

  it.live.each<readonly [what: string, files: Files, line: string]>([
    ["no manifest", { "plugin.js": "" }, "echo: the package can't be read: it has no plugin.toml"],
    [
      "broken TOML beside a token",
      { "plugin.toml": `token = "${TOKEN}" x` },
      "echo/plugin.toml:1:29: Expected TOML: each key-value declaration must be followed by an end-of-line"
    ],
    [
      "installed packages",
      { ...ECHO, "node_modules/a.js": "" },
      "echo/node_modules: the package can't be read: it has a node_modules, which belongs to no package"
    ],
    [
      "a WebAssembly component",
      ofEcho('kind = "javascript"', 'kind = "wasm-component"'),
      "echo: this host runs no code of the kind wasm-component"
    ]
  ])("exits with 3 where a package can't be used: %s", ([, files, line]) =>
    Effect.gen(function* () {
      const { code, lines, root, stderr } = yield* ran("check", files)
      assert.deepStrictEqual([code, stderr, lines], [3, "", [line, ""]])
      const json = yield* mooring(["check", root, "--json"])
      assert.strictEqual(json.code, 3)
      const report = reportOf(json.stdout)
      assert.deepStrictEqual([report.ok, report.plugins, report.problems.length], [false, [], 1])
      assert.isUndefined(report.enablement)
    }).pipe(Effect.scoped)
  )

  it.live("exits with 1 where its report can't be written, whatever it says", () =>
    Effect.gen(function* () {
      const full = yield* Effect.acquireRelease(
        Effect.sync(() => fs.openSync("/dev/full", "w")),
        (fd) => Effect.sync(() => fs.closeSync(fd))
      )
      const root = yield* packageOf({})
      const { code, stderr } = yield* mooring(["check", root], { stdio: ["ignore", full, "pipe"] })
      assert.deepStrictEqual([code, stderr], [1, "mooring: stdout can't be written: ENOSPC\n"])
    }).pipe(Effect.scoped)
  )

  it.live("writes the path of a folder such that a host file can have it, whatever its name is", () =>
    Effect.gen(function* () {
      const root = yield* packageOf({})
      const folder = path.join(root, 'My "Bot" \u00fc')
      fs.mkdirSync(folder)
      for (const [name, content] of Object.entries(ECHO)) fs.writeFileSync(path.join(folder, name), content)
      const { stdout } = yield* mooring(["check", folder])
      const host = parse(stdout.slice(stdout.indexOf("#"))) as unknown as HostFile
      assert.propertyVal(host.plugins.enabled[0], "package", folder)
    }).pipe(Effect.scoped)
  )
})
