/** Batches over real queues, against a reference in which nothing is ever lent. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Limits, PluginError } from "mooring"
import type { Answered } from "../../src/commands/CommandExecutor.ts"
import * as Accounting from "../../src/ingress/Accounting.ts"
import * as IngressQueue from "../../src/ingress/IngressQueue.ts"
import type { AnyEvent, Timer } from "../../src/ingress/IngressEvent.ts"
import { Turns, type EventQueue } from "../../src/ingress/Turns.ts"
import { Dispatcher } from "../../src/plugin/Dispatcher.ts"
import { nextSize } from "../../src/plugin/internal/lending.ts"
import * as HadTime from "../../src/time/HadTime.ts"
import { either, list, oneOf } from "../support/arbitraries.ts"
import { settled } from "../support/host.ts"
import { CLEAN, push, pushBinary } from "../ingress/support/queue.ts"
import { Scripted } from "./support/batching.ts"
import { Reference } from "./support/lent.ts"

const DEADLINE_MS = 1000
const CAPACITY = 6
const MOST_EVENTS = 8
const SOURCES = ["a", "b"] as const
type Source = (typeof SOURCES)[number]

const other = (source: string): Source => (source === "a" ? "b" : "a")

const shown = ({ droppedBefore, frame, sequence, sourceId: source }: AnyEvent) => ({
  source,
  sequence,
  frame,
  droppedBefore
})

/** How the plugin answers. */
const ANSWERS = {
  well: Exit.void,
  refused: Exit.succeed({ accepted: false }),
  fails: Exit.fail("no"),
  wrong: Exit.succeed({ commands: 1 } as never),
  /** In a sandbox: it throws, or is out of memory. */
  rejects: Exit.fail(new PluginError.GuestError({ name: "Error", message: "no" })),
  grows: Exit.fail(new PluginError.OutOfMemory({ limit: 1 })),
  throws: Exit.die(new Error("boom")),
  /** In a sandbox: it loops until its runtime stops it, or its worker is ended; or it never settles. */
  loops: Exit.die(new PluginError.DispatchTimeout({ during: "event", deadlineMs: 1 }))
}
type Answer = keyof typeof ANSWERS

/** A binary frame in the place of a text. */
const BINARY = "binary"

type Step =
  | { readonly kind: "text"; readonly source: Source; readonly text: string; readonly times: number }
  | { readonly kind: "timer" | "open" | "close" | "revoke" | "clear"; readonly source: Source }
  | { readonly kind: "claim" | "begin" | "stop" | "crash" | "neighbour" }
  | { readonly kind: "done"; readonly answer: Answer }
  | { readonly kind: "end"; readonly ms: number }
  | { readonly kind: "work"; readonly ms: number }
  | { readonly kind: "wait"; readonly ms: number }

const come: Arbitrary.Arbitrary<Step> = Arbitrary.all({
  kind: oneOf("text"),
  source: oneOf(...SOURCES),
  text: oneOf("x", "x", "!x", BINARY),
  times: oneOf(1, 1, 3, 9)
})
const plays: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("claim", "begin", "begin") }),
  Arbitrary.all({
    kind: oneOf("done"),
    answer: oneOf("well", "well", "well", "well", "refused", "fails", "wrong", "rejects", "grows")
  }),
  Arbitrary.all({ kind: oneOf("end"), ms: oneOf(0, 1, 5, 30) }),
  Arbitrary.all({ kind: oneOf("work"), ms: oneOf(0, 0, 1, 30) })
)
const happens: Arbitrary.Arbitrary<Step> = Arbitrary.all({
  kind: oneOf("timer", "open", "close", "revoke", "clear", "timer"),
  source: oneOf(...SOURCES)
})
const ends: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("stop", "crash", "neighbour") }),
  Arbitrary.all({ kind: oneOf("done"), answer: oneOf("throws", "loops", "loops") }),
  Arbitrary.all({ kind: oneOf("wait"), ms: oneOf(400, 800, 1200, 1200) })
)
const Step: Arbitrary.Arbitrary<Step> = either<Step>(come, come, come, plays, plays, plays, happens, ends)

