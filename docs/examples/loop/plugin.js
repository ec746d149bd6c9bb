let handled = 0

/** On a word of the gateway it never returns: the host ends it at its deadline and starts another instance. */
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  while (event.payload.text === "loop");
  handled++
  return { status: { handled } }
}
