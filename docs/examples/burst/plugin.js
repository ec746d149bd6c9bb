let seen = 0

/** Counts. The host pauses the socket while more waits than this handles, so nothing is lost. */
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  seen++
  return { status: { seen } }
}
