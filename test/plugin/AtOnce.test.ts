/** Texts that are handed over in the call in which they come, over real queues, whatever their handlers cause meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { Limits, PluginError, type PluginRuntime } from "mooring"
import * as Accounting from "../../src/ingress/Accounting.ts"
import { Delivered, type AnyEvent } from "../../src/ingress/IngressEvent.ts"
import * as IngressQueue from "../../src/ingress/IngressQueue.ts"
import { Turns, type EventQueue } from "../../src/ingress/Turns.ts"
import { Dispatcher } from "../../src/plugin/Dispatcher.ts"
import * as HadTime from "../../src/time/HadTime.ts"
import { CLEAN, push } from "../ingress/support/queue.ts"
import { either, list, oneOf } from "../support/arbitraries.ts"
import { saidIn } from "../support/frames.ts"
import { settled } from "../support/host.ts"

const utf8 = new TextEncoder()

const SOURCES = [0, 1, 2] as const
const CAPACITY = 200

/** What a handler does with a text or a binary frame: the first word of it; the second is the source that it does it to. */
const DOES = [
  "exit",
  "output",
  "sync",
  "yield",
  "sleep",
  "fail",
  "echo",
  "discard",
  "close",
  "stop",
  "throw",
  "odd",
  "fickle",
  "never"
] as const
type Does = (typeof DOES)[number]

type Step =
  | { readonly kind: "chunk"; readonly source: number; readonly texts: ReadonlyArray<string>; readonly binary: number }
  | { readonly kind: "open"; readonly source: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "turn" }

const text = (...does: readonly [Does, ...ReadonlyArray<Does>]): Arbitrary.Arbitrary<string> =>
  Arbitrary.map(Arbitrary.all({ does: oneOf(...does), to: oneOf(...SOURCES) }), ({ does: what, to }) => `${what} ${to}`)

const ping: Arbitrary.Arbitrary<string> = oneOf("ping")
const mild = either(
  ping,
  text("exit", "exit", "exit", "exit", "output", "sync", "yield", "sleep", "fail", "echo", "echo")
)
const wild = text(...DOES)

/** Which of two frames is binary: the first, the second or none. */
const WHICH = oneOf(0, 1, 2)

const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("chunk"), source: oneOf(...SOURCES), texts: list(mild, 1, 8), binary: WHICH }),
  Arbitrary.all({ kind: oneOf("chunk"), source: oneOf(...SOURCES), texts: list(mild, 1, 8), binary: WHICH }),
  Arbitrary.all({
    kind: oneOf("chunk"),
    source: oneOf(...SOURCES),
    texts: list(text("exit", "echo"), 120, 300),
    binary: WHICH
  }),
  Arbitrary.all({ kind: oneOf("chunk"), source: oneOf(...SOURCES), texts: list(wild, 1, 4), binary: WHICH }),
  Arbitrary.all({ kind: oneOf("open"), source: oneOf(...SOURCES) }),
  Arbitrary.all({ kind: oneOf("turn") }),
  Arbitrary.all({ kind: oneOf("turn") }),
  Arbitrary.all({ kind: oneOf("wait"), ms: oneOf(10, 200) })
)

/** As code that isn't written in TypeScript may hand one over: its cause can't be looked at. */
const odd: Exit.Exit<void> = Object.defineProperty(Object.create(Object.getPrototypeOf(Exit.fail(0))), "cause", {
  get: () => {
    throw new Error("don't look")
  }
})

/** An effect at the first two looks only, which are those of the test and of the dispatcher. */
const fickle = (): Exit.Exit<void> => {
  let looks = 0
  return new Proxy(Exit.void, {
    has: () => {
      if (looks++ > 1) throw new Error("don't look again")
      return true
    }
  })
}

