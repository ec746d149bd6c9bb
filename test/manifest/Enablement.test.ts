import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Enablement, ServicePlugin } from "mooring"

const DIGEST = `sha256:${"0a".repeat(32)}`
const MINIMAL = { id: "project:example.echo", version: "0.1.0", digest: DIGEST }

/** The example of CONTRACT.md as a TOML parser gives it. */
const EXAMPLE = {
  package: "./plugins/echo",
  id: "project:example.echo",
  instance: "cp17",
  version: "0.1.0",
  digest: DIGEST,
  surfaces: ["service", "ingress"],
  limits: { dispatch_deadline_ms: 2000 },
  config: { greeting: "hello", room: { from_env: "ROOM" } },
  secrets: { key: { env: "GATEWAY_KEY" }, other: { file: "/run/secrets/key" } },
  grants: {
    permissions: [
      { kind: "surface", surface: "service" },
      { kind: "host_api", api: "websocket" }
    ],
    websocket: [
      {
        scheme: "ws",
        host: "127.0.0.1",
        port: 7700,
        path_prefixes: ["/gateway"],
        subprotocols: [],
        private_addresses: false,
        sends_per_minute: 6000,
        send_bytes_per_minute: 67108864,
        secrets: ["key"]
      }
    ]
  },
  sources: {
    gateway: {
      urls: ["ws://127.0.0.1:7700/gateway/CP_17?key={key}"],
      headers: { authorization: "Bearer {key}" },
      tls: { ca: { file: "ca.pem" }, cert: { file: "c.pem" }, key: { file: "k.pem" }, server_name: "hub" },
      compression: false,
      fast_path: true,
      limits: { max_message_bytes: 262144 },
      reconnect: {
        policy: "backoff",
        initial_ms: 1000,
        max_ms: 60000,
        stable_ms: 30000,
        max_attempts: 0,
        window_ms: 600000,
        stop_codes: [1008],
        close_code: 1001
      },
      stale_after_ms: 0
    }
  }
}

const pathsOf = (input: unknown): ReadonlyArray<string> => {
  const decoded = Enablement.decode(input)
  if (Result.isSuccess(decoded)) return []
  assert.strictEqual(decoded.failure._tag, "ManifestInvalid")
  assert.strictEqual(decoded.failure.subject, "enablement")
  return [...new Set(decoded.failure.problems.map(({ path }) => path))].toSorted()
}

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const withHeaders = (headers: unknown) => ({ ...MINIMAL, sources: { gateway: { headers } } })

const deep = (depth: number, inner: unknown): unknown =>
  Array.from({ length: depth }).reduce<unknown>((value) => ({ config: value }), inner)

const madeOf = (options: unknown) => Enablement.make(options as Enablement.Options)

const pathsOfMade = (options: unknown) => {
  const made = madeOf(options)
  return Result.isFailure(made) ? made.failure.problems.map(({ path }) => path).toSorted() : []
}

const once = <A>(items: ReadonlyArray<A>, nameOf: (item: A) => string) => [
  ...new Map(items.map((item) => [nameOf(item), item])).values()
]

/** An enablement as a host file has it, with no value in it. */
type Written = (typeof Enablement.Enablement)["Type"]

const headersOnce = (headers: { readonly [name: string]: string }) =>
  Object.fromEntries(once(Object.entries(headers), ([name]) => name.toLowerCase()))

const sourceOnce = ({ headers, urls, ...rest }: Written["sources"][string]): Written["sources"][string] => ({
  ...rest,
  ...(urls === undefined ? {} : { urls: once(urls, (url) => url.replace(/^websocket:/, "")) }),
  ...(headers === undefined ? {} : { headers: headersOnce(headers) })
})

