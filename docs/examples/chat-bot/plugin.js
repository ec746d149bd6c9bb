// A chat bot: it reads a gateway over a WebSocket, and answers over HTTP.
//
// The token never gets here. What logs in is a stand-in, in whose place the host
// writes the token when the text leaves it; and the header that authorizes the
// requests stands in the operator's grant.
import { request, timerSet, websocketReconnect, websocketSend } from "mooring/guest"

const DISPATCH = 0
const HEARTBEAT = 1
const IDENTIFY = 2
const RESUME = 6
const RECONNECT = 7
const INVALID_SESSION = 9
const HELLO = 10
const HEARTBEAT_ACK = 11

/** Invalid sequence, session timed out: there is nothing to resume. */
const NOT_RESUMABLE = [4007, 4009]
const KEEPS_SESSION = 4000

/** How long to wait where nobody says how long, and at least: the host's timers take no less. */
const UNSAID_MS = 1000
const SHORTEST_MS = 100
const MOST_TRIES = 5
const MOST_WAITING = 50

let config
let token
/** `{ id, url, seq }`: what it takes to resume. */
let session = null
let isAcknowledged = true
/** Messages that nobody has taken yet, the oldest first: `{ channel, content, nonce, tries }`. */
let outbox = []
/** The nonce of the message that is on its way: one at a time. */
let posting = null
/** Until when nothing is posted, in all channels ("") or in one. */
const pausedUntil = new Map()
const counts = { identified: 0, resumed: 0, posted: 0, limited: 0, given_up: 0 }

export function start(given, { secrets, state }) {
  config = given
  token = secrets.token
  session = state?.session ?? null
  outbox = state?.outbox ?? []
}

export function handleIngress(_name, event) {
  const output_commands = commandsFor(event)
  return { output_commands, state: { session, outbox }, status: { ...counts, waiting: outbox.length } }
}

function commandsFor(event) {
  const { kind, payload } = event
  if (kind === "websocket_text") return received(event, JSON.parse(payload.text))
  if (kind === "websocket_error") return elsewhere(event, null)
  if (kind === "websocket_close") return closed(event)
  if (kind === "host_response") return answered(payload)
  if (kind === "command_result") return refused(payload)
  if (kind === "timer") return payload.name === "heartbeat" ? heartbeatDue(event) : post()
  return []
}

// The gateway.

function received(event, { op, d, s, t }) {
  if (op === HELLO) return hello(event, d.heartbeat_interval)
  if (op === HEARTBEAT) return [heartbeat(event)]
  if (op === RECONNECT) return again(event)
  if (op === HEARTBEAT_ACK) isAcknowledged = true
  if (op === INVALID_SESSION) {
    if (d !== true) session = null
    return again(event)
  }
  return op === DISPATCH ? dispatched(s, t, d) : []
}

function hello(event, interval) {
  isAcknowledged = true
  // The first one after a part of the interval, so that not all bots send theirs at once.
  const after_ms = Math.max(SHORTEST_MS, Math.round(interval * Math.random()))
  const login =
    session === null
      ? { op: IDENTIFY, d: { token, intents: config.intents, properties: { os: "linux", browser: "mooring" } } }
      : { op: RESUME, d: { token, session_id: session.id, seq: session.seq } }
  return [
    websocketSend(event, JSON.stringify(login)),
    // It ends with this connection.
    timerSet("heartbeat", { after_ms, every_ms: Math.max(1000, interval), url: event.payload.url })
  ]
}

function heartbeatDue(event) {
  // Nobody is there: what isn't answered by the time of the next one never will be.
  if (!isAcknowledged) return again(event)
  isAcknowledged = false
  return [heartbeat(event)]
}

const heartbeat = (event) => websocketSend(event, JSON.stringify({ op: HEARTBEAT, d: session?.seq ?? null }))

function dispatched(seq, type, d) {
  if (type === "READY") {
    session = { id: d.session_id, url: d.resume_gateway_url, seq }
    counts.identified++
  }
  if (type === "RESUMED") counts.resumed++
  if (session !== null) session.seq = seq ?? session.seq
  if (type === "MESSAGE_CREATE" && d.content === "!ping") {
    outbox.push({ channel: d.channel_id, content: "pong", nonce: d.id, tries: 0 })
    if (outbox.length > MOST_WAITING) giveUp(outbox[0].nonce)
  }
  // What an earlier instance left is posted as well.
  return post()
}

