/**
 * The module `mooring/guest` as guests have it. What its functions take and
 * make is declared in `src/guest/index.ts`, which is published as types.
 */
import { MODULE_FUNCTIONS } from "./moduleFunctions.ts"
import { SIGN } from "./url.ts"

/** How the module is imported. */
export const GUEST_MODULE = "mooring/guest"

/**
 * Its text. What it makes are plain objects: a plugin may write them by hand just as well. It takes what it needs of the
 * globals when it begins, and from there the host's functions, which it leaves to nobody else.
 */
export const GUEST_MODULE_TEXT = `
const host = globalThis["${MODULE_FUNCTIONS}"]
delete globalThis["${MODULE_FUNCTIONS}"]
const { fromBase64: decode, hmac: hmacOf, sign: signatureOf, toBase64: encode } = host
const { apply, getOwnPropertyDescriptor, getPrototypeOf } = Reflect
const Bytes = Uint8Array
const Types = TypeError
const typed = getPrototypeOf(Bytes.prototype)
const tagOf = getOwnPropertyDescriptor(typed, Symbol.toStringTag).get
const bufferOf = getOwnPropertyDescriptor(typed, "buffer").get
const { keys } = Object
const ENVELOPE = new Set(["command_id", "correlation_id", "source_event_id", "requested_at"])
const isOfEnvelope = ENVELOPE.has.bind(ENVELOPE)

// Behind a sign, so that a text that got lost on its way isn't taken for another.
const text = (value) => {
  if (typeof value !== "string") throw new Types("expected a text")
  return "${SIGN}" + value
}

export const hmac = (name, said, algorithm, encoding) => hmacOf(text(name), text(said), text(algorithm), text(encoding))
export const sign = (name, said, encoding) => signatureOf(text(name), text(said), text(encoding))

export const toBase64 = (bytes) => {
  if (apply(tagOf, bytes, []) !== "Uint8Array") throw new Types("expected a Uint8Array")
  // A copy, for the bytes may be some of a buffer's, or of one that can shrink.
  return encode(apply(bufferOf, new Bytes(bytes), []))
}
export const fromBase64 = (base64) => new Bytes(decode(text(base64)))

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
export const request = (method, url, options) => command("host_request_dispatch", { method, url }, options)
`
