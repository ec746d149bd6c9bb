import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import {
  ConnectionError,
  Enablement,
  GrantStore,
  type IngressEvent,
  OutputCommand,
  PluginHost,
  Secrets,
  SourceUrl,
  WebSocketClient
} from "mooring"
import { FakeWebSocket, Standstill, StaticSecrets, TestHost } from "mooring/testing"
import { onFake, rowOf, type Setup, settled } from "../support/host.ts"
import { capture } from "../support/log.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"
const HOME = "ws://127.0.0.1:7700/gateway"
const OTHER = "ws://127.0.0.1:7800/gateway"
const VALUE = "S3CRET/1"
const DIALLED = `${HOME}?key=${encodeURIComponent(VALUE)}`

const TEMPLATE = `${HOME}?key={key}&{nothing}`
const headers = { authorization: "Bearer {key}", "x-basic": "{basic:me:key}", "x-plain": "{nothing}" }

/** With a name in place of each stand-in, which is another one in every run. */
const named = (text: string | undefined) => text?.replaceAll(/mooring-secret-[0-9a-f]{32}/g, "<key>")

const base64 = (text: string) => Buffer.from(text).toString("base64")

/** A plugin that notes what it is told, and does what a text says in JSON. */
const driven = (seen: Array<string> = []) => {
  const note = (event: IngressEvent.IngressEvent) => {
    seen.push(JSON.stringify([event.kind, event.source, event.payload]))
    return Exit.void
  }
  return plugin({
    sources: [GATEWAY],
    handlers: {
      gateway: {
        websocket_open: note,
        websocket_close: note,
        websocket_error: note,
        websocket_text: (event) => {
          seen.push(JSON.stringify([event.kind, event.source, event.payload]))
          const commands = event.text.startsWith("[")
            ? (JSON.parse(event.text) as ReadonlyArray<OutputCommand.Command>)
            : []
          return Exit.succeed({ commands })
        }
      }
    }
  })
}

const entry = {
  secrets: { key: { env: "KEY" } },
  sources: { gateway: { urls: [TEMPLATE], headers, reconnect: { initial_ms: 1000, max_ms: 1000 } } }
}

interface Options extends Omit<Partial<Setup>, "plugins" | "enabled"> {
  readonly pkg?: ReturnType<typeof driven>
  readonly values?: StaticSecrets.Values
  readonly change?: { readonly [key: string]: unknown }
  readonly sourceUrl?: Layer.Layer<never>
}

/** A host with one plugin and these secrets. */
const hosting = ({ change = entry, pkg = driven(), sourceUrl, values = { env: { KEY: VALUE } }, ...setup }: Options) =>
  onFake({ ...setup, plugins: [pkg], enabled: [enable(pkg, change)] }).pipe(
    Layer.provideMerge(StaticSecrets.layer(values)),
    Layer.provide(sourceUrl ?? Layer.empty)
  )

const connection = Effect.map(rowOf(REF), (row) => row.websocketConnections[0] ?? assert.fail("no connection"))
const dials = Effect.flatMap(FakeWebSocket.FakeWebSocket, (fake) => fake.dials)
const dialled = Effect.map(dials, (all) => all.map(({ url }) => url))
const results = Effect.map(rowOf(REF), (row) =>
  row.outputCommandResults.map(({ error, status }) => error?.tag ?? status)
)
const problems = Effect.map(rowOf(REF), (row) =>
  row.diagnostics.flatMap(({ error, tag }) =>
    tag === "HostFileInvalid" ? (error["problems"] as ReadonlyArray<{ path: string; message: string }>) : []
  )
)

/** A granted target, and the secrets that it opens. */
const granted = (port: number, secrets?: ReadonlyArray<string>) => ({
  scheme: "ws",
  host: "127.0.0.1",
  port,
  path_prefixes: ["/"],
  ...(secrets === undefined ? {} : { secrets })
})

const withTargets = (...websocket: ReadonlyArray<object>) => {
  const { permissions } = driven().manifest
  return { ...entry, grants: { permissions, websocket } }
}

const reconnecting = (options: Options, dialUrl: string) =>
  Effect.gen(function* () {
    const host = yield* PluginHost.PluginHost
    const fake = yield* FakeWebSocket.FakeWebSocket
    const remote = yield* fake.remote(`${DIALLED}&{nothing}`)
    remote.sendText(JSON.stringify([OutputCommand.reconnect(TEMPLATE, { dialUrl })]))
    yield* TestClock.adjust(1000)
    yield* host.idle
    return { results: yield* results, last: (yield* dials).at(-1), row: yield* rowOf(REF) }
  }).pipe(Effect.provide(hosting(options)))

