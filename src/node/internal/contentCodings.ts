/**
 * What a body is encoded with (RFC 9110, section 8.4), and its way back. All
 * codings are undone or none is: of a chain with one that nobody here knows, the
 * body stays as it came.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Zlib from "node:zlib"
import type { Headers } from "../../requests/RequestError.ts"
import { codeOf } from "./errorCode.ts"

type Coding = "gzip" | "deflate" | "br" | "zstd"

/** What is asked for. */
export const ACCEPTED = "gzip, deflate, br, zstd"

const KNOWN: ReadonlyMap<string, Coding | "identity"> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "br"],
  ["zstd", "zstd"],
  ["identity", "identity"]
] as const)

const MOST = 5
const MOST_FRAMES = 64
// RFC 9659 bounds the window that a decoder needs at 8 MiB; zstd's own bound is 128.
const ZSTD_WINDOW_LOG = 23
// The low half of the first byte of the zlib format: deflate (RFC 1950, section 2.2). No encoder begins a raw one so.
const ZLIB_METHOD = 0x08

const CODING = "content-encoding"
const LENGTH = "content-length"

/** Why a body isn't there: it would be longer than it may be, or it can't be decoded. */
export type Undecoded = { readonly kind: "too_large" } | { readonly kind: "broken"; readonly code: string }

/**
 * The codings in the order in which they were applied; undefined where the body is to stay as it came, for the headers
 * tell of none or of one that is unknown; the code where there are too many.
 */
export const codingsOf = (headers: Headers): Result.Result<ReadonlyArray<Coding> | undefined, string> => {
  const told = headers.filter(([name]) => name === CODING)
  if (told.length === 0) return Result.succeed(undefined)
  const names = told
    .flatMap(([, value]) => value.split(","))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "")
  const known = names.map((name) => KNOWN.get(name))
  if (known.includes(undefined)) return Result.succeed(undefined)
  return names.length > MOST
    ? Result.fail("TOO_MANY_CODINGS")
    : Result.succeed(known.filter((coding) => coding !== undefined && coding !== "identity"))
}

/** The headers of a body that was decoded: of its codings and its length on the wire nothing is left. */
export const decodedHeaders = (headers: Headers): Headers =>
  headers.filter(([name]) => name !== CODING && name !== LENGTH)

/**
 * How many bytes a body may have on the wire whose decoded ones are bounded. What
 * can't be compressed grows a little with each coding; a body that is longer than
 * that decodes to more, or to nothing that is worth waiting for.
 */
export const mostEncoded = (codings: ReadonlyArray<Coding>, mostBytes: number): number =>
  codings.length === 0 ? mostBytes : mostBytes + Math.ceil(mostBytes / 8) + 65_536

/** Undoes the codings, the last one first. No step makes more bytes than a body may have. */
export const decode = (
  body: Uint8Array,
  codings: ReadonlyArray<Coding>,
  mostBytes: number
): Effect.Effect<Uint8Array, Undecoded> => {
  const left = codings.slice(0, -1)
  const coding = codings.at(-1)
  // What has no bytes has none to decode, whatever its header says.
  if (coding === undefined || body.length === 0) return Effect.succeed(body)
  return Effect.flatMap(undo(coding, body, mostEncoded(left, mostBytes)), (decoded) => decode(decoded, left, mostBytes))
}

const undo = (coding: Coding, body: Uint8Array, mostBytes: number): Effect.Effect<Uint8Array, Undecoded> =>
  coding === "zstd" ? frames(body, mostBytes) : Effect.map(step(coding, body, mostBytes), ({ buffer }) => buffer)

/** Several frames may follow each other (RFC 8878, section 3); Node reads one. Each costs a decoder of its own. */
const frames = (body: Uint8Array, mostBytes: number): Effect.Effect<Uint8Array, Undecoded> =>
  Effect.gen(function* () {
    const decoded: Array<Uint8Array> = []
    let length = 0
    for (let at = 0; at < body.length;) {
      if (decoded.length === MOST_FRAMES) return yield* Effect.fail(broken("TOO_MANY_FRAMES"))
      const { buffer, read } = yield* step("zstd", body.subarray(at), mostBytes - length)
      decoded.push(buffer)
      length += buffer.length
      at += read
    }
    return Buffer.concat(decoded)
  })

interface Step {
  readonly buffer: Uint8Array
  /** How many bytes it was made of. */
  readonly read: number
}

const step = (coding: Coding, body: Uint8Array, mostBytes: number): Effect.Effect<Step, Undecoded> =>
  Effect.callback((resume) => {
    // Node takes no bound of 0.
    const options = { maxOutputLength: Math.max(1, mostBytes), info: true }
    const done = (error: Error | null, result: unknown) => {
      if (error !== null) return resume(Effect.fail(undecoded(codeOf(error))))
      // With `info` it is an object that the types don't know.
      const { buffer, engine } = result as {
        readonly buffer: Buffer
        readonly engine: { readonly bytesWritten: number }
      }
      resume(buffer.length > mostBytes ? Effect.fail(TOO_LARGE) : Effect.succeed({ buffer, read: engine.bytesWritten }))
    }
    switch (coding) {
      case "gzip":
        return Zlib.gunzip(body, options, done)
      case "deflate":
        return (((body[0] ?? 0) & 0x0f) === ZLIB_METHOD ? Zlib.inflate : Zlib.inflateRaw)(body, options, done)
      case "br":
        return Zlib.brotliDecompress(body, options, done)
      case "zstd": {
        const params = { [Zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG }
        return Zlib.zstdDecompress(body, { ...options, params }, done)
      }
    }
  })

const TOO_LARGE: Undecoded = { kind: "too_large" }

const broken = (code: string): Undecoded => ({ kind: "broken", code })

const undecoded = (code: string): Undecoded => (code === "ERR_BUFFER_TOO_LARGE" ? TOO_LARGE : broken(code))
