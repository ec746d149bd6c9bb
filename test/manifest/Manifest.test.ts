import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Manifest } from "mooring"

/** The example of CONTRACT.md as a TOML parser gives it. */
const EXAMPLE = {
  schema_version: 1,
  id: "example.echo",
  name: "Echo",
  version: "0.1.0",
  description: "Answers every message.",
  surfaces: ["service", "ingress"],
  permissions: [
    { kind: "surface", surface: "service" },
    { kind: "service", name: "echo" },
    { kind: "surface", surface: "ingress" },
    { kind: "ingress", name: "gateway" },
    { kind: "host_api", api: "websocket" }
  ],
  runtime: { kind: "javascript", entry: "plugin.js" },
  services: [{ name: "echo", description: "Echo service.", lifecycle: "host-managed" }],
  ingresses: [
    {
      name: "gateway",
      description: "Messages of the gateway.",
      event_kinds: ["websocket_open", "websocket_text", "websocket_close", "websocket_error"],
      sources: ["websocket:ws://127.0.0.1:7700/gateway"],
      urgent: ["ping", '{"op":11'],
      auto_replies: [{ text: "ping", reply: "pong" }],
      stop_codes: [4004],
      close_code: 1001,
      input_schema: { type: "object" }
    }
  ],
  websocket: [{ scheme: "ws", host: "127.0.0.1", port: 7700, path_prefixes: ["/gateway"], subprotocols: [] }]
}

const MINIMAL = { schema_version: 1, id: "example.echo", name: "Echo", version: "0.1.0", surfaces: [] }

const problemsOf = (input: unknown): ReadonlyMap<string, string> => {
  const decoded = Manifest.decode(input)
  if (Result.isSuccess(decoded)) return new Map()
  assert.strictEqual(decoded.failure._tag, "ManifestInvalid")
  assert.strictEqual(decoded.failure.subject, "manifest")
  return new Map(decoded.failure.problems.map(({ message, path }) => [path, message]))
}

const pathsOf = (input: unknown): ReadonlyArray<string> => [...problemsOf(input).keys()].toSorted()

const KINDS = [
  "websocket_open",
  "websocket_text",
  "websocket_binary",
  "websocket_close",
  "websocket_error",
  "timer",
  "command_result",
  "custom"
]

const withIngress = (fields: { readonly [key: string]: unknown }) =>
  pathsOf({ ...EXAMPLE, ingresses: [{ name: "g", ...fields }] })

const many = (count: number) => Array.from({ length: count }, (_, index) => ({ text: `a${index}`, reply: "" }))

const taken = (event_kinds?: ReadonlyArray<string>): ReadonlyArray<string> => {
  const ingresses = [{ name: "g", ...(event_kinds === undefined ? {} : { event_kinds }) }]
  const decoded = Result.getOrThrow(Manifest.decode({ ...EXAMPLE, ingresses })).ingresses
  return KINDS.filter((kind) => decoded.every((each) => Manifest.takes(each, kind)))
}

const once = <A>(items: ReadonlyArray<A>, nameOf: (item: A) => string) => [
  ...new Map(items.map((item) => [nameOf(item), item])).values()
]

const namesOnce = (manifest: Manifest.Manifest): Manifest.Manifest => {
  const ingresses = manifest.ingresses.map((each) => ({
    ...each,
    ...(each.autoReplies === undefined ? {} : { autoReplies: once(each.autoReplies, ({ text }) => text) }),
    sources: once(each.sources, (source) => source.replace(/^websocket:/, ""))
  }))
  return {
    ...manifest,
    services: once(manifest.services, ({ name }) => name),
    ingresses: once(ingresses, ({ name }) => name)
  }
}

/** How long the decoding of so many sources takes. */
const timeOf = (count: number) => {
  const sources = Array.from({ length: count }, (_, index) => `ws://h/${index}`)
  const before = performance.now()
  assert.deepStrictEqual(withIngress({ sources }), [])
  return performance.now() - before
}

