/**
 * The module `mooring/guest` as guests have it. What its functions take and
 * make is declared in `src/guest/index.ts`, which is published as types.
 */

/** How the module is imported. */
export const GUEST_MODULE = "mooring/guest"

/** Its text. What it makes are plain objects: a plugin may write them by hand just as well. */
export const GUEST_MODULE_TEXT = `
const { apply } = Reflect
const encode = btoa
const decode = atob
const Bytes = Uint8Array
const fromCharCode = String.fromCharCode
const charCodeAt = String.prototype.charCodeAt
const CHUNK = 4096
const { keys } = Object
const ENVELOPE = new Set(["command_id", "correlation_id", "source_event_id", "requested_at"])
const isOfEnvelope = ENVELOPE.has.bind(ENVELOPE)

export const toBase64 = (bytes) => {
  let text = ""
  for (let from = 0; from < bytes.length; from += CHUNK) text += apply(fromCharCode, null, bytes.subarray(from, from + CHUNK))
  return encode(text)
}

export const fromBase64 = (base64) => {
  const text = decode(base64)
  const bytes = new Bytes(text.length)
  for (let index = 0; index < text.length; index++) bytes[index] = apply(charCodeAt, text, [index])
  return bytes
}

const command = (kind, payload, options = {}) => {
  const made = { kind, payload }
  const given = keys(options)
  for (let index = 0; index < given.length; index++) {
    const key = given[index]
    ;(isOfEnvelope(key) ? made : payload)[key] = options[key]
  }
  return made
}

const destination = (to) => {
  if (typeof to === "string") return { url: to }
  const { source_id: id, payload } = to
  const url = payload?.url ?? id
  if (typeof url !== "string") throw new TypeError("the event comes from no connection: name a URL or an id")
  return { url }
}

const content = (data) => (typeof data === "string" ? { text: data } : { base64: toBase64(data) })

export const websocketSend = (to, data, options) =>
  command("websocket_send", { ...destination(to), ...content(data) }, options)
export const websocketClose = (to, options) => command("websocket_close", destination(to), options)
export const websocketReconnect = (to, options) => command("websocket_reconnect", destination(to), options)
export const timerSet = (name, options) => command("timer_set", { name }, options)
export const timerClear = (name) => command("timer_clear", { name })
export const statusUpdate = (update) => command("diagnostic_status_update", { ...update })
`