/** What is granted, of the entry's own secrets only. */
const grantsOnce = ({ request, sign, websocket, ...rest }: Written["grants"], secrets: object): Written["grants"] => {
  const known = (names: ReadonlyArray<string> = []) => names.filter((name) => Object.hasOwn(secrets, name))
  const onceIn = <
    T extends { readonly secrets?: ReadonlyArray<string>; readonly headers?: { readonly [n: string]: string } }
  >(
    target: T
  ): T => ({
    ...target,
    ...(target.secrets === undefined ? {} : { secrets: known(target.secrets) }),
    ...(target.headers === undefined ? {} : { headers: headersOnce(target.headers) })
  })
  return { ...rest, websocket: websocket.map(onceIn), request: request.map(onceIn), sign: known(sign) }
}

const namesOnce = (enablement: Written): Written => ({
  ...enablement,
  grants: grantsOnce(enablement.grants, enablement.secrets),
  sources: Object.fromEntries(Object.entries(enablement.sources).map(([name, source]) => [name, sourceOnce(source)]))
})

const API = { scheme: "https", host: "api.example.com", methods: ["GET"], path_prefixes: ["/"] }

describe("Enablement", () => {
  it("decodes the example of the contract", () => {
    const enablement = Result.getOrThrow(Enablement.decode(EXAMPLE))
    assert.strictEqual(Enablement.refOf(enablement), "project:example.echo#cp17")
    assert.deepStrictEqual(enablement.limits, { dispatchDeadlineMs: 2000 })
    assert.deepStrictEqual<unknown>(enablement.config, EXAMPLE.config)
    assert.deepStrictEqual(enablement.secrets, EXAMPLE.secrets)
    assert.deepStrictEqual(enablement.grants.websocket, [
      {
        scheme: "ws",
        host: "127.0.0.1",
        port: 7700,
        pathPrefixes: ["/gateway"],
        subprotocols: [],
        privateAddresses: false,
        sendsPerMinute: 6000,
        sendBytesPerMinute: 67108864,
        secrets: ["key"]
      }
    ])
    assert.deepStrictEqual(enablement.sources, {
      gateway: {
        urls: EXAMPLE.sources.gateway.urls,
        headers: EXAMPLE.sources.gateway.headers,
        tls: { ca: { file: "ca.pem" }, cert: { file: "c.pem" }, key: { file: "k.pem" }, serverName: "hub" },
        compression: false,
        fastPath: true,
        limits: { maxMessageBytes: 262144 },
        reconnect: {
          policy: "backoff",
          initialMs: 1000,
          maxMs: 60000,
          stableMs: 30000,
          maxAttempts: 0,
          windowMs: 600000,
          stopCodes: [1008],
          closeCode: 1001
        },
        staleAfterMs: 0
      }
    })
  })

  it("grants nothing unless it says so", () => {
    assert.deepStrictEqual(Result.getOrThrow(Enablement.decode(MINIMAL)), {
      ...MINIMAL,
      config: {},
      secrets: {},
      grants: { permissions: [], websocket: [], request: [], sign: [] },
      sources: {}
    })
  })

  it("reconnects as the contract shows where the operator says nothing", () => {
    const { close_code: _close, stop_codes: _stop, ...shown } = EXAMPLE.sources.gateway.reconnect
    const encoded = Schema.encodeSync(Enablement.ReconnectSettings)(Enablement.reconnectDefaults)
    assert.deepStrictEqual<unknown>(encoded, shown)
    const decoded = Enablement.decode({ ...MINIMAL, sources: { gateway: { reconnect: {} } } })
    assert.deepStrictEqual(Result.getOrThrow(decoded).sources, {
      gateway: { reconnect: Enablement.reconnectDefaults, staleAfterMs: 0 }
    })
  })

  it("lists everything that is wrong at once, each with its key path on the wire", () => {
    const problems = pathsOf({
      package: 1,
      id: "example.echo",
      instance: "a b",
      version: ">=1",
      digest: "sha256:ABC",
      surfaces: ["bad surface"],
      secrets: { a: { env: 1 }, b: "plain", c: { env: "A", file: "/a" } },
      grants: {
        id: "example.echo",
        version: "1",
        digest: "md5:0",
        permissions: [{ kind: "ingress" }],
        websocket: [
          { scheme: "ws", host: "h", port: 65536, path_prefixes: [], sends_per_minute: -1, send_bytes_per_minute: 0.5 },
          { private_addresses: "yes" }
        ]
      },
      sources: {
        gateway: {
          urls: "ws://h/",
          reconnect: { policy: "always", initial_ms: 0, max_ms: "1s", stop_codes: [1], close_code: 1005 },
          stale_after_ms: -1
        }
      }
    })
    assert.deepStrictEqual(
      problems.filter((path) => !path.startsWith("secrets.")),
      [
        "digest",
        "grants.digest",
        "grants.id",
        "grants.permissions[0].name",
        "grants.version",
        "grants.websocket[0].port",
        "grants.websocket[0].send_bytes_per_minute",
        "grants.websocket[0].sends_per_minute",
        "grants.websocket[1].host",
        "grants.websocket[1].path_prefixes",
        "grants.websocket[1].private_addresses",
        "grants.websocket[1].scheme",
        "id",
        "instance",
        "package",
        "sources.gateway.reconnect.close_code",
        "sources.gateway.reconnect.initial_ms",
        "sources.gateway.reconnect.max_ms",
        "sources.gateway.reconnect.policy",
        "sources.gateway.reconnect.stop_codes[0]",
        "sources.gateway.stale_after_ms",
        "sources.gateway.urls",
        "surfaces[0]",
        "version"
      ]
    )
    for (const secret of ["secrets.a", "secrets.b", "secrets.c"]) {
      assert.isTrue(
        problems.some((path) => path.startsWith(secret)),
        secret
      )
    }
  })

  it("names a refused source beside what else is wrong, and without anything else leaves that to its row", () => {
    const sources = { gateway: { urls: ["ws://h/ok?key={key}", "http://t0ken.test", "ws://h/t0ken/../b"] } }
    const { problems } = Result.getOrThrow(Result.flip(Enablement.decode({ ...EXAMPLE, sources, version: 1 })))
    assert.deepStrictEqual(problems.map(({ path }) => path).toSorted(), [
      "sources.gateway.urls[1]",
      "sources.gateway.urls[2]",
      "version"
    ])
    assert.notInclude(JSON.stringify(problems), "t0ken")
    assert.isTrue(Result.isSuccess(Enablement.decode({ ...EXAMPLE, sources })))
  })

  it("lists what is wrong with secrets, TLS and limits, each with its key path", () => {
    const paths = pathsOf({
      ...MINIMAL,
      limits: { dispatch_deadline_ms: 0, max_message_bytes: 1, timers_per_plugin: 1.5, connections_per_host: 1 },
      config: {
        a: { from_env: 1 },
        b: [{ from_file: null }],
        c: { from_env: "A", from_file: "b" },
        d: { from_env: "" }
      },
      secrets: { a: { env: "" }, b: { file: "a\0b" }, c: { env: "A=B" }, "a b": { env: "A" }, "": { env: "A" } },
      grants: { websocket: [{ scheme: "ws", host: "h", path_prefixes: [], secrets: ["a b", 1] }] },
      sources: {
        gateway: {
          tls: { ca: "ca.pem", cert: { from_file: "c" }, key: { file: "" }, server_name: "", min_version: "1.3" },
          compression: "yes",
          fast_path: "no",
          limits: { dispatch_deadline_ms: 1, ping_interval_ms: -1, send_text_bytes: "1" }
        }
      }
    })
    // A text from outside is one of two forms, and says what is wrong with either.
    assert.deepStrictEqual(
      [...new Set(paths.map((path) => path.replace(/\.(?:env|file|from_file)$/, "")))].toSorted(),
      [
        "config.a",
        "config.b[0]",
        "config.d",
        "grants.websocket[0].secrets[0]",
        "grants.websocket[0].secrets[1]",
        "limits.connections_per_host",
        "limits.dispatch_deadline_ms",
        "limits.max_message_bytes",
        "limits.timers_per_plugin",
        "secrets.",
        "secrets.a",
        "secrets.a b",
        "secrets.b",
        "secrets.c",
        "sources.gateway.compression",
        "sources.gateway.fast_path",
        "sources.gateway.limits.dispatch_deadline_ms",
        "sources.gateway.limits.ping_interval_ms",
        "sources.gateway.limits.send_text_bytes",
        "sources.gateway.tls.ca",
        "sources.gateway.tls.cert",
        "sources.gateway.tls.key",
        "sources.gateway.tls.min_version",
        "sources.gateway.tls.server_name"
      ]
    )
  })

  it("refuses unknown keys wherever they stand", () => {
    assert.deepStrictEqual(
      pathsOf({
        ...MINIMAL,
        extra: 1,
        grants: { tools: [], websocket: [{ scheme: "ws", host: "h", path_prefixes: [], pathPrefixes: [] }] },
        sources: { gateway: { url: "ws://h/", reconnect: { initialMs: 1 } } }
      }),
      [
        "extra",
        "grants.tools",
        "grants.websocket[0].pathPrefixes",
        "sources.gateway.reconnect.initialMs",
        "sources.gateway.url"
      ]
    )
  })

  it("never quotes a value", () => {
    const secret = "SECRET123 value"
    const decoded = Enablement.decode({
      id: secret,
      version: secret,
      digest: secret,
      secrets: { key: secret },
      grants: { id: secret, websocket: [{ scheme: secret, host: secret, path_prefixes: [secret] }] },
      sources: { gateway: { headers: { authorization: `${secret}\n` }, reconnect: { policy: secret } } }
    })
    assert.isTrue(Result.isFailure(decoded))
    if (Result.isSuccess(decoded)) return
    assert.notInclude(decoded.failure.message, "SECRET123")
    assert.notInclude(JSON.stringify(decoded.failure.problems), "SECRET123")
  })

  it("refuses headers that belong to the upgrade itself, in any case", () => {
    const reserved = [
      "host",
      "Host",
      "connection",
      "UPGRADE",
      "Sec-WebSocket-Key",
      "sec-websocket-protocol",
      "sec-websocket-extensions",
      "sec-websocket-version",
      "content-length",
      "transfer-encoding",
      "te",
      "trailer",
      "keep-alive",
      "proxy-authorization"
    ]
    for (const name of reserved) {
      assert.deepStrictEqual(pathsOf(withHeaders({ [name]: "x" })), [`sources.gateway.headers.${name}`])
    }
  })

  it("refuses secrets in grants that the entry doesn't have, wherever a grant names some", () => {
    const grants = {
      websocket: [{ scheme: "wss", host: "h", path_prefixes: ["/"], secrets: ["key", "kee"] }],
      request: [{ ...API, secrets: ["other", "toString"] }, API],
      sign: ["key", "__proto__"]
    }
    const secrets = { key: { env: "KEY" }, other: { env: "OTHER" } }
    assert.deepStrictEqual(pathsOf({ ...MINIMAL, secrets, grants }), [
      "grants.request[0].secrets[1]",
      "grants.sign[1]",
      "grants.websocket[0].secrets[1]"
    ])
    assert.deepStrictEqual(
      pathsOf({ ...MINIMAL, secrets, grants: { ...grants, websocket: [], request: [], sign: [] } }),
      []
    )
  })

  it("lists all that is wrong with a granted target of requests at once", () => {
    const request = [
      { ...API, methods: ["GET", "CONNECT", "trace", "GE T", ""], path_prefixes: ["/a//b"], port: 0 },
      { scheme: "wss", host: "*.com", headers: { Host: "x", "Sec-Fetch-Mode": "x", "x-a": "a\nb", b: "1", B: "2" } },
      { ...API, tls: { ca: "ca.pem", insecure: true }, requests_per_minute: -1, methods: null }
    ]
    assert.deepStrictEqual(pathsOf({ ...MINIMAL, grants: { request } }), [
      "grants.request[0].methods[1]",
      "grants.request[0].methods[2]",
      "grants.request[0].methods[3]",
      "grants.request[0].methods[4]",
      "grants.request[0].path_prefixes[0]",
      "grants.request[0].port",
      "grants.request[1].headers.B",
      "grants.request[1].headers.Host",
      "grants.request[1].headers.Sec-Fetch-Mode",
      "grants.request[1].headers.x-a",
      "grants.request[1].host",
      "grants.request[1].methods",
      "grants.request[1].path_prefixes",
      "grants.request[1].scheme",
      "grants.request[2].methods",
      "grants.request[2].requests_per_minute",
      "grants.request[2].tls.ca",
      "grants.request[2].tls.insecure"
    ])
  })

  it("says of CONNECT and TRACE that nobody may be granted them", () => {
    const decoded = Enablement.decode({ ...MINIMAL, grants: { request: [{ ...API, methods: ["TRACE"] }] } })
    const messages = Result.isSuccess(decoded) ? [] : decoded.failure.problems.map(({ message }) => message)
    assert.deepStrictEqual(messages, ["Expected a method other than CONNECT and TRACE"])
  })

  it("refuses header names that are no token and values that could gain a line", () => {
    for (const name of ["", "a b", "a:b", "a\nb", "é", "a\u0000"]) {
      assert.deepStrictEqual(pathsOf(withHeaders({ [name]: "x" })), [`sources.gateway.headers.${name}`])
    }
    for (const value of ["a\nb", "a\r\nx: y", "\n", "a\r", "a\u0000b", "\u007f", "é", "\u2028", 1, null]) {
      assert.deepStrictEqual(pathsOf(withHeaders({ "x-a": value })), ["sources.gateway.headers.x-a"])
    }
    for (const value of ["", "Basic {key}", "a\tb", "~ !"]) {
      assert.deepStrictEqual(pathsOf(withHeaders({ "x-a": value })), [])
    }
  })

  it("says of a refused header name what was expected", () => {
    const decoded = Enablement.decode(withHeaders({ host: "x" }))
    const messages = Result.isSuccess(decoded) ? [] : decoded.failure.problems.map(({ message }) => message)
    assert.match(messages.join(), /header/)
  })

  it("keeps tables whose keys are names of JavaScript's own objects", () => {
    for (const key of ["__proto__", "constructor", "toString"]) {
      const sources: unknown = JSON.parse(`{ "${key}": { "stale_after_ms": 5 } }`)
      const decoded = Result.getOrThrow(Enablement.decode({ ...MINIMAL, sources }))
      assert.deepStrictEqual(Object.entries(decoded.sources), [[key, { staleAfterMs: 5 }]])
    }
    const { sources } = Result.getOrThrow(Enablement.decode(MINIMAL))
    assert.isFalse(Object.hasOwn(sources, "constructor"))
  })

  const encode = Schema.encodeSync(Enablement.Enablement)

  it.effect.prop(
    "gives an enablement back as it was when it is encoded and decoded again",
    { enablement: Arbitrary.map(Arbitrary.schema(Enablement.Enablement), namesOnce) },
    ({ enablement }) =>
      Effect.sync(() => {
        const encoded = json(encode(enablement))
        const again = Result.getOrThrow(Enablement.decode(encoded))
        assert.deepStrictEqual(json(again), json(enablement))
        assert.deepStrictEqual(json(encode(again)), encoded)
      }),
    { arbitrary: { runs: 200 } }
  )

  it("takes no source twice for one ingress, in whichever spelling", () => {
    const urls = ["ws://h:80/a", "wss://h/a", "websocket:ws://H/a?", "ws://h/b", "WS://h./a", "#", "ws://h/b?c", "#"]
    assert.deepStrictEqual(pathsOf({ ...MINIMAL, sources: { gateway: { urls }, other: { urls: urls.slice(0, 2) } } }), [
      "sources.gateway.urls[2]",
      "sources.gateway.urls[4]",
      // Refused, which is told beside what else is wrong.
      "sources.gateway.urls[5]",
      "sources.gateway.urls[7]"
    ])
  })

  it("takes headers for one that differ by case only, and lists that beside everything else", () => {
    const headers = { Authorization: "a", "x-a": "b", authorization: "c", "X-A": "d", "x-b": "\n" }
    assert.deepStrictEqual(pathsOf(withHeaders(headers)), [
      "sources.gateway.headers.X-A",
      "sources.gateway.headers.authorization",
      "sources.gateway.headers.x-b"
    ])
  })

  it("says of a rate of 0 that it is none, and refuses one below", () => {
    const websocket = [{ scheme: "ws", host: "h", path_prefixes: [], sends_per_minute: 0, send_bytes_per_minute: 0 }]
    assert.deepStrictEqual(pathsOf({ ...MINIMAL, grants: { websocket } }), [])
  })

  it("bounds how deeply a configuration is nested, and says where", () => {
    assert.deepStrictEqual(pathsOf({ ...MINIMAL, config: deep(100, 1) }), [])
    for (const config of [deep(130, 1), deep(2500, []), deep(100_000, "")]) {
      assert.deepStrictEqual(pathsOf({ ...MINIMAL, config }), ["config"])
    }
  })

  it("refuses null where something may be absent", () => {
    const target = { scheme: "ws", host: "h", path_prefixes: [] }
    const optional = ["port", "subprotocols", "private_addresses", "sends_per_minute", "send_bytes_per_minute"]
    for (const key of ["package", "instance", "surfaces", "secrets", "grants", "sources"]) {
      assert.deepStrictEqual(pathsOf({ ...MINIMAL, [key]: null }), [key])
    }
    for (const key of ["id", "version", "digest", "permissions", "websocket"]) {
      assert.deepStrictEqual(pathsOf({ ...MINIMAL, grants: { [key]: null } }), [`grants.${key}`])
    }
    for (const key of optional) {
      const paths = pathsOf({ ...MINIMAL, grants: { websocket: [{ ...target, [key]: null }] } })
      assert.deepStrictEqual(paths, [`grants.websocket[0].${key}`])
    }
    for (const key of ["urls", "headers", "reconnect", "stale_after_ms"]) {
      assert.deepStrictEqual(pathsOf({ ...MINIMAL, sources: { g: { [key]: null } } }), [`sources.g.${key}`])
    }
    for (const key of [
      "policy",
      "initial_ms",
      "max_ms",
      "stable_ms",
      "max_attempts",
      "window_ms",
      "stop_codes",
      "close_code"
    ]) {
      const paths = pathsOf({ ...MINIMAL, sources: { g: { reconnect: { [key]: null } } } })
      assert.deepStrictEqual(paths, [`sources.g.reconnect.${key}`])
    }
  })
})

