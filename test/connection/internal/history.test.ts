import { assert, describe, it } from "@effect/vitest"
import { AddressDenied, DialFailed } from "../../../src/connection/ConnectionError.ts"
import * as History from "../../../src/connection/internal/history.ts"
import * as Phases from "../../../src/connection/internal/phases.ts"
import type { Source } from "../../../src/connection/Source.ts"
import { reconnectDefaults } from "../../../src/manifest/Enablement.ts"

const settings = { ...reconnectDefaults, maxAttempts: 2, windowMs: 1000 }

describe("the history of a source", () => {
  it("counts the dials of its window, which a dial leaves when it is as old as the window", () => {
    const once = History.began(History.initial, 0, settings)
    assert.isFalse(History.isExhausted(once, 0, settings))
    const twice = History.began(once, 400, settings)
    assert.isTrue(History.isExhausted(twice, 999, settings))
    assert.isFalse(History.isExhausted(twice, 1000, settings))
    // Those that count no more aren't kept.
    assert.deepStrictEqual(History.began(twice, 1000, settings).dials, [400, 1000])
    assert.deepStrictEqual(History.undone(twice), once)
  })

  it("keeps nothing where dials are unlimited", () => {
    const unlimited = { ...settings, maxAttempts: 0 }
    const history = History.began(History.initial, 0, unlimited)
    assert.deepStrictEqual(history, History.initial)
    assert.isFalse(History.isExhausted({ ...History.initial, dials: [0, 0, 0] }, 0, unlimited))
  })
})

const over = (reason: "address" | "http" | null, dueAt: number | null = null): Phases.Phase => ({
  name: "stopped",
  reason: "plugin",
  dueAt: null,
  beneath: { reason, dueAt, revision: 1 }
})

describe("names with a denied address", () => {
  it("are counted in a row, until a dial ends in another way", () => {
    const denied = {
      kind: "dial",
      error: new AddressDenied({ url: "ws://h/", address: "10.0.0.1" }),
      unreached: null
    } as const
    const source = { reconnect: reconnectDefaults, stopCodes: [] } as unknown as Source
    const facts = { now: 0, random: 0, source, stoppedRetryMs: 900_000 }
    const [first, once] = History.decide(History.initial, denied, facts)
    const [second, twice] = History.decide(once, denied, facts)
    assert.deepStrictEqual([first.at, second.at, twice.denials], [60_000, 120_000, 2])
    const [, other] = History.decide(twice, { kind: "epoch", code: 1006, openForMs: 0 }, facts)
    assert.strictEqual(other.denials, 0)
    const error = new DialFailed({ url: "ws://h/", phase: "tcp", code: "ECONNREFUSED" })
    assert.strictEqual(History.decide(twice, { kind: "dial", error, unreached: null }, facts)[1].denials, 0)
  })
})

describe("dials that reached no server", () => {
  const error = new DialFailed({ url: "ws://h/", phase: "tcp", code: "ENETUNREACH" })
  const link = { kind: "dial", error, unreached: "link" } as const
  const budget = { ...reconnectDefaults, maxAttempts: 2 }
  const source = { reconnect: budget, stopCodes: [] } as unknown as Source
  const facts = { now: 0, random: 1, source, stoppedRetryMs: 900_000 }

  it("use nothing of the budget up, and change nothing else that they say nothing of", () => {
    let history: History.History = { ...History.initial, failures: 3, denials: 2, dials: [-5] }
    for (let times = 1; times <= 100; times++) {
      history = History.began(history, 0, budget)
      const [decision, after] = History.decide(history, link, facts)
      assert.strictEqual(decision.state, "waiting")
      assert.deepStrictEqual(after, {
        failures: 3,
        denials: 2,
        dials: [-5],
        unreached: { why: "link", times }
      })
      history = after
    }
  })

  it("wait as long as their own number says, up to 5 s", () => {
    const waits: Array<number | null> = []
    let history = History.initial
    for (let times = 0; times < 6; times++) {
      const [decision, after] = History.decide(History.began(history, 0, budget), link, facts)
      waits.push(decision.at)
      history = after
    }
    assert.deepStrictEqual(waits, [1000, 2000, 4000, 5000, 5000, 5000])
    const [refused, after] = History.decide(
      History.began(history, 0, budget),
      { kind: "epoch", code: 1006, openForMs: 0 },
      facts
    )
    assert.deepStrictEqual([refused.at, after.unreached, after.failures], [1000, null, 1])
  })
})

describe("what a connection is stopped for", () => {
  it.each([
    [{ name: "open" } as const, null],
    [{ name: "waiting", dueAt: null } as const, null],
    [{ name: "stopped", reason: "never", dueAt: null, beneath: null } as const, "never"],
    [{ name: "stopped", reason: "plugin", dueAt: null, beneath: null } as const, "plugin"],
    [over(null), null],
    [over("http"), "http"],
    [over("http", 101), "http"],
    [over("http", 100), null],
    [over("address"), "address"]
  ])("%o: %s", (phase, expected) => assert.strictEqual(Phases.stoppedFor(phase, 100, 1), expected))

  it("an address that was denied counts no more once the grants have changed", () => {
    assert.isNull(Phases.stoppedFor(over("address"), 100, 2))
    assert.strictEqual(Phases.stoppedFor(over("http"), 100, 2), "http")
  })
})

const state = (phase: Phases.Phase, service: Phases.State["service"] = "runs"): Phases.State => ({
  ...Phases.initial,
  phase,
  service
})

describe("when a connection is due", () => {
  const closing = { name: "closing", isRevoked: false, next: { kind: "decide" }, isTerminated: false } as const

  it.each([
    [state({ name: "waiting", dueAt: 5 }), 5],
    [state({ name: "closed", dueAt: 5 }, "pauses"), null],
    [state({ name: "waiting", dueAt: 5 }, "rests"), null],
    [state({ name: "open" }), null],
    [state({ ...closing, until: 7 }, "pauses"), 7]
  ])("%o: %s", (given, expected) => assert.strictEqual(Phases.dueAt(given), expected))
})
