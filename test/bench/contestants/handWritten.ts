/** What people write who want more than bare `ws`, each as the documentation of its libraries suggests. */
import * as NodeWS from "@effect/platform-node/NodeWS"
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import { EventEmitter } from "node:events"
import { WebSocket } from "ws"
import * as Bare from "./bare.ts"
import * as Clock from "./clock.ts"
import type { Given } from "./contestant.ts"

type Listen = (url: string, tick: () => void) => void

/** Runs it over each connection. */
const flooded = (given: Given, listen: Listen) => {
  const clock = Clock.make(given.frames)
  for (const url of Bare.urlsOf(given, "/flood")) listen(url, clock.tick)
  return clock.done.then(Clock.report)
}

/** A handler that may wait for something, and here doesn't have to. */
const handling = (tick: () => void) => async (text: string) => {
  const length = await Promise.resolve(text.length)
  if (length > 0) tick()
}

/** An array as queue, and one loop that empties it. */
export const array = (given: Given) =>
  flooded(given, (url, tick) => {
    let texts: Array<string> = []
    let wake: (() => void) | undefined
    const handle = handling(tick)
    const loop = async () => {
      while (true) {
        const batch = texts
        texts = []
        for (const text of batch) await handle(text)
        if (texts.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      }
    }
    void loop()
    Bare.open(url, (text) => {
      texts.push(text)
      wake?.()
    })
  })

/** An emitter between the socket and its listeners, and a queue that runs one at a time. */
export const pQueue = async (given: Given) => {
  const { default: PQueue } = await import("p-queue")
  return flooded(given, (url, tick) => {
    const events = new EventEmitter()
    const queue = new PQueue({ concurrency: 1 })
    const handle = handling(tick)
    events.on("text", (text: string) => void queue.add(() => handle(text)))
    Bare.open(url, (text) => events.emit("text", text))
  })
}

/** A socket that reconnects by itself. */
export const partysocket = async (given: Given) => {
  const { WebSocket: ReconnectingWebSocket } = await import("partysocket")
  return flooded(given, (url, tick) => {
    const handle = handling(tick)
    const ws = new ReconnectingWebSocket(url, [], { WebSocket })
    ws.addEventListener("message", ({ data }) => void handle(String(data)))
  })
}

/** Effect's own socket and its reader of texts. */
export const effectSocket = (given: Given) =>
  flooded(given, (url, tick) => {
    const read = Effect.gen(function* () {
      const socket = yield* Socket.makeWebSocket(url)
      const pull = yield* Socket.readerString(socket)
      while (true) for (const _ of yield* pull) tick()
    })
    Effect.runFork(read.pipe(Effect.scoped, Effect.provide(NodeWS.layerWebSocketConstructor)))
  })
