/**
 * The host of the soak: `node soakHost.ts <port> <plugins> <connections> <ms>`.
 * Says every few seconds what it holds, and at the end what doesn't add up; then
 * it must exit by itself.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Enablement, GrantStore, type HostStatus, PluginHost } from "mooring"
import { WsClient } from "mooring/node"
import * as Plugins from "./soakPlugins.ts"

const [port = "", plugins = "30", connections = "500", forMs = "60000"] = process.argv.slice(2)
const SAMPLE_MS = 5000

const packages = Plugins.make(port, Number(plugins), Number(connections))
const enabled = packages.map((pkg) => Enablement.trusting(pkg))
const limits = {
  connectionsPerPlugin: 100,
  pingIntervalMs: 2000,
  pongDeadlineMs: 2000,
  openDeadlineMs: 3000,
  closeGraceMs: 1000,
  sendStallMs: 5000,
  stoppedRetryMs: 5000,
  failedRetryMs: 5000,
  restarts: 1000
}

const say = (line: object): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

const anyOf = <A>(list: ReadonlyArray<A>): A => list[Math.floor(Math.random() * list.length)] as A

/** What operators and grant stores do, at random, until it is interrupted. */
const meddling = Effect.gen(function* () {
  const host = yield* PluginHost.PluginHost
  const editor = yield* GrantStore.GrantEditor
  while (true) {
    yield* Effect.sleep(500)
    const one = anyOf(enabled)
    const ref = Enablement.refOf(one)
    const source = `${Object.values(packages[enabled.indexOf(one)]?.manifest.ingresses[0]?.sources ?? [])[0]}`
    switch (Math.floor(Math.random() * 6)) {
      case 0:
        yield* editor.revoke(ref)
        yield* Effect.sleep(Math.random() * 1000)
        yield* editor.set(ref, GrantStore.grantOf(one))
        break
      case 1:
        yield* Effect.ignore(host.stop(ref))
        yield* Effect.sleep(Math.random() * 1000)
        yield* Effect.ignore(host.start(ref))
        break
      case 2:
        yield* Effect.ignore(host.restart(ref))
        break
      case 3:
        yield* host.apply({ enabled: enabled.filter((each) => each !== one) })
        yield* Effect.sleep(Math.random() * 1000)
        yield* host.apply({ enabled })
        break
      case 4:
        yield* Effect.ignore(host.reconnect(ref, source.replace("websocket:", "")))
        break
    }
  }
})

/** What doesn't add up in a row (rule 2), or what no plugin of its kind may have. */
const problemsOf = ({
  dispatchCounters: of,
  pluginRef,
  queueDepth,
  websocketConnections
}: HostStatus.PluginStatus): ReadonlyArray<string> => {
  const sum = of.dispatched + of.failed + of.timedOut + of.evicted + of.discarded + queueDepth + of.inFlight
  const problems = of.enqueued === sum ? [] : [`${pluginRef}: ${of.enqueued} enqueued, ${sum} accounted for`]
  for (const it of websocketConnections) {
    const texts = it.enqueuedText + it.rejectedText + it.ignoredText + it.autoReplied
    if (it.receivedTextFrames !== texts) problems.push(`${it.url}: ${it.receivedTextFrames} texts, ${texts} counted`)
  }
  if (of.timedOut > 0 && !pluginRef.includes(Plugins.MAY_TIME_OUT)) {
    problems.push(`${pluginRef}: ${of.timedOut} timed out`)
  }
  return problems
}

const holds = () => {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  return { heapMib: heapUsed / 1024 ** 2, rssMib: rss / 1024 ** 2 }
}

const problems = new Set<string>()

const watching = (at: number) =>
  Effect.gen(function* () {
    const { plugins: rows } = yield* Effect.flatMap(PluginHost.PluginHost, ({ status }) => status)
    for (const row of rows) for (const problem of problemsOf(row)) problems.add(problem)
    const all = rows.flatMap((row) => row.websocketConnections)
    const total = (key: "opens" | "receivedTextFrames" | "sentTextFrames") => all.reduce((sum, it) => sum + it[key], 0)
    const counts: Record<string, number> = {}
    for (const row of rows) {
      for (const [tag, count] of Object.entries(row.diagnosticCounts)) counts[tag] = (counts[tag] ?? 0) + count
    }
    say({
      at,
      open: all.filter(({ state }) => state === "open").length,
      opens: total("opens"),
      received: total("receivedTextFrames"),
      sent: total("sentTextFrames"),
      restarts: rows.reduce((sum, row) => sum + row.restarts, 0),
      counts,
      ...holds()
    })
  })

const unhandled: Array<string> = []
process.on("unhandledRejection", (reason) => unhandled.push(String(reason)))

const program = Effect.gen(function* () {
  const startedAt = performance.now()
  const meddler = yield* Effect.forkScoped(meddling)
  while (performance.now() - startedAt < Number(forMs)) {
    yield* Effect.sleep(SAMPLE_MS)
    yield* watching(Math.round(performance.now() - startedAt))
  }
  meddler.interruptUnsafe()
  yield* Effect.sleep(2000)
  yield* watching(Math.round(performance.now() - startedAt))
}).pipe(Effect.scoped)

const live = PluginHost.layer({ plugins: packages, enabled, limits }).pipe(
  Layer.provideMerge(GrantStore.layerMutable(enabled)),
  Layer.provide(WsClient.layer)
)

await Effect.runPromise(program.pipe(Effect.provide(live), Effect.provide(Logger.layer([]))))
say({ problems: [...problems], gaps: Plugins.gaps, unhandled, stoppedAt: Math.round(performance.now()) })