/** The same plugin, which declares every server. */
const anywhere = () => {
  const pkg = driven()
  const target = { host: "127.0.0.1", port: "*" as const, pathPrefixes: ["/"] }
  return { ...pkg, manifest: { ...pkg.manifest, websocket: [{ scheme: "*" as const, ...target }] } }
}

const withNeighbour = (change: { readonly [key: string]: unknown }, found: StaticSecrets.Values) => {
  const pkg = driven()
  const neighbour = plugin({ name: "fine", sources: ["ws://127.0.0.1:7700/fine"] })
  return onFake({ plugins: [pkg, neighbour], enabled: [enable(pkg, change), enable(neighbour)] }).pipe(
    Layer.provide(StaticSecrets.layer(found))
  )
}

const made = (value: string) => {
  const pkg = driven()
  const { permissions, websocket } = pkg.manifest
  const enabled = Enablement.make({
    id: REF,
    version: "1.0.0",
    digest: pkg.digest,
    secrets: { key: Redacted.make(value) },
    grants: { permissions, websocket },
    sources: { gateway: { urls: [TEMPLATE] } }
  })
  return { pkg, enabled: [Result.getOrThrow(enabled)] }
}

const pem = (what: string) => `-----BEGIN ${what}-----\nx\n-----END ${what}-----\n`

describe("a template of a source", () => {
  it.effect("is filled in at each dial, percent-encoded in the URL and as it is in headers", () =>
    Effect.gen(function* () {
      const { replace } = yield* StaticSecrets.StaticSecrets
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(`${DIALLED}&{nothing}`)
      yield* host.idle
      yield* replace({ env: { KEY: "an{key} &c" } })
      yield* host.idle
      assert.strictEqual((yield* connection).state, "open")
      remote.close(1000)
      yield* TestClock.adjust(1000)
      yield* fake.remote(`${HOME}?key=an%7Bkey%7D%20%26c&{nothing}`)
      assert.deepStrictEqual(
        (yield* dials).map((dial) => dial.headers),
        [VALUE, "an{key} &c"].map((value) => ({
          authorization: `Bearer ${value}`,
          "x-basic": `Basic ${base64(`me:${value}`)}`,
          "x-plain": "{nothing}"
        }))
      )
      assert.strictEqual((yield* rowOf(REF)).restarts, 0)
    }).pipe(Effect.provide(hosting({})))
  )

  it.effect("rule 11: is all that status, events, diagnostics and logs have of it", () => {
    const seen: Array<string> = []
    const { lines, logged } = capture()
    const texts = Effect.gen(function* () {
      const { status } = yield* PluginHost.PluginHost
      return [...seen, JSON.stringify(yield* status), ...lines.map((line) => JSON.stringify(line))].join("\n")
    })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const url = `${DIALLED}&{nothing}`
      const remote = yield* fake.remote(url)
      remote.sendText("hi")
      yield* host.idle
      yield* fake.answer(url, { kind: "refuse", status: 503 })
      remote.end(1006, "", false)
      yield* TestClock.adjust(1000)
      yield* host.idle
      const error = new ConnectionError.DialFailed({ url: HOME, phase: "tcp", code: "ECONNREFUSED" })
      yield* fake.answer(url, { kind: "fail", error })
      yield* TestClock.adjust(1000)
      yield* host.idle
      const text = yield* texts
      for (const form of [VALUE, encodeURIComponent(VALUE), base64(`me:${VALUE}`)]) assert.notInclude(text, form)
      assert.include(text, TEMPLATE)
      assert.isAbove(seen.length, 3)
      assert.strictEqual((yield* connection).url, HOME)
    }).pipe(Effect.provide(hosting({ pkg: driven(seen) })), logged)
  })

  it.effect("is none in what the manifest declares, nor in what the plugin or the application asks for", () => {
    const pkg = plugin({ sources: [`${HOME}?key={key}`] })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      assert.deepStrictEqual(yield* dialled, [`${HOME}?key={key}`])
    }).pipe(Effect.provide(hosting({ pkg, change: { secrets: entry.secrets } })))
  })

  it.effect("is none in a dial_url, even where that is the source's own URL", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(`${DIALLED}&{nothing}`)
      remote.sendText(JSON.stringify([OutputCommand.reconnect(TEMPLATE, { dialUrl: TEMPLATE })]))
      yield* TestClock.adjust(1000)
      yield* host.idle
      assert.strictEqual((yield* dialled).at(-1), TEMPLATE)
      const literal = yield* fake.remote(TEMPLATE)
      literal.sendText(JSON.stringify([OutputCommand.reconnect(TEMPLATE, { dialUrl: null })]))
      yield* TestClock.adjust(1000)
      yield* host.idle
      assert.strictEqual((yield* dialled).at(-1), `${DIALLED}&{nothing}`)
      assert.deepStrictEqual(yield* results, ["executed", "executed"])
    }).pipe(Effect.provide(hosting({})))
  )

  it.effect("rule 1: is denied where manifest and grant don't cover it both with and without the secret", () =>
    Effect.gen(function* () {
      const urls = [`${HOME}/{key}`]
      const value = { env: { KEY: "a;b-cd" } }
      const sources = { gateway: { urls, reconnect: {} } }
      const targets = (...path_prefixes: ReadonlyArray<string>) => ({
        ...withTargets({ ...granted(7700), path_prefixes }),
        sources
      })
      for (const [prefixes, state] of [
        [["/gateway"], "open"],
        [["/gateway/%7Bkey%7D", "/gateway/a%3Bb-cd"], "open"],
        [["/gateway/%7Bkey%7D"], "stopped"],
        [["/gateway/a%3Bb-cd"], "stopped"]
      ] as const) {
        yield* Effect.gen(function* () {
          const host = yield* PluginHost.PluginHost
          yield* host.idle
          const { attempts, lastError, state: actual, stopReason } = yield* connection
          assert.strictEqual(actual, state, prefixes.join())
          if (state === "open") return
          assert.deepStrictEqual([stopReason, attempts], ["grant", 0])
          assert.deepInclude(lastError, { tag: "TargetUngranted", message: `no granted target covers ${HOME}/{key}` })
          assert.deepStrictEqual(yield* dials, [])
        }).pipe(Effect.provide(hosting({ values: value, change: targets(...prefixes) })))
      }
    })
  )
})