const queueOf = (
  id: string,
  shared: Pick<IngressQueue.Options, "accounting" | "hostBytes" | "turns">,
  epochBegan: () => void
) =>
  IngressQueue.make({
    ...shared,
    origin: { key: id, source: `websocket:ws://${id}/`, id, url: `ws://${id}/`, ingressName: "main" },
    display: `ws://${id}/`,
    takes: () => true,
    rules: () => ({ urgent: ["!"], autoReplies: [] }),
    reply: () => false,
    limits: { ingressQueueCapacity: CAPACITY, ingressQueueBytes: 1_000_000, burstPatienceMs: 0 },
    now: () => 0,
    monotonic: () => 0,
    overflowed: () => {},
    paused: () => {},
    readied: () => {},
    epochBegan,
    epochEnded: () => {}
  })

/** The queues of a plugin, one instance after the other of it, and what has been told of them. */
const plugin = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const time = yield* HadTime.make
  const accounting = Accounting.make()
  const hostBytes = { used: 0, limit: 1_000_000_000 }
  const turns: Turns<EventQueue> = new Turns(() => current?.wake())
  const epochs = { a: 0, b: 0 }
  /** As `PluginRecord` numbers dispatches and epochs. */
  const since = { a: 0, b: 0 }
  let dispatches = 0
  const shared = { accounting, hostBytes, turns }
  const a = yield* queueOf("a", shared, () => (since.a = dispatches))
  const b = yield* queueOf("b", shared, () => (since.b = dispatches))
  /** The epochs that all connections had when a batch was lent, by its number. */
  const lentAt = new Map<number, { a: number; b: number }>()
  const answered: Array<Answered & { readonly dispatch: number }> = []
  const failures: Array<PluginError.DispatchError | PluginError.RuntimeError> = []
  let current: Dispatcher | undefined
  let runner: Fiber.Fiber<void> | undefined
  let runtime = new Scripted()
  let isLost = false
  const started = Effect.gen(function* () {
    isLost = false
    runtime = new Scripted(MOST_EVENTS, 1_000_000, 3)
    const dispatcher: Dispatcher = new Dispatcher({
      instance: runtime.instance,
      turns,
      accounting,
      limits: { ...Limits.defaults, dispatchDeadlineMs: DEADLINE_MS },
      clock,
      time,
      activity: () => {},
      answered: (event) => answered.push({ ...event, dispatch: dispatches }),
      failed: (error) => failures.push(error),
      reported: () => {},
      begun: () => lentAt.set(++dispatches, { ...epochs }),
      ended: () => {}
    })
    current = dispatcher
    // In no scope: it waits for a batch that is out, also one that a failed test leaves.
    runner = yield* Effect.forkDetach(dispatcher.run)
    yield* Effect.forkScoped(
      Effect.tap(
        dispatcher.lossWatch,
        Effect.sync(() => (isLost = true))
      )
    )
    yield* settled
  })
  return {
    accounting,
    epochs,
    since,
    lentAt,
    answered,
    failures,
    queues: { a, b },
    started,
    runtime: () => runtime,
    dispatcher: () => current ?? assert.fail(),
    isLost: () => isLost,
    /** Whether the runner has ended. */
    isOver: Effect.sync(() => runner?.pollUnsafe() !== undefined)
  }
})

