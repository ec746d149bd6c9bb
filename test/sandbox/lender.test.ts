/** What a worker is asked for a plugin's batches, by a worker that comes to each late. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { WebSocketText } from "../../src/ingress/IngressEvent.ts"
import type { Batch, Told } from "../../src/plugin/PluginRuntime.ts"
import { Lender, type Options } from "../../src/sandbox/internal/lender.ts"
import { Borrowed } from "../../src/sandbox/internal/lent.ts"
import type { Lend, Reply } from "../../src/sandbox/internal/protocol.ts"
import * as HadTime from "../../src/time/HadTime.ts"
import { int, list, oneOf } from "../support/arbitraries.ts"

const ORIGIN = { key: "k", source: "websocket:ws://a/", id: "a", url: "ws://a/", ingressName: "main" }
const MOST = 8

interface Asked {
  readonly lend: Pick<Lend, "batch" | "events">
  readonly done: Parameters<Options["thread"]["ask"]>[2]
}

/** A lender, whose worker does what it was asked when it is told to, and what the host was told. */
const lending = (time: HadTime.HadTime) => {
  const asked: Array<Asked> = []
  const handled: Array<string> = []
  const seen = { begun: 0, done: 0, ended: 0, replies: 0 }
  const lender = new Lender({
    thread: {
      ask: (_guest, lend, done) => {
        if (lend.do === "lend") asked.push({ lend, done })
      },
      hasten: () => {}
    },
    guest: 1,
    time,
    deadlineMs: 1000,
    written: (event) => `${event.sequence}`,
    read: () => Exit.void,
    replied: () => {
      seen.replies++
      // Whoever is told of this may end it: nothing of it may have begun without being told.
      assert.strictEqual(asked.length, 0)
    },
    unwanted: () => {},
    lost: () => assert.fail("nothing is lost")
  })
  const told: Told = {
    begun: () => void seen.begun++,
    done: () => void seen.done++,
    ended: () => void seen.ended++
  }
  const borrowed = new Borrowed(lender.shared)
  /** The worker comes to what it was asked, and does so much of it. */
  const work = (most: number) => {
    const one = asked.shift()
    if (one === undefined) return
    borrowed.begin(one.lend.batch)
    for (const event of one.lend.events.slice(0, most)) {
      if (!borrowed.take()) break
      handled.push(event)
      borrowed.tell({ kind: "answered", text: "" })
    }
    const reply: Reply = { call: 1, answer: { kind: "answered", text: "" }, busyMs: 1, lines: 0, hasStatus: false }
    one.done(reply.answer, reply)
  }
  return { asked, handled, seen, lender, told, work }
}

describe("a lender", () => {
  it.effect.prop(
    "rules 3, 5 and 12: asks a busy worker for one batch, however often it is taken back, and each event begins once",
    { steps: list(oneOf("lend", "recall", "work", "part"), 0, 60), size: int(1, MOST) },
    ({ size, steps }) =>
      Effect.gen(function* () {
        const { asked, handled, lender, seen, told, work } = lending(yield* HadTime.make)
        let sequence = 0
        let batch: Batch | undefined = undefined
        let lent = 0
        for (const step of steps) {
          if (step === "lend" && seen.ended === lent) {
            const first = sequence + 1
            const events = Array.from(
              { length: size },
              (_, index) => new WebSocketText(ORIGIN, first + index, 1, 0, 1, "x", 1)
            )
            lent++
            const begunBefore = seen.begun
            batch = lender.dispatch(events, {
              ...told,
              // What hadn't begun is lent again.
              ended: () => {
                sequence += seen.begun - begunBefore
                told.ended()
              }
            })
          }
          if (step === "recall") batch?.recall()
          if (step === "work") work(MOST)
          if (step === "part") work(1)
          yield* Effect.promise(() => Promise.resolve())
          assert.isAtMost(asked.length, 1)
          assert.strictEqual(seen.begun, handled.length)
          assert.strictEqual(seen.done, handled.length)
          assert.deepStrictEqual(
            handled,
            handled.map((_, index) => `${index + 1}`)
          )
        }
        // What is out is come to in the end.
        work(MOST)
        work(MOST)
        yield* Effect.promise(() => Promise.resolve())
        assert.strictEqual(seen.ended, lent)
      }),
    { arbitrary: { runs: 300 } }
  )
})