describe("headers with a secret", () => {
  it.effect("go to another path of the source's own server", () =>
    Effect.gen(function* () {
      const { last, results: verdicts } = yield* reconnecting({}, "ws://127.0.0.1:7700/resume?x=1")
      assert.deepStrictEqual(verdicts, ["executed"])
      assert.strictEqual(last?.url, "ws://127.0.0.1:7700/resume?x=1")
      assert.strictEqual(last?.headers["authorization"], `Bearer ${VALUE}`)
    })
  )

  it.effect("go to no other server, scheme or port: SecretUngranted, and the connection stays", () =>
    Effect.gen(function* () {
      const targets = [granted(7700), granted(7800), { ...granted(7700), scheme: "wss" }]
      for (const dialUrl of [OTHER, "wss://127.0.0.1:7700/gateway", "ws://127.0.0.1:7800/?x={key}"]) {
        const {
          last,
          results: verdicts,
          row
        } = yield* reconnecting({ pkg: anywhere(), change: withTargets(...targets) }, dialUrl)
        assert.deepStrictEqual(verdicts, ["SecretUngranted"], dialUrl)
        assert.strictEqual(last?.url, `${DIALLED}&{nothing}`)
        assert.strictEqual(row.websocketConnections[0]?.state, "open")
        const error = row.diagnostics.find(({ tag }) => tag === "SecretUngranted")?.error
        assert.deepStrictEqual(error?.["secret"], "key")
      }
    })
  )

  it.effect("go where the target that decides opens each of them", () =>
    Effect.gen(function* () {
      const change = withTargets(granted(7700), granted(7800, ["key"]), granted(7800))
      const { last, results: verdicts } = yield* reconnecting({ pkg: anywhere(), change }, OTHER)
      assert.deepStrictEqual(verdicts, ["executed"])
      assert.strictEqual(last?.url, OTHER)
      assert.strictEqual(last?.headers["authorization"], `Bearer ${VALUE}`)
    })
  )

  it.effect("go nowhere where a target that doesn't decide would open them", () =>
    Effect.gen(function* () {
      const change = withTargets(granted(7700), granted(7800), granted(7800, ["key"]))
      const { results: verdicts } = yield* reconnecting({ pkg: anywhere(), change }, OTHER)
      assert.deepStrictEqual(verdicts, ["SecretUngranted"])
    })
  )

  it.effect("are asked about again at every dial: stopped with grant once they aren't opened any more", () => {
    const pkg = anywhere()
    const change = withTargets(granted(7700), granted(7800, ["key"]))
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const editor = yield* GrantStore.GrantEditor
      const remote = yield* fake.remote(`${DIALLED}&{nothing}`)
      remote.sendText(JSON.stringify([OutputCommand.reconnect(TEMPLATE, { dialUrl: OTHER })]))
      yield* TestClock.adjust(1000)
      const other = yield* fake.remote(OTHER)
      const open = enable(pkg, change)
      const { websocket } = open.grants
      yield* editor.set(REF, {
        ...GrantStore.grantOf(open),
        websocket: websocket.map((each) => ({ ...each, secrets: [] }))
      })
      yield* host.idle
      assert.strictEqual((yield* connection).state, "open")
      other.close(1000)
      yield* TestClock.adjust(1000)
      yield* host.idle
      const { lastError, state, stopReason } = yield* connection
      assert.deepStrictEqual([state, stopReason, lastError?.tag], ["stopped", "grant", "TargetUngranted"])
      assert.include(lastError?.message ?? "", "the secret 'key' is not granted")
      assert.strictEqual((yield* dials).length, 2)
      yield* editor.set(REF, GrantStore.grantOf(open))
      yield* fake.remote(OTHER, 2)
    }).pipe(Effect.provide(hosting({ pkg, change })))
  })

  it.effect("are left out where a SourceUrl leads elsewhere, and nothing else is", () =>
    Effect.gen(function* () {
      const answer = SourceUrl.dial(OTHER, { "x-ticket": "{key}" })
      const sourceUrl = Layer.succeed(SourceUrl.SourceUrl, { resolve: () => Effect.succeed(answer) })
      const change = withTargets(granted(7700), granted(7800, ["key"]))
      yield* Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        yield* fake.remote(OTHER)
        assert.deepStrictEqual((yield* dials)[0]?.headers, { "x-plain": "{nothing}", "x-ticket": "{key}" })
      }).pipe(Effect.provide(hosting({ pkg: anywhere(), change, sourceUrl })))
    })
  )
})

