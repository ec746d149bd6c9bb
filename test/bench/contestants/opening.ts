/** Many connections that stay idle: what they take to open, what each holds, what they take to close. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { WebSocket } from "ws"
import { AT_ONCE } from "../limits.ts"
import * as Bare from "./bare.ts"
import * as Clock from "./clock.ts"
import type { Given } from "./contestant.ts"
import { ignore, runPlugins } from "./hosted.ts"

const SETTLE_MS = 300
const COLLECTIONS = 3

/** What the process holds, garbage apart: of what it does meanwhile, as pinging them all, a part is garbage at once. */
const held = async () => {
  for (let times = 0; times < COLLECTIONS; times++) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    globalThis.gc?.()
  }
  return { rssKib: process.memoryUsage.rss() / 1024, heapKib: process.memoryUsage().heapUsed / 1024 }
}

const cpuMs = (since?: NodeJS.CpuUsage): number => {
  const { system, user } = process.cpuUsage(since)
  return (system + user) / 1000
}

/** Opens them, waits, and closes them again where that is asked for. */
const opening = async ({ closes = false }: Given, open: () => Promise<() => Promise<void>>): Promise<void> => {
  const from = { at: performance.now(), cpu: process.cpuUsage() }
  const close = await open()
  const [openMs, openCpuMs] = [performance.now() - from.at, cpuMs(from.cpu)]
  const holds = await held()
  if (!closes) return Clock.report({ openMs, openCpuMs, ...holds })
  const closesAt = performance.now()
  await close()
  Clock.report({ openMs, openCpuMs, ...holds, closeMs: performance.now() - closesAt })
}

export const bare = (given: Given): Promise<void> =>
  opening(given, async () => {
    const sockets: Array<WebSocket> = []
    const dialling = Bare.urlsOf(given, "/idle").values()
    const dial = async () => {
      for (const url of dialling) {
        const ws = Bare.open(url, () => {})
        await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject))
        sockets.push(ws)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, dial))
    return async () => {
      await Promise.all(
        sockets.map((ws) => {
          const closed = new Promise((resolve) => ws.once("close", resolve))
          ws.close(1001)
          return closed
        })
      )
    }
  })

export const hosted = (given: Given): Promise<void> =>
  opening(given, async () => {
    let open = 0
    const allOpen = Promise.withResolvers<void>()
    const handlers = {
      ...ignore,
      websocket_open: () => {
        if (++open === given.connections) allOpen.resolve()
        return Exit.void
      }
    }
    const plugins = [{ name: "many", urls: Bare.urlsOf(given, "/idle"), handlers }]
    const fiber = runPlugins(given.port, plugins)
    await allOpen.promise
    return async () => {
      await Effect.runPromise(Fiber.interrupt(fiber))
    }
  })

/** What a process holds that has only loaded the code, and a host without plugins. */
export const nothing = async (given: Given): Promise<void> => {
  if (given.plugins !== undefined) runPlugins(given.port, [])
  Clock.report(await held())
}
