/**
 * Where the bytes of an open `ws` socket are caught before they are parsed. It
 * is inside of `ws`, so another runtime's version of it may not have it: there
 * the library reads by itself.
 */
import { Writable } from "node:stream"
import type { WebSocket } from "ws"
import { FrameCollector, type MessageLimits } from "./frameCollector.ts"

/** Lets the receiver of an open socket see whole messages only. */
export const collectFrames = (ws: WebSocket, limits: MessageLimits): void => {
  const receiver: unknown = Reflect.get(ws, "_receiver")
  if (!(receiver instanceof Writable)) return
  const write = receiver.write.bind(receiver)
  const collector = new FrameCollector(limits, (bytes) => write(bytes))
  Reflect.set(receiver, "write", collector.take)
}