/** A plugin over queues of its own; its handler does what each text says, and `work` what takes a millisecond. */
const plugin = Effect.gen(function* () {
  const clock = yield* Clock.clockWith(Effect.succeed)
  let worked = 0
  const time = yield* HadTime.make
  const accounting = Accounting.make()
  const hostBytes = { used: 0, limit: 1_000_000_000 }
  const turns: Turns<EventQueue> = new Turns(() => dispatcher.wake())
  const queues = yield* Effect.forEach(SOURCES, (n) =>
    IngressQueue.make({
      origin: { key: `${n}`, source: `websocket:ws://${n}/`, id: `${n}`, url: `ws://${n}/`, ingressName: "main" },
      display: `ws://${n}/`,
      takes: () => true,
      rules: () => ({ urgent: [], autoReplies: [{ text: "ping", reply: "pong" }] }),
      // As where a send is answered in the call that sends.
      reply: () => {
        if (pings++ % 2 === 0) push(queues[n] ?? assert.fail(), "exit 0")
        return pings % 3 > 0
      },
      limits: { ingressQueueCapacity: CAPACITY, ingressQueueBytes: 1_000_000, burstPatienceMs: 0 },
      accounting,
      hostBytes,
      turns,
      now: () => 0,
      monotonic: () => 0,
      overflowed: () => {},
      paused: () => {},
      readied: () => {},
      epochBegan: () => {},
      epochEnded: () => {}
    })
  )
  const seen: Array<AnyEvent> = []
  const ended = { answered: 0, failed: 0 }
  const open = { handlers: 0, calls: 0, most: 0 }
  let echoes = 0
  let pings = 0

  /** Rule 2, wherever it is asked: between two frames of a chunk, and within a handler. */
  const checked = () => {
    const { discarded, dispatched, enqueued, evicted, failed, inFlight, queueDepth, timedOut } = accounting
    assert.strictEqual(enqueued, dispatched + failed + timedOut + evicted + discarded + queueDepth + inFlight)
    const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0)
    assert.strictEqual(queueDepth, waiting)
    const memory = queues.reduce((sum, queue) => sum + queue.bytes, 0)
    assert.strictEqual(accounting.queueBytes, memory)
    assert.strictEqual(hostBytes.used, memory)
    for (const queue of queues) {
      const { autoReplied, enqueuedText, ignoredText, receivedText, rejectedText } = queue
      assert.isAtMost(queue.depth, CAPACITY)
      assert.strictEqual(receivedText, enqueuedText + rejectedText + ignoredText + autoReplied)
      assert.strictEqual(queue.receivedBinary, queue.enqueuedBinary)
    }
    assert.isAtMost(inFlight, 1)
    assert.isAtMost(open.handlers, 1)
  }

  // What is thrown within a handler is the plugin's defect, and nobody else would hear of it.
  const problems: Array<unknown> = []
  const check = () => {
    try {
      checked()
    } catch (problem) {
      problems.push(problem)
    }
  }

  const answer = (event: AnyEvent): Effect.Effect<PluginRuntime.Output | void, unknown> => {
    const said = event instanceof Delivered ? undefined : saidIn(event)
    const [does, to = "0"] = said?.split(" ") ?? ["exit"]
    const queue = queues[Number(to)]
    switch (does) {
      case "output":
        return Exit.succeed({ status: 1 })
      case "sync":
        return Effect.sync(() => check())
      case "yield":
        return Effect.asVoid(Effect.andThen(Effect.yieldNow, Effect.sync(check)))
      case "sleep":
        return Effect.sleep(50)
      case "fail":
        return Exit.fail("no")
      case "echo":
        // As where a send is answered in the call that sends.
        if (echoes++ % 3 < 2) push(queue ?? assert.fail(), "exit 0")
        break
      case "discard":
        queue?.discard()
        break
      case "close":
        queue?.ended(CLEAN, true, true)
        queue?.opened(2, 1, null, () => {})
        break
      case "stop":
        dispatcher.stop()
        break
      case "work":
        worked++
        break
      case "throw":
        throw new Error("boom")
      case "odd":
        return odd
      case "fickle":
        return fickle()
      case "never":
        return Effect.never
    }
    return Exit.void
  }

  const dispatcher: Dispatcher = new Dispatcher({
    instance: {
      handle: (event) => {
        open.calls++
        open.handlers++
        open.most = Math.max(open.most, open.handlers)
        seen.push(event)
        check()
        try {
          const answered = answer(event)
          check()
          if (Exit.isExit(answered)) return answered
          // In the hands of the plugin until it has ended.
          open.handlers++
          return Effect.ensuring(
            answered,
            Effect.sync(() => open.handlers--)
          )
        } finally {
          open.handlers--
        }
      },
      stop: Effect.void
    },
    turns,
    accounting,
    limits: Limits.defaults,
    clock: { ...clock, currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + worked },
    time,
    activity: () => {},
    answered: () => ended.answered++,
    failed: () => ended.failed++,
    reported: () => {},
    begun: () => {},
    ended: () => {}
  })
  yield* Effect.forkScoped(dispatcher.run)
  yield* settled
  /** Time passes in this turn. */
  const pass = (ms: number) => {
    worked += ms
  }
  return { accounting, queues, seen, open, ended, check, problems, dispatcher, pass }
})

