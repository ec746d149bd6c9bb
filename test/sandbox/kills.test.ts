/** What becomes of a batch whose worker is ended before the host has looked at what was answered in it. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { Limits } from "mooring"
import { WebSocketText } from "../../src/ingress/IngressEvent.ts"
import type { Loss, Start, Told } from "../../src/plugin/PluginRuntime.ts"
import { Home } from "../../src/sandbox/internal/homes.ts"
import { Lender, type Options } from "../../src/sandbox/internal/lender.ts"
import { Borrowed } from "../../src/sandbox/internal/lent.ts"
import { Pool } from "../../src/sandbox/internal/pool.ts"
import { Seat } from "../../src/sandbox/internal/seat.ts"
import type { Outcome } from "../../src/sandbox/internal/thread.ts"
import type { HadTime } from "../../src/time/HadTime.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"
import { engines } from "./support/guest.ts"

const ORIGIN = { key: "k", source: "websocket:ws://a/", id: "a", url: "ws://a/", ingressName: "main" }
const eventOf = (text: string, sequence: number) => new WebSocketText(ORIGIN, sequence, 1, 0, 1, text, text.length)

/** An outcome as the host is told of it here: its text, or what it is. */
const read = (outcome: Outcome) =>
  Exit.succeed({ status: outcome.kind === "answered" ? outcome.text : `(${outcome.kind})` })
const textOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isSuccess(exit) && typeof exit.value === "object" && exit.value !== null && "status" in exit.value
    ? exit.value.status
    : exit

/** What the host was told of a batch. */
class Heard implements Told {
  count = 0
  readonly results: Array<unknown> = []
  ends = 0
  readonly begun = (): void => void this.count++
  readonly done = (exit: Exit.Exit<unknown, unknown>): void => {
    this.results.push(textOf(exit))
    assert.isAtMost(this.results.length, this.count, "none ends before it began")
    assert.strictEqual(this.ends, 0)
  }
  readonly ended = (): void => void this.ends++
}

/** A time in which nothing is due but what the test says. */
class Standing implements HadTime {
  due: { readonly ms: number; readonly run: () => void } | undefined = undefined
  readonly now = (): number => 0
  readonly after = (ms: number, run: () => void): (() => void) => {
    const due = { ms, run }
    this.due = due
    return () => {
      if (this.due === due) this.due = undefined
    }
  }
  readonly sleep = (): Effect.Effect<void> => Effect.never
  readonly listen = (): void => {}
  readonly unlisten = (): void => {}

  pass(): void {
    const { due } = this
    this.due = undefined
    due?.run()
  }
}

const ENDS = ["blamed", "neighbour", "died"] as const

interface Kill {
  readonly how: (typeof ENDS)[number]
  /** What the worker still does between the decision and its end. */
  readonly meanwhile: ReadonlyArray<"take" | "answer">
}

const kill: Arbitrary.Arbitrary<Kill> = Arbitrary.all({
  how: oneOf(...ENDS),
  meanwhile: list(oneOf("take", "answer"), 0, 3)
})
const steps = list(oneOf("take", "answer", "take", "answer", "look", "recall"), 0, 24)

const SPIN = "[].join.call({ length: 2 ** 32 - 1 })"
/** Long enough for the host to look as often as it does, before there is anything to see. */
const PAUSE = "{ const end = Date.now() + 100; while (Date.now() < end); } 'paused'"
const CODE = `export const handleIngress = (name, { payload }) => ({ status: (0, eval)(payload.text) })`
const BUDGET_MS = 505
const LOOK_MS = 10
const GIVEN_UP_MS = 20_000

/** An event as the arguments of the handler. */
const written: Options["written"] = (event) =>
  JSON.stringify(["main", { payload: { text: event instanceof WebSocketText ? event.text : "" } }])

/** Two guests in one worker, for which no time passes. */
const seated = Effect.gen(function* () {
  const time = new Standing()
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => new Pool(time)),
    (open) => Effect.promise(() => open.close())
  )
  const limits = { ...Limits.defaults, dispatchDeadlineMs: BUDGET_MS, sandboxWorkers: 1 }
  const engine = yield* Effect.promise(() => engines.of(limits.sandboxMemoryBytes))
  const start: Start = {
    key: "k",
    limits,
    config: {},
    reason: "first",
    state: null,
    secrets: {},
    deliver: () => Result.succeed(""),
    keys: { names: [], valueOf: () => undefined, listen: () => () => {} }
  }
  const means = { read, written }
  const seat = Effect.gen(function* () {
    const taken = new Seat(pool, new Home(), start, means)
    const loaded = yield* taken.load(engine, { name: "plugin.js", entry: CODE, map: undefined }, start)
    assert.deepInclude(loaded, { kind: "answered" })
    return taken
  })
  return { time, own: yield* seat, other: yield* seat }
})
const lend = (seat: Seat, texts: ReadonlyArray<string>): Heard => {
  const heard = new Heard()
  seat.lender.dispatch(texts.map(eventOf), heard)
  return heard
}

/** Stands still, without a turn for anything else, until something holds. */
const blocked = (holds: () => boolean) => {
  const until = performance.now() + GIVEN_UP_MS
  const nobody = new Int32Array(new SharedArrayBuffer(4))
  while (!holds()) {
    assert.isBelow(performance.now(), until)
    Atomics.wait(nobody, 0, 0, 5)
  }
}
/** The host looks as often as it does before it judges, and so sees nothing later. */
const looked = (time: Standing) => {
  while (time.due?.ms === LOOK_MS) time.pass()
}
/** How many events of its batch a guest has taken up. */
const takenBy = (seat: Seat): number => Atomics.load(new Int32Array(seat.lender.shared), 0) & 0xff
/** How many results there are. */
const answeredBy = (seat: Seat): number => Atomics.load(new Int32Array(seat.lender.shared), 1)

