/**
 * Whether the peer of an open connection is still there, found out by pings.
 * Pure: time and figures come in as facts, what is to be done comes out.
 *
 * Two clocks run, both from the moment in which a ping is written, and both
 * only while the socket is read. *Silent*: not one byte was read for the pong
 * deadline after a ping; bytes, not frames, for a large text on a slow line is
 * life. *Unanswered*: a ping is out for three intervals though this connection
 * answered one before, as behind a dead way out beside a lively way in. No
 * further ping and no frame moves a deadline.
 *
 * @since 0.3.0
 */

/**
 * The host's `ping_interval_ms` and `pong_deadline_ms`.
 *
 * @category models
 * @since 0.3.0
 */
export interface Settings {
  readonly intervalMs: number
  readonly deadlineMs: number
}

/**
 * What is known at some time. `now` is milliseconds of time that was had: while
 * the process stood still there was none; `heardMs` is what of it, since the
 * open, the socket was read. `bytesWritten` and `framesWritten` are what the
 * socket was handed.
 *
 * @category models
 * @since 0.3.0
 */
export interface Facts {
  readonly now: number
  readonly heardMs: number
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly framesWritten: number
}

/** A ping, and what was handed to the socket before it. */
interface Ping {
  readonly number: number
  readonly bytes: number
  readonly frames: number
}

interface Written extends Ping {
  readonly at: number
  readonly heardAt: number
}

/**
 * Immutable.
 *
 * @category models
 * @since 0.3.0
 */
export interface State {
  /** When the next ping is due, and the time from which the intervals count. */
  readonly pingAt: number
  readonly phase: number
  /** The number of the last ping. */
  readonly number: number
  /** It waits to be written. */
  readonly waiting: Ping | null
  /** Written and not answered, the oldest first. */
  readonly out: ReadonlyArray<Written>
  /** The last ping that was answered: its number, and the bytes before it. */
  readonly answered: { readonly number: number; readonly bytes: number } | null
  /** Runs while not one byte is read: how many there were then, and how much may be heard until it is over. */
  readonly silence: { readonly bytesRead: number; readonly until: number; readonly afterMs: number } | null
}

/**
 * What there is to do.
 *
 * @category models
 * @since 0.3.0
 */
export type Verdict =
  | { readonly kind: "nothing" }
  | { readonly kind: "ping"; readonly number: number }
  | { readonly kind: "timedOut"; readonly what: "silent" | "unanswered"; readonly afterMs: number }

/**
 * What a pong tells: frames up to this one have arrived, and how long it took,
 * null where its ping was forgotten.
 *
 * @category models
 * @since 0.3.0
 */
export interface Answer {
  readonly frames: number
  readonly roundTripMs: number | null
}

const FIRST_MS = 1000
const SPREAD_MS = 1000
// What may still wait in the system's buffer, and how much longer it may take on a slow line.
const QUEUED_BYTES = 16_384
const QUEUED_TIMES = 6
const UNANSWERED_INTERVALS = 3
// A peer that answers none, and a socket that is paused for hours, have no more of them out.
const MOST_OUT = 32
const MOST_DIGITS = 16

const NOTHING: Verdict = { kind: "nothing" }

/**
 * The socket is open and read. The first ping goes out about a second later,
 * `random` (in [0, 1)) decides when exactly.
 *
 * @category constructors
 * @since 0.3.0
 */
export const opened = ({ intervalMs }: Settings, now: number, random: number): State => {
  // A whole number, so that its multiples of the interval are never rounded down to what has been.
  const pingAt = Math.ceil(now + Math.min(FIRST_MS, intervalMs) * (0.5 + random))
  return { pingAt, phase: pingAt, number: 0, waiting: null, out: [], answered: null, silence: null }
}

/** For how long a ping may be out: whoever answers within the pong deadline is in time, however short the intervals are. */
const patienceMs = ({ deadlineMs, intervalMs }: Settings): number =>
  Math.max(UNANSWERED_INTERVALS * intervalMs, deadlineMs)

/** How much may be heard until the oldest ping has been out for too long. */
const overdueAt = ({ answered, out }: State, settings: Settings): number =>
  answered === null || out[0] === undefined ? Infinity : out[0].heardAt + patienceMs(settings)

/**
 * How long {@link due} has nothing to do, in milliseconds of time that is had,
 * if the socket is read, or isn't, all the while.
 *
 * @category getters
 * @since 0.3.0
 */