const API = { scheme: "https", host: "api.example.com", methods: ["GET"], path_prefixes: ["/"] }

describe("an entry that names what isn't there", () => {
  const invalid: ReadonlyArray<
    readonly [what: string, change: { readonly [key: string]: unknown }, paths: ReadonlyArray<string>]
  > = [
    ["a variable that isn't set", { secrets: { key: { env: "NONE" } } }, ["secrets.key"]],
    ["a file that isn't there", { secrets: { a: { file: "none" }, b: { file: "short" } } }, ["secrets.a", "secrets.b"]],
    ["a value with a line end", { secrets: { key: { env: "LINE" } } }, ["secrets.key"]],
    [
      "a value that a path mustn't hold",
      { secrets: { key: { env: "KEY" } }, sources: { gateway: { urls: [`${HOME}/{key}`], reconnect: {} } } },
      ["sources.gateway.urls"]
    ],
    [
      "a value that a header mustn't hold",
      {
        secrets: { smile: { env: "SMILE" } },
        sources: { gateway: { headers: { "x-a": "{smile}", "x-b": "{basic:u:smile}" } } }
      },
      ["sources.gateway.headers.x-a"]
    ],
    [
      "certificates that aren't PEM, and no key",
      { sources: { gateway: { tls: { ca: { file: "short" }, cert: { file: "pem" } } } } },
      ["sources.gateway.tls.ca", "sources.gateway.tls"]
    ],
    [
      "what its requests are to be sent with",
      {
        secrets: { smile: { env: "SMILE" } },
        grants: {
          request: [
            { ...API, tls: { ca: { file: "none" }, cert: { file: "pem" } } },
            { ...API, headers: { "x-a": "{smile}" } }
          ]
        }
      },
      ["grants.request[0].tls.ca", "grants.request[0].tls", "grants.request[1].headers.x-a"]
    ],
    [
      "a text of its configuration",
      { config: { rooms: [{ from_env: "NONE" }, { from_env: "KEY" }] } },
      ["config.rooms[0]"]
    ],
    [
      "limits that can't work together",
      {
        limits: { output_bytes: 65_536 },
        sources: { gateway: { limits: { max_message_bytes: 8_388_608, send_text_bytes: 1_048_577 } } }
      },
      [
        "sources.gateway.limits.max_message_bytes",
        "sources.gateway.limits.send_text_bytes",
        "sources.gateway.limits.send_text_bytes",
        "limits.output_bytes"
      ]
    ]
  ]
  const values = {
    env: { KEY: VALUE, LINE: "abcdef\nx", SMILE: "smile \u{1f600}" },
    files: { short: "short\n", pem: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n" }
  }

  for (const [what, change, paths] of invalid) {
    it.effect(`is failed with HostFileInvalid, and nothing else is: ${what}`, () =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        yield* host.idle
        const row = yield* rowOf(REF)
        assert.deepStrictEqual([row.lifecycle, row.lastError?.tag, row.retryAt], ["failed", "HostFileInvalid", null])
        assert.deepStrictEqual(row.websocketConnections, [])
        const { config } = (yield* host.status).host
        assert.deepStrictEqual(
          config.problems.map(({ path }) => path),
          paths.map((path) => `enabled[0].${path}`)
        )
        const [diagnostic] = row.diagnostics
        assert.deepInclude(diagnostic, { tag: "HostFileInvalid", stage: "host", severity: "error" })
        assert.deepStrictEqual(
          (yield* problems).map(({ path }) => path),
          paths
        )
        for (const value of Object.values(values.env)) assert.notInclude(JSON.stringify(row), value)
        assert.strictEqual((yield* rowOf("project:test.fine")).lifecycle, "running")
      }).pipe(Effect.provide(withNeighbour(change, values)))
    )
  }

  it.effect("is set up when it is applied again and everything is there", () => {
    const pkg = driven()
    const enabled = [enable(pkg, entry)]
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const { replace } = yield* StaticSecrets.StaticSecrets
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "failed")
      yield* replace({ env: { KEY: VALUE } })
      yield* host.apply({ enabled })
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
    }).pipe(Effect.provide(hosting({ pkg, values: {} })))
  })

  it.effect("is set up by itself once what it lacked is there, and says no further time what it still lacks", () => {
    const change = { ...entry, secrets: { key: { file: "key" }, more: { file: "more" } } }
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const { replace } = yield* StaticSecrets.StaticSecrets
      yield* host.idle
      const failed = Effect.map(rowOf(REF), ({ diagnosticCounts }) => diagnosticCounts["HostFileInvalid"])
      assert.strictEqual(yield* failed, 1)
      yield* replace({ env: { OTHER: "something" } })
      yield* host.idle
      assert.strictEqual(yield* failed, 1)
      yield* replace({ files: { key: VALUE } })
      yield* host.idle
      assert.deepStrictEqual([(yield* rowOf(REF)).lifecycle, yield* failed], ["failed", 2])
      yield* replace({ files: { key: VALUE, more: VALUE } })
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
      assert.strictEqual((yield* host.status).host.config.state, "applied")
    }).pipe(Effect.provide(hosting({ change, values: {} })))
  })

  it.effect(
    "says so where the host has no secrets at all, and isn't held up by an application's that never answer",
    () => {
      const never: typeof Secrets.Secrets.Service = { lookup: () => Effect.never, changes: Stream.never }
      const odd: typeof Secrets.Secrets.Service = {
        lookup: () => Effect.succeed("S3CRET/1") as never,
        changes: undefined as never
      }
      const dying: typeof Secrets.Secrets.Service = {
        lookup: () => Effect.die("S3CRET/1"),
        changes: Stream.die("S3CRET/1")
      }
      const pkg = driven()
      const host = onFake({ plugins: [pkg], enabled: [enable(pkg, entry)] })
      const failed = Effect.gen(function* () {
        const [problem] = yield* problems
        assert.notInclude(JSON.stringify(yield* rowOf(REF)), "S3CRET")
        return problem?.message
      })
      return Effect.gen(function* () {
        assert.match((yield* Effect.provide(failed, host)) ?? "", /no Secrets layer/)
        for (const port of [odd, dying]) {
          const layer = Layer.provide(host, Layer.succeed(Secrets.Secrets, port))
          assert.match((yield* Effect.provide(failed, layer)) ?? "", /an answer of the application's Secrets/)
        }
        const late = Layer.provide(host, Layer.succeed(Secrets.Secrets, never))
        const waiting = yield* Effect.forkScoped(Effect.provide(failed, late), { startImmediately: true })
        yield* TestClock.adjust(5000)
        assert.match((yield* Fiber.join(waiting)) ?? "", /an answer/)
      })
    }
  )
})

