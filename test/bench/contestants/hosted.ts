/** This project as a contestant: plugins with real sources, in a host whose limits are out of the way. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import { Enablement, GrantStore, OutputCommand, PluginHost, ServicePlugin, type PluginRuntime } from "mooring"
import { WsClient } from "mooring/node"
import { Metrics } from "mooring/operate"
import { AT_ONCE } from "../limits.ts"
import { urlsOf } from "./bare.ts"
import * as Clock from "./clock.ts"
import type { Given, Handling } from "./contestant.ts"

export interface Hosted {
  readonly name: string
  readonly urls: ReadonlyArray<string>
  readonly handlers: ServicePlugin.Handlers
  readonly urgent?: boolean
  readonly binary?: boolean
}

const MOST = 100_000
/** What counts and what spaces dials is at its highest; every rule is on. */
export const limits = {
  connectionsPerPlugin: MOST,
  connectionsPerHost: MOST,
  dialsAtOnce: AT_ONCE,
  dialsAtOncePerPlugin: AT_ONCE,
  dialsPerSecond: MOST
}

export const targetsOf = (port: number) => [{ scheme: "ws", host: "127.0.0.1", port, pathPrefixes: ["/"] }] as const

export const packaged = (
  port: number,
  { binary = false, handlers, name, urgent = false, urls }: Hosted
): PluginRuntime.PluginPackage =>
  ServicePlugin.make({
    id: `bench.${name}`,
    version: "1.0.0",
    ingresses: {
      feed: {
        sources: urls,
        ...(urgent ? { urgent: ["x"] } : {}),
        ...(binary ? { eventKinds: ["websocket_binary"] } : {})
      }
    },
    websocket: targetsOf(port),
    handlers: { feed: handlers }
  })

/** With no bound on how much is sent. */
export const enable = ({ digest, manifest }: PluginRuntime.PluginPackage) =>
  Result.getOrThrow(
    Enablement.make({
      id: `project:${manifest.id}`,
      version: manifest.version,
      digest,
      grants: {
        permissions: manifest.permissions,
        websocket: manifest.websocket.map((target) => ({ ...target, sendsPerMinute: 0 }))
      }
    })
  )

/** Runs the program beside a host of these packages, until it is ended. */
export const runHost = (
  packages: ReadonlyArray<PluginRuntime.PluginPackage>,
  program: Effect.Effect<unknown, unknown, PluginHost.PluginHost>,
  fastPath = true,
  metrics = false
): Fiber.Fiber<unknown, unknown> => {
  const enabled = packages.map(enable)
  const host = PluginHost.layer({ plugins: packages, enabled, limits }).pipe(
    Layer.provide(GrantStore.layer(enabled)),
    Layer.provide(WsClient.layerOptions({ fastPath })),
    (made) => (metrics ? Layer.provideMerge(Metrics.layer(), made) : made)
  )
  // Its lines would stand between the figures.
  return Effect.runFork(
    program.pipe(Effect.andThen(Effect.never), Effect.provide(host), Effect.provide(Logger.layer([])))
  )
}

export const runPlugins = (
  port: number,
  plugins: ReadonlyArray<Hosted>,
  program: Effect.Effect<unknown, unknown, PluginHost.PluginHost> = Effect.void,
  fastPath = true,
  metrics = false
) =>
  runHost(
    plugins.map((plugin) => packaged(port, plugin)),
    program,
    fastPath,
    metrics
  )

const untraced = (tick: () => void) =>
  Effect.fnUntraced(function* ({ text }: { readonly text: string }) {
    const length = yield* Effect.succeed(text.length)
    if (length > 0) tick()
  })

const handlers = (handling: Handling, tick: () => void): ServicePlugin.Handlers => {
  switch (handling) {
    case "sync":
      return { websocket_text: () => Effect.sync(tick) }
    case "fnUntraced":
      return { websocket_text: untraced(tick) }
    case "gen":
      return {
        websocket_text: ({ text }) =>
          Effect.gen(function* () {
            const length = yield* Effect.succeed(text.length)
            if (length > 0) tick()
          })
      }
    case "sends":
      return {
        websocket_text: (event) => {
          tick()
          return Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
        }
      }
    default:
      return {
        websocket_text: () => {
          tick()
          return Exit.void
        }
      }
  }
}

const counted = (tick: () => void): ServicePlugin.Handlers => ({
  websocket_binary: () => {
    tick()
    return Exit.void
  }
})

export const echo: ServicePlugin.Handlers = {
  websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
}

export const ignore: ServicePlugin.Handlers = { websocket_text: () => Exit.void }

/** The sources, shared out among so many plugins. */
export const shared = (
  urls: ReadonlyArray<string>,
  plugins: number,
  handle: ServicePlugin.Handlers,
  kinds: Pick<Hosted, "urgent" | "binary"> = {}
): ReadonlyArray<Hosted> =>
  Array.from({ length: plugins }, (_, nth) => ({
    name: `n${nth}`,
    urls: urls.filter((__, index) => index % plugins === nth),
    handlers: handle,
    ...kinds
  }))

/** A flood over each connection. */
export const counting = (given: Given): void => {
  const { binary = false, fastPath = true, frames, handling = "exit", metrics = false, plugins = 1, port } = given
  const { urgent = false } = given
  const clock = Clock.make(frames)
  const program = Effect.gen(function* () {
    const { status } = yield* PluginHost.PluginHost
    const figures = yield* Effect.promise(() => clock.done)
    const rows = (yield* status).plugins
    const dropped = rows.reduce((sum, { dispatchCounters }) => sum + dispatchCounters.evicted, 0)
    const refused = rows
      .flatMap(({ websocketConnections }) => websocketConnections)
      .reduce((sum, { sendFailures }) => sum + sendFailures, 0)
    Clock.report({ ...figures, dropped, refused })
  })
  const handle = binary ? counted(clock.tick) : handlers(handling, clock.tick)
  const plugged = shared(urlsOf(given, "/flood"), plugins, handle, { urgent, binary })
  runPlugins(port, plugged, program, fastPath, metrics)
}

/** An echo, idle or while another plugin's connections bring texts. */
export const echoing = (given: Given): void => {
  const own = { name: "echo", urls: [`ws://127.0.0.1:${given.port}/echo`], handlers: echo }
  const load = { name: "load", urls: urlsOf(given, "/paced"), handlers: ignore }
  runPlugins(given.port, given.load?.perSecond === undefined ? [own] : [load, own])
}
