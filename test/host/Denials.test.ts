import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import {
  type Enablement,
  Grants,
  HostStatus,
  type Permission,
  PluginHost,
  type PluginRuntime,
  WebSocketClient,
  type WebSocketTarget
} from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { onFake, type Setup } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

type Row = HostStatus.Encoded["plugins"][number]

/** A host that has done all it will do in two days: its dials and the row of its one plugin, encoded. */
const settled = (setup: Setup) =>
  Effect.gen(function* () {
    const { dials } = yield* FakeWebSocket.FakeWebSocket
    const host = yield* PluginHost.PluginHost
    yield* host.idle
    yield* TestClock.adjust("2 days")
    yield* host.idle
    const status = HostStatus.encode(yield* host.status)
    const text = JSON.stringify(status)
    assert.notInclude(text, "SECRET123")
    return { dials: yield* dials, row: status.plugins[0], plugins: status.plugins.length, text }
  }).pipe(Effect.provide(onFake(setup)))

type Fields = { readonly [key: string]: unknown }

/** The error was reported once, with these fields. */
const assertReported = (row: Row | undefined, tag: string, fields: Fields) => {
  const reported = (row?.diagnostics ?? []).filter((diagnostic) => diagnostic.tag === tag)
  assert.deepStrictEqual(
    reported.map(({ count, error }) => ({ ...error, count })),
    reported.map(({ error }) => ({ ...error, ...fields, count: 1 }))
  )
  assert.strictEqual(row?.diagnostic_counts[tag], 1)
}

/** The plugin itself may not run: no dial, and a row that failed for this reason. */
const assertFailed = (setup: Setup, tag: string, fields: Fields, says: RegExp) =>
  Effect.gen(function* () {
    const { dials, plugins, row } = yield* settled(setup)
    assert.deepStrictEqual(dials, [])
    assert.strictEqual(plugins, 1)
    assert.strictEqual(row?.lifecycle, "failed")
    assert.strictEqual(row?.last_error?.tag, tag)
    assert.match(row?.last_error?.message ?? "", says)
    assert.isNull(row?.retry_at)
    assertReported(row, tag, fields)
    for (const connection of row?.websocket_connections ?? []) {
      assert.strictEqual(connection.state, "stopped")
      assert.strictEqual(connection.opens, 0)
    }
  })

/** A source may not be dialled: no dial, and a stopped row with this reason; the plugin itself runs. */
const assertStopped = (setup: Setup, tag: string, fields: Fields, says: RegExp) =>
  Effect.gen(function* () {
    const { dials, row } = yield* settled(setup)
    assert.deepStrictEqual(dials, [])
    assert.strictEqual(row?.lifecycle, "running")
    assert.isNull(row?.last_error)
    const [connection, ...more] = row?.websocket_connections ?? []
    assert.deepStrictEqual(more, [])
    assert.strictEqual(connection?.state, "stopped")
    assert.strictEqual(connection?.stop_reason, "grant")
    assert.strictEqual(connection?.last_error?.tag, tag)
    assert.match(connection?.last_error?.message ?? "", says)
    assert.isNull(connection?.next_attempt_at)
    assert.strictEqual(connection?.opens, 0)
    assertReported(row, tag, fields)
  })

const formatted = (permission: Permission.Permission): string => Object.values(permission).join(" ")

const undeclared = (pkg: PluginRuntime.PluginPackage, permission: string): PluginRuntime.PluginPackage => ({
  ...pkg,
  manifest: {
    ...pkg.manifest,
    permissions: pkg.manifest.permissions.filter((each) => formatted(each) !== permission)
  }
})

const ungranted = (pkg: PluginRuntime.PluginPackage, permission: string): Enablement.Enablement => {
  const enabled = enable(pkg)
  const permissions = enabled.grants.permissions.filter((each) => formatted(each) !== permission)
  return { ...enabled, grants: { ...enabled.grants, permissions } }
}

