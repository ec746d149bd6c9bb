import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import {
  AddressDenied,
  ConnectionLimit,
  DialFailed,
  HandshakeRejected,
  OpenTimeout,
  type DialError
} from "../../src/connection/ConnectionError.ts"
import type { Unreached } from "../../src/connection/Reachability.ts"
import * as Reconnect from "../../src/connection/Reconnect.ts"
import { reconnectDefaults } from "../../src/manifest/Enablement.ts"
import { either, int, list, maybe, oneOf } from "../support/arbitraries.ts"

const url = "ws://h/"
const NOW = 1_000_000

const situation = (change: Partial<Reconnect.Situation> = {}): Reconnect.Situation => ({
  settings: reconnectDefaults,
  stopCodes: [],
  stoppedRetryMs: 900_000,
  dialsInWindow: 1,
  failures: 0,
  denials: 0,
  times: 0,
  now: NOW,
  random: 0.5,
  ...change
})

const dial = (error: DialError, unreached: Unreached | null = null): Reconnect.End => ({
  kind: "dial",
  error,
  unreached
})
const epoch = (code: number, openForMs = 0): Reconnect.End => ({ kind: "epoch", code, openForMs })
const rejected = (status: number | null, retryAfterMs: number | null = null) =>
  dial(new HandshakeRejected({ url, status, problem: "it says no", retryAfterMs }))

const CONNREFUSED = dial(new DialFailed({ url, phase: "tcp", code: "ECONNREFUSED" }))
const LATE = dial(new OpenTimeout({ url, phase: "tcp", deadlineMs: 10_000 }))
const DENIED = dial(new AddressDenied({ url, address: "10.0.0.1" }))
const LIMIT = dial(new ConnectionLimit({ url, per: "plugin", limit: 16 }))

// What reached no server.
const NOWHERE = dial(new DialFailed({ url, phase: "tcp", code: "ENETUNREACH" }), "link")
const UNNAMED = dial(new OpenTimeout({ url, phase: "dns", deadlineMs: 10_000 }), "lookup")

const stopped = (reason: Reconnect.StopReason, at: number | null): Reconnect.Decision => ({
  state: "stopped",
  reason,
  at
})
const waiting = (ms: number): Reconnect.Decision => ({ state: "waiting", at: NOW + ms })

const End: Arbitrary.Arbitrary<Reconnect.End> = either<Reconnect.End>(
  oneOf(CONNREFUSED, LATE, DENIED, LIMIT, NOWHERE, UNNAMED),
  Arbitrary.map(
    Arbitrary.all([oneOf(400, 401, 403, 404, 429, 500, 503, null), maybe(int(0, 10_000_000))]),
    ([status, after]) => rejected(status, after ?? null)
  ),
  Arbitrary.map(Arbitrary.all([oneOf(1000, 1001, 1005, 1006, 1008, 4004), int(0, 100_000)]), ([code, ms]) =>
    epoch(code, ms)
  )
)

const Random = Arbitrary.map(int(0, 999_999), (n) => n / 1_000_000)

/** How long a name with a denied address waits. */
const afterDenials = (denials: number, stoppedRetryMs = 900_000) => {
  const decision = Reconnect.decide(DENIED, situation({ denials, stoppedRetryMs }))
  return decision.at === null ? null : decision.at - NOW
}

