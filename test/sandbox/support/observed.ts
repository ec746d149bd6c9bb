/** What can be seen of a plugin and its neighbour while one event of the plugin's does its worst. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { opened, rowOf } from "../../support/host.ts"
import { FINE, GATEWAY } from "./host.ts"

export const REF = "project:test.plugin"
const NEIGHBOUR = "project:test.neighbour"

const NANOS = 1e6
const EVERY_MS = 10
/** A little more than any test allows. */
const PATIENCE_MS = 21_000

/** An event of this code behind two good ones and before another, beside a neighbour that has events all the while. */
export const observed = (code: string) =>
  Effect.gen(function* () {
    const { fake, host, remote } = yield* opened(GATEWAY)
    const { remote: other } = yield* opened(FINE)
    const before = (yield* rowOf(REF)).dispatchCounters
    const loop = monitorEventLoopDelay({ resolution: EVERY_MS })
    loop.enable()
    const from = performance.now()
    for (const text of ["answer = 'one'", "answer = 'two'", code, "answer = 'behind'"]) remote.sendText(text)
    const waits: Array<number> = []
    let lost = 0
    /** One event of the neighbour's, until it is answered or lost with its worker. */
    const asking = Effect.gen(function* () {
      const at = performance.now()
      const had = other.sent.length
      other.sendText("x")
      const isLost = Effect.map(rowOf(NEIGHBOUR), ({ dispatchCounters: { failed } }) => failed > lost)
      while (other.sent.length === had && !(yield* isLost)) yield* Effect.sleep(1)
      if (other.sent.length === had) lost++
      else waits.push(performance.now() - at)
    })
    const ended = Effect.map(
      rowOf(REF),
      ({ dispatchCounters: { failed, timedOut } }) => failed + timedOut > before.failed
    )
    const until = { isOver: false }
    const neighbours = yield* Effect.forkChild(
      Effect.gen(function* () {
        while (!until.isOver) yield* Effect.andThen(asking, Effect.sleep(EVERY_MS))
        yield* asking
      })
    )
    while (!(yield* ended) && performance.now() - from < PATIENCE_MS) yield* Effect.sleep(1)
    const endedMs = performance.now() - from
    until.isOver = true
    yield* Fiber.join(neighbours)
    yield* host.idle
    loop.disable()
    return {
      fake,
      host,
      remote,
      other,
      row: yield* rowOf(REF),
      neighbour: yield* rowOf(NEIGHBOUR),
      endedMs,
      lost,
      /** The longest that the neighbour waited for an answer. */
      neighbourMs: Math.max(...waits),
      loopMs: loop.max / NANOS
    }
  })
