import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Enablement, Limits } from "mooring"
import { HostFile, SystemSecrets } from "mooring/node"
import * as Wire from "../../src/internal/wire.ts"
import { HeapLimit } from "../../src/limits/HeapLimit.ts"
import * as HostDocument from "../../src/node/internal/hostDocument.ts"
import * as Toml from "../../src/node/internal/toml.ts"
import { folder } from "../cli/support/files.ts"

const DIGEST = `sha256:${"0".repeat(64)}`
const TOKEN = "xoxb-s3cr3t-t0ken"

/** An entry with a token in it, of which nothing may ever be said. */
const entry = (name: string, more = "") => `
[[plugins.enabled]]
package = "./plugins/${name}"
id = "project:example.${name}"
version = "0.1.0"
digest = "${DIGEST}"
${more}`

/** The example of docs/host-file.md, with everything that there is. */
const WHOLE = `
[limits]
ingress_queue_capacity = 2048

[proxy]
connect = "http://127.0.0.1:3128"
authorization = { file = "proxy.auth" }
${entry(
  "echo",
  `instance = "cp17"
surfaces = ["service", "ingress"]
limits = { dispatch_deadline_ms = 2000 }
config = { greeting = "${TOKEN}", at = 2026-01-01T00:00:00Z, room = { from_env = "ROOM" } }
[plugins.enabled.secrets]
key = { env = "GATEWAY_KEY" }
[plugins.enabled.grants]
permissions = [{ kind = "service", name = "echo" }]
[[plugins.enabled.grants.websocket]]
scheme = "ws"
host = "127.0.0.1"
port = 7700
path_prefixes = ["/gateway"]
[plugins.enabled.sources.gateway]
urls = ["ws://127.0.0.1:7700/gateway/CP_17?key={key}"]
headers = { authorization = "Bearer {key}" }
reconnect = { policy = "never" }`
)}${entry("other")}`

interface Options {
  readonly heapBytes?: number | null
  readonly path?: (folder: string) => string
}

/** What is read of a file with this content, in a folder with an echo of credentials for the proxy. */
const read = (content: string | Uint8Array, { heapBytes = null, path }: Options = {}) =>
  Effect.gen(function* () {
    const root = yield* folder
    Fs.writeFileSync(Path.join(root, "proxy.auth"), `Basic ${TOKEN}\r\n`)
    const file = Path.join(root, "host.toml")
    Fs.writeFileSync(file, content)
    const given = path?.(root) ?? file
    const secrets = SystemSecrets.layer({
      folder: HostFile.folderOf(given),
      env: { PROXY: "Basic abc", BAD: "\u4e00".repeat(6) }
    })
    const found = yield* Effect.result(
      Effect.provideService(Effect.provide(HostFile.read(given), secrets), HeapLimit, heapBytes)
    )
    return Result.mapError(found, ({ problems }) => problems)
  }).pipe(Effect.scoped)

const problemsOf = (found: Result.Result<HostFile.HostFile, ReadonlyArray<Wire.Problem>>) =>
  Result.isSuccess(found) ? found.success.problems : found.failure

/** Its problems, without the folder of the test. */
const linesOf = (found: Result.Result<HostFile.HostFile, ReadonlyArray<Wire.Problem>>) =>
  problemsOf(found).map((problem) =>
    Wire.formatProblem({ ...problem, ...(problem.file === undefined ? {} : { file: Path.basename(problem.file) }) })
  )

const readable = (content: string, options?: Options) =>
  Effect.flatMap(read(content, options), (found) =>
    Result.isSuccess(found)
      ? Effect.succeed({ ...found.success, lines: linesOf(found) })
      : Effect.die(new Error(linesOf(found).join("\n")))
  )

const limitsOf = (table: string, heapBytes: number | null = null) =>
  readable(`${table}\n[plugins]\nenabled = []`, { heapBytes })

const proxyOf = (table: string) => readable(`${table}\n[plugins]\nenabled = []`)

const contentOf = (text: string) =>
  Result.flatMap(
    Result.mapError(Toml.parse(text, "host.toml"), (problem) => [problem]),
    (document) => HostDocument.read(document, { folder: "/", heapBytes: null })
  )

