let count = 0

/** An instance begins with what the one before it handed over. */
export function start(config, { state }) {
  count = state ?? 0
  return { status: { count } }
}

/** Counts, and on a word of the gateway waits for what can never come: that ends its instance at once. */
export async function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  if (event.payload.text === "crash") await new Promise(() => {})
  count++
  return { state: count, status: { count } }
}
