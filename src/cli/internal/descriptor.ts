/**
 * Writing to stdout and stderr such that nobody who reads them, or doesn't, can
 * hold up the program: what isn't taken now is tried again later, in order.
 *
 * Node writes to a terminal synchronously, and a terminal that is stopped
 * (Ctrl-S) would stop the event loop; a pipe it makes non-blocking for every
 * process that has it. So both are opened anew, which leaves the descriptor of
 * whoever started the program as it was.
 */
import * as fs from "node:fs"
import type { Writable } from "node:stream"
import * as tty from "node:tty"

type Failure = NodeJS.ErrnoException | null

/** Told how many bytes were taken, or why none ever will be. */
type Taken = (error: Failure, count: number) => void

type Sink = (bytes: Uint8Array, taken: Taken) => void

export interface Descriptor {
  /** Writes a text after everything that was given before; `done` is told the error if it can't be written. */
  readonly write: (text: string, done: (error: Failure) => void) => void
  /** How many bytes were ever taken: where this grows somebody reads. */
  readonly taken: () => number
  /**
   * Writes what waits, as far as it is taken within so many attempts that were for nothing, while everybody waits: for
   * the moment before the process ends, so that a text of which a part was written doesn't end in the middle.
   */
  readonly finish: (attempts: number) => void
}

const FIRST_RETRY_MS = 5
const LAST_RETRY_MS = 100
const SLICE = 16_384

/** A queue before a sink. */
export const make = (sink: Sink): Descriptor => {
  const waiting: Array<{ bytes: Uint8Array; readonly done: (error: Failure) => void }> = []
  let total = 0
  let delay = FIRST_RETRY_MS
  let isAsked = false

  const next = () => {
    const [first] = waiting
    if (first === undefined || isAsked) return
    isAsked = true
    sink(first.bytes, (error, count) => {
      isAsked = false
      total += count
      first.bytes = first.bytes.subarray(count)
      if (error === null) {
        delay = count > 0 ? FIRST_RETRY_MS : Math.min(2 * delay, LAST_RETRY_MS)
        if (first.bytes.length > 0) return count > 0 ? next() : void setTimeout(next, delay)
      }
      // Still the first while its owner is told, who may give the next text at once.
      first.done(error)
      waiting.shift()
      next()
    })
  }

  const mayGoOn = () => waiting.length > 0 && !isAsked

  return {
    write: (text, done) => {
      waiting.push({ bytes: Buffer.from(text), done })
      if (waiting.length === 1) next()
    },
    taken: () => total,
    finish: (attempts) => {
      for (let left = attempts; mayGoOn();) {
        const before = total
        next()
        if (total > before || waiting.length === 0) continue
        if (left-- <= 0) return
        Atomics.wait(NOBODY, 0, 0, FIRST_RETRY_MS)
      }
    }
  }
}

/** Whom nobody wakes. */
const NOBODY = new Int32Array(new SharedArrayBuffer(4))

/** Writes at once what can be written at once. */
const toFile =
  (fd: number): Sink =>
  (bytes, taken) => {
    let count = 0
    try {
      count = bytes.length === 0 ? 0 : fs.writeSync(fd, bytes)
    } catch (cause) {
      const error: NodeJS.ErrnoException = cause instanceof Error ? cause : new Error(String(cause))
      return taken(error.code === "EAGAIN" || error.code === "EINTR" ? null : error, 0)
    }
    taken(null, count)
  }

/** A socket can't be opened anew; Node never blocks at one. Slice by slice, so that one can see it move. */
const toStream = (stream: Writable): Sink => {
  stream.on("error", () => {})
  return (bytes, taken) => {
    const slice = bytes.subarray(0, SLICE)
    stream.write(slice, (error) => (error ? taken(error, 0) : taken(null, slice.length)))
  }
}

/** What is opened: a descriptor, and Node's stream on it for where that can't be opened anew. */
export interface Target {
  readonly fd: number
  readonly stream: () => Writable
}

const opened = ({ fd, stream }: Target, stat: fs.Stats | undefined): Sink => {
  if (stat?.isSocket()) return toStream(stream())
  if (!stat?.isFIFO() && !tty.isatty(fd)) return toFile(fd)
  try {
    const { O_NOCTTY, O_NONBLOCK, O_WRONLY } = fs.constants
    return toFile(fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY))
  } catch (cause) {
    // A pipe without a reader says ENXIO, and writing to it EPIPE at once. Else there is no /proc, or it's another's.
    const gone = cause instanceof Error && "code" in cause && cause.code === "ENXIO"
    return stat?.isFIFO() && !gone ? toStream(stream()) : toFile(fd)
  }
}

const statOf = (fd: number): fs.Stats | undefined => {
  try {
    return fs.fstatSync(fd)
  } catch {
    return undefined
  }
}

/** Opens two: one queue where both are the same file, so that no line gets into the middle of another. */
export const open = (out: Target, error: Target): { readonly stdout: Descriptor; readonly stderr: Descriptor } => {
  const [first, second] = [statOf(out.fd), statOf(error.fd)]
  const stdout = make(opened(out, first))
  const same = first !== undefined && first.dev === second?.dev && first.ino === second.ino
  return { stdout, stderr: same ? stdout : make(opened(error, second)) }
}