describe("Manifest", () => {
  it("decodes the example of the contract", () => {
    const manifest = Result.getOrThrow(Manifest.decode(EXAMPLE))
    assert.strictEqual(manifest.id, "example.echo")
    assert.deepStrictEqual<unknown>(manifest.permissions, EXAMPLE.permissions)
    assert.deepStrictEqual(manifest.runtime, { kind: "javascript", entry: "plugin.js" })
    assert.deepStrictEqual(manifest.ingresses, [
      {
        name: "gateway",
        description: "Messages of the gateway.",
        eventKinds: ["websocket_open", "websocket_text", "websocket_close", "websocket_error"],
        sources: ["websocket:ws://127.0.0.1:7700/gateway"],
        urgent: ["ping", '{"op":11'],
        autoReplies: [{ text: "ping", reply: "pong" }],
        stopCodes: [4004],
        closeCode: 1001,
        inputSchema: { type: "object" }
      }
    ])
    assert.deepStrictEqual(manifest.websocket, [
      { scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/gateway"], subprotocols: [] }
    ])
    assert.deepStrictEqual(Manifest.notServed(manifest), [])
  })

  it("fills lists that are missing with empty ones, which grant nothing", () => {
    assert.deepStrictEqual(Result.getOrThrow(Manifest.decode(MINIMAL)), {
      schemaVersion: 1,
      id: "example.echo",
      name: "Echo",
      version: "0.1.0",
      surfaces: [],
      permissions: [],
      services: [],
      ingresses: [],
      websocket: [],
      request: []
    })
  })

  it("lists everything that is wrong at once, each with its key path on the wire", () => {
    const problems = pathsOf({
      schema_version: 2,
      id: "Bad Id",
      version: "^1.0.0",
      surfaces: "service",
      permissions: [{ kind: "service" }, { kind: "unknown" }],
      runtime: { kind: "python" },
      services: [{ name: "echo", lifecycle: "manual" }],
      ingresses: [{ name: "g", event_kinds: ["Websocket"], sources: [1], stop_codes: [999], close_code: 1002 }],
      websocket: [{ scheme: "http", host: "*.com", port: 0, path_prefixes: ["gateway"], subprotocols: ["a b"] }, {}]
    })
    assert.deepStrictEqual(problems, [
      "id",
      "ingresses[0].close_code",
      "ingresses[0].event_kinds[0]",
      "ingresses[0].sources[0]",
      "ingresses[0].stop_codes[0]",
      "name",
      "permissions[0].name",
      "permissions[1]",
      "runtime.kind",
      "schema_version",
      "services[0].lifecycle",
      "surfaces",
      "version",
      "websocket[0].host",
      "websocket[0].path_prefixes[0]",
      "websocket[0].port",
      "websocket[0].scheme",
      "websocket[0].subprotocols[0]",
      "websocket[1].host",
      "websocket[1].path_prefixes",
      "websocket[1].scheme"
    ])
  })

  it("names a refused source beside what else is wrong, and without anything else leaves that to its row", () => {
    const ingresses = [{ name: "gateway", sources: ["websocket:ws://h/ok", "websocket:http://h", "ws://h/a/../b"] }]
    assert.deepStrictEqual(pathsOf({ ...EXAMPLE, ingresses, version: 1 }), [
      "ingresses[0].sources[1]",
      "ingresses[0].sources[2]",
      "version"
    ])
    assert.isTrue(Result.isSuccess(Manifest.decode({ ...EXAMPLE, ingresses })))
  })

  it("refuses unknown keys wherever they stand, also the TypeScript names of known ones", () => {
    const problems = pathsOf({
      ...EXAMPLE,
      schemaVersion: 1,
      extra: true,
      permissions: [{ kind: "service", name: "echo", extra: 1 }],
      runtime: { ...EXAMPLE.runtime, extra: 1 },
      services: [{ ...EXAMPLE.services[0], extra: 1 }],
      ingresses: [{ ...EXAMPLE.ingresses[0], eventKinds: [] }],
      websocket: [{ ...EXAMPLE.websocket[0], pathPrefixes: [], private_addresses: true, sends_per_minute: 1 }]
    })
    assert.deepStrictEqual(problems, [
      "extra",
      "ingresses[0].eventKinds",
      "permissions[0].extra",
      "runtime.extra",
      "schemaVersion",
      "services[0].extra",
      "websocket[0].pathPrefixes",
      "websocket[0].private_addresses",
      "websocket[0].sends_per_minute"
    ])
  })

  it("refuses what is no table", () => {
    for (const input of [null, undefined, 1, "text", [], [EXAMPLE]]) assert.deepStrictEqual(pathsOf(input), [""])
  })

  it("never quotes a value", () => {
    const secret = "SECRET123 value"
    const decoded = Manifest.decode({
      ...EXAMPLE,
      id: secret,
      version: secret,
      surfaces: [secret],
      runtime: { kind: secret },
      permissions: [{ kind: "service", name: secret }, secret],
      ingresses: [{ name: secret, event_kinds: [secret] }],
      websocket: [{ scheme: secret, host: secret, port: secret, path_prefixes: [secret], subprotocols: [secret] }]
    })
    assert.isTrue(Result.isFailure(decoded))
    if (Result.isSuccess(decoded)) return
    assert.notInclude(decoded.failure.message, "SECRET123")
    assert.notInclude(JSON.stringify(decoded.failure.problems), "SECRET123")
  })

  it("understands what other surfaces need and says that it is not served", () => {
    const manifest = Result.getOrThrow(
      Manifest.decode({
        ...EXAMPLE,
        surfaces: ["service", "tool", "ingress"],
        permissions: [
          { kind: "tool" },
          { kind: "tool", name: "search" },
          { kind: "tool_namespace", namespace: "web" },
          { kind: "external_write" }
        ],
        tools: [{ name: "search" }],
        hooks: {},
        status_schema: { type: "object" },
        side_effects: []
      })
    )
    assert.deepStrictEqual(Manifest.notServed(manifest), ["tool", "tools", "hooks", "status_schema", "side_effects"])
  })

  it("refuses the runtime wasm with a pointer to wasm-component, which it understands", () => {
    const problems = problemsOf({ ...EXAMPLE, runtime: { kind: "wasm", entry: "plugin.wasm" } })
    assert.deepStrictEqual([...problems.keys()], ["runtime.kind"])
    assert.include(problems.get("runtime.kind"), "wasm-component")
    assert.deepStrictEqual(pathsOf({ ...EXAMPLE, runtime: { kind: "wasm-component", entry: "plugin.wasm" } }), [])
  })

  it("refuses names of services and ingresses and sources that occur twice", () => {
    const service = { name: "echo", lifecycle: "host-managed" }
    assert.deepStrictEqual(
      pathsOf({
        ...EXAMPLE,
        services: [service, service],
        ingresses: [{ name: "a", sources: ["ws://h/1", "ws://h/2", "ws://h/1"] }, { name: "b" }, { name: "a" }]
      }),
      ["ingresses[0].sources[2]", "ingresses[2]", "services[1]"]
    )
  })

  it("takes no two that have no name for the same one", () => {
    const lifecycle = "host-managed"
    assert.deepStrictEqual(
      pathsOf({ ...EXAMPLE, services: [{ lifecycle }, { lifecycle }], ingresses: [{ name: "a", sources: [1, 1] }] }),
      ["ingresses[0].sources[0]", "ingresses[0].sources[1]", "services[0].name", "services[1].name"]
    )
  })

  it("takes the same source with and without its prefix for one that occurs twice", () => {
    const ingresses = [{ name: "a", sources: ["websocket:ws://h/1", "ws://h/1"] }]
    assert.deepStrictEqual(pathsOf({ ...EXAMPLE, ingresses }), ["ingresses[0].sources[1]"])
  })

  it("takes for one source what only its spelling tells apart, and for two what anything else does", () => {
    const sources = [
      "ws://127.0.0.1:7/a",
      "ws://127.1:7/a",
      "ws://127.0.0.1:7/a?",
      "WS://127.0.0.1:7/a",
      "ws://127.0.0.1:07/a",
      "ws://127.0.0.1:7/a/",
      "ws://127.0.0.1:7/A",
      "ws://127.0.0.1:7/a?b",
      "wss://127.0.0.1:7/a",
      "ws://h/%41",
      "ws://h/A",
      // Refused ones are known by what was written, and are named beside what else is wrong.
      "ws://h/..",
      "ws://h/..",
      "ws://h/../a",
      "websocket:ws://h/.."
    ]
    assert.deepStrictEqual(
      withIngress({ sources }),
      [1, 2, 3, 4, 11, 12, 13, 14].map((index) => `ingresses[0].sources[${index}]`).toSorted()
    )
    const apart = {
      ingresses: [
        { name: "a", sources: ["ws://h/"] },
        { name: "b", sources: ["ws://h/"] }
      ]
    }
    assert.deepStrictEqual(pathsOf({ ...EXAMPLE, ...apart }), [])
  })

  it("refuses null where something may be absent", () => {
    const optional = ["description", "permissions", "runtime", "services", "ingresses", "websocket"]
    for (const key of [...optional, "tools", "hooks", "request", "status_schema", "side_effects"]) {
      assert.deepStrictEqual(pathsOf({ ...EXAMPLE, [key]: null }), [key])
    }
    for (const key of [
      "description",
      "event_kinds",
      "sources",
      "urgent",
      "auto_replies",
      "stop_codes",
      "close_code",
      "input_schema"
    ]) {
      assert.deepStrictEqual(withIngress({ [key]: null }), [`ingresses[0].${key}`])
    }
  })

  it("bounds how deep and how large a manifest is", () => {
    const deep = Array.from({ length: 2500 }).reduce<unknown>((value) => [value], 1)
    assert.deepStrictEqual(pathsOf({ ...EXAMPLE, tools: deep }), ["tools"])
    assert.deepStrictEqual(pathsOf({ ...EXAMPLE, tools: Array.from({ length: 300_000 }, () => 1) }), [""])
    assert.deepStrictEqual(pathsOf({ ...EXAMPLE, tools: "a".repeat(17_000_000) }), [""])
  })

  it("can't be changed once it is decoded", () => {
    const manifest = Result.getOrThrow(Manifest.decode(EXAMPLE))
    for (const value of [
      manifest,
      manifest.permissions,
      manifest.permissions[0],
      manifest.websocket[0]?.pathPrefixes
    ]) {
      assert.isTrue(Object.isFrozen(value))
    }
  })

  it("reads many sources as fast as they are many", () => {
    timeOf(1000)
    // Ten times what is linear, and a fifth of what is quadratic.
    assert.isBelow(timeOf(100_000), 500 * timeOf(2000))
  })

  it("lists repeated names beside everything else that is wrong", () => {
    const ingresses = [{ name: "a" }, { name: "a" }]
    assert.deepStrictEqual(pathsOf({ ...EXAMPLE, version: "1", ingresses }), ["ingresses[1]", "version"])
  })

  it.each([
    ["id", ["a", "0", "a.b_c-d", "a".repeat(128)], ["", "A", ".a", "-a", "a b", "a:b", "é", "a\n", "a".repeat(129)]],
    [
      "version",
      [
        "0.0.0",
        "1.2.3",
        "1.2.3-rc.1",
        "1.2.3+build.5",
        "1.2.3-a+b",
        "1.0.0-0",
        "1.0.0-0a.01b.-.--0.0-0",
        "1.0.0+01.0",
        "1.0.0--1",
        "1.0.0-1.10.100+001"
      ],
      [
        "",
        "1",
        "1.2",
        "v1.2.3",
        "01.2.3",
        "1.2.3.4",
        "^1.2.3",
        "1.2.x",
        "1.2.3-",
        "1.2.3 ",
        "1.2.3\n",
        "*",
        "1.0.0-01",
        "1.0.0-a.01",
        "1.0.0-00",
        "1.0.0-0.00.1",
        "1.0.0-a..b",
        "1.0.0-",
        "1.0.0+",
        "1.0.0-a_b",
        "1.0.0+a+b",
        "1.00.0"
      ]
    ]
  ] as const)("takes an exact %s and nothing like it", (key, good, bad) => {
    for (const value of good) assert.deepStrictEqual(pathsOf({ ...EXAMPLE, [key]: value }), [], value)
    for (const value of bad) assert.deepStrictEqual(pathsOf({ ...EXAMPLE, [key]: value }), [key], value)
  })

  it("takes as closing codes only those that a host may send", () => {
    for (const code of [1000, 1001, 3000, 4999]) assert.deepStrictEqual(withIngress({ close_code: code }), [])
    for (const code of [0, 999, 1002, 1005, 1006, 1015, 2999, 5000, 1000.5, "1000", null, NaN]) {
      assert.deepStrictEqual(withIngress({ close_code: code }), ["ingresses[0].close_code"], String(code))
    }
  })

  it("takes as codes to stop at only those that a server's close frame can have", () => {
    for (const code of [1000, 1003, 1007, 1014, 1016, 2999, 3000, 4999]) {
      assert.deepStrictEqual(withIngress({ stop_codes: [code] }), [], String(code))
    }
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 5000, 1000.5, "1000", null]) {
      assert.deepStrictEqual(withIngress({ stop_codes: [code] }), ["ingresses[0].stop_codes[0]"], String(code))
    }
  })

  it("hands an ingress every kind but command_result and websocket_binary unless it lists kinds, and timers always", () => {
    const all = ["websocket_open", "websocket_text", "websocket_close", "websocket_error", "timer", "custom"]
    assert.deepStrictEqual(taken(), all)
    assert.deepStrictEqual(taken([]), ["timer"])
    assert.deepStrictEqual(taken(["command_result", "websocket_binary", "custom"]), [
      "websocket_binary",
      "timer",
      "command_result",
      "custom"
    ])
  })

  it("leaves to the application the kinds that the host neither makes nor might make some day", () => {
    const own = ["websocket_open", "websocket_", "websocket_x", "host_response", "host_", "timer", "command_result"]
    const applications = [
      "order_placed",
      "websocket",
      "host",
      "websockets_x",
      "timers",
      "a_timer",
      "command_result_2",
      "a"
    ]
    const isDelivered = Schema.is(Manifest.DeliveredKind)
    for (const kind of own) {
      assert.isTrue(Manifest.isHostKind(kind), kind)
      assert.isFalse(isDelivered(kind), kind)
    }
    for (const kind of applications) {
      assert.isFalse(Manifest.isHostKind(kind), kind)
      assert.isTrue(isDelivered(kind), kind)
    }
    for (const kind of ["", "Order", "1a", "_a", "a b", "a-b", "a\n", "a".repeat(129)])
      assert.isFalse(isDelivered(kind), kind)
  })

  it("bounds the beginnings of urgent texts in bytes of UTF-8, and how many there are", () => {
    const long = ["é".repeat(32), "a".repeat(64), "\u{1f600}".repeat(16), "€".repeat(21)]
    assert.deepStrictEqual(withIngress({ urgent: [...long, "\u0000", " ", "a", "a"] }), [])
    assert.deepStrictEqual(withIngress({ urgent: [] }), [])
    for (const beginning of [
      "",
      "é".repeat(33),
      "a".repeat(65),
      "\u{1f600}".repeat(17),
      "€".repeat(22),
      "\ud800",
      "\udc00a",
      1,
      null
    ]) {
      assert.deepStrictEqual(withIngress({ urgent: ["a", beginning] }), ["ingresses[0].urgent[1]"], String(beginning))
    }
    assert.deepStrictEqual(withIngress({ urgent: Array.from({ length: 9 }, (_, index) => `a${index}`) }), [
      "ingresses[0].urgent"
    ])
    assert.deepStrictEqual(withIngress({ urgent: "ping" }), ["ingresses[0].urgent"])
  })

  it("lists once what is wrong with one text, in however many ways it is", () => {
    for (const beginning of ["a".repeat(65), "\ud800".repeat(65)]) {
      const decoded = Manifest.decode({ ...EXAMPLE, ingresses: [{ name: "g", urgent: [beginning] }] })
      const expected = { path: "ingresses[0].urgent[0]", message: "Expected a text of 1 to 64 bytes of UTF-8" }
      assert.deepStrictEqual(Result.isFailure(decoded) ? decoded.failure.problems : [], [expected])
    }
  })

  it("bounds the texts that the host answers and their answers in bytes of UTF-8, and how many there are", () => {
    const most = "é".repeat(512)
    assert.deepStrictEqual(
      withIngress({
        auto_replies: [
          { text: most, reply: most },
          { text: "", reply: "" }
        ]
      }),
      []
    )
    for (const [reply, path] of [
      [{ text: `${most}a`, reply: "" }, ".text"],
      [{ text: "a", reply: `${most}a` }, ".reply"],
      [{ text: "\ud800", reply: "" }, ".text"],
      [{ text: "a" }, ".reply"],
      [{ text: "a", reply: null }, ".reply"],
      [{ text: "a", reply: "", extra: 1 }, ".extra"],
      ["a", ""]
    ] as const) {
      assert.deepStrictEqual(withIngress({ auto_replies: [reply] }), [`ingresses[0].auto_replies[0]${path}`])
    }
    assert.deepStrictEqual(withIngress({ auto_replies: many(8) }), [])
    assert.deepStrictEqual(withIngress({ auto_replies: many(9) }), ["ingresses[0].auto_replies"])
  })

  it("refuses two answers to one text", () => {
    const auto_replies = [
      { text: "a", reply: "1" },
      { text: "b", reply: "1" },
      { text: "a", reply: "2" }
    ]
    assert.deepStrictEqual(withIngress({ auto_replies }), ["ingresses[0].auto_replies[2]"])
  })

  const encode = Schema.encodeSync(Manifest.Manifest)

  it.effect.prop(
    "gives a manifest back as it was when it is encoded and decoded again",
    { manifest: Arbitrary.map(Arbitrary.schema(Manifest.Manifest), namesOnce) },
    ({ manifest }) =>
      Effect.sync(() => {
        const encoded: unknown = JSON.parse(JSON.stringify(encode(manifest)))
        const again = Result.getOrThrow(Manifest.decode(encoded))
        assert.deepStrictEqual(JSON.parse(JSON.stringify(again)), JSON.parse(JSON.stringify(manifest)))
        assert.deepStrictEqual(JSON.parse(JSON.stringify(encode(again))), encoded)
      }),
    { arbitrary: { runs: 200 } }
  )
})