const pipe = (root: string) => {
  execFileSync("mkfifo", [Path.join(root, "pipe")])
  return Path.join(root, "pipe")
}

describe("HostFile", () => {
  it.effect("reads everything that there is", () =>
    Effect.gen(function* () {
      const { entries, limits, lines, proxy } = yield* readable(WHOLE)
      assert.deepStrictEqual(lines, [])
      assert.deepStrictEqual(limits, { ...Limits.defaults, ingressQueueCapacity: 2048 })
      if (typeof proxy !== "object" || proxy.authorization === undefined) return assert.fail("no credentials")
      assert.strictEqual(proxy.connect, "http://127.0.0.1:3128")
      assert.strictEqual(Redacted.value(proxy.authorization), `Basic ${TOKEN}`)
      const [echo] = entries
      const expected: Partial<Enablement.Enablement> = {
        id: "project:example.echo",
        instance: "cp17",
        limits: { dispatchDeadlineMs: 2000 },
        config: { greeting: TOKEN, at: "2026-01-01T00:00:00.000Z", room: { from_env: "ROOM" } },
        secrets: { key: { env: "GATEWAY_KEY" } }
      }
      assert.deepInclude(echo?.enablement, expected)
      assert.strictEqual(echo?.enablement.sources["gateway"]?.reconnect?.policy, "never")
      assert.deepStrictEqual(
        entries.map(({ at }) => at),
        ["plugins.enabled[0]", "plugins.enabled[1]"]
      )
    })
  )

  it.effect("lets relative paths begin at the folder of the path that was given, not where its link leads", () =>
    Effect.gen(function* () {
      let links = ""
      const { entries, proxy } = yield* readable(WHOLE, {
        path: (root) => {
          links = Path.join(root, "links")
          Fs.mkdirSync(links)
          Fs.writeFileSync(Path.join(links, "proxy.auth"), "Basic linked\n")
          Fs.symlinkSync(Path.join(root, "host.toml"), Path.join(links, "host.toml"))
          return Path.join(links, "host.toml")
        }
      })
      assert.deepStrictEqual(
        entries.map((each) => each.package),
        [Path.join(links, "plugins/echo"), Path.join(links, "plugins/other")]
      )
      if (typeof proxy !== "object" || proxy.authorization === undefined) return assert.fail("no credentials")
      assert.strictEqual(Redacted.value(proxy.authorization), "Basic linked")
    })
  )

  it.effect("lists ten and more errors of a file at once, each with line, column, key and what was likely meant", () =>
    Effect.gen(function* () {
      const content = `[limits]
restart = 3
ingress_queue_capacity = 0
[proxy]
conect = "http://${TOKEN}:3128"
[metrcs]
[[plugins.enabled]]
package = ""
id = "project:example.echo"
version = "1.0"
digest = "${TOKEN}"
surfaces = "service"
config = { id = 9223372036854775807, ratio = nan }
secrets = { key = { enf = "${TOKEN}" } }
[[plugins.enabled.grants.websocket]]
scheme = "ws"
host = "127.0.0.1"
path_prefxes = ["/gateway"]
[plugins.enabled.sources.gateway]
urls = ["ws://127.0.0.1/a", "ws://127.0.0.1/${TOKEN}", "ws://127.0.0.1/a"]
headers = { Authorization = "Bearer ${TOKEN}", authorization = "x" }
reconnect = { polcy = "never" }
`
      const { entries, lines, proxy } = yield* readable(content)
      assert.deepStrictEqual(lines, [
        "host.toml:2:1: limits.restart: Expected no excess property (did you mean restarts?)",
        "host.toml:3:1: limits.ingress_queue_capacity: Expected a whole number from 1 to 1000000",
        "host.toml:4:2: proxy.connect: required",
        "host.toml:5:1: proxy.conect: Expected no excess property (did you mean connect?)",
        "host.toml:6:2: metrcs: Expected no excess property (did you mean metrics?)",
        "host.toml:8:1: plugins.enabled[0].package: Expected the path of a folder",
        "host.toml:10:1: plugins.enabled[0].version: Expected an exact version like 1.2.3",
        "host.toml:11:1: plugins.enabled[0].digest: Expected 'sha256:' and 64 hexadecimal digits",
        "host.toml:12:1: plugins.enabled[0].surfaces: Expected array",
        "host.toml:13:12: plugins.enabled[0].config.id: Expected a whole number within \u00b1(2^53 \u2212 1): write it as a text",
        "host.toml:13:38: plugins.enabled[0].config.ratio: Expected a number that is finite",
        "host.toml:14:13: plugins.enabled[0].secrets.key.env: required",
        "host.toml:14:13: plugins.enabled[0].secrets.key.file: required",
        "host.toml:14:21: plugins.enabled[0].secrets.key.enf: Expected no excess property (did you mean env?)",
        "host.toml:15:3: plugins.enabled[0].grants.websocket[0].path_prefixes: required",
        "host.toml:18:1: plugins.enabled[0].grants.websocket[0].path_prefxes: Expected no excess property (did you mean path_prefixes?)",
        "host.toml:20:65: plugins.enabled[0].sources.gateway.urls[2]: Expected a name that occurs once",
        "host.toml:21:57: plugins.enabled[0].sources.gateway.headers.authorization: Expected a header that occurs once, in whichever case",
        "host.toml:22:15: plugins.enabled[0].sources.gateway.reconnect.polcy: Expected no excess property (did you mean policy?)"
      ])
      assert.strictEqual(proxy, "unusable")
      const reason = entries[0]?.package
      if (typeof reason !== "object") return assert.fail("it is denied")
      assert.strictEqual(reason.subject, "enablement")
      assert.deepInclude(reason.problems[0], { path: "package", line: 8, column: 1 })
      assert.strictEqual(reason.problems.length, 14)
    })
  )

  it.effect("grants and configures nothing with an entry in which anything is wrong, and keeps the others", () =>
    Effect.gen(function* () {
      const granted = `grants = { permissions = [{ kind = "service", name = "a" }] }\n`
      const { entries, lines } = yield* readable(
        entry("large", `${granted}config = { user = 9007199254740993 }`) + entry("fine", granted)
      )
      assert.deepStrictEqual(lines, [
        "host.toml:8:12: plugins.enabled[0].config.user: Expected a whole number within \u00b1(2^53 \u2212 1): write it as a text"
      ])
      const [large, fine] = entries
      assert.deepInclude(large?.enablement, { id: "project:example.large", config: {}, digest: DIGEST })
      assert.deepStrictEqual(large?.enablement.grants.permissions, [])
      assert.strictEqual(fine?.enablement.grants.permissions.length, 1)
      assert.isString(fine?.package)
    })
  )

  it.effect("counts of one reference the first entry, usable or not, and of none without an id any", () =>
    Effect.gen(function* () {
      const { entries, lines } = yield* readable(
        [
          entry("echo", "limits = { none = 1 }"),
          entry("echo"),
          entry("echo", 'instance = "b"'),
          entry("echo", 'instance = "B B"'),
          "\n[[plugins.enabled]]\n"
        ].join("")
      )
      assert.deepStrictEqual(
        entries.map(({ at, enablement }) => [at, enablement.instance]),
        [
          ["plugins.enabled[0]", undefined],
          ["plugins.enabled[2]", "b"]
        ]
      )
      assert.notTypeOf(entries[0]?.package, "string")
      assert.deepStrictEqual(
        lines.map((line) => line.split(": ").slice(1, 2)[0]),
        [
          "plugins.enabled[0].limits.none",
          "plugins.enabled[1]",
          "plugins.enabled[3].instance",
          "plugins.enabled[4].id",
          "plugins.enabled[4].version",
          "plugins.enabled[4].digest",
          "plugins.enabled[4].package"
        ]
      )
    })
  )

  it.effect("takes what stands in the list for an entry only where it is a table", () =>
    Effect.gen(function* () {
      const { entries, lines } = yield* readable(
        '[plugins]\nenabled = [1, "a", [], [{ id = "project:a" }], 2026-01-01]'
      )
      assert.deepStrictEqual(entries, [])
      for (const index of [0, 1, 2, 3, 4])
        assert.isTrue(lines.some((line) => line.includes(`plugins.enabled[${index}]`)))
    })
  )

  describe("limits", () => {
    it.effect("keeps of a key at which something is wrong the default, and takes the others", () =>
      Effect.gen(function* () {
        const table =
          "[limits]\nrestarts = 7\ntimers_per_plugin = -1\ndialsatonce = 3\noutput_bytes = 1e99\nstate_bytes = 9223372036854775807"
        const { limits, lines } = yield* limitsOf(table)
        assert.deepStrictEqual(limits, { ...Limits.defaults, restarts: 7 })
        assert.strictEqual(lines.length, 4)
      })
    )

    it.effect("keeps of all keys the default where two don't fit together", () =>
      Effect.gen(function* () {
        const heap = 64 * 1024 * 1024
        const { limits, lines } = yield* limitsOf("[limits]\nrestarts = 7\nmax_message_bytes = 8388608", heap)
        assert.deepStrictEqual(limits, { ...Limits.defaults, hostQueueBytes: heap / 4 })
        assert.deepStrictEqual(lines, [
          "host.toml:3:1: limits.max_message_bytes: Expected at most half of ingress_queue_bytes"
        ])
      })
    )

    it.effect("compares only numbers that are in their range", () =>
      Effect.gen(function* () {
        const { limits, lines } = yield* limitsOf("[limits]\nmax_message_bytes = 8388608\ningress_queue_bytes = 0")
        assert.deepStrictEqual(limits, Limits.defaults)
        assert.strictEqual(lines.length, 2)
      })
    )

    it.effect("gives texts that wait no more of the heap than half, and a quarter where nothing is said", () =>
      Effect.gen(function* () {
        const heap = 64 * 1024 * 1024
        const { limits, lines } = yield* limitsOf("[limits]\nrestarts = 7\nhost_queue_bytes = 50000000", heap)
        assert.deepInclude(limits, { restarts: 7, hostQueueBytes: heap / 4 })
        assert.match(lines[0] ?? "", /^host.toml:3:1: limits.host_queue_bytes: Expected at most half of the heap/)
        assert.strictEqual((yield* limitsOf("", heap)).limits.hostQueueBytes, heap / 4)
      })
    )

    it.effect("is at its defaults where it is no table", () =>
      Effect.gen(function* () {
        for (const table of ["limits = 3", "[[limits]]\nrestarts = 7", 'limits = "all"']) {
          const { limits, lines } = yield* limitsOf(table)
          assert.deepStrictEqual(limits, Limits.defaults)
          assert.strictEqual(lines.length, 1, table)
        }
      })
    )
  })

  describe("proxy", () => {
    it.effect.each<readonly [why: string, table: string]>([
      ["an unknown key", '[proxy]\nconnect = "http://a:1"\nauthorisation = { env = "PROXY" }'],
      ["no connect", '[proxy]\nauthorization = { env = "PROXY" }'],
      ["an empty table", "[proxy]"],
      ["no table", "proxy = false"],
      ["a password in the URL", `[proxy]\nconnect = "http://u:${TOKEN}@a:1"`],
      ["another scheme", '[proxy]\nconnect = "socks5://a:1"'],
      ["a variable that isn't set", '[proxy]\nconnect = "http://a:1"\nauthorization = { env = "NONE" }'],
      ["a file that isn't there", '[proxy]\nconnect = "http://a:1"\nauthorization = { file = "none" }'],
      ["a value that no header takes", '[proxy]\nconnect = "http://a:1"\nauthorization = { env = "BAD" }']
    ])("is unusable, and no way around it is taken: %s", ([, table]) =>
      Effect.gen(function* () {
        const { lines, proxy } = yield* proxyOf(table)
        assert.strictEqual(proxy, "unusable")
        assert.isAbove(lines.length, 0)
        assert.isTrue(
          lines.every((line) => line.startsWith("host.toml:") && line.includes(": proxy")),
          lines.join("\n")
        )
      })
    )

    it.effect("may have its credentials in the environment, or none", () =>
      Effect.gen(function* () {
        const { proxy } = yield* proxyOf('[proxy]\nconnect = "https://a:1"\nauthorization = { env = "PROXY" }')
        if (typeof proxy !== "object" || proxy.authorization === undefined) return assert.fail("no credentials")
        assert.strictEqual(Redacted.value(proxy.authorization), "Basic abc")
        assert.deepStrictEqual((yield* proxyOf('[proxy]\nconnect = "https://a:1"')).proxy, { connect: "https://a:1" })
        assert.isUndefined((yield* proxyOf("")).proxy)
      })
    )
  })

  describe("as a whole", () => {
    it.effect.each<readonly [why: string, content: string, line: string]>([
      ["nothing", "", "host.toml:1:1: plugins: required: [[plugins.enabled]], or [plugins] with enabled = []"],
      [
        "no list",
        "[plugins]",
        "host.toml:1:2: plugins: Expected a list of the enabled plugins: [[plugins.enabled]], or enabled = []"
      ],
      [
        "one table",
        "[plugins.enabled]",
        "host.toml:1:2: plugins.enabled: Expected a list of the enabled plugins: [[plugins.enabled]], or enabled = []"
      ],
      [
        "a list of tables",
        "[[plugins]]",
        "host.toml:1:3: plugins: Expected a list of the enabled plugins: [[plugins.enabled]], or enabled = []"
      ],
      [
        "a typo",
        "[plugin]\nenabled = []",
        "host.toml:1:2: plugin: Expected no excess property (did you mean plugins?)"
      ],
      [
        "a number",
        "[plugins]\nenabled = 0",
        "host.toml:2:1: plugins.enabled: Expected a list of the enabled plugins: [[plugins.enabled]], or enabled = []"
      ]
    ])("is unreadable where nothing is said of plugins: %s", ([, content, line]) =>
      Effect.gen(function* () {
        const found = yield* read(content)
        assert.isTrue(Result.isFailure(found))
        assert.include(linesOf(found), line)
      })
    )

    it.effect("runs nothing where that is said", () =>
      Effect.gen(function* () {
        const { entries, lines } = yield* readable("[plugins]\nenabled = []")
        assert.deepStrictEqual([entries, lines], [[], []])
      })
    )

    it.effect("is unreadable where it isn't TOML, and nothing of it is said, also beside a token", () =>
      Effect.gen(function* () {
        for (const broken of [
          `key = "${TOKEN}`,
          `= "${TOKEN}"`,
          `[[plugins.enabled]\nx = "${TOKEN}"`,
          `a = "${TOKEN}" b`
        ]) {
          const found = yield* read(`${WHOLE}\n${broken}`)
          assert.isTrue(Result.isFailure(found), broken)
          assert.strictEqual(linesOf(found).length, 1)
          assert.match(linesOf(found)[0] ?? "", /^host\.toml:\d+:\d+: Expected TOML/)
          assert.notInclude(linesOf(found)[0], TOKEN.slice(0, 6))
        }
      })
    )

    it.effect("is read with a byte order mark and with CRLF as without, positions included", () =>
      Effect.gen(function* () {
        const content = `${WHOLE}\nnone = 1\n`
        const plain = yield* readable(content)
        for (const other of [
          `\ufeff${content}`,
          content.replaceAll("\n", "\r\n"),
          `\ufeff${content.replaceAll("\n", "\r\n")}`
        ]) {
          const { entries, lines } = yield* readable(other)
          assert.deepStrictEqual(lines, plain.lines)
          assert.deepStrictEqual(
            entries.map(({ enablement }) => enablement),
            plain.entries.map(({ enablement }) => enablement)
          )
        }
        assert.deepStrictEqual(plain.lines.length, 1)
      })
    )

    it("says nothing of a token and takes no reference that it doesn't have, whichever prefix of it is there", () => {
      const refs = Result.getOrThrow(contentOf(WHOLE)).entries.map(({ enablement }) => enablement.id)
      let readables = 0
      for (let end = 0; end < WHOLE.length; end++) {
        const found = contentOf(WHOLE.slice(0, end))
        const problems = Result.isSuccess(found) ? found.success.problems : found.failure
        for (const problem of problems) assert.notInclude(Wire.formatProblem(problem), TOKEN.slice(0, 6))
        if (Result.isFailure(found)) continue
        readables++
        // An id may be cut only where its quotes are, and then it isn't TOML.
        for (const { enablement } of found.success.entries) assert.include(refs, enablement.id)
      }
      assert.isAbove(readables, 20)
    })

    it.effect("ends no matter what its keys are, and changes no object of the program's", () =>
      Effect.gen(function* () {
        const dots = Array.from({ length: 5000 }, () => "a").join(".")
        const before = Object.getOwnPropertyNames(Object.prototype).toSorted()
        for (const content of [
          `${dots} = 1\n[plugins]\nenabled = []`,
          `[${dots}]\nx = 1`,
          `[plugins]\nenabled = []\nx.${dots} = ${"[".repeat(5000)}`,
          `[plugins]\nenabled = ${"[".repeat(5000)}${"]".repeat(5000)}`,
          `[__proto__]\npolluted = 1\n[plugins]\nenabled = []`,
          `[plugins]\nenabled = []\n[plugins.__proto__]\nenabled = 1`,
          `[plugins]\nenabled = []\n[limits.__proto__]\nrestarts = 7`,
          `[plugins]\nenabled = []\n[constructor.prototype]\npolluted = 1`,
          entry("a", "[plugins.enabled.__proto__]\npolluted = 1"),
          entry("a", "[plugins.enabled.secrets.__proto__]\nenv = 1"),
          entry("a", "[plugins.enabled.sources.__proto__]\nurls = 1"),
          entry("a", "limits = { constructor = 1, toString = 2 }")
        ]) {
          const found = yield* read(content)
          assert.isAbove(problemsOf(found).length, 0, content.slice(-80))
          if (Result.isSuccess(found)) assert.strictEqual(found.success.limits.restarts, Limits.defaults.restarts)
        }
        assert.deepStrictEqual(Object.getOwnPropertyNames(Object.prototype).toSorted(), before)
        assert.isFalse("polluted" in {})
      })
    )

    it.effect.prop(
      "ends with any text, and where one can be read each reference counts once",
      { lines: Schema.Array(Schema.Literals(WHOLE.split("\n") as [string, ...Array<string>])) },
      ({ lines }) =>
        Effect.gen(function* () {
          const found = yield* read(lines.join("\n"))
          for (const line of linesOf(found)) assert.notInclude(line, TOKEN.slice(0, 6))
          if (Result.isFailure(found)) return assert.isAbove(found.failure.length, 0)
          const refs = found.success.entries.map(({ enablement }) => `${enablement.id}#${enablement.instance}`)
          assert.strictEqual(new Set(refs).size, refs.length)
        })
    )

    it.effect("is unreadable, at once, where it is no file, too large or no UTF-8", () =>
      Effect.gen(function* () {
        const of = (path: (root: string) => string) => Effect.map(read("", { path }), linesOf)
        assert.deepStrictEqual(yield* of((root) => Path.join(root, "none.toml")), [
          "none.toml: Expected a file that can be read: ENOENT"
        ])
        const folders = yield* of((root) => root)
        assert.match(folders[0] ?? "", /: Expected a file that can be read: it is not a regular file$/)
        assert.deepStrictEqual(yield* of(pipe), ["pipe: Expected a file that can be read: it is not a regular file"])
        assert.deepStrictEqual(linesOf(yield* read("#".repeat(HostFile.MOST_BYTES + 1))), [
          "host.toml: Expected a file that can be read: it is larger than 1048576 bytes"
        ])
        assert.deepStrictEqual(linesOf(yield* read(new Uint8Array([0x61, 0xff]))), [
          "host.toml: Expected a file of UTF-8"
        ])
      })
    )
  })
})