describe("Reconnect", () => {
  it.effect.prop(
    "rule 3: waits between 0 and min(max, initial · 2ⁿ), never less than the server asked for, unless it stops for a reason",
    {
      end: End,
      failures: oneOf(0, 1, 2, 3, 6, 10, 60, 2000),
      times: oneOf(0, 1, 2, 3, 60, 2000),
      initialMs: oneOf(1, 1000, 86_400_000),
      maxMs: oneOf(1, 500, 60_000, 86_400_000),
      maxAttempts: oneOf(0, 0, 1, 5),
      dialsInWindow: int(1, 6),
      policy: oneOf("backoff", "backoff", "never"),
      stopCodes: list(oneOf(1006, 4004), 0, 2),
      stoppedRetryMs: oneOf(0, 900_000),
      random: Random
    },
    ({
      dialsInWindow,
      end,
      failures,
      initialMs,
      maxAttempts,
      maxMs,
      policy,
      random,
      stopCodes,
      stoppedRetryMs,
      times
    }) =>
      Effect.sync(() => {
        const settings = { ...reconnectDefaults, initialMs, maxMs, maxAttempts, policy }
        const decision = Reconnect.decide(
          end,
          situation({ settings, stopCodes, stoppedRetryMs, dialsInWindow, failures, times, random })
        )
        // The reference: the first reason to stop, in an order of severity, else a wait within bounds.
        const tag = end.kind === "dial" ? end.error._tag : null
        const status = end.kind === "dial" && end.error._tag === "HandshakeRejected" ? end.error.status : null
        const after = end.kind === "dial" && end.error._tag === "HandshakeRejected" ? (end.error.retryAfterMs ?? 0) : 0
        const later = stoppedRetryMs === 0 ? null : NOW + Math.max(after, stoppedRetryMs)
        if (end.kind === "epoch" && stopCodes.some((code) => code === end.code)) {
          assert.deepStrictEqual(decision, stopped("close_code", later))
        } else if (tag === "AddressDenied") {
          const soon = later === null ? null : NOW + Math.min(60_000, stoppedRetryMs)
          assert.deepStrictEqual(decision, stopped("address", soon))
        } else if (tag === "ConnectionLimit") assert.deepStrictEqual(decision, stopped("limit", null))
        else if (status === 401 || status === 403) assert.deepStrictEqual(decision, stopped("http", later))
        else if (policy === "never") assert.deepStrictEqual(decision, stopped("never", null))
        else if (end.kind === "dial" && end.unreached !== null) {
          assert.strictEqual(decision.state, "waiting")
          const wait = (decision.at ?? NaN) - NOW
          assert.isTrue(Number.isSafeInteger(wait) && wait >= 0)
          assert.isAtMost(wait, Math.min(5000, maxMs, initialMs * 2 ** times))
        } else if (maxAttempts > 0 && dialsInWindow >= maxAttempts) {
          assert.deepStrictEqual(decision, stopped("exhausted", later))
        } else {
          assert.strictEqual(decision.state, "waiting")
          const wait = (decision.at ?? NaN) - NOW
          assert.isTrue(Number.isSafeInteger(wait))
          assert.isAtLeast(wait, after)
          assert.isAtMost(wait, Math.max(after, Math.min(maxMs, initialMs * 2 ** failures)))
        }
      }),
    { arbitrary: { runs: 500 } }
  )

  it("spreads the waits over the whole interval: full jitter", () => {
    const waits = [0, 0.25, 0.5, 0.999_999].map((random) =>
      Reconnect.decide(CONNREFUSED, situation({ failures: 3, random }))
    )
    assert.deepStrictEqual(waits, [waiting(0), waiting(2000), waiting(4000), waiting(8000)])
  })

  it("doubles the interval with each failure, up to max_ms", () => {
    const longest = [0, 1, 2, 3, 4, 5, 6, 7, 1000].map(
      (failures) => (Reconnect.decide(LATE, situation({ failures, random: 0.999_999_99 })).at ?? 0) - NOW
    )
    assert.deepStrictEqual(longest, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  it("waits at least as long as Retry-After asks, also where that is longer than max_ms", () => {
    assert.deepStrictEqual(Reconnect.decide(rejected(503, 120_000), situation()), waiting(120_000))
    assert.deepStrictEqual(Reconnect.decide(rejected(429, 100), situation()), waiting(500))
    assert.deepStrictEqual(Reconnect.decide(rejected(503), situation()), waiting(500))
    assert.deepStrictEqual(Reconnect.decide(rejected(null), situation()), waiting(500))
  })

  it("waits 5 s at most where no server was reached, whatever it failed at before, the budget or the longest backoff", () => {
    const spent = { ...reconnectDefaults, maxAttempts: 1, maxMs: 86_400_000 }
    for (const end of [NOWHERE, UNNAMED]) {
      const longest = [0, 1, 2, 3, 4, 1000].map((times) =>
        Reconnect.decide(
          end,
          situation({ times, failures: 30, random: 0.999_999_99, settings: spent, dialsInWindow: 9 })
        )
      )
      assert.deepStrictEqual(longest, [1000, 2000, 4000, 5000, 5000, 5000].map(waiting))
    }
  })

  it("heeds Retry-After also where it stops: no sooner than both ask for", () => {
    const spent = situation({ settings: { ...reconnectDefaults, maxAttempts: 1 } })
    assert.deepStrictEqual(Reconnect.decide(rejected(403, 3_600_000), situation()), stopped("http", NOW + 3_600_000))
    assert.deepStrictEqual(Reconnect.decide(rejected(503, 3_600_000), spent), stopped("exhausted", NOW + 3_600_000))
    assert.deepStrictEqual(Reconnect.decide(rejected(503, 60_000), spent), stopped("exhausted", NOW + 900_000))
    const never = situation({ stoppedRetryMs: 0 })
    assert.deepStrictEqual(Reconnect.decide(rejected(403, 3_600_000), never), stopped("http", null))
  })

  it("stops after 401 and 403 and no other status, whatever Retry-After asks", () => {
    for (const status of [401, 403]) {
      assert.deepStrictEqual(Reconnect.decide(rejected(status, 5), situation()), stopped("http", NOW + 900_000))
      const never = situation({ settings: { ...reconnectDefaults, policy: "never" } })
      assert.deepStrictEqual(Reconnect.decide(rejected(status), never), stopped("http", NOW + 900_000))
    }
    for (const status of [200, 301, 400, 402, 404, 407, 410, 429, 500, 503]) {
      assert.strictEqual(Reconnect.decide(rejected(status), situation()).state, "waiting", String(status))
    }
  })

  it("stops after a stop code, before it looks at the policy or the budget", () => {
    const settings = { ...reconnectDefaults, policy: "never" as const, maxAttempts: 1 }
    for (const code of [1006, 1008, 4004]) {
      const decision = Reconnect.decide(epoch(code), situation({ settings, stopCodes: [1006, 1008, 4004] }))
      assert.deepStrictEqual(decision, stopped("close_code", NOW + 900_000))
    }
    assert.strictEqual(Reconnect.decide(epoch(4003), situation({ stopCodes: [4004] })).state, "waiting")
  })

  it("tries a name again a minute after a denied address of it, then after twice as long each time", () => {
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4, 99].map((denials) => afterDenials(denials)),
      [60_000, 120_000, 240_000, 480_000, 900_000, 900_000]
    )
    assert.strictEqual(afterDenials(0, 1000), 1000)
    assert.isNull(afterDenials(0, 0))
  })

  it("never tries again by itself what the operator decides", () => {
    assert.deepStrictEqual(Reconnect.decide(LIMIT, situation()), stopped("limit", null))
    const settings = { ...reconnectDefaults, policy: "never" as const }
    for (const end of [CONNREFUSED, LATE, NOWHERE, UNNAMED, rejected(503, 10), epoch(1000), epoch(1006)]) {
      assert.deepStrictEqual(Reconnect.decide(end, situation({ settings })), stopped("never", null))
    }
  })

  it("never tries again at all where stopped_retry_ms is 0", () => {
    const never = situation({ stoppedRetryMs: 0, stopCodes: [4004] })
    assert.deepStrictEqual(Reconnect.decide(epoch(4004), never), stopped("close_code", null))
    assert.deepStrictEqual(Reconnect.decide(rejected(401), never), stopped("http", null))
    const spent = { ...never, settings: { ...reconnectDefaults, maxAttempts: 1 } }
    assert.deepStrictEqual(Reconnect.decide(LATE, spent), stopped("exhausted", null))
  })

  it("uses its budget up exactly, and has none to use up where max_attempts is 0", () => {
    const with5 = { ...reconnectDefaults, maxAttempts: 5 }
    const decide = (dialsInWindow: number) =>
      Reconnect.decide(LATE, situation({ settings: with5, dialsInWindow })).state
    assert.deepStrictEqual([1, 4, 5, 6].map(decide), ["waiting", "waiting", "stopped", "stopped"])
    assert.strictEqual(Reconnect.decide(LATE, situation({ dialsInWindow: 1_000_000 })).state, "waiting")
  })

  it("starts the backoff anew after an epoch that lasted stable_ms, and after nothing else", () => {
    assert.isTrue(Reconnect.isStable(epoch(1006, 30_000), reconnectDefaults))
    assert.isFalse(Reconnect.isStable(epoch(1000, 29_999), reconnectDefaults))
    assert.isFalse(Reconnect.isStable(LATE, { ...reconnectDefaults, stableMs: 0 }))
    assert.isTrue(Reconnect.isStable(epoch(1006, 0), { ...reconnectDefaults, stableMs: 0 }))
  })
})