describe("a process that stands still while a secret is asked for", () => {
  it.effect("rule 6: fails no entry", () => {
    const answer = Effect.as(Effect.andThen(Effect.sleep(10), Effect.sleep(10)), Redacted.make(VALUE))
    const pkg = driven()
    const slow: typeof Secrets.Secrets.Service = { lookup: () => answer, changes: Stream.never }
    const host = Layer.provide(
      onFake({ plugins: [pkg], enabled: [enable(pkg, { secrets: { key: { env: "KEY" } } })] }),
      Layer.succeed(Secrets.Secrets, slow)
    )
    return Effect.gen(function* () {
      const starting = yield* Effect.forkScoped(
        Effect.provide(
          Effect.andThen(
            settled,
            Effect.map(rowOf(REF), ({ lastError }) => lastError)
          ),
          host
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust(5)
      yield* Standstill.cause("1 minute")
      yield* settled
      yield* TestClock.adjust(20)
      assert.isNull(yield* Fiber.join(starting))
    }).pipe(Effect.provide(Standstill.layer))
  })
})

describe("what a server says back", () => {
  it.effect("rule 11: reaches the plugin, the status and the log with each secret of the source replaced", () => {
    const seen: Array<string> = []
    const { lines, logged } = capture()
    const basic = base64(`me:${VALUE}`)
    const forms = [
      VALUE,
      encodeURIComponent(VALUE),
      JSON.stringify(VALUE).replaceAll("/", "\\/"),
      basic,
      base64(`x${VALUE}`),
      `${HOME}?key=${encodeURIComponent(VALUE)}`
    ]
    return Effect.gen(function* () {
      const { replace } = yield* StaticSecrets.StaticSecrets
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const first = yield* fake.remote(`${DIALLED}&{nothing}`)
      for (const form of forms) first.sendText(`you are ${form}, \u00e4`)
      first.sendText("nothing to hide, \u00e4")
      yield* host.idle
      const texts = seen.flatMap((line) => {
        const [kind, , payload] = JSON.parse(line) as [string, string, { text?: string }]
        return kind === "websocket_text" ? [payload.text ?? ""] : []
      })
      assert.strictEqual(texts.length, forms.length + 1)
      assert.strictEqual(named(texts[0]), "you are <key>, \u00e4")
      assert.strictEqual(texts.at(-1), "nothing to hide, \u00e4")
      // What it was sent before may be said later, too.
      yield* replace({ env: { KEY: "another value" } })
      yield* host.idle
      first.close(1000)
      yield* TestClock.adjust(1000)
      const second = yield* fake.remote(`${HOME}?key=another%20value&{nothing}`)
      second.sendText(`you were ${VALUE} and are another value`)
      second.close(4000, `bye ${basic}, another+value`)
      yield* host.idle
      const text = [...seen, ...lines.map((line) => JSON.stringify(line)), JSON.stringify(yield* rowOf(REF))].join("\n")
      for (const form of [...forms, "another value", "another+value"]) assert.notInclude(text, form)
      assert.include(named(text), "you were <key> and are <key>")
      assert.include(named(text), "bye ***, <key>")
      assert.strictEqual(named((yield* connection).lastClose?.reason), "bye ***, <key>")
    }).pipe(Effect.provide(hosting({ pkg: driven(seen) })), logged)
  })

  it.effect("is as it is where the source has no template, though its entry has secrets", () => {
    const seen: Array<string> = []
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(HOME)
      remote.sendText(VALUE)
      yield* host.idle
      assert.include(seen.join(), JSON.stringify(VALUE))
    }).pipe(Effect.provide(hosting({ pkg: driven(seen), change: { secrets: entry.secrets } })))
  })

  it.effect("is measured as it is handed over", () => {
    const bytes: Array<number> = []
    const pkg = plugin({
      sources: [GATEWAY],
      handlers: {
        gateway: {
          websocket_text: (event) => {
            bytes.push(event.bytes)
            return Exit.void
          }
        }
      }
    })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(`${DIALLED}&{nothing}`)
      remote.sendText(`\u00e4${VALUE}`)
      remote.sendText("\u00e4")
      yield* host.idle
      // Two for the letter, and those of the stand-in.
      assert.deepStrictEqual(bytes, [2 + 47, 2])
    }).pipe(Effect.provide(hosting({ pkg })))
  })
})