const withGrants = (
  pkg: PluginRuntime.PluginPackage,
  change: Partial<Enablement.Enablement["grants"]>
): Enablement.Enablement => {
  const enabled = enable(pkg)
  return { ...enabled, grants: { ...enabled.grants, ...change } }
}

const plain = plugin({})
const OTHER_DIGEST = `sha256:${"0".repeat(64)}`

describe("a plugin without authority", () => {
  it.effect("is compared with one that has it, which dials once", () =>
    Effect.gen(function* () {
      const { dials, row } = yield* settled({ plugins: [plain] })
      assert.deepStrictEqual(
        dials.map(({ url }) => url),
        [GATEWAY]
      )
      assert.strictEqual(row?.lifecycle, "running")
      assert.strictEqual(row?.websocket_connections[0]?.state, "open")
    })
  )

  for (const permission of ["surface service", "service test.plugin"]) {
    const says = (half: string) => new RegExp(`'${permission}' is not ${half}`)
    it.effect(`rule 1: fails without '${permission}' in the manifest, and says so`, () => {
      const pkg = undeclared(plain, permission)
      const setup = { plugins: [pkg], enabled: [enable(plain)] }
      return assertFailed(setup, "PermissionMissing", { permission, missing: "manifest" }, says("declared"))
    })

    it.effect(`rule 1: fails without '${permission}' in the grant, and says so`, () => {
      const setup = { plugins: [plain], enabled: [ungranted(plain, permission)] }
      return assertFailed(setup, "PermissionMissing", { permission, missing: "grant" }, says("granted"))
    })
  }

  for (const permission of ["surface ingress", "ingress gateway", "host_api websocket"]) {
    const says = (half: string) => new RegExp(`'${permission}' is not ${half}`)
    it.effect(`rule 1: dials nothing without '${permission}' in the manifest, and says so`, () => {
      const setup = { plugins: [undeclared(plain, permission)], enabled: [enable(plain)] }
      return assertStopped(setup, "PermissionMissing", { permission, missing: "manifest" }, says("declared"))
    })

    it.effect(`rule 1: dials nothing without '${permission}' in the grant, and says so`, () => {
      const setup = { plugins: [plain], enabled: [ungranted(plain, permission)] }
      return assertStopped(setup, "PermissionMissing", { permission, missing: "grant" }, says("granted"))
    })
  }

  it.effect.each([[[]], [["ingress"]]])("rule 1: fails with only %j of its surfaces enabled", ([surfaces]) => {
    const setup = { plugins: [plain], enabled: [enable(plain, { surfaces })] }
    return assertFailed(setup, "PermissionMissing", { missing: "enablement" }, /surface service/)
  })

  it.effect("rule 1: dials nothing without the surface 'ingress' among the enabled ones", () => {
    const setup = { plugins: [plain], enabled: [enable(plain, { surfaces: ["service"] })] }
    return assertStopped(setup, "PermissionMissing", { missing: "enablement" }, /surface ingress/)
  })

  it.effect("rule 1: fails without any grant", () =>
    assertFailed(
      { plugins: [plain], enabled: [enable(plain, { grants: {} })] },
      "PermissionMissing",
      { permission: "surface service", missing: "grant" },
      /granted/
    )
  )

  it.effect("rule 1: fails with an empty list of permissions on either side", () =>
    Effect.gen(function* () {
      const declared = { ...plain, manifest: { ...plain.manifest, permissions: [] } }
      const granted = withGrants(plain, { permissions: [] })
      yield* assertFailed(
        { plugins: [declared], enabled: [enable(plain)] },
        "PermissionMissing",
        { missing: "manifest" },
        /./
      )
      yield* assertFailed({ plugins: [plain], enabled: [granted] }, "PermissionMissing", { missing: "grant" }, /./)
    })
  )

  it.effect("rule 1: has no permission by one that looks alike", () => {
    const permissions: ReadonlyArray<Permission.Permission> = [
      { kind: "surface", surface: "Service" },
      { kind: "service", name: "test.plugin.x" },
      { kind: "ingress", name: "Gateway" },
      { kind: "host_api", api: "websockets" },
      { kind: "tool", name: "service" },
      { kind: "external_write" }
    ]
    const setup = { plugins: [plain], enabled: [withGrants(plain, { permissions })] }
    return assertFailed(setup, "PermissionMissing", { missing: "grant" }, /surface service/)
  })
})