export const restMs = (
  state: State,
  settings: Settings,
  { heardMs, now }: Pick<Facts, "now" | "heardMs">,
  isRead: boolean
): number => {
  const listeningMs = Math.min(state.silence?.until ?? Infinity, overdueAt(state, settings)) - heardMs
  return Math.max(0, Math.min(state.pingAt - now, isRead ? listeningMs : Infinity))
}

/**
 * Does what is due. After `ping` the ping is to be handed to the socket, once
 * this state is the present one.
 *
 * @category transitions
 * @since 0.3.0
 */
export const due = (state: State, settings: Settings, facts: Facts): readonly [State, Verdict] => {
  const silence = state.silence?.bytesRead === facts.bytesRead ? state.silence : null
  if (silence !== null && facts.heardMs >= silence.until) {
    return [state, { kind: "timedOut", what: "silent", afterMs: silence.afterMs }]
  }
  if (facts.heardMs >= overdueAt(state, settings)) {
    return [state, { kind: "timedOut", what: "unanswered", afterMs: patienceMs(settings) }]
  }
  const lives: State = { ...state, silence }
  return facts.now < state.pingAt ? [lives, NOTHING] : pinged(lives, settings, facts)
}

const pinged = (state: State, { intervalMs }: Settings, facts: Facts): readonly [State, Verdict] => {
  const { bytesWritten: bytes, framesWritten: frames, now } = facts
  // The phase stays, so that what a standstill brings together doesn't stay together.
  const pingAt = state.phase + (Math.floor((now - state.phase) / intervalMs) + 1) * intervalMs
  if (state.waiting !== null) return [{ ...state, pingAt }, NOTHING]
  const number = state.number + 1
  return [
    { ...state, pingAt, number, waiting: { number, bytes, frames } },
    { kind: "ping", number }
  ]
}

/**
 * The ping of this number was written: its clocks begin.
 *
 * @category transitions
 * @since 0.3.0
 */
export const written = (state: State, { deadlineMs }: Settings, number: number, facts: Facts): State => {
  const { answered, out, waiting } = state
  if (waiting === null || waiting.number !== number) return state
  // The oldest has the unanswered clock; what is forgotten beside it is answered together with one before it.
  const kept = out.length < MOST_OUT ? out : [...out.slice(0, 1), ...out.slice(2)]
  const isQueued = waiting.bytes - (answered?.bytes ?? 0) > QUEUED_BYTES
  const afterMs = isQueued ? QUEUED_TIMES * deadlineMs : deadlineMs
  const { bytesRead, heardMs: heardAt, now: at } = facts
  const isSilent = state.silence?.bytesRead === bytesRead
  return {
    ...state,
    waiting: null,
    out: [...kept, { ...waiting, at, heardAt }],
    silence: isSilent ? state.silence : { bytesRead, until: heardAt + afterMs, afterMs }
  }
}

/**
 * A pong came with the number of a ping, null where it is none: it answers that
 * one and every earlier one (RFC 6455, section 5.5.3) if that is out, and
 * nothing otherwise.
 *
 * @category transitions
 * @since 0.3.0
 */
export const pong = (state: State, number: number | null, now: number): readonly [State, Answer | null] => {
  const { answered, out } = state
  const last = out.at(-1)
  if (number === null || last === undefined || number > last.number || number <= (answered?.number ?? 0)) {
    return [state, null]
  }
  const ping = out.findLast((earlier) => earlier.number <= number)
  if (ping === undefined) return [state, null]
  return [
    {
      ...state,
      answered: { number, bytes: ping.bytes },
      out: out.filter((later) => later.number > number),
      silence: null
    },
    { frames: ping.frames, roundTripMs: ping.number === number ? now - ping.at : null }
  ]
}

/**
 * The process stood still: a ping goes out within a second.
 *
 * @category transitions
 * @since 0.3.0
 */
export const stoodStill = (state: State, now: number, random: number): State => ({
  ...state,
  pingAt: Math.min(state.pingAt, now + random * SPREAD_MS)
})

const utf8 = new TextEncoder()
const ascii = new TextDecoder("latin1")

/**
 * The payload of a ping: its number in decimal digits.
 *
 * @category payloads
 * @since 0.3.0
 */
export const payload = (number: number): Uint8Array => utf8.encode(String(number))

/**
 * The number that a pong's payload is; null if it is none of ours.
 *
 * @category payloads
 * @since 0.3.0
 */
export const numberOf = (data: Uint8Array): number | null => {
  if (data.length === 0 || data.length > MOST_DIGITS) return null
  const text = ascii.decode(data)
  return /^[1-9][0-9]*$/.test(text) ? Number(text) : null
}