const OLD = `${DIALLED}&{nothing}`
const NEW = `${HOME}?key=another%20value&{nothing}`
const REFUSED = { kind: "refuse", status: 401 } as const

/** What becomes of a source whose server takes the new value alone, once the secret is that. */
const rotated = (act: (fake: FakeWebSocket.FakeWebSocket["Service"]) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const { replace } = yield* StaticSecrets.StaticSecrets
    const host = yield* PluginHost.PluginHost
    const fake = yield* FakeWebSocket.FakeWebSocket
    yield* act(fake)
    yield* host.idle
    const { state, stopReason } = yield* connection
    yield* replace({ env: { KEY: "another value" } })
    yield* host.idle
    const { attempts, epoch, state: after } = yield* connection
    return { before: [state, stopReason], after, attempts, epoch, dialled: yield* dialled }
  })

describe("a secret that changes", () => {
  it.effect("keeps its last value, with a problem, where it is gone or unusable, and is masked for ever", () => {
    const seen: Array<string> = []
    return Effect.gen(function* () {
      const { replace } = yield* StaticSecrets.StaticSecrets
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const first = yield* fake.remote(`${DIALLED}&{nothing}`)
      yield* replace({})
      yield* host.idle
      const row = yield* rowOf(REF)
      const { config } = (yield* host.status).host
      assert.deepStrictEqual(
        [config.state, config.problems.map(({ path }) => path)],
        ["partly", ["enabled[0].secrets.key"]]
      )
      assert.deepStrictEqual([row.lifecycle, row.lastError?.tag], ["running", "HostFileInvalid"])
      assert.deepStrictEqual(
        (yield* problems).map(({ path }) => path),
        ["secrets.key"]
      )
      // What is said within a second is one diagnostic.
      yield* TestClock.adjust(2000)
      yield* replace({ env: { KEY: "other\u{1f600}" } })
      yield* host.idle
      assert.deepStrictEqual((yield* problems).at(-1)?.path, "sources.gateway.headers.authorization")
      first.close(1000)
      yield* TestClock.adjust(1000)
      const second = yield* fake.remote(`${DIALLED}&{nothing}`, 2)
      yield* replace({ env: { KEY: "another value" } })
      yield* host.idle
      second.close(4000, `old ${VALUE}, new another value`)
      yield* TestClock.adjust(1000)
      yield* fake.remote(`${HOME}?key=another%20value&{nothing}`)
      yield* host.idle
      assert.strictEqual(named((yield* connection).lastClose?.reason), "old <key>, new <key>")
      assert.strictEqual((yield* host.status).host.config.state, "applied")
      assert.strictEqual((yield* rowOf(REF)).restarts, 0)
    }).pipe(Effect.provide(hosting({ pkg: driven(seen) })))
  })

  it.effect("is shown at once to a server that had refused the old one", () =>
    Effect.gen(function* () {
      const { after, attempts, before, dialled: urls } = yield* rotated(() => Effect.void)
      assert.deepStrictEqual([before, after, attempts, urls], [["stopped", "http"], "open", 0, [OLD, NEW]])
    }).pipe(Effect.provide(hosting({ answers: { [OLD]: REFUSED } })))
  )

  it.effect("is shown at once to a server that had closed for good because of the old one", () => {
    const change = {
      ...entry,
      sources: { gateway: { urls: [TEMPLATE], reconnect: { stop_codes: [4004] } } }
    }
    return Effect.gen(function* () {
      const {
        after,
        before,
        dialled: urls
      } = yield* rotated((fake) => Effect.map(fake.remote(OLD), (remote) => remote.close(4004)))
      assert.deepStrictEqual([before, after, urls], [["stopped", "close_code"], "open", [OLD, NEW]])
    }).pipe(Effect.provide(hosting({ change })))
  })

  it.effect("is refused for itself: then the source waits as ever, whatever other secrets become", () => {
    const change = { ...entry, secrets: { ...entry.secrets, unused: { env: "UNUSED" } } }
    const env = { KEY: VALUE, UNUSED: "nothing yet" }
    return Effect.gen(function* () {
      const { replace } = yield* StaticSecrets.StaticSecrets
      const host = yield* PluginHost.PluginHost
      const { after, dialled: urls } = yield* rotated(() => Effect.void)
      assert.deepStrictEqual([after, urls], ["stopped", [OLD, NEW]])
      yield* replace({ env: { KEY: "another value", UNUSED: "something else" } })
      yield* host.idle
      yield* replace({})
      yield* host.idle
      assert.deepStrictEqual([(yield* connection).state, yield* dialled], ["stopped", [OLD, NEW]])
      yield* TestClock.adjust("15 minutes")
      yield* host.idle
      assert.deepStrictEqual(yield* dialled, [OLD, NEW, NEW])
    }).pipe(Effect.provide(hosting({ change, values: { env }, answers: { [OLD]: REFUSED, [NEW]: REFUSED } })))
  })

  it.effect("dials nothing that its plugin closed, and closes nothing that is open", () =>
    Effect.gen(function* () {
      const {
        after,
        before,
        dialled: urls
      } = yield* rotated((fake) =>
        Effect.map(fake.remote(OLD), (remote) => remote.sendText(JSON.stringify([OutputCommand.close(TEMPLATE)])))
      )
      assert.deepStrictEqual([before, after, urls], [["stopped", "plugin"], "stopped", [OLD]])
    }).pipe(Effect.provide(hosting({})))
  )

  it.effect("rule 11: is masked from then on, also in what a server says that was sent its old value", () => {
    const seen: Array<string> = []
    return Effect.gen(function* () {
      const { replace } = yield* StaticSecrets.StaticSecrets
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(`${DIALLED}&{nothing}`)
      yield* replace({ env: { KEY: "another value" } })
      yield* host.idle
      remote.sendText(`instead of ${VALUE} it will be another value`)
      remote.close(4000, `${base64("me:another value")}, another+value`)
      yield* host.idle
      assert.include(named(seen.join()), "instead of <key> it will be <key>")
      assert.include(named(seen.join()), '"reason":"***, <key>"')
    }).pipe(Effect.provide(hosting({ pkg: driven(seen) })))
  })

  it.effect("restarts its plugin where it is a text of the configuration, and hands that over", () => {
    const configs: Array<unknown> = []
    const base = driven()
    const pkg = {
      ...base,
      runtime: {
        ...base.runtime,
        start: (options: Parameters<typeof base.runtime.start>[0]) => {
          configs.push(options.config)
          return base.runtime.start(options)
        }
      }
    }
    const change = { config: { room: { from_file: "room" }, kept: { from_env: "KEY", and: 1 } } }
    return Effect.gen(function* () {
      const { replace } = yield* StaticSecrets.StaticSecrets
      const host = yield* PluginHost.PluginHost
      yield* host.awaitRunning(REF)
      yield* replace({ files: { room: "lobby\n" } })
      yield* host.idle
      yield* replace({ files: { room: "attic" } })
      yield* host.idle
      yield* host.awaitRunning(REF)
      const kept = { from_env: "KEY", and: 1 }
      assert.deepStrictEqual(configs, [
        { room: "lobby", kept },
        { room: "attic", kept }
      ])
    }).pipe(Effect.provide(hosting({ pkg, change, values: { files: { room: "lobby\n" } } })))
  })
})

