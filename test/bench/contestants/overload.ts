/** A handler that is given twice of what it can do: what is handled, how late, what is lost and whether that is told. */
import * as Effect from "effect/Effect"
import { EventEmitter } from "node:events"
import { PluginHost } from "mooring"
import { percentile } from "../statistics.ts"
import * as Bare from "./bare.ts"
import * as Clock from "./clock.ts"
import type { Given } from "./contestant.ts"
import { runPlugins } from "./hosted.ts"

/** What one text takes: waiting, not computing. */
const WORK_MS = 5

const account = () => {
  const lateness: Array<number> = []
  let [last, missing, untold] = [0, 0, 0]
  const from = performance.now()
  return {
    /** One was handled, and so many before it were said to be lost. */
    handled: (text: string, told: number): void => {
      const [nth = 0, writtenAt = 0] = text.split(" ", 2).map(Number)
      lateness.push(performance.timeOrigin + performance.now() - writtenAt)
      missing += nth - last - 1
      if (nth - last - 1 !== told) untold++
      last = nth
    },
    figures: () => ({
      perSecond: (lateness.length * 1000) / (performance.now() - from),
      p50Ms: percentile(lateness, 0.5),
      p99Ms: percentile(lateness, 0.99),
      missing,
      untold,
      peakMib: process.resourceUsage().maxRSS / 1024
    })
  }
}

const url = ({ port }: Given) => `ws://127.0.0.1:${port}/stamped`

export const hosted = (given: Given): void => {
  const { figures, handled } = account()
  const plugin = {
    name: "slow",
    urls: [url(given)],
    handlers: {
      websocket_text: Effect.fnUntraced(function* ({ droppedBefore, text }: { droppedBefore: number; text: string }) {
        yield* Effect.sleep(WORK_MS)
        handled(text, droppedBefore)
      })
    }
  }
  const program = Effect.gen(function* () {
    const { status } = yield* PluginHost.PluginHost
    yield* Effect.sleep(given.forMs ?? 5000)
    const counters = (yield* status).plugins.map(({ dispatchCounters }) => dispatchCounters)
    Clock.report({ ...figures(), evicted: counters.reduce((sum, { evicted }) => sum + evicted, 0) })
  })
  runPlugins(given.port, [plugin], program)
}

export const pQueue = async (given: Given): Promise<void> => {
  const { default: PQueue } = await import("p-queue")
  const { figures, handled } = account()
  const events = new EventEmitter()
  const queue = new PQueue({ concurrency: 1 })
  const handle = async (text: string) => {
    await new Promise((resolve) => setTimeout(resolve, WORK_MS))
    handled(text, 0)
  }
  events.on("text", (text: string) => void queue.add(() => handle(text)))
  Bare.open(url(given), (text) => events.emit("text", text))
  setTimeout(() => Clock.report(figures()), given.forMs ?? 5000)
}