describe("Enablement.make", () => {
  it("fills in what isn't said, as decoding does", () => {
    assert.deepStrictEqual(madeOf(MINIMAL), Enablement.decode(MINIMAL))
    const made = madeOf({
      ...MINIMAL,
      instance: undefined,
      config: undefined,
      grants: { websocket: [{ scheme: "ws", host: "h", pathPrefixes: ["/"], sendsPerMinute: 0, port: undefined }] },
      sources: { a: { reconnect: { maxMs: 5, closeCode: undefined } }, b: {}, c: undefined, d: { staleAfterMs: 7 } }
    })
    const decoded = Enablement.decode({
      ...MINIMAL,
      grants: { websocket: [{ scheme: "ws", host: "h", path_prefixes: ["/"], sends_per_minute: 0 }] },
      sources: { a: { reconnect: { max_ms: 5 } }, b: {}, d: { stale_after_ms: 7 } }
    })
    assert.deepStrictEqual(made, decoded)
    assert.isTrue(Result.isSuccess(made))
    assert.isFalse(Object.hasOwn(Result.getOrThrow(made), "instance"))
  })

  it("lists all that is wrong under the names of the TypeScript API", () => {
    assert.deepStrictEqual(
      pathsOfMade({
        id: "x",
        version: "1.0.0-01",
        extra: 1,
        grants: { id: null, websocket: [{ scheme: "ws", host: "h", pathPrefixes: [1], sends_per_minute: 1 }] },
        sources: {
          a: {
            urls: ["ws://h/", "ws://h"],
            headers: { A: "", a: "" },
            reconnect: { maxMs: 0, initial_ms: 1 },
            staleAfterMs: null
          },
          b: null,
          c: { reconnect: null },
          d: []
        }
      }),
      [
        "digest",
        "extra",
        "grants.id",
        "grants.websocket[0].pathPrefixes[0]",
        "grants.websocket[0].sends_per_minute",
        "id",
        "sources.a.headers.a",
        "sources.a.reconnect.initial_ms",
        "sources.a.reconnect.maxMs",
        "sources.a.staleAfterMs",
        "sources.a.urls[1]",
        "sources.b",
        "sources.c.reconnect",
        "sources.d",
        "version"
      ]
    )
    for (const nothing of [null, undefined, 1, "", []]) assert.deepStrictEqual(pathsOfMade(nothing), [""])
    for (const key of ["grants", "sources", "secrets"]) {
      for (const value of [null, 1, []]) assert.deepStrictEqual(pathsOfMade({ ...MINIMAL, [key]: value }), [key])
    }
  })

  it("takes values themselves where a host file says where they are, and doesn't show them", () => {
    const key = Redacted.make("SECRET123")
    const made = Result.getOrThrow(
      madeOf({ ...MINIMAL, secrets: { key, other: { env: "A" } }, sources: { a: { tls: { key } } } })
    )
    const secret = made.secrets["key"]
    assert.isTrue(Redacted.isRedacted(secret) && Redacted.value(secret) === "SECRET123")
    assert.deepStrictEqual<unknown>(made.sources["a"]?.tls, { key })
    assert.notInclude(JSON.stringify(made), "SECRET123")
    assert.deepStrictEqual(
      pathsOfMade({ ...MINIMAL, secrets: { key: Redacted.make(1), other: "plain" } }).length > 1,
      true
    )
    assert.isNotEmpty(pathsOf({ ...MINIMAL, secrets: { key } }))
  })

  it("gives a copy, which nobody else can change", () => {
    const config = { room: { name: "a" } }
    const permissions = [{ kind: "service" as const, name: "main" }]
    const made = Result.getOrThrow(madeOf({ ...MINIMAL, config, grants: { permissions } }))
    config.room.name = "b"
    permissions.pop()
    assert.deepStrictEqual(made.config, { room: { name: "a" } })
    assert.deepStrictEqual(made.grants.permissions, [{ kind: "service", name: "main" }])
  })

  it.effect.prop(
    "gives back what it is given where that is whole",
    { enablement: Arbitrary.map(Arbitrary.schema(Enablement.Enablement), namesOnce) },
    ({ enablement }) =>
      Effect.sync(() => assert.deepStrictEqual<unknown>(madeOf(enablement), Result.succeed(enablement))),
    { arbitrary: { runs: 100 } }
  )
})