describe("an enablement made in code", () => {
  it.effect("may hold the secrets themselves, and is another one with another value", () => {
    const { enabled, pkg } = made(VALUE)
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* fake.remote(`${DIALLED}&{nothing}`)
      yield* host.apply({ enabled })
      yield* host.idle
      assert.strictEqual((yield* dials).length, 1)
      yield* host.apply({ enabled: made("other value").enabled })
      yield* fake.remote(`${HOME}?key=other%20value&{nothing}`)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled })))
  })

  it.effect("has its PEM texts and compression handed to the client, for the source's own server", () => {
    const asked: Array<WebSocketClient.ConnectOptions> = []
    const pkg = driven()
    const tls = {
      ca: Redacted.make(pem("CERTIFICATE")),
      cert: { file: "cert" },
      key: { env: "PEM" },
      serverName: "hub"
    }
    const enabled = Result.getOrThrow(
      Enablement.make({
        ...Enablement.trusting(pkg),
        id: REF,
        sources: { gateway: { tls, compression: true, limits: { maxMessageBytes: 4096 } } }
      })
    )
    const client = Layer.succeed(WebSocketClient.WebSocketClient, {
      proxied: false,
      connect: (target, options) =>
        Effect.suspend(() => {
          asked.push(options)
          return Effect.fail(new ConnectionError.DialFailed({ url: target.display, phase: "tls", code: "X" }))
        })
    })
    const secrets = StaticSecrets.layer({ env: { PEM: pem("PRIVATE KEY") }, files: { cert: pem("CERTIFICATE") } })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const [options] = asked
      const { ca, cert, key, serverName } = options?.tls ?? {}
      assert.deepStrictEqual([ca, cert, serverName], [pem("CERTIFICATE"), pem("CERTIFICATE"), "hub"])
      assert.strictEqual(key === undefined ? "" : Redacted.value(key), pem("PRIVATE KEY"))
      assert.strictEqual(options?.compression, true)
    }).pipe(
      Effect.provide(
        TestHost.failingFast(PluginHost.layer({ plugins: [pkg], enabled: [enabled] })).pipe(
          Layer.provide([GrantStore.layer([enabled]), client, secrets])
        )
      )
    )
  })
})