const enabled = (change: Fields): Setup => ({ plugins: [plain], enabled: [enable(plain, change)] })

describe("a package that isn't exactly the enabled one", () => {
  for (const id of ["project:test.other", "project:test.plugin2", "project:test", "user:test.other"]) {
    it.effect(`rule 1: is not run as ${id}`, () =>
      assertFailed(enabled({ id }), "PackageUnreadable", {}, /no package has the id/)
    )
  }

  for (const version of ["1.0.1", "1.0.0-rc.1", "1.0.0+build", "0.1.0", "10.0.0"]) {
    it.effect(`rule 1: is not run as version ${version}`, () =>
      assertFailed(enabled({ version }), "VersionMismatch", { enabled: version, actual: "1.0.0" }, /version/)
    )
  }

  it.effect("rule 1: is not run under another digest", () =>
    assertFailed(
      enabled({ digest: OTHER_DIGEST }),
      "DigestMismatch",
      { enabled: OTHER_DIGEST, actual: plain.digest },
      /digest/
    )
  )

  it.effect("rule 1: is not run where no package is known at all", () =>
    assertFailed({ plugins: [], enabled: [enable(plain)] }, "PackageUnreadable", {}, /test\.plugin/)
  )

  it.effect("rule 1: is not run with surfaces or ingresses that it doesn't declare", () =>
    Effect.gen(function* () {
      for (const change of [{ surfaces: ["service", "tool"] }, { sources: { other: { urls: [GATEWAY] } } }]) {
        yield* assertFailed(enabled(change), "ManifestInvalid", { subject: "enablement" }, /that the manifest declares/)
      }
    })
  )

  for (const [field, other] of [
    ["id", "user:test.plugin"],
    ["id", "project:test.plugin2"],
    ["version", "1.0.1"],
    ["digest", OTHER_DIGEST]
  ] as const) {
    it.effect(`rule 1: is not run by a grant that is for the ${field} ${other}`, () =>
      assertFailed(
        { plugins: [plain], enabled: [withGrants(plain, { [field]: other })] },
        "GrantBindingMismatch",
        { field, granted: other },
        new RegExp(`the grant is for ${field}`)
      )
    )
  }

  it.effect("runs by a grant that repeats its id, version and digest", () =>
    Effect.gen(function* () {
      const { digest, id, version } = enable(plain)
      const { dials } = yield* settled({ plugins: [plain], enabled: [withGrants(plain, { id, version, digest })] })
      assert.strictEqual(dials.length, 1)
    })
  )
})

// ---------------------------------------------------------------------------------------------------------------------

const ANYWHERE: ReadonlyArray<WebSocketTarget.WebSocketTarget> = [
  { scheme: "*", host: "*", port: "*", pathPrefixes: ["/"] },
  { scheme: "*", host: "127.0.0.1", port: "*", pathPrefixes: ["/"] },
  { scheme: "*", host: "127.0.0.2", port: "*", pathPrefixes: ["/"] },
  { scheme: "*", host: "::1", port: "*", pathPrefixes: ["/"] },
  { scheme: "*", host: "::ffff:127.0.0.1", port: "*", pathPrefixes: ["/"] }
]

const GATE: WebSocketTarget.WebSocketTarget = {
  scheme: "ws",
  host: "127.0.0.1",
  port: 7700,
  pathPrefixes: ["/gateway"]
}

