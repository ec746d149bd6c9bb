/**
 * What happens in the demo, in words: made of one status after the other, as
 * anybody could who reads them.
 */
import type { ConnectionStatus, HostStatus, PluginStatus } from "../../host/HostStatus.ts"

/** From this many that wait on it is a burst. */
const BURST_FROM = 50

interface Burst {
  readonly receivedBefore: number
  readonly dropsBefore: number
  readonly began: number
  most: number
  isPaused: boolean
  isSliding: boolean
  receivedLast: number
}

interface Known {
  lifecycle: PluginStatus["lifecycle"]
  epoch: number
  stopReason: ConnectionStatus["stopReason"]
  received: number
  drops: number
  burst: Burst | undefined
}

/** One thing that happened. */
export interface Said {
  readonly isTrouble: boolean
  readonly words: string
}

export class Story {
  readonly #known = new Map<string, Known>()

  /** What has happened since the last status. */
  see(status: HostStatus): ReadonlyArray<Said> {
    const at = Date.parse(status.host.at)
    return status.plugins.flatMap((plugin) => {
      const name = plugin.pluginRef.replace(/^builtin:/, "")
      return this.#of(plugin, at).map((said) => ({ ...said, words: `${name}: ${said.words}` }))
    })
  }

  #of(plugin: PluginStatus, at: number): ReadonlyArray<Said> {
    const [connection] = plugin.websocketConnections
    const known = this.#known.get(plugin.pluginRef) ?? unknown()
    this.#known.set(plugin.pluginRef, known)
    const said = ofLifecycle(plugin, known)
    known.lifecycle = plugin.lifecycle
    if (connection === undefined) return said
    said.push(...ofConnection(connection, known), ...ofBurst(connection, known, at))
    known.received = connection.receivedTextFrames
    known.drops = connection.queueDrops
    return said
  }
}

const well = (words: string): Said => ({ isTrouble: false, words })
const trouble = (words: string): Said => ({ isTrouble: true, words })

const unknown = (): Known => ({
  lifecycle: "ready",
  epoch: 0,
  stopReason: null,
  received: 0,
  drops: 0,
  burst: undefined
})

/** What the examples are known to do. */
const ENDS: ReadonlyMap<string, string> = new Map([
  ["builtin:demo.crash", "waited for what can never come: ended at once, starts again"],
  ["builtin:demo.loop", "looped for ever: stopped at its deadline"]
])

const ofLifecycle = ({ lastError, lifecycle, pluginRef, reportedStatus }: PluginStatus, known: Known): Array<Said> => {
  if (lifecycle === known.lifecycle) return []
  if (lifecycle === "restarting") {
    const tag = lastError?.tag ?? ""
    return [trouble(`${ENDS.get(pluginRef) ?? "crashed"} (${tag})`)]
  }
  if (lifecycle === "failed") return [trouble(`has failed (${lastError?.tag ?? "unknown"})`)]
  if (lifecycle !== "running" || known.epoch === 0) return []
  const count = typeof reportedStatus === "object" && reportedStatus !== null && "count" in reportedStatus
  return [well(count ? "runs again, and counts on from its last state" : "runs again")]
}

const ofConnection = ({ epoch, lastClose, state, stopReason, url }: ConnectionStatus, known: Known): Array<Said> => {
  const said: Array<Said> = []
  if (stopReason === "grant" && known.stopReason !== "grant") {
    said.push(trouble(`asks for ${url}: not granted, never dialled`))
  }
  if (state === "open" && epoch > known.epoch) {
    if (epoch === 1) said.push(well(`connected to ${url}`))
    else if (lastClose !== null && lastClose.code >= 4000) {
      said.push(well(`was closed by the gateway with ${lastClose.code}; connected again`))
    }
    known.epoch = epoch
  }
  known.stopReason = stopReason
  return said
}

const ofBurst = (connection: ConnectionStatus, known: Known, at: number): ReadonlyArray<Said> => {
  const { flow, queueDepth, queueDrops, receivedTextFrames } = connection
  if (queueDepth >= BURST_FROM && known.burst === undefined) {
    known.burst = {
      receivedBefore: known.received,
      dropsBefore: known.drops,
      began: at,
      most: 0,
      isPaused: false,
      isSliding: false,
      receivedLast: known.received
    }
  }
  const { burst } = known
  if (burst === undefined) return []
  burst.most = Math.max(burst.most, queueDepth)
  burst.isPaused ||= flow === "paused"
  burst.isSliding ||= flow === "sliding"
  const isOver = queueDepth === 0 && flow === "flowing" && burst.receivedLast === receivedTextFrames
  burst.receivedLast = receivedTextFrames
  if (!isOver) return []
  known.burst = undefined
  const drops = queueDrops - burst.dropsBefore
  const paused = burst.isSliding ? "reading paused, then slid" : burst.isPaused ? "reading paused" : "reading went on"
  return [
    {
      isTrouble: drops > 0,
      words:
        `${figure(receivedTextFrames - burst.receivedBefore)} messages at once: queue at ${figure(burst.most)}, ${paused}, ` +
        `${drops === 0 ? "none" : figure(drops)} dropped, in ${figure(at - burst.began)} ms`
    }
  ]
}

const figure = (count: number): string => count.toLocaleString("en-US")
