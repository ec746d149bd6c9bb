// A feed of an exchange: it logs in with a signature, subscribes to order books,
// and notices where it has missed something.
//
// The host signs; the key never gets here. What the exchange wants to be sent as
// it is, the id of the key and a passphrase, are stand-ins, in whose place the
// host writes the values when the text leaves it.
import { hmac, timerSet, websocketReconnect, websocketSend } from "mooring/guest"

const LOGIN_WITHIN_MS = 10_000

let config
let secrets
let phase = "disconnected"
let isAnswered = true
/** By instrument: `{ seq, bids, asks }`, prices and sizes; undefined while a snapshot is waited for. */
const books = new Map()
const counts = { logins: 0, gaps: 0 }

export function start(given, context) {
  config = { ping_every_ms: 20_000, ...given }
  secrets = context.secrets
}

export function handleIngress(_name, event) {
  return { output_commands: commandsFor(event), status: { phase, ...counts, books: tops() } }
}

function commandsFor(event) {
  if (event.kind === "websocket_open") return opened(event)
  if (event.kind === "websocket_text") return received(event)
  if (event.kind === "timer") return due(event)
  // It is dialled again by itself, and what was missed meanwhile is in the next snapshot.
  if (event.kind === "websocket_close") {
    phase = "disconnected"
    books.clear()
  }
  return []
}

function opened(event) {
  phase = "logging in"
  isAnswered = true
  const timestamp = String(Math.floor(Date.now() / 1000))
  const login = {
    apiKey: secrets.api_key,
    passphrase: secrets.passphrase,
    timestamp,
    sign: hmac("signing_key", `${timestamp}GET/users/self/verify`, "sha256", "base64")
  }
  // Both timers end with this connection.
  const { url } = event.payload
  return [
    send(event, { op: "login", args: [login] }),
    timerSet("login", { after_ms: LOGIN_WITHIN_MS, url }),
    timerSet("ping", { after_ms: config.ping_every_ms, every_ms: config.ping_every_ms, url })
  ]
}

function due(event) {
  const isLate = event.payload.name === "login" ? phase === "logging in" : !isAnswered
  if (isLate) return [websocketReconnect(event)]
  if (event.payload.name === "login") return []
  isAnswered = false
  return [websocketSend(event, "ping")]
}

function received(event) {
  // The host had to drop something: nobody knows of which book.
  const missed = event.dropped_before > 0 && phase === "subscribed" ? resubscribe(event, config.instruments) : []
  return [...missed, ...message(event, event.payload.text)]
}

function message(event, text) {
  if (text === "pong") {
    isAnswered = true
    return []
  }
  const { action, arg, code, data, event: kind } = JSON.parse(text)
  if (kind === "login" && code === "0") {
    phase = "subscribed"
    counts.logins++
    return [subscription(event, "subscribe", config.instruments)]
  }
  // It closes the connection itself, and the host waits longer before each further dial.
  if (kind === "error") phase = `refused: ${code}`
  return arg?.channel === "books" && data !== undefined ? updated(event, arg.instId, action, data[0]) : []
}

function updated(event, instrument, action, { asks, bids, prevSeqId, seqId }) {
  const book = action === "snapshot" ? { seq: seqId, bids: new Map(), asks: new Map() } : books.get(instrument)
  // Updates of before, while a snapshot is on its way.
  if (book === undefined) return []
  if (action !== "snapshot" && prevSeqId !== book.seq) return resubscribe(event, [instrument])
  apply(book.bids, bids)
  apply(book.asks, asks)
  book.seq = seqId
  books.set(instrument, book)
  return []
}

/** A size of 0 takes a price away. */
function apply(side, changes) {
  for (const [price, size] of changes) {
    if (Number(size) === 0) side.delete(price)
    else side.set(price, size)
  }
}

/** There is a gap: what was known isn't any more, and a new subscription begins with a snapshot. */
function resubscribe(event, instruments) {
  counts.gaps++
  for (const instrument of instruments) books.delete(instrument)
  return [subscription(event, "unsubscribe", instruments), subscription(event, "subscribe", instruments)]
}

const subscription = (event, op, instruments) =>
  send(event, { op, args: instruments.map((instId) => ({ channel: "books", instId })) })

const send = (event, value) => websocketSend(event, JSON.stringify(value))

/** The best prices of each book, null where it isn't whole; in the order of the configuration, whose texts the status masks. */
const tops = () => config.instruments.map((instrument) => top(books.get(instrument)))

const top = (book) =>
  book === undefined
    ? null
    : {
        seq: book.seq,
        bid: Math.max(...[...book.bids.keys()].map(Number)),
        ask: Math.min(...[...book.asks.keys()].map(Number))
      }