describe("texts that are handed over as they come", () => {
  it.effect.prop(
    "rules 2, 3, 4 and 5: are counted at any moment, one at a time, in their order, each once",
    { steps: list(Step, 1, 15) },
    ({ steps }) =>
      Effect.gen(function* () {
        const { accounting, check, dispatcher, ended, open, problems, queues, seen } = yield* plugin
        for (const step of steps) {
          const queue = "source" in step ? (queues[step.source] ?? assert.fail()) : undefined
          if (step.kind === "wait") {
            yield* TestClock.adjust(step.ms)
          } else if (step.kind === "turn") {
            yield* settled
          } else if (step.kind === "open") {
            queue?.opened(1, 1, null, () => {})
          } else {
            for (const [nth, one] of step.texts.entries()) {
              if (nth % 2 === step.binary && one !== "ping") queue?.binary(utf8.encode(one), 0)
              else push(queue ?? assert.fail(), one)
              check()
            }
          }
          check()
        }
        yield* TestClock.adjust(60_000)
        yield* settled
        check()
        if (problems.length > 0) throw problems[0]
        assert.isAtMost(open.most, 1)
        assert.strictEqual(accounting.dispatched, ended.answered)
        // Each source's are seen in their order, none twice, and each gap is told.
        for (const n of SOURCES) {
          let last = 0
          for (const { droppedBefore, sequence } of seen.filter((event) => event.sourceId === `${n}`)) {
            assert.strictEqual(sequence, last + droppedBefore + 1)
            last = sequence
          }
        }
        if (dispatcher.end !== undefined) return
        assert.strictEqual(accounting.queueDepth + accounting.inFlight, 0)
        assert.strictEqual(seen.length, accounting.dispatched + accounting.failed)
      }),
    { arbitrary: { runs: 60 } }
  )

  it.effect("are with the handler within the call in which the socket tells them, where nothing waits", () =>
    Effect.gen(function* () {
      const { accounting, queues, seen } = yield* plugin
      const [queue = assert.fail()] = queues
      push(queue, "exit 0")
      assert.lengthOf(seen, 1)
      assert.deepInclude(accounting, { enqueued: 1, dispatched: 1, inFlight: 0, queueDepth: 0 })
      // The second of a turn waits for its end, so that others have their turn.
      push(queue, "exit 0")
      assert.lengthOf(seen, 1)
      yield* settled
      assert.lengthOf(seen, 2)
    })
  )

  it.effect(
    "begin within that call, too, where their handler's answer is an effect, and end in it where that does",
    () =>
      Effect.gen(function* () {
        const { accounting, check, queues } = yield* plugin
        push(queues[0] ?? assert.fail(), "sync 0")
        check()
        assert.deepInclude(accounting, { enqueued: 1, dispatched: 1, inFlight: 0 })
        yield* settled
        push(queues[1] ?? assert.fail(), "sleep 0")
        // Nothing else wakes the runner.
        yield* TestClock.adjust(50)
        yield* settled
        assert.deepInclude(accounting, { enqueued: 2, dispatched: 2, inFlight: 0 })
      })
  )

  it.effect("are in flight within that call, where their handler's answer is an effect", () =>
    Effect.gen(function* () {
      const { accounting, queues } = yield* plugin
      const [queue = assert.fail()] = queues
      push(queue, "sleep 0")
      assert.deepInclude(accounting, { enqueued: 1, inFlight: 1 })
      push(queue, "exit 0")
      assert.deepInclude(accounting, { inFlight: 1, queueDepth: 1, dispatched: 0 })
      yield* TestClock.adjust(50)
      yield* settled
      assert.deepInclude(accounting, { inFlight: 0, queueDepth: 0, dispatched: 2 })
    })
  )

  it.effect.each(["odd", "fickle"])(
    "rule 12: cost the instance and nothing else, where their handler's answer throws when it is looked at: %s",
    (does) =>
      Effect.gen(function* () {
        const { accounting, check, dispatcher, queues } = yield* plugin
        const [queue = assert.fail(), other = assert.fail()] = queues
        push(queue, `${does} 0`)
        assert.instanceOf(dispatcher.end, PluginError.InstanceLost)
        assert.deepInclude(accounting, { enqueued: 1, failed: 1, inFlight: 0, queueDepth: 0 })
        push(other, "exit 0")
        check()
        yield* settled
        assert.deepInclude(accounting, { enqueued: 2, failed: 1, inFlight: 0, queueDepth: 1 })
      })
  )

  it.effect("of many sources never wait for more than a cacheful, while their handlers are fast", () =>
    Effect.gen(function* () {
      const { accounting, queues } = yield* plugin
      let most = 0
      for (let chunk = 0; chunk < 60; chunk++) {
        for (let n = 0; n < 90; n++) {
          push(queues[chunk % SOURCES.length] ?? assert.fail(), "exit 0")
          most = Math.max(most, accounting.queueDepth)
        }
      }
      assert.isBelow(most, 128)
    })
  )

  it.effect("rule 12: use no more than eight milliseconds of a turn, or as long again as it takes without them", () =>
    Effect.gen(function* () {
      const { queues, seen } = yield* plugin
      const [queue = assert.fail(), other = assert.fail()] = queues
      for (let n = 0; n < 180; n++) push(queue, "work 0")
      assert.isAtMost(seen.length, 8)
      assert.isAtLeast(seen.length, 4)
      // And whoever comes then waits, too.
      const { length } = seen
      for (let n = 0; n < 180; n++) push(other, "exit 0")
      assert.lengthOf(seen, length)
      yield* settled
      assert.isAbove(seen.length, length)
    })
  )

  it.effect("rule 12: have as much again of a turn that goes on without them", () =>
    Effect.gen(function* () {
      const { pass, queues, seen } = yield* plugin
      const [queue = assert.fail()] = queues
      for (let n = 0; n < 150; n++) push(queue, "work 0")
      const { length } = seen
      pass(7)
      push(queue, "exit 0")
      assert.lengthOf(seen, length)
      pass(5)
      push(queue, "exit 0")
      // Of 20 ms that the turn has taken by now it had 8.
      assert.strictEqual(seen.length, length + 2)
      yield* settled
      assert.isAbove(seen.length, length + 2)
    })
  )

  it.effect("rule 5: stand behind the other sources' where their own was handed over as it came", () =>
    Effect.gen(function* () {
      const { queues, seen } = yield* plugin
      const [flood = assert.fail(), quiet = assert.fail()] = queues
      for (let n = 0; n < 100; n++) push(flood, "exit 0")
      for (let n = 0; n < 2; n++) push(quiet, "exit 0")
      yield* settled
      assert.deepStrictEqual(
        seen.slice(0, 5).map(({ sourceId }) => sourceId),
        ["0", "1", "0", "1", "0"]
      )
    })
  )
})