function closed(event) {
  const { code, will_reconnect } = event.payload
  if (!will_reconnect || NOT_RESUMABLE.includes(code)) session = null
  return will_reconnect ? elsewhere(event, session?.url ?? null) : []
}

/** Dials anew: where there is a session, at its URL. */
function again(event) {
  const here = websocketReconnect(event, { code: KEEPS_SESSION })
  return [here, ...elsewhere(event, session?.url ?? null)]
}

/** Where the next dial goes. It is the server's word: if no grant covers it, this command is rejected, and no other. */
const elsewhere = (event, dial_url) =>
  event.payload.will_reconnect === false ? [] : [websocketReconnect(event, { code: KEEPS_SESSION, dial_url })]

// The messages.

/** Posts the oldest message that may be posted now; comes back later where there are only others. */
function post() {
  if (posting !== null || outbox.length === 0) return []
  const now = Date.now()
  for (const [scope, until] of pausedUntil) if (until <= now) pausedUntil.delete(scope)
  const next = outbox.find((message) => dueAt(message) <= now)
  if (next === undefined) return [later(Math.min(...outbox.map(dueAt)) - now)]
  // By its nonce the server knows a message that it has been sent before.
  posting = next.nonce
  next.tries++
  const { channel, content, nonce } = next
  return [
    request("POST", `${config.api}/channels/${channel}/messages`, {
      command_id: `post-${nonce}`,
      headers: { "content-type": "application/json" },
      text: JSON.stringify({ content, nonce, enforce_nonce: true })
    })
  ]
}

/** When a message may be posted. */
const dueAt = ({ channel }) => Math.max(pausedUntil.get("") ?? 0, pausedUntil.get(channel) ?? 0)

const later = (ms) => timerSet("outbox", { after_ms: Math.max(SHORTEST_MS, Math.ceil(ms)) })

function answered({ command_id, error, headers = {}, status, text }) {
  // Also one that was asked for before this plugin was started anew.
  const message = outbox.find(({ nonce }) => command_id === `post-${nonce}`)
  posting = null
  if (message === undefined) return post()
  const retries = error !== undefined || status === 429 || status >= 500
  if (status === 429) {
    counts.limited++
    const { ms, scope } = limitOf(headers, text, message.channel)
    pausedUntil.set(scope, Date.now() + ms)
    // The host was told to wait, so that this was no try.
    message.tries--
  } else if (retries) {
    // Whether the server has seen it or not (`error.sent`): thanks to the nonce it can be sent again.
    pausedUntil.set(message.channel, Date.now() + UNSAID_MS * 2 ** message.tries)
  }
  if (!retries) {
    outbox = outbox.filter((other) => other !== message)
    if (status < 300) counts.posted++
    else counts.given_up++
  } else if (message.tries >= MOST_TRIES) giveUp(message.nonce)
  return post()
}

/** What a 429 says: for how long, and whether for one channel or for all. */
function limitOf(headers, text, channel) {
  // The body has fractions, the header seconds; what stands between bot and server may answer with a page, and say nothing.
  const body = parsed(text)
  const seconds = [body.retry_after, Number(headers["retry-after"])].find((each) => Number.isFinite(each))
  const isGlobal = headers["x-ratelimit-global"] === "true" || body.global === true || body === NOT_JSON
  return { ms: seconds === undefined ? UNSAID_MS : Math.ceil(seconds * 1000), scope: isGlobal ? "" : channel }
}

const NOT_JSON = {}

function parsed(text) {
  try {
    return JSON.parse(text) ?? NOT_JSON
  } catch {
    return NOT_JSON
  }
}

/** The host didn't take a request: there were more than the grant allows, or too many wait. */
function refused({ command_id, error, kind }) {
  if (kind !== "host_request_dispatch" || error === undefined) return []
  posting = null
  if (error.retry_after_ms === undefined) giveUp(command_id.slice("post-".length))
  else pausedUntil.set("", Date.now() + error.retry_after_ms)
  // What answers a result has no result itself, so the next request is left to a timer.
  return [later(error.retry_after_ms ?? SHORTEST_MS)]
}

function giveUp(nonce) {
  outbox = outbox.filter((message) => message.nonce !== nonce)
  counts.given_up++
}
