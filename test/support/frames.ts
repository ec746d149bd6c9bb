/** What tests say in texts and in binary frames alike, so that what holds for the one is shown for the other, too. */
import type { IngressEvent } from "mooring"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A text as one frame or the other. */
export const frameOf = (text: string, isBinary: boolean): string | Uint8Array =>
  isBinary ? encoder.encode(text) : text

/** What was said in either; undefined in an event that is neither. */
export const saidIn = (event: IngressEvent.IngressEvent): string | undefined => {
  if (event.kind === "websocket_text") return event.text
  return event.kind === "websocket_binary" ? decoder.decode(event.bytes) : undefined
}

/** Every kind that the host makes of a connection, binary frames among them. */
export const EVENT_KINDS = [
  "websocket_open",
  "websocket_text",
  "websocket_binary",
  "websocket_close",
  "websocket_error"
] as const
