/**
 * What a server may write, well-formed or not, for tests that compare who reads
 * it: by name, so that a stream that is told of can be read.
 */
import type * as Arbitrary from "effect/Arbitrary"
import { COMPRESSED, COMPRESSED_NOT_LAST, deflated } from "../../integration/support/deflate.ts"
import { either, int, list, oneOf } from "../../support/arbitraries.ts"
import * as Servers from "../../support/servers.ts"

const { CLOSE, CONTINUATION, PING, TEXT, frame } = Servers
const BINARY = 2
const PONG = 10
const NOT_LAST = 0

export const LIMITS = { bytes: 70_000, fragments: 8 }

/** A message in so many fragments, with a ping after the first where there is room for one. */
export const message = (opcode: number, payload: Buffer, fragments: number, ping: boolean): Buffer => {
  const size = Math.ceil(payload.length / fragments)
  const frames = Array.from({ length: fragments }, (_, nth) =>
    frame(
      nth === 0 ? opcode : CONTINUATION,
      payload.subarray(nth * size, (nth + 1) * size),
      nth === fragments - 1 ? undefined : NOT_LAST
    )
  )
  if (ping && fragments > 1) frames.splice(1, 0, frame(PING, "between"))
  return Buffer.concat(frames)
}

const hex = (digits: string) => Buffer.from(digits.replaceAll(" ", ""), "hex")
const filled = (bytes: number) => Buffer.alloc(bytes, "abcdefg")

type Piece = readonly [name: string, bytes: Buffer]

const texts: ReadonlyArray<Piece> = [
  ...["", "a", "hello", "grüße", "\u{1f30a}", "\ufffd", "\ufeffx", "\u0000"].map((word): Piece => [
    `text ${JSON.stringify(word)}`,
    Servers.text(word)
  ]),
  ...[125, 126, 127, 300, 65_535, 65_536, LIMITS.bytes].map((bytes): Piece => [
    `text of ${bytes}`,
    frame(TEXT, filled(bytes))
  ]),
  ["text of 150, not ASCII", Servers.text("\u20ac".repeat(50))],
  ["text with a length of 16 bits that needs 7", hex("81 7e 0001 61")],
  ["text with a length of 64 bits that needs 7", hex("81 7f 0000000000000001 61")]
]

const others: ReadonlyArray<Piece> = [
  ...[0, 1, 125].flatMap((bytes): ReadonlyArray<Piece> => [
    [`ping of ${bytes}`, frame(PING, filled(bytes))],
    [`pong of ${bytes}`, frame(PONG, filled(bytes))]
  ]),
  ...[0, 1, 3, 126, 400, 66_000].flatMap((bytes) =>
    [1, 2, 3, LIMITS.fragments].flatMap((fragments) =>
      [false, true].flatMap((ping): ReadonlyArray<Piece> => {
        const how = `of ${bytes} in ${fragments}${ping ? " and a ping" : ""}`
        return [
          [`text ${how}`, message(TEXT, filled(bytes), fragments, ping)],
          [`binary ${how}`, message(BINARY, filled(bytes), fragments, ping)]
        ]
      })
    )
  )
]

/** Some of it may be fine where it comes. */
const odd: ReadonlyArray<Piece> = [
  ["nothing odd", Buffer.alloc(0)],
  ["close 1000", Servers.closeFrame(1000, "bye")],
  ["close without a code", frame(CLOSE)],
  ["close 1005", Servers.closeFrame(1005)],
  ["close with half a code", frame(CLOSE, hex("03"))],
  ["close that isn't UTF-8", frame(CLOSE, hex("03e8 ff"))],
  ...[4, 2, 1].flatMap((bits) =>
    [TEXT, BINARY, PING, CLOSE].map((opcode): Piece => [
      `reserved ${bits} of ${opcode}`,
      frame(opcode, "xy", 0x80 | (bits << 4))
    ])
  ),
  ["continuation of nothing", frame(CONTINUATION, "x")],
  ["text begun", frame(TEXT, "begun", NOT_LAST)],
  ["binary begun", frame(BINARY, "begun", NOT_LAST)],
  ...[3, 7, 11, 15].map((opcode): Piece => [`opcode ${opcode}`, frame(opcode, "unknown")]),
  ["ping cut", frame(PING, "cut", NOT_LAST)],
  ["ping of 126", frame(PING, filled(126))],
  ["text masked", hex("81 81 01020304 05")],
  ["ping masked", hex("89 80 01020304")],
  ...["c3", "eda080", "f4908080", "80", "c0af", "ff", "68c328", "efbfbdff"].flatMap((bytes): ReadonlyArray<Piece> => [
    [`text ${bytes}`, frame(TEXT, hex(bytes))],
    [`text ${bytes} in two`, message(TEXT, Buffer.concat([Buffer.from("ab"), hex(bytes)]), 2, true)]
  ]),
  ["text too long", frame(TEXT, filled(LIMITS.bytes + 1))],
  ["text too long in three", message(TEXT, filled(LIMITS.bytes + 1), 3, false)],
  ["text of too many fragments", message(TEXT, filled(LIMITS.fragments + 1), LIMITS.fragments + 1, true)],
  ["text of a length of 2^63", hex("81 7f 8000000000000000 01")],
  ["text of a length of 2^20", hex("81 7f 0000000000100000 01")],
  ["binary of a length of 2^53", hex("82 7f 0020000000000000 01")]
]

const deflatedText = deflated("hello ".repeat(200))

const compressed: ReadonlyArray<Piece> = [
  ["compressed text", frame(TEXT, deflatedText, COMPRESSED)],
  [
    "compressed text in two",
    Buffer.concat([
      frame(TEXT, deflatedText.subarray(0, 5), COMPRESSED_NOT_LAST),
      frame(CONTINUATION, deflatedText.subarray(5))
    ])
  ]
]

const ALL = new Map([...texts, ...others, ...odd, ...compressed])

const nameOf = (pieces: ReadonlyArray<Piece>): Arbitrary.Arbitrary<string> => {
  const [first = "", ...rest] = pieces.map(([name]) => name)
  return oneOf(first, ...rest)
}

/** Whole messages and control frames that nobody objects to; texts in one frame most of them. */
export const valid: Arbitrary.Arbitrary<string> = either(nameOf(texts), nameOf(texts), nameOf(others))

/** As these, and compressed ones. */
export const validOrCompressed: Arbitrary.Arbitrary<string> = either(valid, nameOf(compressed))

/** Bytes that end a connection, in one way or another, wherever they come; or that may be fine there. */
export const anyEnd: Arbitrary.Arbitrary<string> = nameOf(odd)

/** In reads of which sizes it comes, again and again. */
export const cuts: Arbitrary.Arbitrary<ReadonlyArray<number>> = either<ReadonlyArray<number>>(
  list(oneOf(100_000), 1, 1),
  list(int(20, 600), 1, 9),
  list(oneOf(2, 4, 10, 126, 130, 1400, 65_536), 1, 9)
)

export const streamOf = (names: ReadonlyArray<string>): Buffer =>
  Buffer.concat(names.map((name) => ALL.get(name) ?? Buffer.alloc(0)))
