/** What a whole host does when its way out is gone for a while, or a server that many connections lead to. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { TestClock } from "effect/testing"
import { ConnectionError, GrantStore, PluginHost } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { enable, plugin } from "../support/plugins.ts"

/** Chance that is the same in every run. */
const chance = (seed: number) => {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  return Layer.succeed(Random.Random, { nextDoubleUnsafe: next, nextIntUnsafe: () => Math.floor(next() * 2 ** 31) })
}

const url = (index: number) => `ws://127.0.0.1:7700/${index}`

const failing = (phase: "dns" | "tcp", code: string): FakeWebSocket.Answer => ({
  kind: "fail",
  error: new ConnectionError.DialFailed({ url: url(0), phase, code })
})

/** Plugins that share so many sources evenly. */
const sharing = (plugins: number, sources: number, reconnect: { readonly [key: string]: unknown } = {}) => {
  const each = sources / plugins
  const packages = Array.from({ length: plugins }, (_, nth) =>
    plugin({ name: `p${nth}`, sources: Array.from({ length: each }, (__, index) => url(nth * each + index)) })
  )
  const enabled = packages.map((pkg) => enable(pkg, { sources: { gateway: { reconnect } } }))
  return TestHost.layer({ plugins: packages, enabled, limits: { connectionsPerPlugin: each } })
}

const settled = Effect.forEach(Array.from({ length: 12 }), () => Effect.yieldNow, { discard: true })

/** Lets time pass, in steps that don't hide when something happened. */
const pass = (ms: number, stepMs: number) =>
  Effect.gen(function* () {
    for (let passed = 0; passed < ms; passed += stepMs) {
      yield* TestClock.adjust(stepMs)
      yield* settled
    }
  })

const now = Clock.currentTimeMillis

/** All sources of the host, as they are now. */
const connections = Effect.gen(function* () {
  const host = yield* PluginHost.PluginHost
  return (yield* host.status).plugins.flatMap((row) => row.websocketConnections)
})

const answerAll = (sources: number, answer: FakeWebSocket.Answer) =>
  Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    for (let index = 0; index < sources; index++) yield* fake.answer(url(index), answer)
  })

/** Ends every open connection of the fake network without a word. */
const breakAll = (sources: number) =>
  Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    for (let index = 0; index < sources; index++) (yield* fake.remotes(url(index))).at(-1)?.breakOff()
    yield* settled
  })

const isOpen = ({ state }: { readonly state: string }) => state === "open"

/** Waits, in steps, until so many are open; and how long after the beginning each of them had opened, in order. */
const allOpen = (sources: number, stepMs: number, mostMs: number) =>
  Effect.gen(function* () {
    const from = yield* now
    for (let passed = 0; passed < mostMs && !(yield* connections).every(isOpen); passed += stepMs) {
      yield* TestClock.adjust(stepMs)
      yield* settled
    }
    const opened = (yield* connections).filter(isOpen).map(({ since }) => Date.parse(since) - from)
    assert.lengthOf(opened, sources)
    return opened.toSorted((one, other) => one - other)
  })

describe("an outage of one's own link", () => {
  it.effect.each([1, 2, 3])(
    "of 90 s is over for 100 sources within 5 s and the limiter's second of its end: %s",
    (seed) =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        yield* pass(2000, 100)
        assert.isTrue((yield* connections).every(isOpen))
        yield* answerAll(100, failing("tcp", "ENETUNREACH"))
        yield* breakAll(100)
        yield* pass(90_000, 250)
        const away = yield* connections
        assert.isFalse(away.some(isOpen))
        // A server that is dialled as often would be stormed; nobody is.
        assert.isAbove(Math.min(...away.map(({ attempts }) => attempts)), 10)
        const at = Date.parse((yield* host.status).host.at)
        for (const { nextAttemptAt, state } of away) {
          if (state !== "connecting") assert.isAtMost(Date.parse(nextAttemptAt ?? "") - at, 5000)
        }
        yield* answerAll(100, { kind: "accept" })
        const opened = yield* allOpen(100, 10, 10_000)
        assert.isAtMost(opened.at(-1) ?? NaN, 6000)
        // The first one's luck decides for all: of 100 that wait 2.5 s on average.
        assert.isAtMost((opened.at(-1) ?? NaN) - (opened[0] ?? NaN), 1000)
        assert.isAtMost(opened[50] ?? NaN, 1000)
      }).pipe(Effect.provide(sharing(25, 100).pipe(Layer.provideMerge(chance(seed)))))
  )

  it.effect("is not over for who waits for something else: names, descriptors", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* pass(1000, 100)
      yield* fake.answer(url(0), failing("tcp", "ENETUNREACH"))
      yield* fake.answer(url(1), failing("dns", "EAI_AGAIN"))
      yield* fake.answer(url(2), failing("tcp", "EMFILE"))
      yield* fake.answer(url(3), failing("tcp", "ECONNREFUSED"))
      yield* breakAll(4)
      yield* pass(30_000, 100)
      yield* fake.answer(url(0), { kind: "accept" })
      const before = (yield* connections).map(({ nextAttemptAt }) => nextAttemptAt)
      // Of what others wait for, the open of the first says nothing.
      for (let steps = 0; steps < 5000 && !isOpen((yield* connections)[0] ?? { state: "" }); steps++) {
        before.splice(0, 4, ...(yield* connections).map(({ nextAttemptAt }) => nextAttemptAt))
        yield* TestClock.adjust(1)
        yield* settled
      }
      const after = yield* connections
      assert.isTrue(isOpen(after[0] ?? { state: "" }))
      assert.deepStrictEqual(
        after.slice(1).map(({ nextAttemptAt }) => nextAttemptAt),
        before.slice(1)
      )
    }).pipe(Effect.provide(sharing(2, 4).pipe(Layer.provideMerge(chance(5)))))
  )

  it.effect("uses no budget up, but what reaches a server does", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* pass(1000, 100)
      yield* answerAll(1, failing("dns", "ETIMEOUT"))
      yield* breakAll(1)
      yield* pass(300_000, 1000)
      const [away] = yield* connections
      assert.strictEqual(away?.state, "waiting")
      assert.isAbove(away?.attempts ?? 0, 50)
      assert.isAtMost(Date.parse(away?.nextAttemptAt ?? "") - (yield* now), 5000)
      yield* fake.answer(url(0), failing("tcp", "ECONNREFUSED"))
      yield* pass(60_000, 1000)
      const [refused] = yield* connections
      assert.deepInclude(refused, { state: "stopped", stopReason: "exhausted" })
      // The first of three opened.
      assert.strictEqual(refused?.attempts, (away?.attempts ?? 0) + 2)
    }).pipe(
      Effect.provide(
        sharing(1, 1, { initial_ms: 1000, max_ms: 10_000, max_attempts: 3 }).pipe(Layer.provideMerge(chance(7)))
      )
    )
  )
})

