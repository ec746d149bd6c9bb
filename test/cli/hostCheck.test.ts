import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import * as path from "node:path"
import { CheckReport } from "../../src/cli/CheckReport.ts"
import { hostCheck } from "../../src/cli/internal/hostCheck.ts"
import { givenSecrets } from "../../src/cli/internal/givenSecrets.ts"
import * as Wire from "../../src/internal/wire.ts"
import { PackageFolders, SystemSecrets } from "mooring/node"
import { folder } from "./support/files.ts"
import { CODE, ECHO, MANIFEST, write, type Files } from "../node/support/packages.ts"
import { mooring } from "./support/program.ts"

const PERMISSIONS = [
  '{ kind = "surface", surface = "service" }',
  '{ kind = "service", name = "echo" }',
  '{ kind = "surface", surface = "ingress" }',
  '{ kind = "ingress", name = "gateway" }',
  '{ kind = "host_api", api = "websocket" }'
]

interface Entry {
  readonly digest?: string
  readonly version?: string
  readonly more?: string
  readonly permissions?: ReadonlyArray<string>
  readonly targets?: ReadonlyArray<string>
  readonly rest?: string
}

const TARGET = '{ scheme = "ws", host = "127.0.0.1", port = 7700, path_prefixes = ["/gateway"] }'

const entry = (
  digest: string,
  { more = "", permissions = PERMISSIONS, rest = "", targets = [TARGET], version = "0.1.0", ...own }: Entry = {}
) => `[[plugins.enabled]]
package = "./plugins/echo"
id = "project:example.echo"
version = "${version}"
digest = "${own.digest ?? digest}"
${more}
[plugins.enabled.grants]
permissions = [${permissions.join(", ")}]
websocket = [${targets.join(", ")}]
${rest}
`

/** A folder with a package and a host file that is made for its digest. */
const host = (content: (digest: string) => string, files: Files = ECHO) =>
  Effect.gen(function* () {
    const root = yield* folder
    write(path.join(root, "plugins/echo"), files)
    const { read } = yield* PackageFolders.PackageFolders
    const found = yield* Effect.result(read(path.join(root, "plugins/echo"), 5000))
    const digest = Result.isSuccess(found) ? found.success.digest : `sha256:${"0".repeat(64)}`
    fs.writeFileSync(path.join(root, "host.toml"), content(digest))
    return root
  }).pipe(Effect.provide(PackageFolders.layer))

const reportOn = (root: string, secrets = SystemSecrets.layer({ folder: root, env: { TOKEN: "t0ps3cret" } })) =>
  hostCheck(path.join(root, "host.toml")).pipe(
    Effect.provide(PackageFolders.layer),
    Effect.provide(secrets),
    Effect.map((report) => ({
      ...report,
      lines: report.problems.map((problem) => Wire.formatProblem(problem).replaceAll(`${root}/`, ""))
    }))
  )

const check = (content: (digest: string) => string, files?: Files) =>
  Effect.flatMap(host(content, files), (root) => reportOn(root))

