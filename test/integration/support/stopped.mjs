/**
 * A host that whoever runs it may stop: of three plugins one handles a text, one starts, and one dials a server that
 * never answers, `node stopped.mjs <url that sends a text> <url that never answers>`. Writes a line once all of that is
 * under way, and another with what became of it once handler and start are through.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Enablement, GrantStore, PluginHost, ServicePlugin } from "../../../src/index.ts"
import { WsClient } from "../../../src/node/index.ts"

const [talking = "", mute = ""] = process.argv.slice(2)
const websocket = [{ scheme: "ws", host: "127.0.0.1", port: "*", pathPrefixes: ["/"] }]
const plugin = (name, sources, handlers) =>
  ServicePlugin.make({ id: `test.${name}`, version: "1.0.0", ingresses: { gateway: { sources } }, websocket, handlers })

const work = (begun) => Effect.andThen(Deferred.succeed(begun, undefined), Effect.sleep("500 millis"))

const program = Effect.gen(function* () {
  const [handling, starting] = [yield* Deferred.make(), yield* Deferred.make()]
  const plugins = [
    plugin("handles", [talking], { gateway: { websocket_text: () => Effect.as(work(handling), {}) } }),
    plugin("starts", [], () => Effect.as(work(starting), { gateway: {} })),
    plugin("dials", [mute], {})
  ]
  const enabled = plugins.map((pkg) => Enablement.trusting(pkg))
  const limits = { startDeadlineMs: 1500, openDeadlineMs: 3000 }
  const host = PluginHost.layer({ plugins, enabled, limits }).pipe(
    Layer.provide([GrantStore.layer(enabled), WsClient.layer, Logger.layer([])])
  )
  yield* Effect.gen(function* () {
    const { awaitRunning, status } = yield* PluginHost.PluginHost
    yield* Deferred.await(handling)
    yield* Deferred.await(starting)
    process.stdout.write("under way\n")
    yield* awaitRunning("project:test.starts")
    let rows
    do {
      yield* Effect.sleep("10 millis")
      rows = (yield* status).plugins
    } while (rows[0].dispatchCounters.inFlight > 0)
    const seen = rows.map(({ diagnosticCounts, dispatchCounters, restarts, websocketConnections: [connection] }) => ({
      diagnosticCounts,
      timedOut: dispatchCounters.timedOut,
      restarts,
      state: connection?.state
    }))
    process.stdout.write(`${JSON.stringify(seen)}\n`)
  }).pipe(Effect.provide(host))
})

await Effect.runPromise(program)
