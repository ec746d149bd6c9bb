/**
 * A host that is served by its control API, where one was asked for.
 *
 * The server listens before the host begins and until it has ended: an address
 * that can't be had is known before anything runs, and who asks meanwhile is
 * told that the host is starting or stopping.
 */
import * as Effect from "effect/Effect"
import { HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import type * as PluginHost from "../../host/PluginHost.ts"
import * as Control from "../../operate/Control.ts"
import * as ControlServer from "../../operate/ControlServer.ts"
import * as Dashboard from "../../operate/Dashboard.ts"
import type { LiveControl } from "./liveControl.ts"
import { Unwell } from "./unwell.ts"

/** What is served beside the API. A host runs without it, too. */
const page = Effect.catch(Dashboard.files, ({ message }) =>
  Effect.as(Effect.logWarning(message), new Map<string, Control.StaticFile>())
)

/** What makes of a host one that is served, for the life of the scope. */
export const controlled = ({ served }: LiveControl, metrics: Control.Options["metrics"]) =>
  Effect.gen(function* () {
    if (served === undefined) return undefined
    const { address, hosts, isLocal, problem, token } = served
    if (problem !== undefined) return yield* new Unwell({ problem: `the token of the control API: ${problem}` })
    if (!isLocal && token() === undefined) {
      return yield* new Unwell({
        problem: `${ControlServer.format(address)} is reached from other machines: the control API needs a token there`
      })
    }
    const server = yield* Effect.mapError(
      ControlServer.make(address),
      ({ message }) => new Unwell({ problem: message })
    )
    const where = "path" in address ? ControlServer.format(address) : HttpServer.formatAddress(server.address)
    const told = Effect.logInfo(`the control API is at ${where}`)
    return Control.layer({ files: yield* page, hosts, token, ...(metrics === undefined ? {} : { metrics }) }).pipe(
      Layer.provide(Layer.succeed(HttpServer.HttpServer, server)),
      // That it was refused is known by now.
      Layer.orDie,
      Layer.tap(() => told)
    )
  })

/** The host's layer with what was made for it. */
export const withControl = <A, E>(
  host: Layer.Layer<A | PluginHost.PluginHost, E>,
  control: Layer.Layer<never, never, PluginHost.PluginHost> | undefined
): Layer.Layer<A | PluginHost.PluginHost, E> => (control === undefined ? host : Layer.provideMerge(control, host))
