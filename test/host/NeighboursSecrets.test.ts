/** Rule 11: a secret of one entry is none the less one in the words of another's server or plugin. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { PluginHost } from "mooring"
import { FakeWebSocket, StaticSecrets } from "mooring/testing"
import { onFake, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const OLD = "S3CRET/one"
const NEW = "4nother/two"
const VALUES = { env: { KEY: OLD } }

const owner = plugin({ name: "owner", sources: ["ws://127.0.0.1:7700/owner"] })
const owning = enable(owner, { secrets: { key: { env: "KEY" } } })

/** Repeats what its server says: as its status, and as what it fails with. */
const gossip = plugin({
  name: "gossip",
  handlers: {
    gateway: {
      websocket_text: ({ text }) =>
        text.startsWith("fail ")
          ? Exit.fail(new Error(text))
          : Exit.succeed({ status: { said: [text, { [text]: 1 }] } })
    }
  }
})
const REF = refOf(gossip)

const forms = (value: string) => [
  value,
  value.toUpperCase(),
  JSON.stringify(value).slice(1, -1).replaceAll("/", "\\/"),
  encodeURIComponent(value),
  Buffer.from(value).toString("base64url")
]

const bothOf = onFake({ plugins: [owner, gossip], enabled: [owning, enable(gossip)] }).pipe(
  Layer.provideMerge(StaticSecrets.layer(VALUES))
)

/** Lets the neighbour's server say a text in each place that is shown, and gives what is. */
const saying = (text: string, nth: number) =>
  Effect.gen(function* () {
    const host = yield* PluginHost.PluginHost
    const fake = yield* FakeWebSocket.FakeWebSocket
    const remote = yield* fake.remote(GATEWAY, nth)
    remote.sendText(text)
    remote.sendText(`fail ${text}`)
    yield* host.idle
    remote.close(4000, text)
    yield* host.idle
    const row = yield* rowOf(REF)
    yield* TestClock.adjust(120_000)
    return row
  })

/** Each of these values stands in none of its forms in anything that is shown of this text. */
const isMasked = (values: ReadonlyArray<string>, nth: number) =>
  Effect.gen(function* () {
    const all = values.flatMap(forms)
    for (const [index, form] of all.entries()) {
      const row = yield* saying(`x ${form} y`, nth + index)
      assert.deepStrictEqual(row.reportedStatus, { said: ["x *** y", { "x *** y": 1 }] }, form)
      const { lastClose } = row.websocketConnections[0] ?? assert.fail("no connection")
      assert.strictEqual(lastClose?.reason, "x *** y", form)
      assert.include(JSON.stringify(row.diagnostics), "fail x *** y", form)
      assert.notInclude(JSON.stringify(row), JSON.stringify(form).slice(1, -1), form)
    }
    return nth + all.length
  })

describe("a secret of another entry", () => {
  it.effect("rule 11: is masked in what a server and a plugin say that never had it, in each form", () =>
    Effect.gen(function* () {
      yield* isMasked([OLD], 1)
    }).pipe(Effect.provide(bothOf))
  )

  it.effect("rule 11: stays masked once it was rotated away, and once its entry is disabled", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const { replace } = yield* StaticSecrets.StaticSecrets
      yield* replace({ env: { KEY: NEW } })
      yield* host.idle
      const next = yield* isMasked([OLD, NEW], 1)
      yield* host.apply({ enabled: [enable(gossip)] })
      yield* host.idle
      yield* isMasked([OLD, NEW], next)
    }).pipe(Effect.provide(bothOf))
  )

  it.effect("rule 11: is masked from when it is known, also in what was shown before", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const { replace } = yield* StaticSecrets.StaticSecrets
      const before = yield* saying(`x ${NEW} y`, 1)
      assert.include(JSON.stringify(before.reportedStatus), NEW)
      yield* replace({ env: { KEY: NEW } })
      yield* host.idle
      const { lastClose } = (yield* rowOf(REF)).websocketConnections[0] ?? assert.fail("no connection")
      assert.strictEqual(lastClose?.reason, "x *** y")
      assert.deepStrictEqual((yield* rowOf(REF)).reportedStatus, { said: ["x *** y", { "x *** y": 1 }] })
    }).pipe(Effect.provide(bothOf))
  )

  it.effect("rule 11: is masked where its entry lacks something else, and can't run", () =>
    Effect.gen(function* () {
      yield* isMasked([OLD], 1)
    }).pipe(
      Effect.provide(
        onFake({
          plugins: [owner, gossip],
          enabled: [enable(owner, { secrets: { key: { env: "KEY" }, lacking: { env: "NOTHING" } } }), enable(gossip)]
        }).pipe(Layer.provideMerge(StaticSecrets.layer(VALUES)))
      )
    )
  )

  it.effect("is no concern of the plugin's: what its own server says reaches it as it is", () => {
    const seen: Array<string> = []
    const curious = plugin({
      handlers: { gateway: { websocket_text: ({ text }) => Exit.succeed(void seen.push(text)) } }
    })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText(OLD)
      yield* host.idle
      assert.deepStrictEqual(seen, [OLD])
    }).pipe(
      Effect.provide(
        onFake({ plugins: [owner, curious], enabled: [owning, enable(curious)] }).pipe(
          Layer.provideMerge(StaticSecrets.layer(VALUES))
        )
      )
    )
  })
})

describe("secrets that are asked for again while an old instance ends", () => {
  it.effect("rule 11: don't make the host forget what it was configured with", () => {
    const before = enable(gossip, { config: { word: "hunter2-before" }, secrets: { key: { env: "KEY" } } })
    const after = enable(gossip, { config: { word: "hunter2-after" }, secrets: { key: { env: "KEY" } } })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const { replace } = yield* StaticSecrets.StaticSecrets
      const remote = yield* fake.remote(GATEWAY)
      yield* host.idle
      remote.ignoreClose()
      yield* host.apply({ enabled: [after] })
      yield* settled
      yield* replace({ env: { KEY: NEW } })
      yield* settled
      remote.close(4000, "bye hunter2-before")
      yield* settled
      const { lastClose } = (yield* rowOf(REF)).websocketConnections[0] ?? assert.fail("no connection")
      assert.strictEqual(lastClose?.reason, "bye ***")
    }).pipe(
      Effect.provide(
        onFake({ plugins: [gossip], enabled: [before] }).pipe(Layer.provideMerge(StaticSecrets.layer(VALUES)))
      )
    )
  })
})