/** What a handler answered, of its answer's text. */
const statusOf = (told: unknown): unknown => {
  const text = String(told)
  return text.startsWith("(") ? text : JSON.parse(text).status
}

describe("a batch whose worker is ended", () => {
  it.effect.prop(
    "rules 2, 5 and 12: has told all that began and all that was answered, in order and once, and nothing of the one it was ended in",
    { steps, kill, size: either(int(1, 4), int(1, 12)) },
    ({ kill: { how, meanwhile }, size, steps: done }) =>
      Effect.sync(() => {
        const losses: Array<Loss> = []
        let ask: Parameters<Options["thread"]["ask"]> | undefined
        const lender = new Lender({
          thread: { ask: (...asked) => void (ask = asked), hasten: () => {} },
          guest: 1,
          time: new Standing(),
          deadlineMs: 100,
          written: (event) => `${event.sequence}`,
          read,
          replied: () => {},
          unwanted: () => {},
          lost: (loss) => void losses.push(loss)
        })
        const heard = new Heard()
        const events = Array.from({ length: size }, (_, index) => eventOf("x", index))
        const batch = lender.dispatch(events, heard)
        const worker = new Borrowed(lender.shared)
        worker.begin(1)
        const answers: Array<string> = []
        let taken = 0
        let isRecalled = false
        const work = (step: "take" | "answer") => {
          if (step === "take" && taken === answers.length && taken < size) {
            const isTaken = worker.take()
            assert.strictEqual(isTaken, !isRecalled)
            if (isTaken) taken++
          }
          if (step === "answer" && taken > answers.length) {
            const text = `answer ${answers.length}`
            worker.tell({ kind: "answered", text })
            answers.push(text)
          }
        }
        for (const step of done) {
          if (step === "take" || step === "answer") work(step)
          // One that had begun nothing is over once it is taken back.
          else if (step === "recall" && taken > 0) {
            batch.recall()
            isRecalled = true
            assert.strictEqual(heard.count, taken)
          } else if (step === "look") {
            ask?.[3]?.()
            assert.deepStrictEqual([heard.count, heard.results], [taken, [...answers]])
          }
          assert.deepStrictEqual(heard.results, answers.slice(0, heard.results.length))
        }
        // As `Thread` does it: nothing more begins, and all is told once nothing runs any more.
        lender.close()
        isRecalled = true
        if (how === "neighbour") ask?.[2]({ kind: "gone" }, undefined)
        for (const step of meanwhile) work(step)
        if (how === "blamed") ask?.[2]({ kind: "late" }, undefined)
        if (how === "died") ask?.[2]({ kind: "lost", message: "" }, undefined)
        if (how === "neighbour") lender.settle()
        const isWithGuest = taken > answers.length
        const culprit = how === "neighbour" || !isWithGuest ? [] : [how === "blamed" ? "(late)" : "(lost)"]
        assert.deepStrictEqual([heard.count, heard.results], [taken, [...answers, ...culprit]])
        assert.strictEqual(heard.ends, culprit.length)
        const isLost = how !== "neighbour" && !isWithGuest
        assert.deepStrictEqual(losses, isLost ? [how === "blamed" ? "neighbour" : "crash"] : [])
      }),
    { arbitrary: { runs: 500 } }
  )

  it.live(
    "rules 2, 5 and 12: of the culprit all is told that it answered while the host stood still, and of its neighbour that nothing began",
    () =>
      Effect.gen(function* () {
        const { other, own, time } = yield* seated
        const [heard, beside] = yield* Effect.sync(() => {
          const culprit = lend(own, [PAUSE, "'one'", "'two'", SPIN, "'never'"])
          looked(time)
          blocked(() => takenBy(own) === 4)
          const both = [culprit, lend(other, ["'one'", "'two'"])] as const
          // It is judged, again and again, until its worker is ended.
          blocked(() => (time.pass(), time.due === undefined))
          return both
        })
        const loss = yield* Deferred.await(other.lost)
        assert.strictEqual(loss, "neighbour")
        assert.deepStrictEqual(heard.results.map(statusOf), ["paused", "one", "two", "(late)"])
        assert.deepStrictEqual([heard.count, heard.ends], [4, 1])
        assert.deepStrictEqual([beside.count, beside.results, beside.ends], [0, [], 0])
        assert.isFalse(Deferred.isDoneUnsafe(own.lost))
      }).pipe(Effect.scoped)
  )

  it.live(
    "rules 2, 5 and 12: of a neighbour all is told that it answered while the host stood still, and what it was at has no result",
    () =>
      Effect.gen(function* () {
        const { other, own, time } = yield* seated
        const [heard, beside] = yield* Effect.sync(() => {
          const first = lend(own, [PAUSE, "'one'"])
          looked(time)
          blocked(() => answeredBy(own) === 2)
          // The host believes that the first batch is still out.
          const both = [first, lend(other, ["'three'", "'four'", SPIN, "'never'"])] as const
          blocked(() => takenBy(other) === 3)
          blocked(() => (time.pass(), time.due === undefined))
          return both
        })
        assert.strictEqual(yield* Deferred.await(own.lost), "neighbour")
        assert.strictEqual(yield* Deferred.await(other.lost), "neighbour")
        assert.deepStrictEqual(heard.results.map(statusOf), ["paused", "one"])
        assert.deepStrictEqual(beside.results.map(statusOf), ["three", "four"])
        assert.deepStrictEqual([heard.count, heard.ends, beside.count, beside.ends], [2, 0, 3, 0])
      }).pipe(Effect.scoped)
  )
})