/** A plugin with this source, and these targets on the two sides. */
const between = (
  source: string,
  declared: ReadonlyArray<WebSocketTarget.WebSocketTarget>,
  granted: ReadonlyArray<WebSocketTarget.WebSocketTarget>
): Setup => {
  const pkg = plugin({ sources: [source], websocket: ANYWHERE })
  const narrowed = { ...pkg, manifest: { ...pkg.manifest, websocket: declared } }
  return { plugins: [narrowed], enabled: [withGrants(pkg, { websocket: granted })] }
}

const misses: ReadonlyArray<
  readonly [what: string, source: string, targets: ReadonlyArray<WebSocketTarget.WebSocketTarget>]
> = [
  ["no target at all", GATEWAY, []],
  ["a target without prefixes", GATEWAY, [{ ...GATE, pathPrefixes: [] }]],
  ["a neighbour of a prefix", "ws://127.0.0.1:7700/gateway-admin", [GATE]],
  ["what begins like a prefix", "ws://127.0.0.1:7700/gatewayx/a", [GATE]],
  ["a prefix in another case", "ws://127.0.0.1:7700/Gateway", [GATE]],
  ["an escaped letter in a prefix", "ws://127.0.0.1:7700/%67ateway", [GATE]],
  ["a prefix in the query", "ws://127.0.0.1:7700/?/gateway&token=SECRET123", [GATE]],
  ["a parent of a prefix", "ws://127.0.0.1:7700/", [GATE]],
  ["another port", "ws://127.0.0.1:7701/gateway", [GATE]],
  ["the default port of the scheme", "ws://127.0.0.1/gateway", [GATE]],
  ["a port that is not the default one", GATEWAY, [{ scheme: "ws", host: "127.0.0.1", pathPrefixes: ["/"] }]],
  ["the other scheme", "wss://127.0.0.1:7700/gateway", [GATE]],
  ["another literal", "ws://127.0.0.2:7700/gateway", [GATE]],
  ["another literal in shorthand", "ws://127.2:7700/gateway", [GATE]],
  ["the name of a granted literal", "ws://localhost:7700/gateway", [GATE]],
  ["a granted literal mapped into IPv6", "ws://[::ffff:127.0.0.1]:7700/gateway", [GATE]],
  ["a literal, by a wildcard", GATEWAY, [{ ...GATE, host: "*" }]],
  ["a literal in shorthand, by a wildcard", "ws://2130706433:7700/gateway", [{ ...GATE, host: "*" }]],
  ["an IPv6 literal, by a wildcard", "ws://[::1]:7700/gateway", [{ ...GATE, host: "*" }]],
  ["another name in upper case", "ws://EVIL.example/", [{ scheme: "ws", host: "good.example", pathPrefixes: ["/"] }]],
  ["another name with a dot", "ws://evil.example./", [{ scheme: "ws", host: "good.example", pathPrefixes: ["/"] }]],
  ["a parent by '*.'", "ws://good.example/", [{ scheme: "ws", host: "*.good.example", pathPrefixes: ["/"] }]],
  ["a neighbour by '*.'", "ws://a.notgood.example/", [{ scheme: "ws", host: "*.good.example", pathPrefixes: ["/"] }]],
  [
    "a name behind a granted one",
    "ws://good.example.evil.org/",
    [{ scheme: "ws", host: "good.example", pathPrefixes: ["/"] }]
  ]
]

