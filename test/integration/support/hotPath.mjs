/**
 * What texts cost that a server sends at full speed, counted and not timed: `node hotPath.mjs <port> <connections>`.
 * After a warm-up it prints, for so many more texts, what was made for them.
 */
import * as AsyncHooks from "node:async_hooks"
import { PerformanceObserver, constants } from "node:perf_hooks"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scheduler from "effect/Scheduler"
import { Enablement, GrantStore, PluginHost, ServicePlugin } from "../../../src/index.ts"
import { WsClient } from "../../../src/node/index.ts"

const [port, connections, handler, watched] = process.argv.slice(2)
const WARM_UP = 30_000
const TEXTS = 20_000

/** Asynchronous resources of each type, and tasks of Effect's scheduler. */
const made = new Map()
const count = (what) => made.set(what, (made.get(what) ?? 0) + 1)
AsyncHooks.createHook({ init: (_, type) => count(type) }).enable()

class Counting extends Scheduler.MixedScheduler {
  makeDispatcher() {
    const dispatcher = super.makeDispatcher()
    const schedule = dispatcher.scheduleTask.bind(dispatcher)
    dispatcher.scheduleTask = (task, priority) => {
      count("task")
      schedule(task, priority)
    }
    return dispatcher
  }
}

// Fibers are numbered.
const fibers = () => Effect.runSync(Effect.map(Effect.fiberId, Number))

let collections = 0
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind !== constants.NODE_PERFORMANCE_GC_WEAKCB) collections++
}).observe({ entryTypes: ["gc"] })

let texts = 0
let before
const look = () => ({ made: new Map(made), fiber: fibers(), heap: process.memoryUsage().heapUsed })

const report = () => {
  const after = look()
  const kinds = [...after.made].map(([kind, all]) => [kind, all - (before.made.get(kind) ?? 0)])
  const result = {
    texts: TEXTS,
    ...Object.fromEntries(kinds),
    // One is the fiber that was asked.
    fibers: after.fiber - before.fiber - 1,
    heapBytes: after.heap - before.heap
  }
  // Collections are told a turn later.
  setTimeout(() => process.stdout.write(`${JSON.stringify({ ...result, collections })}\n`, () => process.exit(0)), 50)
}

const tick = () => {
  texts++
  if (texts === WARM_UP) {
    collections = 0
    before = look()
  } else if (texts === WARM_UP + TEXTS) report()
}

const answers = {
  exit: () => {
    tick()
    return Exit.void
  },
  sync: () => Effect.sync(tick)
}

const plugin = ServicePlugin.make({
  id: "test.hot",
  version: "1.0.0",
  ingresses: {
    feed: {
      sources: Array.from({ length: Number(connections) }, (_, nth) => `ws://127.0.0.1:${port}/${nth}`),
      eventKinds: ["websocket_text"]
    }
  },
  websocket: [{ scheme: "ws", host: "127.0.0.1", port: Number(port), pathPrefixes: ["/"] }],
  handlers: { feed: { websocket_text: answers[handler] } }
})
const enabled = [Enablement.trusting(plugin)]
// Nothing but the texts: no pings, and no look at the lag.
const host = PluginHost.layer({ plugins: [plugin], enabled, limits: { pingIntervalMs: 0 } }).pipe(
  Layer.provide(GrantStore.layer(enabled)),
  Layer.provide(WsClient.layer)
)
const withMetrics = async () => {
  const Metrics = await import("../../../src/operate/Metrics.ts")
  // One of ten is measured, which is ten times what is usual.
  return Layer.provideMerge(Metrics.layer({ sample: 0.1 }), host)
}
const observed = watched === "metrics" ? await withMetrics() : host
Effect.runFork(
  Effect.never.pipe(
    Effect.provide(observed),
    Effect.provide(Logger.layer([])),
    Effect.provideService(Scheduler.Scheduler, new Counting())
  )
)
