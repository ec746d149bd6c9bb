/**
 * Where the bytes of an open `ws` socket are caught before they are parsed, and
 * counted. It is inside of `ws`, so another runtime's version of it may not
 * have it: there the library reads by itself, and its frames are counted.
 */
import { Writable } from "node:stream"
import type { WebSocket } from "ws"
import { FrameCollector, type MessageLimits } from "./frameCollector.ts"

/** Lets the receiver of an open socket see whole messages only, and tells how many bytes each read brings. */
export const collectFrames = (ws: WebSocket, limits: MessageLimits, received: (bytes: number) => void): void => {
  const receiver: unknown = Reflect.get(ws, "_receiver")
  if (!(receiver instanceof Writable)) {
    for (const kind of ["message", "ping", "pong"]) ws.on(kind, (data: Buffer) => received(data.length))
    return
  }
  const write = receiver.write.bind(receiver)
  const collector = new FrameCollector(limits, (bytes) => write(bytes))
  Reflect.set(receiver, "write", (read: Buffer) => {
    received(read.length)
    return collector.take(read)
  })
}
