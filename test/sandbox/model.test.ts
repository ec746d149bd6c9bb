/** Two plugins in one worker, each with bursts of whatever a handler may do, against a reference. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { PluginHost, type HostStatus } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, opened, rowOf } from "../support/host.ts"
import { frameOf } from "../support/frames.ts"
import { int, list, oneOf } from "../support/arbitraries.ts"
import { beside, FINE, GATEWAY, OBEDIENT } from "./support/host.ts"

/** What an event makes the handler do; an answer says which event it was. */
const ACTS = {
  answers: "answer",
  fails: "({ accepted: false })",
  throws: "throw new Error('no')",
  grows: "new ArrayBuffer(8, { maxByteLength: 1e9 }).resize(1e9)",
  loops: "for (;;);",
  "spins natively": "[].join.call({ length: 2 ** 32 - 1 })",
  "never settles": "new Promise(() => {})"
}
type Act = keyof typeof ACTS

const crashes = (act: Act): boolean => act === "loops" || act === "spins natively" || act === "never settles"

interface Burst {
  readonly acts: ReadonlyArray<Act>
  /** After how many turns the plugin is stopped, and then started again; −1: it isn't. */
  readonly stopAfter: number
}

const burst: Arbitrary.Arbitrary<Burst> = Arbitrary.all({
  acts: list(
    oneOf<Act>("answers", "answers", "answers", "fails", "spins natively", ...(Object.keys(ACTS) as [Act])),
    0,
    9
  ),
  stopAfter: oneOf(-1, -1, -1, -1, -1, 0, 5, 20)
})

interface Outcome {
  readonly dispatched: number
  readonly failed: number
  readonly timedOut: number
  readonly discarded: number
  readonly sent: ReadonlyArray<string>
}

const textOf = (number: number): string => `answer ${number}`

/** What becomes of a burst where the plugin is stopped before event `stopped`. */
const reference = ({ acts }: Burst, first: number, stopped: number): Outcome => {
  const count = { dispatched: 0, failed: 0, timedOut: 0, discarded: 0 }
  const sent: Array<string> = []
  let isOver = false
  for (const [index, act] of acts.entries()) {
    if (isOver || index >= stopped) count.discarded++
    else if (crashes(act)) {
      count.timedOut++
      isOver = true
    } else if (act === "answers") {
      count.dispatched++
      sent.push(textOf(first + index))
    } else count.failed++
  }
  // Its connection closes, of which nobody is told any more, and the next instance sees it open.
  if (isOver || stopped !== Infinity) {
    count.discarded++
    count.dispatched++
  }
  return { ...count, sent }
}

/** All that may become of a burst: nobody knows at which event a stop comes. What the neighbour does changes nothing. */
const references = (own: Burst, first: number): ReadonlyArray<Outcome> => {
  const stopped = own.stopAfter < 0 ? [Infinity] : [...own.acts.keys(), own.acts.length]
  return stopped.map((at) => reference(own, first, at))
}

const PLUGINS = [
  { ref: "project:test.plugin", url: GATEWAY },
  { ref: "project:test.neighbour", url: FINE }
] as const

const isQuiet = ({ dispatchCounters, lifecycle, queueDepth, websocketConnections }: HostStatus.PluginStatus): boolean =>
  lifecycle === "running" &&
  dispatchCounters.inFlight === 0 &&
  queueDepth === 0 &&
  websocketConnections.every(({ state }) => state === "open")

/** The row once nothing goes on any more. Every row on the way is whole. */
const quiet = (ref: string): Effect.Effect<HostStatus.PluginStatus, never, PluginHost.PluginHost> =>
  Effect.gen(function* () {
    const row = yield* rowOf(ref)
    assert.isUndefined(accountingProblem(row))
    assert.isAtMost(row.dispatchCounters.inFlight, 1, "rule 5")
    if (isQuiet(row)) return row
    yield* Effect.sleep(5)
    return yield* quiet(ref)
  })

const sentTo = (url: string) =>
  FakeWebSocket.FakeWebSocket.use((fake) =>
    Effect.map(fake.remotes(url), (remotes) => remotes.flatMap(({ sent }) => sent))
  )

const stateOf = ({ ref, url }: (typeof PLUGINS)[number]) =>
  Effect.gen(function* () {
    const { dispatchCounters, restarts } = yield* quiet(ref)
    return { count: dispatchCounters, restarts, sent: yield* sentTo(url) }
  })

describe("two plugins in one worker", () => {
  it.live.prop(
    "rules 2, 5, 6 and 12: each event has its own result, and what one does changes nothing of the other's, though their worker is ended",
    { steps: list(Arbitrary.all({ own: burst, other: burst }), 1, 3), first: int(0, 1000) },
    ({ first, steps }) =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        for (const { url } of PLUGINS) yield* opened(url)
        let number = first
        for (const { other, own } of steps) {
          const bursts = [own, other] as const
          const before = [yield* stateOf(PLUGINS[0]), yield* stateOf(PLUGINS[1])] as const
          for (const [index, { url }] of PLUGINS.entries()) {
            const remotes = yield* FakeWebSocket.FakeWebSocket.use((fake) => fake.remotes(url))
            const { acts } = bursts[index] ?? own
            remotes
              .at(-1)
              ?.sendBurst(
                acts.map((act, at) => frameOf(act === "answers" ? `'${textOf(number + at)}'` : ACTS[act], at % 2 === 1))
              )
          }
          const stops = PLUGINS.map(({ ref }, index) => {
            const turns = bursts[index]?.stopAfter ?? -1
            if (turns < 0) return Effect.void
            const waited = Effect.forEach(Array.from({ length: turns }), () => Effect.yieldNow, { discard: true })
            return Effect.gen(function* () {
              yield* waited
              yield* host.stop(ref)
              yield* host.stopped(ref)
              yield* host.start(ref)
            })
          })
          yield* Effect.all(stops, { concurrency: 2 })
          for (const [index, plugin] of PLUGINS.entries()) {
            const was = before[index] ?? before[0]
            const is = yield* stateOf(plugin)
            const happened: Outcome = {
              dispatched: is.count.dispatched - was.count.dispatched,
              failed: is.count.failed - was.count.failed,
              timedOut: is.count.timedOut - was.count.timedOut,
              discarded: is.count.discarded - was.count.discarded,
              sent: is.sent.slice(was.sent.length)
            }
            const may = references(bursts[index] ?? own, number)
            const shown = JSON.stringify(happened)
            assert.isTrue(
              may.some((one) => JSON.stringify(one) === shown),
              `${plugin.ref}: ${shown}, expected one of ${JSON.stringify(may)} of ${JSON.stringify(bursts)}`
            )
            // A neighbour isn't charged.
            if (bursts[index]?.stopAfter === -1) assert.strictEqual(is.restarts - was.restarts, happened.timedOut)
          }
          number += 10
        }
      }).pipe(
        Effect.provide(
          beside({
            code: OBEDIENT,
            neighbour: OBEDIENT,
            deadlineMs: 300,
            limits: { soloWorkers: 0, restarts: 1000, dispatchDeadlineMs: 300 }
          })
        )
      ),
    { arbitrary: { runs: 8 }, timeout: 120_000 }
  )
})