describe("a source that manifest and grant don't both cover", () => {
  for (const [what, source, targets] of misses) {
    it.effect(`rule 1: is not dialled if the manifest doesn't declare it: ${what}`, () =>
      assertStopped(between(source, targets, ANYWHERE), "TargetUndeclared", {}, /manifest/)
    )

    it.effect(`rule 1: is not dialled if it isn't granted: ${what}`, () =>
      assertStopped(between(source, ANYWHERE, targets), "TargetUngranted", { subprotocol: null }, /granted/)
    )
  }

  it.effect("rule 1: is not dialled with a subprotocol that isn't granted", () => {
    const setup = between(GATEWAY, [{ ...GATE, subprotocols: ["v1", "v2"] }], [{ ...GATE, subprotocols: ["v1"] }])
    return assertStopped(setup, "TargetUngranted", { subprotocol: "v2" }, /'v2'/)
  })

  it.effect("rule 1: is not dialled because the operator put it in the place of one that is", () =>
    Effect.gen(function* () {
      for (const url of ["ws://127.0.0.1:7700/gateway-admin", "ws://evil.example/gateway?token=SECRET123"]) {
        const setup = between(GATEWAY, [GATE], ANYWHERE)
        const sources = { gateway: { urls: [url], staleAfterMs: 0 } }
        const replaced = (setup.enabled ?? []).map((enablement) => ({ ...enablement, sources }))
        yield* assertStopped({ ...setup, enabled: replaced }, "TargetUndeclared", {}, /manifest/)
      }
    })
  )

  it.effect("is dialled where both cover it, however its host is written", () =>
    Effect.gen(function* () {
      const name: WebSocketTarget.WebSocketTarget = { scheme: "ws", host: "good.example", pathPrefixes: ["/"] }
      for (const source of ["ws://GOOD.example/a", "ws://good.example./a", "WS://good.example:80/a"]) {
        const { dials } = yield* settled(between(source, [name], [name]))
        assert.deepStrictEqual(
          dials.map(({ url }) => url),
          ["ws://good.example:80/a"]
        )
      }
    })
  )
})

const refused: ReadonlyArray<readonly [what: string, sources: ReadonlyArray<string>]> = [
  ["user info", ["ws://user:SECRET123@127.0.0.1:7700/gateway", "ws://SECRET123@127.0.0.1:7700/", "ws://@127.0.0.1/"]],
  [
    "user info that only a browser would find",
    ["ws:/user:SECRET123@127.0.0.1/", "ws:\\\\user:SECRET123@127.0.0.1/", "ws:///user:SECRET123@127.0.0.1/"]
  ],
  ["a fragment", ["ws://127.0.0.1:7700/gateway#SECRET123", "ws://127.0.0.1:7700/gateway?token=SECRET123#"]],
  ["a backslash", ["ws://127.0.0.1:7700\\gateway?token=SECRET123", "ws://127.0.0.1:7700/gateway\\..\\admin"]],
  [
    "another scheme",
    ["http://127.0.0.1:7700/gateway?token=SECRET123", "wsx://127.0.0.1/", "127.0.0.1:7700/gateway", ""]
  ],
  ["no // after the scheme", ["ws:127.0.0.1:7700/gateway?token=SECRET123", "ws:/127.0.0.1:7700/gateway"]],
  [
    "characters other than printable ASCII",
    ["ws://127.0.0.1:7700/gat\u00e9way?token=SECRET123", "ws://127.0.0.1\t/", "ws://１27.0.0.1/"]
  ],
  [
    "an escape",
    ["%2e%2e", "%2E", "%2f", "%2F", "%5c", "%5C", "%25", "%00"].map(
      (escape) => `ws://127.0.0.1:7700/gateway/${escape}/admin?token=SECRET123`
    )
  ],
  ["an empty segment", ["ws://127.0.0.1:7700//gateway", "ws://127.0.0.1:7700/gateway//x?token=SECRET123"]],
  [
    "a dot segment",
    [
      "ws://127.0.0.1:7700/gateway/../admin?token=SECRET123",
      "ws://127.0.0.1:7700/gateway/..;/admin",
      "ws://127.0.0.1:7700/./gateway"
    ]
  ],
  ["no host or port", ["ws:///gateway", "ws://", "ws://127.0.0.1:0/", "ws://127.0.0.1:99999/?token=SECRET123"]],
  ["a template where it could lead elsewhere", ["ws://{key}/gateway", "ws://127.0.0.1:{port}/?token={SECRET123}"]]
]

