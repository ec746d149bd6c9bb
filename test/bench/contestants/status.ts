/** What it costs to ask a host of many plugins for its status again and again. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HostStatus, PluginHost } from "mooring"
import { urlsOf } from "./bare.ts"
import * as Clock from "./clock.ts"
import type { Given } from "./contestant.ts"
import { ignore, runPlugins, shared } from "./hosted.ts"

const PER_SECOND = 10
/** What is compared takes turns: a host calms down for a while after it has opened so much. */
const TURNS = 4
const SETTLE_MS = 500

/** CPU in parts of a core while this is done ten times a second. */
const shareOf = (work: Effect.Effect<unknown>, forMs: number) =>
  Effect.gen(function* () {
    const [cpu, from] = [process.cpuUsage(), performance.now()]
    for (let next = from; next < from + forMs; next += 1000 / PER_SECOND) {
      yield* work
      yield* Effect.sleep(Math.max(0, next + 1000 / PER_SECOND - performance.now()))
    }
    const { system, user } = process.cpuUsage(cpu)
    return (system + user) / 1000 / (performance.now() - from)
  })

export const status = (given: Given): void => {
  const { connections, forMs = 600, plugins = 1, port } = given
  let open = 0
  const allOpen = Promise.withResolvers<void>()
  const handlers = {
    ...ignore,
    websocket_open: () => {
      if (++open === connections) allOpen.resolve()
      return Exit.void
    }
  }
  const program = Effect.gen(function* () {
    const host = yield* PluginHost.PluginHost
    yield* Effect.promise(() => allOpen.promise)
    const written = Effect.map(host.status, (read) => JSON.stringify(HostStatus.encode(read)).length)
    // Code is compiled first, and what opening left behind is collected.
    for (let times = 0; times < PER_SECOND; times++) yield* Effect.andThen(host.status, written)
    globalThis.gc?.()
    yield* Effect.sleep(SETTLE_MS)
    const shares = { idle: 0, read: 0, written: 0 }
    for (let turn = 0; turn < TURNS; turn++) {
      shares.idle += (yield* shareOf(Effect.void, forMs)) / TURNS
      shares.read += (yield* shareOf(host.status, forMs)) / TURNS
      shares.written += (yield* shareOf(written, forMs)) / TURNS
    }
    const { idle, read, written: asText } = shares
    Clock.report({ idle, read: read - idle, written: asText - idle, bytes: yield* written })
  })
  runPlugins(port, shared(urlsOf(given, "/idle"), plugins, handlers), program)
}
