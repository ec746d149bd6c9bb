import { timerSet, websocketSend } from "mooring/guest"

const HEARTBEAT_MS = 30_000

let greeting = "hello"
let seen = 0

// `state` is what the instance before this one handed over last.
export function start(config, { state }) {
  if (typeof config.greeting === "string") greeting = config.greeting
  if (typeof state === "number") seen = state
}

export function handleIngress(name, event) {
  switch (event.kind) {
    case "websocket_open": {
      const beat = { after_ms: HEARTBEAT_MS, every_ms: HEARTBEAT_MS, url: event.payload.url }
      return { output_commands: [websocketSend(event, greeting), timerSet("heartbeat", beat)] }
    }
    case "timer":
      return { output_commands: [websocketSend(event, `still here at ${new Date().toISOString()}`)] }
    case "websocket_text": {
      const { about, ask } = JSON.parse(event.payload.text)
      if (ask !== undefined) return { output_commands: [websocketSend(event, `${seen} of ${ask}`)] }
      if (about !== "the weather") seen++
      return { state: seen, status: { seen } }
    }
    default:
      return {}
  }
}