describe("mooring check of a host file", () => {
  it.live("says what would start and be dialled, in words and as JSON, and exits with 0", () =>
    Effect.gen(function* () {
      const root = yield* host((digest) => entry(digest))
      const file = path.join(root, "host.toml")
      const { code, stderr, stdout } = yield* mooring(["check", file])
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.strictEqual(
        stdout,
        "project:example.echo would start\n  gateway  97d359a5  ws://127.0.0.1:7700/gateway  would be dialled\n"
      )
      const json = yield* mooring(["check", file, "--json"])
      assert.strictEqual(json.code, 0)
      const report = Schema.decodeUnknownSync(Schema.fromJsonString(CheckReport))(json.stdout)
      assert.deepStrictEqual([report.ok, report.problems], [true, []])
      assert.strictEqual(report.plugins[0]?.sources[0]?.would, "dial")
      assert.isUndefined(report.enablement)
    }).pipe(Effect.scoped)
  )

  it.live("exits with 3 for a file that can't be used, and says why where the report is", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const file = path.join(root, "host.toml")
      const missing = yield* mooring(["check", file])
      assert.deepStrictEqual([missing.code, missing.stderr], [3, ""])
      assert.strictEqual(missing.stdout, `${file}: Expected a file that can be read: ENOENT\n`)
      fs.writeFileSync(file, "[plugin]\n")
      const { code, stdout } = yield* mooring(["check", file, "--json"])
      assert.strictEqual(code, 3)
      const report = Schema.decodeUnknownSync(Schema.fromJsonString(CheckReport))(stdout)
      assert.deepStrictEqual([report.ok, report.plugins, report.problems.length], [false, [], 2])
    }).pipe(Effect.scoped)
  )

  it.live("asks for no secrets with --without-secrets", () =>
    Effect.gen(function* () {
      const rest = `[plugins.enabled.secrets]
a = { env = "MOORING_TEST_NOT_SET" }
b = { file = "none" }
[plugins.enabled.sources.gateway]
tls = { ca = { file = "none.pem" } }
headers = { authorization = "{basic:u:a}", x = "{b}" }`
      const root = yield* host((digest) => entry(digest, { more: 'config = { c = { from_env = "NO" } }', rest }))
      const file = path.join(root, "host.toml")
      const without = yield* mooring(["check", file, "--without-secrets"])
      assert.deepStrictEqual([without.code, without.stdout.includes("would start")], [0, true])
      const { code, stdout } = yield* mooring(["check", file])
      assert.strictEqual(code, 3)
      assert.include(stdout, "project:example.echo would fail: HostFileInvalid\n")
      assert.deepStrictEqual((yield* reportOn(root, givenSecrets)).lines, [])
    }).pipe(Effect.scoped)
  )

  const remedies: ReadonlyArray<readonly [what: string, entry: Entry, line: string, would: string]> = [
    [
      "a target",
      { targets: [] },
      `host.toml:7:2: plugins.enabled[0].grants: no granted target covers ws://127.0.0.1:7700/gateway; allowed by ${TARGET} among grants.websocket, which is the operator's decision`,
      "stop TargetUngranted"
    ],
    ...PERMISSIONS.map((permission, index): (typeof remedies)[number] => [
      permission,
      { permissions: PERMISSIONS.filter((other) => other !== permission) },
      `host.toml:8:1: plugins.enabled[0].grants.permissions: the permission '${["surface service", "service echo", "surface ingress", "ingress gateway", "host_api websocket"][index]}' is not granted; allowed by ${permission} among grants.permissions, which is the operator's decision`,
      index < 2 ? "fail PermissionMissing" : "stop PermissionMissing"
    ]),
    [
      "a surface that isn't enabled",
      { more: 'surfaces = ["service"]' },
      "host.toml:8:1: plugins.enabled[0].grants.permissions: the permission 'surface ingress' is not enabled; allowed by \"ingress\" among surfaces, which is the operator's decision",
      "stop PermissionMissing"
    ],
    [
      "a URL of the operator's that the package doesn't declare",
      {
        rest: '[plugins.enabled.sources.gateway]\nurls = ["ws://127.0.0.1:7700/gateway", "ws://127.0.0.1:7700/other"]'
      },
      `host.toml:11:40: plugins.enabled[0].sources.gateway.urls[1]: no target that the manifest declares covers ws://127.0.0.1:7700/other; declared by { scheme = "ws", host = "127.0.0.1", port = 7700, path_prefixes = ["/other"] } among websocket in plugin.toml, which its author decides`,
      "stop TargetUndeclared"
    ],
    [
      "a grant of another version",
      { rest: 'version = "0.2.0"' },
      'host.toml:7:2: plugins.enabled[0].grants: the grant is for version 0.2.0, but the package has 0.1.0; allowed by version = "0.1.0" in grants, which is the operator\'s decision',
      "fail GrantBindingMismatch"
    ]
  ]

  it.live.each(remedies)("says what is denied, why, and what would allow it: %s", ([, asked, line, would]) =>
    Effect.gen(function* () {
      const { lines, ok, plugins } = yield* check((digest) => entry(digest, asked))
      assert.strictEqual(lines.join(), line)
      assert.isFalse(ok)
      const [row] = plugins
      const stopped = row?.sources.findLast((source) => source.would === "stop")
      assert.strictEqual(row?.would === "fail" ? `fail ${row.tag}` : `stop ${stopped?.tag}`, would)
    }).pipe(Effect.scoped)
  )

  it.live("allows everything once what it says is granted, one after the other", () =>
    Effect.gen(function* () {
      const permissions: Array<string> = []
      const targets: Array<string> = []
      for (let granted = 0; ; granted++) {
        const { lines, ok } = yield* check((digest) => entry(digest, { permissions, targets }))
        if (ok) return assert.strictEqual(granted, 6)
        const [, toml = "", list] =
          / allowed by (\{.*\}) among grants\.(permissions|websocket),/.exec(lines[0] ?? "") ?? []
        ;(list === "websocket" ? targets : permissions).push(toml)
        assert.isBelow(granted, 10, lines[0])
      }
    }).pipe(Effect.scoped)
  )

  const failures: ReadonlyArray<readonly [what: string, entry: Entry, files: Files, line: RegExp, tag: string]> = [
    [
      "another version",
      { version: "0.2.0" },
      ECHO,
      /^host\.toml:4:1: plugins\.enabled\[0\]\.version: version 0\.2\.0 is enabled, but the package has version 0\.1\.0$/,
      "VersionMismatch"
    ],
    [
      "another digest",
      { digest: `sha256:${"0".repeat(64)}` },
      { ...ECHO, ".DS_Store": "x" },
      /^host\.toml:5:1: plugins\.enabled\[0\]\.digest: digest .* the package has digest sha256:[0-9a-f]{64}; look at \.DS_Store$/,
      "DigestMismatch"
    ],
    [
      "another id",
      {},
      { ...ECHO, "plugin.toml": MANIFEST.replace("example.echo", "example.other") },
      /^host\.toml:3:1: plugins\.enabled\[0\]\.id: Expected the id of the package behind the colon, which is example\.other$/,
      "ManifestInvalid"
    ],
    [
      "no manifest",
      {},
      { "plugin.js": CODE },
      /^host\.toml:2:1: plugins\.enabled\[0\]\.package: the package can't be read: it has no plugin\.toml$/,
      "PackageUnreadable"
    ],
    [
      "installed packages",
      {},
      { ...ECHO, "node_modules/a.js": "" },
      /^host\.toml:2:1: plugins\.enabled\[0\]\.package: .*: node_modules$/,
      "PackageUnreadable"
    ],
    [
      "a broken manifest",
      {},
      { ...ECHO, "plugin.toml": MANIFEST.replace("surfaces", "surfacs") },
      /^plugins\/echo\/plugin\.toml:5:1: surfacs: Expected no excess property \(did you mean surfaces\?\)$/,
      "ManifestInvalid"
    ],
    [
      "a component",
      {},
      { ...ECHO, "plugin.toml": MANIFEST.replace('"javascript"', '"wasm-component"') },
      /^host\.toml:2:1: plugins\.enabled\[0\]\.package: this host runs no code of the kind wasm-component$/,
      "UnsupportedRuntime"
    ],
    [
      "an ingress that isn't there",
      { rest: "[plugins.enabled.sources.gatway]\nurls = []" },
      ECHO,
      /^host\.toml:10:2: plugins\.enabled\[0\]\.sources\.gatway: Expected an ingress that the manifest declares$/,
      "ManifestInvalid"
    ],
    [
      "a variable that isn't set",
      { rest: '[plugins.enabled.secrets]\nkey = { env = "NONE" }' },
      ECHO,
      /^host\.toml:11:1: plugins\.enabled\[0\]\.secrets\.key: Expected a variable that is set$/,
      "HostFileInvalid"
    ],
    [
      "limits that don't fit the host's",
      { more: "limits = { output_bytes = 1024 }" },
      ECHO,
      /^host\.toml:6:12: plugins\.enabled\[0\]\.limits\.output_bytes: Expected at least command_payload_bytes$/,
      "HostFileInvalid"
    ],
    [
      "an entry in which something is wrong",
      { more: "limits = { outputbytes = 1024 }" },
      ECHO,
      /^host\.toml:6:12: plugins\.enabled\[0\]\.limits\.outputbytes: Expected no excess property/,
      "ManifestInvalid"
    ]
  ]

  it.live.each(failures)("says why a plugin would fail, where that stands: %s", ([, asked, files, line, tag]) =>
    Effect.gen(function* () {
      const { lines, ok, plugins } = yield* check((digest) => entry(digest, asked), files)
      assert.isTrue(
        lines.some((each) => line.test(each)),
        lines.join("\n")
      )
      assert.isFalse(ok)
      assert.deepStrictEqual(plugins, [
        { pluginRef: "project:example.echo", would: "fail", tag, sources: [], requests: [] }
      ])
    }).pipe(Effect.scoped)
  )

  it.live("judges each entry by itself", () =>
    Effect.gen(function* () {
      const other =
        '\n[[plugins.enabled]]\npackage = "./plugins/none"\nid = "project:example.none"\nversion = "1.0.0"\n'
      const { lines, plugins } = yield* check((digest) => `${entry(digest)}${other}digest = "${digest}"\n`)
      assert.deepStrictEqual(
        plugins.map(({ tag, would }) => [would, tag]),
        [
          ["start", undefined],
          ["fail", "PackageUnreadable"]
        ]
      )
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0] ?? "", /^host\.toml:13:1: plugins\.enabled\[1\]\.package: /)
    }).pipe(Effect.scoped)
  )

  it.live(
    "notes what is broad, what goes in cleartext, what a proxy must check and what isn't served, and is well",
    () =>
      Effect.gen(function* () {
        const targets = ['{ scheme = "*", host = "*", port = "*", path_prefixes = ["/"], secrets = ["key"] }']
        const files = { ...ECHO, "plugin.toml": `tools = []\n${MANIFEST.replaceAll("127.0.0.1", "feed.example.com")}` }
        const { lines, ok, problems } = yield* check(
          (digest) =>
            `[proxy]\nconnect = "http://127.0.0.1:3128"\n${entry(digest, { targets, rest: '[plugins.enabled.secrets]\nkey = { env = "TOKEN" }' })}`,
          files
        )
        assert.deepStrictEqual(
          problems.filter(({ severity }) => severity === "problem"),
          []
        )
        assert.isTrue(ok)
        assert.isTrue(problems.every(({ severity }) => severity === "note"))
        assert.deepStrictEqual(
          lines.map((line) => line.replace(/: [^:]*$/, "")),
          [
            "host.toml:1:2: proxy",
            "host.toml:11:30: plugins.enabled[0].grants.websocket[0].host",
            "host.toml:11:77: plugins.enabled[0].grants.websocket[0].secrets",
            "plugins/echo/plugin.toml:1:1: tools"
          ].map((line, index) =>
            index === 0 ? `${line}: names go to it unresolved` : index === 1 ? `${line}: broad` : line
          )
        )
      }).pipe(Effect.scoped)
  )

  const API = 'scheme = "https", host = "api.example.com"'
  const requesting = {
    ...ECHO,
    "plugin.toml": `${MANIFEST.replace("permissions = [", 'permissions = [\n  { kind = "host_api", api = "request" },')}
[[request]]
scheme = "https"
host = "api.example.com"
methods = ["GET"]
path_prefixes = ["/v1"]
`
  }
  const MAY = '{ kind = "host_api", api = "request" }'
  const declared = `{ ${API}, path_prefixes = ["/v1"], methods = ["GET"] }`

  it.live.each<readonly [what: string, asked: Entry, files: Files, lines: ReadonlyArray<string>, allowed: number]>([
    [
      "a grant within what is declared",
      {
        permissions: [...PERMISSIONS, MAY],
        rest: `request = [{ ${API}, methods = ["GET", "POST"], path_prefixes = ["/v1/a"], headers = { a = "hunter22" } }]`
      },
      requesting,
      [],
      1
    ],
    [
      "nothing granted",
      { permissions: [...PERMISSIONS, MAY] },
      requesting,
      [
        `host.toml:7:2: plugins.enabled[0].grants: requests that the manifest declares aren't granted; allowed by ${declared} among grants.request, which is the operator's decision`
      ],
      0
    ],
    [
      "a grant beside what is declared",
      {
        permissions: [...PERMISSIONS, MAY],
        rest: `request = [\n{ ${API}, methods = ["GET"], path_prefixes = ["/v1"] },\n{ ${API}, methods = ["PUT"], path_prefixes = ["/v1"] }]`
      },
      requesting,
      [
        `host.toml:12:1: plugins.enabled[0].grants.request[1]: it allows nothing: no target that the manifest declares meets it; declared by ${declared.replace("GET", "PUT")} among request in plugin.toml, which its author decides`
      ],
      1
    ],
    [
      "no permission in the grant",
      { rest: `request = [{ ${API}, methods = ["GET"], path_prefixes = ["/v1"] }]` },
      requesting,
      [
        `host.toml:8:1: plugins.enabled[0].grants.permissions: nothing may be requested: the permission 'host_api request' is not granted; allowed by ${MAY} among grants.permissions, which is the operator's decision`
      ],
      0
    ],
    [
      "no permission in the manifest",
      {
        permissions: [...PERMISSIONS, MAY],
        rest: `request = [{ ${API}, methods = ["GET"], path_prefixes = ["/v1"] }]`
      },
      ECHO,
      [
        `host.toml:8:1: plugins.enabled[0].grants.permissions: nothing may be requested: the permission 'host_api request' is not declared in the manifest; declared by ${MAY} among permissions in plugin.toml, which its author decides`
      ],
      0
    ],
    [
      "what is broad, and goes in cleartext",
      {
        permissions: [...PERMISSIONS, MAY],
        rest: `request = [{ scheme = "*", host = "*", methods = ["GET"], path_prefixes = ["/"], secrets = ["key"],\nheaders = { a = "{key}", b = "{none}", c = "{basic:me:kye}", d = "{}" } }]\n[plugins.enabled.sources.gateway]\nheaders = { authorization = "Bearer {tokne}" }\n[plugins.enabled.secrets]\nkey = { env = "TOKEN" }`
      },
      requesting,
      [
        "host.toml:10:28: plugins.enabled[0].grants.request[0].host: broad: it covers every host",
        "host.toml:10:82: plugins.enabled[0].grants.request[0].secrets: secrets may go where anybody on the way can read them",
        "host.toml:11:13: plugins.enabled[0].grants.request[0].headers.a: secrets may go where anybody on the way can read them",
        "host.toml:11:26: plugins.enabled[0].grants.request[0].headers.b: what stands in braces is no secret of this entry, so it is sent as it is written",
        "host.toml:11:40: plugins.enabled[0].grants.request[0].headers.c: what stands in braces is no secret of this entry, so it is sent as it is written",
        "host.toml:13:13: plugins.enabled[0].sources.gateway.headers.authorization: what stands in braces is no secret of this entry, so it is sent as it is written"
      ],
      1
    ]
  ])("notes what of requests is in vain, and what should be known: %s", ([, asked, files, expected, allowed]) =>
    Effect.gen(function* () {
      const report = yield* check((digest) => entry(digest, asked), files)
      assert.deepStrictEqual(report.lines, expected)
      assert.isTrue(report.ok)
      assert.strictEqual(report.plugins[0]?.requests.length, allowed)
      for (const secret of ["hunter22", "t0ps3cret"]) assert.notInclude(JSON.stringify(report), secret)
    }).pipe(Effect.scoped)
  )

  it.live("notes that nobody can ask for metrics where there is no control address", () =>
    Effect.gen(function* () {
      const metrics = "[metrics]\nprometheus = true\n"
      const alone = yield* check((digest) => `${metrics}${entry(digest)}`)
      assert.isTrue(alone.ok)
      assert.deepStrictEqual(alone.lines, [
        "host.toml:2:1: metrics.prometheus: nobody can ask for it without a control address: a [control] table, or --control of mooring run"
      ])
      const both = yield* check((digest) => `${metrics}[control]\nlisten = "127.0.0.1:9477"\n${entry(digest)}`)
      assert.deepStrictEqual(both.lines, [])
    }).pipe(Effect.scoped)
  )

  it.live("tells who writes a secret itself where it belongs, and nothing of it", () =>
    Effect.gen(function* () {
      const { lines } = yield* check((digest) => entry(digest, { rest: '[plugins.enabled.secrets]\nkey = "hunter22"' }))
      assert.match(lines[0] ?? "", /secrets\.key: Expected \{ env = "NAME" \} or \{ file = "path" \}$/)
    }).pipe(Effect.scoped)
  )

  it.live("says nothing of a secret", () =>
    Effect.gen(function* () {
      const rest = `[plugins.enabled.secrets]
key = { env = "TOKEN" }
[plugins.enabled.sources.gateway]
urls = ["ws://127.0.0.1:7700/gateway?key={key}", "ws://127.0.0.1:7700/other?password=hunter22"]`
      const root = yield* host((digest) => entry(digest, { more: 'config = { token = "hunter22" }', rest }))
      const report = yield* reportOn(root)
      assert.isFalse(report.ok)
      const said = JSON.stringify(report)
      for (const secret of ["hunter22", "t0ps3cret"]) assert.notInclude(said, secret)
    }).pipe(Effect.scoped)
  )

  it.effect("counts the host's connections over all plugins, in the order of the file", () =>
    Effect.gen(function* () {
      const urls = [1, 2].map((nth) => `"ws://127.0.0.1:7700/gateway/${nth}"`).join(", ")
      const rest = `[plugins.enabled.sources.gateway]\nurls = [${urls}]\n`
      const { ok, plugins } = yield* check(
        (digest) =>
          `[limits]\nconnections_per_host = 3\n${entry(digest, { rest, more: 'instance = "denied"', permissions: [] })}${[
            "a",
            "b",
            "c"
          ]
            .map((name) => entry(digest, { rest, more: `instance = "${name}"` }))
            .join("")}`
      )
      assert.isFalse(ok)
      const tags = plugins.map(({ sources }) => sources.map(({ tag, would }) => tag ?? would))
      assert.deepStrictEqual(tags.slice(1), [
        ["dial", "dial"],
        ["dial", "ConnectionLimit"],
        ["ConnectionLimit", "ConnectionLimit"]
      ])
    })
  )
})