describe("Enablement.trusting", () => {
  const request = { scheme: "https", host: "api.example.com", methods: ["GET"], pathPrefixes: ["/v1"] } as const
  const pkg = ServicePlugin.make({
    id: "example.bot",
    version: "1.0.0",
    ingresses: { gateway: {} },
    websocket: [],
    request: [request],
    handlers: {}
  })

  it("grants the requests that the manifest asks for, with the permission that goes with them", () => {
    const { grants } = Enablement.trusting(pkg)
    assert.deepStrictEqual(grants.request, [request])
    assert.deepStrictEqual(grants.sign, [])
    assert.deepInclude(grants.permissions, { kind: "host_api", api: "request" })
    assert.isFalse(grants.permissions.some((each) => each.kind === "host_api" && each.api === "websocket"))
  })

  it("opens its secrets for each of them, and for signing", () => {
    const secrets = { token: { env: "TOKEN" } }
    const { grants } = Enablement.trusting(pkg, { secrets, privateAddresses: true })
    assert.deepStrictEqual(grants.request, [{ ...request, secrets: ["token"], privateAddresses: true }])
    assert.deepStrictEqual(grants.sign, ["token"])
    assert.isTrue(Result.isSuccess(Enablement.make(Enablement.trusting(pkg, { secrets }))))
  })
})
