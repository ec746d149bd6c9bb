/** The plugins of the soak: of every behaviour, each with its own sources, and what each was handed checked. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { OutputCommand, ServicePlugin, type IngressEvent, type PluginRuntime } from "mooring"

const chance = (share: number): boolean => Math.random() < share

/** Of each source what was handed over last; events that were lost and not told. */
const lastOf = new Map<string, number>()
export const gaps: Array<string> = []

/** Rule 4: whatever was not handed over is in the next event's count. */
const check = (event: IngressEvent.IngressEvent): void => {
  const key = `${event.correlationId.slice(0, event.correlationId.lastIndexOf("-"))} ${event.source}`
  const last = lastOf.get(key) ?? 0
  if (event.sequence - last - 1 !== event.droppedBefore && gaps.length < 20) {
    gaps.push(`${key}: ${last}, then ${event.sequence} with ${event.droppedBefore} dropped`)
  }
  lastOf.set(key, event.sequence)
}

const spin = (millis: number): void => {
  for (const until = performance.now() + millis; performance.now() < until;);
}

type OnText = NonNullable<ServicePlugin.Handlers["websocket_text"]>

const nothing = Exit.succeed({})

const behaviours: { readonly [name: string]: OnText } = {
  echo: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] }),
  slow: () => Effect.as(Effect.sleep(20), {}),
  refusing: () => (chance(0.1) ? Exit.succeed({ accepted: false }) : chance(0.1) ? Exit.fail("no") : nothing),
  crashing: () => (chance(0.0005) ? Exit.die(new Error("oh no")) : nothing),
  hanging: () => (chance(0.0005) ? Effect.never : nothing),
  talking: (event) =>
    Exit.succeed({ commands: Array.from({ length: 16 }, () => OutputCommand.send(event, "z".repeat(1000))) }),
  closing: (event) =>
    Exit.succeed({
      commands: chance(0.002)
        ? [OutputCommand.close(event), OutputCommand.reconnect(event)]
        : chance(0.005)
          ? [OutputCommand.reconnect(event)]
          : []
    }),
  timing: (event) => Exit.succeed({ commands: [OutputCommand.setTimer("tick", { afterMs: 1000, url: event.url })] }),
  blocking: () => {
    if (chance(0.0005)) spin(1300)
    return nothing
  }
}

const noted = (event: IngressEvent.IngressEvent) => {
  check(event)
  return nothing
}

/** Those of which an event may be past its deadline. */
export const MAY_TIME_OUT = "hanging"

/** So many plugins, with so many sources in all, that take turns in how they behave. */
export const make = (port: string, plugins: number, sources: number): ReadonlyArray<PluginRuntime.PluginPackage> =>
  Array.from({ length: plugins }, (_, nth) => {
    const [name = "", onText] = Object.entries(behaviours)[nth % Object.keys(behaviours).length] ?? []
    const own = Array.from({ length: Math.ceil(sources / plugins) }, (__, n) => `ws://127.0.0.1:${port}/${nth}/${n}`)
    return ServicePlugin.make({
      id: `soak.${name}.${nth}`,
      version: "1.0.0",
      ingresses: { feed: { sources: own } },
      websocket: [{ scheme: "ws", host: "127.0.0.1", port: Number(port), pathPrefixes: [`/${nth}`] }],
      handlers: {
        feed: {
          websocket_open: noted,
          websocket_close: noted,
          websocket_error: noted,
          timer: noted,
          websocket_text: (event) => {
            check(event)
            return onText?.(event) ?? nothing
          }
        }
      }
    })
  })