describe("a source that is refused as it is written", () => {
  for (const [what, sources] of refused) {
    it.effect(`rule 1: is not dialled, though everything is granted: ${what}`, () =>
      Effect.gen(function* () {
        for (const source of sources) {
          yield* assertStopped(between(source, ANYWHERE, ANYWHERE), "TargetInvalid", {}, /./)
          const prefixed = between(`websocket:${source}`, ANYWHERE, ANYWHERE)
          yield* assertStopped(prefixed, "TargetInvalid", {}, /./)
        }
      })
    )
  }

  it.effect("rule 11: says nothing of secrets, whatever else it says", () =>
    Effect.gen(function* () {
      const sources = refused.flatMap(([, urls]) => urls)
      const covered = ["ws://127.0.0.1:7700/gateway?token=SECRET123", "ws://127.0.0.1:7700/?SECRET123"]
      const pkg = plugin({ sources: [...new Set([...sources, ...covered])], websocket: [GATE] })
      const headers = { authorization: "Basic SECRET123" }
      const enablement = enable(pkg, { config: { token: "SECRET123" }, sources: { gateway: { headers } } })
      const { text } = yield* settled({
        plugins: [pkg],
        enabled: [
          enablement,
          { ...enablement, instance: "denied", grants: { permissions: [], websocket: [], request: [], sign: [] } }
        ],
        limits: { connectionsPerPlugin: 1000 }
      })
      assert.notInclude(text, "SECRET123")
      assert.include(text, "TargetInvalid")
    })
  )
})

describe("the client of a host", () => {
  it.effect("rule 1: dials nothing for a target that was cast or copied", () =>
    Effect.gen(function* () {
      const { dials } = yield* FakeWebSocket.FakeWebSocket
      const client = yield* WebSocketClient.WebSocketClient
      const { prototype } = Grants.AuthorizedTarget
      const url = { raw: GATEWAY, canonical: GATEWAY, display: GATEWAY, host: "127.0.0.1", literal: true, port: 7700 }
      const like = { url, subprotocols: [], privateAddresses: true, revision: 0 }
      for (const forged of [like, Object.create(prototype), Object.setPrototypeOf({ ...like }, prototype), {}, null]) {
        const events = new Proxy({} as WebSocketClient.SocketEvents, {
          get: () => () => assert.fail("something was opened")
        })
        const exit = yield* client
          .connect(
            forged as Grants.AuthorizedTarget,
            {
              headers: {},
              tls: undefined,
              compression: false,
              fastPath: true,
              maxMessageBytes: 1024,
              maxMessageFragments: 1024,
              lookups: { take: Effect.succeed((lookup) => lookup) },
              entered: () => {}
            },
            events
          )
          .pipe(Effect.scoped, Effect.exit)
        assert.strictEqual(exit._tag, "Failure")
      }
      assert.deepStrictEqual(yield* dials, [])
    }).pipe(Effect.provide(FakeWebSocket.layer))
  )
})

it.effect("a plugin that is denied doesn't keep another from running", () =>
  Effect.gen(function* () {
    const denied = plugin({ name: "denied" })
    const host = yield* PluginHost.PluginHost
    yield* host.idle
    const rows = HostStatus.encode(yield* host.status).plugins
    assert.deepStrictEqual(
      rows.map(({ lifecycle, plugin_ref }) => [plugin_ref, lifecycle]),
      [
        [refOf(denied), "failed"],
        [refOf(plain), "running"]
      ]
    )
  }).pipe(
    Effect.provide(
      onFake({
        plugins: [plugin({ name: "denied" }), plain],
        enabled: [enable(plugin({ name: "denied" }), { grants: {} }), enable(plain)]
      })
    )
  )
)