describe("batches", () => {
  it.effect.prop(
    "rules 2, 3, 4, 5, 6 and 8: lend, begin, end, come back and are counted as in the reference, at every step",
    { steps: list(Step, 0, 60) },
    ({ steps }) =>
      Effect.gen(function* () {
        const world = yield* plugin
        const { accounting, answered, epochs, failures, lentAt, queues, since } = world
        const reference = new Reference(SOURCES, CAPACITY)
        const timers: Array<readonly [Source, Timer]> = []
        let size = 1
        let now = 0
        let ended = 0

        const started = Effect.gen(function* () {
          size = 1
          yield* world.started
          world.runtime().onBegun = () => reference.begin(now)
          world.runtime().onRecall = () => reference.giveBack()
          lend()
        })
        const lend = () => {
          for (const source of SOURCES) reference.join(source)
          if (reference.isOut) return
          ended = 0
          reference.lend(size)
        }
        const check = () => {
          const runtime = world.runtime()
          if (world.dispatcher().end === undefined && !reference.isOut) assert.isUndefined(runtime.out)
          if (reference.isOut && runtime.out?.isRecalled === false) {
            assert.deepStrictEqual(
              runtime.out.events.slice(runtime.out.begun).map(shown),
              reference.lent.map(({ event, source }) => ({ source, ...event }))
            )
          }
          const waiting = reference.sum((model) => model.waiting.length)
          assert.deepStrictEqual(accounting, {
            enqueued: reference.sum((model) => model.sequence),
            dispatched: reference.count.dispatched,
            failed: reference.count.failed,
            timedOut: reference.count.timedOut,
            evicted: reference.sum((model) => model.evicted),
            discarded: reference.sum((model) => model.discarded) + reference.count.interrupted,
            inFlight: reference.begun.length,
            queueDepth: waiting,
            queueBytes: reference.sum((model) => model.memory)
          })
          for (const source of SOURCES) {
            assert.strictEqual(queues[source].waiting, reference.of(source).waiting.length)
            assert.strictEqual(queues[source].depth, reference.of(source).frames.length)
            assert.strictEqual(queues[source].bytes, reference.of(source).memory)
            assert.strictEqual(queues[source].drops, reference.of(source).evicted)
          }
          assert.strictEqual(answered.length, reference.count.dispatched)
          assert.strictEqual(
            accounting.enqueued,
            accounting.dispatched +
              accounting.failed +
              accounting.timedOut +
              accounting.evicted +
              accounting.discarded +
              accounting.queueDepth +
              accounting.inFlight
          )
        }
        /** An instance has ended: what is still with it is waited for, unless it is gone. */
        const over = Effect.gen(function* () {
          yield* settled
          check()
          const { out } = world.runtime()
          reference.isOut = false
          if (out !== undefined && !world.isLost()) {
            assert.isTrue(out.isInterrupted)
            assert.isFalse(yield* world.isOver, "rule 6: no other begins beside it")
            out.told.done(Exit.void)
            out.told.ended()
          }
          yield* settled
          assert.isTrue(yield* world.isOver)
          // As the driver does.
          if (world.dispatcher().end !== "neighbour") {
            for (const source of SOURCES) {
              queues[source].discard()
              reference.of(source).discard()
            }
          }
          check()
          yield* started
        })
        const done = (answer: Answer) => {
          const runtime = world.runtime()
          // It tells first what it hasn't told yet.
          if (!runtime.done(ANSWERS[answer])) return Effect.void
          ended++
          const loan = reference.settle() ?? assert.fail()
          if (answer === "loops") {
            reference.count.timedOut++
          } else if (answer !== "well") {
            reference.count.failed++
          } else {
            reference.count.dispatched++
            const last = answered.at(-1) ?? assert.fail()
            assert.deepInclude(last, { sequence: loan.event.sequence, dispatch: loan.dispatch })
            // Rule 8: to another connection unless it is at the epoch which it had when the event was lent.
            const beside = other(loan.source)
            assert.strictEqual(
              since[beside] >= last.dispatch,
              epochs[beside] !== lentAt.get(loan.dispatch)?.[beside],
              "rule 8"
            )
          }
          if (answer !== "throws" && answer !== "loops") return Effect.void
          reference.count.interrupted += reference.drop()
          return over
        }
        const end = (ms: number) => {
          if (!world.runtime().end(ms)) return
          reference.giveBack()
          reference.isOut = false
          size = nextSize(size, ended, ms, MOST_EVENTS)
        }
        const play = (step: Step): Effect.Effect<void, never, Scope.Scope> => {
          const runtime = world.runtime()
          switch (step.kind) {
            case "text": {
              const model = reference.of(step.source)
              for (let time = 0; time < step.times; time++) {
                const hasRoom = model.frames.length < CAPACITY
                const wasRecalled = runtime.out?.isRecalled
                if (step.text === BINARY) {
                  pushBinary(queues[step.source], 2)
                  model.binary(2)
                } else {
                  push(queues[step.source], step.text)
                  model.text(step.text, step.text === "!x")
                }
                if (model.flow === "paused") model.flow = "sliding"
                const isNeeded = !hasRoom || model.inARow > 0 || step.text === "!x"
                if (!isNeeded) assert.strictEqual(runtime.out?.isRecalled, wasRecalled, "recalled for nothing")
                reference.join(step.source)
                check()
              }
              return Effect.void
            }
            case "timer":
              timers.push([step.source, queues[step.source].timer("t")])
              reference.of(step.source).state("timer")
              return Effect.void
            case "clear": {
              const [source, timer] = timers.pop() ?? []
              if (source === undefined || timer === undefined) return Effect.void
              queues[source].withdraw(timer)
              reference.of(source).withdraw(timer.sequence)
              assert.isFalse(timer.waits)
              return Effect.void
            }
            case "open":
              queues[step.source].opened(++epochs[step.source], 1, null, () => {})
              reference.of(step.source).opened()
              if (reference.of(step.source).flow === "paused") reference.of(step.source).flow = "sliding"
              return Effect.void
            case "close":
              queues[step.source].ended(CLEAN, true, true)
              reference.of(step.source).flow = "flowing"
              reference.of(step.source).state()
              return Effect.void
            case "revoke":
              queues[step.source].revoked()
              assert.isFalse(reference.lent.some(({ source }) => source === step.source))
              reference.of(step.source).discard()
              return Effect.void
            case "claim":
              runtime.claim()
              return Effect.void
            case "begin":
              runtime.begin()
              return Effect.void
            case "done":
              return done(step.answer)
            case "end":
              return Effect.sync(() => end(step.ms))
            case "work":
              return Effect.gen(function* () {
                while (runtime.out !== undefined && (runtime.out.claimed > runtime.out.done || runtime.begin())) {
                  yield* done("well")
                  check()
                }
                end(step.ms)
              })
            case "wait":
              return Effect.gen(function* () {
                now += step.ms
                yield* TestClock.adjust(step.ms)
                const oldest = reference.begun[0]
                if (oldest === undefined || now - oldest.at < DEADLINE_MS) {
                  return assert.isUndefined(world.dispatcher().end)
                }
                reference.settle()
                reference.count.timedOut++
                reference.count.interrupted += reference.drop()
                yield* over
              })
            case "stop":
              return Effect.suspend(() => {
                world.dispatcher().stop()
                reference.count.interrupted += reference.drop()
                return over
              })
            case "crash":
            case "neighbour":
              return Effect.gen(function* () {
                const reported = failures.length
                yield* Deferred.succeed(runtime.lost, step.kind === "crash" ? "crash" : "neighbour")
                yield* settled
                const lost = reference.drop()
                reference.count.failed += lost
                assert.strictEqual(failures.length - reported, lost > 0 && step.kind === "neighbour" ? 1 : 0)
                yield* over
              })
          }
        }
        yield* started
        for (const step of steps) {
          yield* play(step)
          for (const source of SOURCES) reference.join(source)
          check()
          yield* settled
          lend()
          check()
        }
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 200 } }
  )
})