describe("a storm", () => {
  it.effect(
    "of 1,000 connections whose server is away for 20 s keeps to the limits, and ends within twice the longest backoff",
    () => {
      const begun: Array<number> = []
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const seen = { dials: 0 }
        const note = Effect.gen(function* () {
          const { length } = yield* fake.dials
          const at = yield* now
          for (; seen.dials < length; seen.dials++) begun.push(at)
        })
        const passing = (ms: number, stepMs: number) =>
          Effect.gen(function* () {
            for (let passed = 0; passed < ms; passed += stepMs) {
              yield* TestClock.adjust(stepMs)
              yield* settled
              yield* note
            }
          })
        yield* passing(12_000, 50)
        assert.isTrue((yield* connections).every(isOpen))
        yield* answerAll(1000, failing("tcp", "ECONNREFUSED"))
        yield* breakAll(1000)
        yield* passing(1000, 50)
        // More than may be dialled at once wait, and it is said.
        assert.isAbove((yield* host.status).host.dialsWaiting, 100)
        yield* passing(19_000, 50)
        yield* answerAll(1000, { kind: "accept" })
        const back = yield* now
        yield* passing(120_000, 100)
        const opened = (yield* connections).filter(isOpen).map(({ since }) => Date.parse(since) - back)
        assert.lengthOf(opened, 1000)
        assert.isAtMost(Math.max(...opened), 120_000)
        assert.strictEqual((yield* host.status).host.dialsWaiting, 0)
        // As seen every 100 ms at the least.
        for (const [index, at] of begun.entries()) {
          const before = begun[index - 100]
          if (before !== undefined) assert.isAtLeast(at - before, 900)
        }
      }).pipe(Effect.provide(sharing(20, 1000).pipe(Layer.provideMerge(chance(11)))))
    }
  )
})

describe("servers that don't answer", () => {
  const FINE = Array.from({ length: 4 }, (_, nth) => `ws://127.0.0.1:7700/fine${nth}`)
  const black = Array.from({ length: 16 }, (_, nth) =>
    plugin({ name: `black${nth}`, sources: Array.from({ length: 16 }, (__, index) => url(nth * 16 + index)) })
  )
  const fine = plugin({ name: "fine", sources: FINE })
  const answers = Object.fromEntries(
    Array.from({ length: 256 }, (_, index) => [url(index), { kind: "never" } as const])
  )

  it.effect.each([1, 16])("rule 12: delay the dials of no other plugin, were they those of so many: %s", (plugins) => {
    const before = black.slice(0, plugins)
    const enabled = before.map((pkg) => enable(pkg))
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* (yield* GrantStore.GrantEditor).set("project:test.fine", GrantStore.grantOf(enable(fine)))
      yield* pass(1000, 100)
      assert.isAtLeast((yield* host.status).host.dialsWaiting, plugins * 12)
      // At times when black holes have just begun, are full, and end.
      for (const waitMs of [0, 3700, 5250, 10_000]) {
        yield* pass(waitMs, 50)
        const began = (yield* fake.dials).length
        yield* host.apply({ enabled: [...enabled, enable(fine)], plugins: [...before, fine] })
        yield* settled
        const own = (yield* connections).filter((row) => row.url.includes("fine"))
        assert.isTrue(own.every(isOpen), JSON.stringify(own.map(({ state }) => state)))
        assert.isAtLeast((yield* fake.dials).length - began, 4)
        yield* host.apply({ enabled })
        yield* settled
      }
    }).pipe(
      Effect.provide(TestHost.layer({ plugins: before, enabled, answers }).pipe(Layer.provideMerge(chance(plugins))))
    )
  })
})
