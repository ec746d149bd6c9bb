import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { type Enablement, GrantStore, OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { onFake, rowOf, settled } from "../support/host.ts"
import { enable, plugin, refOf } from "../support/plugins.ts"

const urlOf = (name: string) => `ws://127.0.0.1:7700/${name}`

/** A plugin with a source of each of these names, that dies where it is told to. */
const named = (name: string, ...sources: ReadonlyArray<string>) =>
  plugin({
    name,
    sources: (sources.length === 0 ? [name] : sources).map(urlOf),
    handlers: {
      gateway: {
        websocket_text: (event) =>
          event.text === "reconnect"
            ? Exit.succeed({ commands: [OutputCommand.reconnect(event)] })
            : event.text === "sleep"
              ? Effect.never
              : Effect.die("boom")
      }
    }
  })

const a = named("a")
const b = named("b")
const c = named("c")
const two = named("two", "one", "other")

/** The same with the first of its sources alone. */
const one = enable(two, { sources: { gateway: { urls: [urlOf("one")] } } })

/** How many connections a host has: as many as there is room for. */
const on = (limit: number, ...enabled: ReadonlyArray<Enablement.Enablement>) =>
  Effect.provide(onFake({ plugins: [a, b, c, two], enabled, limits: { connectionsPerHost: limit } }))

/** All are granted what they ask for, whether they are enabled yet or not. */
const begun = Effect.gen(function* () {
  const fake = yield* FakeWebSocket.FakeWebSocket
  const host = yield* PluginHost.PluginHost
  const grants = yield* GrantStore.GrantEditor
  for (const pkg of [a, b, c, two]) yield* grants.set(refOf(pkg), GrantStore.grantOf(enable(pkg)))
  return { fake, host }
})

const stateOf = (pkg: typeof a, index = 0) =>
  Effect.map(rowOf(refOf(pkg)), ({ websocketConnections }) => {
    const found = websocketConnections[index]
    return found?.stopReason ?? found?.state
  })

const WAITING = "limit"

describe("the places of a host's connections", () => {
  for (const [how, free] of [
    ["disabled", (host: PluginHost.PluginHost["Service"]) => host.apply({ enabled: [enable(b), enable(c)] })],
    ["stopped", (host: PluginHost.PluginHost["Service"]) => Effect.orDie(host.stop(refOf(a)))]
  ] as const) {
    it.effect(`go to who waits longest when a plugin is ${how}, which is dialled by itself`, () =>
      Effect.gen(function* () {
        const { fake, host } = yield* begun
        yield* fake.remote(urlOf("a"))
        yield* host.idle
        assert.deepStrictEqual([yield* stateOf(b), yield* stateOf(c)], [WAITING, WAITING])
        yield* free(host)
        yield* host.idle
        assert.deepStrictEqual([yield* stateOf(b), yield* stateOf(c)], ["open", WAITING])
        assert.strictEqual((yield* rowOf(refOf(c))).diagnosticCounts["ConnectionLimit"], 1)
      }).pipe(on(1, enable(a), enable(b), enable(c)))
    )
  }

  it.effect("of what is being disabled are free for what is added in the same apply, and aren't taken again", () =>
    Effect.gen(function* () {
      const { fake, host } = yield* begun
      const deaf = yield* fake.remote(urlOf("a"))
      deaf.ignoreClose()
      yield* host.idle
      yield* host.apply({ enabled: [enable(b)] })
      yield* settled
      assert.isTrue(deaf.isOpen)
      assert.strictEqual(yield* stateOf(b), "open")
      // Whatever still happens to what leaves.
      deaf.breakOff()
      yield* host.idle
      yield* host.reconnect(refOf(b), urlOf("b"))
      yield* host.idle
      assert.strictEqual(yield* stateOf(b), "open")
      assert.lengthOf(yield* fake.remotes(urlOf("a")), 1)
    }).pipe(on(1, enable(a)))
  )

  it.effect("aren't taken again by what is disabled and still has something to say", () =>
    Effect.gen(function* () {
      const { fake, host } = yield* begun
      const remote = yield* fake.remote(urlOf("a"))
      yield* host.idle
      remote.sendBurst(["reconnect", "reconnect"])
      yield* host.apply({ enabled: [enable(b)] })
      yield* host.idle
      assert.strictEqual(yield* stateOf(b), "open")
      assert.strictEqual((yield* rowOf(refOf(b))).diagnosticCounts["ConnectionLimit"], undefined)
    }).pipe(on(1, enable(a)))
  )

  it.effect("aren't said to be lacking by a source of what is disabled, whose last dial's error still waited", () =>
    Effect.gen(function* () {
      const { fake, host } = yield* begun
      const deaf = yield* fake.remote(urlOf("one"))
      deaf.ignoreClose()
      yield* host.idle
      deaf.sendText("sleep")
      const other = yield* fake.remote(urlOf("other"))
      yield* fake.answer(urlOf("other"), { kind: "refuse", status: 500 })
      other.breakOff()
      yield* TestClock.adjust(900)
      yield* settled
      assert.strictEqual(yield* stateOf(two, 1), "waiting")
      const { dials } = fake
      const before = (yield* dials).length
      yield* host.apply({ enabled: [enable(b)] })
      yield* settled
      assert.isTrue(deaf.isOpen)
      const { diagnosticCounts, websocketConnections } = yield* rowOf(refOf(two))
      assert.deepInclude(websocketConnections[1], { state: "closed", stopReason: null, nextAttemptAt: null })
      assert.strictEqual(diagnosticCounts["ConnectionLimit"], undefined)
      assert.deepStrictEqual(
        (yield* dials).slice(before).map(({ url }) => url),
        [urlOf("b")]
      )
      deaf.breakOff()
      yield* host.idle
    }).pipe(on(3, enable(two)))
  )

  it.effect("of sources that a changed plugin has no more are free for what is added in the same apply", () =>
    Effect.gen(function* () {
      const { fake, host } = yield* begun
      const deaf = yield* fake.remote(urlOf("other"))
      deaf.ignoreClose()
      yield* host.idle
      yield* host.apply({ enabled: [one, enable(b), enable(c)] })
      yield* settled
      assert.isTrue(deaf.isOpen)
      assert.deepStrictEqual([yield* stateOf(b), yield* stateOf(c)], ["open", WAITING])
      deaf.breakOff()
      yield* host.idle
      assert.deepStrictEqual([yield* stateOf(two), yield* stateOf(b), yield* stateOf(c)], ["open", "open", WAITING])
    }).pipe(on(2, enable(two)))
  )

  it.effect("stay with a plugin that crashes, is restarted or changed, whoever waits", () =>
    Effect.gen(function* () {
      const { fake, host } = yield* begun
      const remote = yield* fake.remote(urlOf("a"))
      yield* host.idle
      remote.sendText("die")
      yield* host.idle
      assert.deepStrictEqual([(yield* rowOf(refOf(a))).lifecycle, yield* stateOf(b)], ["restarting", WAITING])
      yield* TestClock.adjust(100)
      yield* fake.remote(urlOf("a"), 2)
      yield* host.restart(refOf(a))
      yield* fake.remote(urlOf("a"), 3)
      yield* host.apply({ enabled: [enable(a, { config: { changed: true } }), enable(b), enable(c)] })
      yield* fake.remote(urlOf("a"), 4)
      yield* host.idle
      assert.deepStrictEqual([yield* stateOf(a), yield* stateOf(b), yield* stateOf(c)], ["open", WAITING, WAITING])
      assert.lengthOf(yield* fake.dials, 4)
    }).pipe(on(1, enable(a), enable(b)))
  )

  it.effect("are waited for again by a plugin that was stopped, behind who waited before", () =>
    Effect.gen(function* () {
      const { host } = yield* begun
      yield* host.idle
      yield* host.stop(refOf(a))
      yield* host.idle
      yield* host.start(refOf(a))
      yield* host.idle
      assert.deepStrictEqual([yield* stateOf(a), yield* stateOf(b), yield* stateOf(c)], [WAITING, "open", WAITING])
      yield* host.stop(refOf(b))
      yield* host.idle
      assert.deepStrictEqual([yield* stateOf(a), yield* stateOf(c)], [WAITING, "open"])
      yield* host.stop(refOf(c))
      yield* host.idle
      assert.strictEqual(yield* stateOf(a), "open")
    }).pipe(on(1, enable(a), enable(b), enable(c)))
  )

  it.effect("are given in the order in which sources are enabled", () =>
    Effect.gen(function* () {
      const { host } = yield* begun
      yield* host.idle
      const states = [yield* stateOf(c), yield* stateOf(two), yield* stateOf(two, 1), yield* stateOf(a)]
      assert.deepStrictEqual(states, ["open", "open", WAITING, WAITING])
      yield* host.apply({ enabled: [one, enable(a)] })
      yield* host.idle
      assert.deepStrictEqual([yield* stateOf(two), yield* stateOf(a)], ["open", "open"])
    }).pipe(on(2, enable(c), enable(two), enable(a)))
  )

  it.effect("are all free again when nothing is enabled any more, however often that happens", () =>
    Effect.gen(function* () {
      const { host } = yield* begun
      for (let round = 0; round < 5; round++) {
        yield* host.apply({ enabled: [] })
        yield* host.apply({ enabled: [enable(two), enable(a, { version: "9.9.9" })] })
        yield* host.idle
        assert.deepStrictEqual([yield* stateOf(two), yield* stateOf(two, 1)], ["open", "open"])
        yield* host.apply({ enabled: [enable(two, { version: "9.9.9" }), enable(b), enable(c)] })
        yield* host.idle
        assert.deepStrictEqual([yield* stateOf(b), yield* stateOf(c)], ["open", "open"])
      }
    }).pipe(on(2, enable(a)))
  )
})
