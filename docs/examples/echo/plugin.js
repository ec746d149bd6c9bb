import { websocketSend } from "mooring/guest"

let answered = 0

/** Answers each tick of the gateway, and nothing else. */
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text" || event.payload.text !== "tick") return {}
  answered++
  return { status: { answered }, output_commands: [websocketSend(event, "tock")] }
}
