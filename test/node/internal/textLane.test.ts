import { assert, describe, it, vi } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { isUtf8 } from "node:buffer"
import * as Ws from "ws"
import { TextLane } from "../../../src/node/internal/textLane.ts"
import { CASES } from "../../integration/support/hostileFrames.ts"
import { bool, int, list, oneOf } from "../../support/arbitraries.ts"
import * as Servers from "../../support/servers.ts"
import { type Act, type Play, play, type Reader } from "../support/inMemory.ts"
import { bare, cut, inLane } from "../support/received.ts"
import * as Streams from "../support/streams.ts"
import { UTF8_CASES } from "../support/utf8Cases.ts"

const { LIMITS } = Streams

// The host reads at most about this in a turn, where `ws` reads on.
const PACED_FROM = 32_768

/** In reads of these sizes, but in hundreds of them at most. */
const readsOf = (stream: Buffer, sizes: ReadonlyArray<number>) =>
  cut(
    stream,
    sizes.map((size) => Math.max(size, stream.length >> 8))
  )

/** What is done at which of the texts, binary messages, pings and pongs. */
const acts = Arbitrary.map(
  list(Arbitrary.all({ at: int(0, 12), act: oneOf<Act>("pause", "pause", "send", "close", "terminate") }), 0, 3),
  (all) => new Map(all.map(({ act, at }) => [at, act]))
)

/** What became of bytes: the texts that were handed over, and what the receiver was given, in their order. */
const watched = (goesOn: (part: number) => boolean = () => true, refuses: (bytes: Buffer) => boolean = () => false) => {
  const told: Array<string> = []
  let parts = 0
  let hasRefused = false
  const rest = {
    take: (bytes: Buffer) => {
      told.push(`rest ${bytes.toString("hex")}`)
      hasRefused ||= refuses(bytes)
      return goesOn(parts++)
    },
    hasRefused: () => hasRefused
  }
  const lane = new TextLane(LIMITS.bytes, { text: (text, bytes) => void told.push(`text ${bytes} ${text}`) }, rest)
  return { lane, told }
}

const rest = (...bytes: ReadonlyArray<Buffer>) => `rest ${Buffer.concat(bytes).toString("hex")}`
const { CONTINUATION, PING, TEXT, closeFrame, frame, text } = Servers
const BINARY = 2
const PONG = 10
const NOT_LAST = 0

describe("the lane beside ws, alone", () => {
  it("takes whole texts and leaves the rest, each stretch of it in one piece, in the order in which they came", () => {
    const { lane, told } = watched()
    const message = [frame(TEXT, "be", NOT_LAST), frame(PING, "in"), frame(CONTINUATION, "gun")]
    lane.take(
      Buffer.concat([text("a"), frame(PING, "p"), frame(BINARY, "b"), text(""), text("grüße"), ...message, text("c")])
    )
    lane.take(frame(PONG))
    lane.take(text("x".repeat(200)))
    assert.deepStrictEqual(told, [
      "text 1 a",
      rest(frame(PING, "p"), frame(BINARY, "b")),
      "text 0 ",
      "text 7 grüße",
      rest(...message),
      "text 1 c",
      rest(frame(PONG)),
      `text 200 ${"x".repeat(200)}`
    ])
  })

  it("leaves texts to the receiver as long as a message goes on, whatever comes between", () => {
    const { lane, told } = watched()
    const parts = [frame(BINARY, "b", NOT_LAST), frame(PING), frame(CONTINUATION, "", NOT_LAST), frame(CONTINUATION)]
    for (const part of parts) lane.take(part)
    lane.take(text("after"))
    assert.deepStrictEqual(told, [...parts.map((part) => rest(part)), "text 5 after"])
    const begun = watched()
    begun.lane.take(Buffer.concat([frame(TEXT, "b", NOT_LAST), text("odd")]))
    begun.lane.take(text("late"))
    assert.deepStrictEqual(begun.told, [rest(frame(TEXT, "b", NOT_LAST), text("odd")), rest(text("late"))])
  })

  for (const [name, bytes] of [
    ["a close frame", closeFrame(1000)],
    ["a close frame without a code", frame(8)],
    ...[1, 2, 4].map((bits) => [`reserved bit ${bits}`, frame(TEXT, "r", 0x80 | (bits << 4))] as const),
    ["a mask", Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5])],
    ["a mask of a ping", Buffer.from([0x89, 0x80, 1, 2, 3, 4])],
    ["an unknown opcode", frame(3)],
    ["another unknown opcode", frame(11)],
    ["a cut ping", frame(PING, "c", NOT_LAST)],
    ["a ping that is too long", frame(PING, Buffer.alloc(126))],
    ["a continuation of nothing", frame(CONTINUATION)],
    ["a text that is too long", frame(TEXT, Buffer.alloc(LIMITS.bytes + 1))],
    ["a binary message that is too long", frame(BINARY, Buffer.alloc(LIMITS.bytes + 1))],
    ["a length that no number holds", Buffer.from([0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0])],
    ["a header cut after a byte", Buffer.from([0x81])],
    ["a length cut in two", Buffer.from([0x81, 126, 0])],
    ["a length of 64 bits cut in two", Buffer.from([0x81, 127, 0, 0, 0])],
    ["a payload cut", text("abc").subarray(0, 4)],
    ["a ping cut in two", frame(PING, "abc").subarray(0, 4)]
  ] as const) {
    it(`gives up for good at ${name}, and leaves all from there on to the receiver`, () => {
      const { lane, told } = watched()
      // Cut ones come last in what was read.
      lane.take(Buffer.concat([text("a"), frame(PING), bytes]))
      lane.take(text("late"))
      assert.deepStrictEqual(told, ["text 1 a", rest(frame(PING), bytes), rest(text("late"))])
    })
  }

  it("takes texts up to the limit, in whatever number of bytes their length is said", () => {
    const { lane, told } = watched()
    const most = "x".repeat(LIMITS.bytes)
    lane.take(
      Buffer.concat([text(most), Buffer.from([0x81, 126, 0, 1, 0x61, 0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, 0x62])])
    )
    assert.deepStrictEqual(told, [`text ${LIMITS.bytes} ${most}`, "text 1 a", "text 1 b"])
  })

  it("hands over nothing more of a read in which the receiver has refused something", () => {
    const bad = frame(TEXT, Buffer.from([0xff]))
    const { lane, told } = watched(undefined, (bytes) => bytes.includes(bad))
    lane.take(Buffer.concat([text("a"), bad, text("b"), text("c")]))
    lane.take(text("late"))
    assert.deepStrictEqual(told, ["text 1 a", rest(bad), rest(text("b"), text("c")), rest(text("late"))])
  })

  it("asks for a pause when the receiver does, for whichever part of a read, and not for texts", () => {
    const read = Buffer.concat([frame(PING), text("a"), frame(PING), text("b"), frame(PING)])
    for (const wants of [0, 1, 2]) assert.isFalse(watched((part) => part !== wants).lane.take(read))
    assert.isTrue(watched((part) => part > 2).lane.take(text("a")))
    assert.isTrue(watched().lane.take(read))
  })

  it("hands over what has come behind a text whose listener ends the connection, as the receiver does", () => {
    const told: Array<string> = []
    const lane = new TextLane(
      LIMITS.bytes,
      { text: (line) => void told.push(line) },
      {
        take: () => assert.fail("there are texts only"),
        hasRefused: () => assert.fail("nobody was asked")
      }
    )
    lane.take(Buffer.concat(["a", "b", "c"].map(text)))
    assert.deepStrictEqual(told, ["a", "b", "c"])
  })

  it("makes no view of a text's bytes but where it says that something wasn't valid", () => {
    const { lane, told } = watched()
    const views = vi.spyOn(Buffer.prototype, "subarray")
    lane.take(Buffer.concat(["a", "grüße \u{1f30a}", "x".repeat(70_000)].map(text)))
    assert.strictEqual(views.mock.calls.length, 0)
    lane.take(text("\ufffd"))
    assert.strictEqual(views.mock.calls.length, 1)
    views.mockRestore()
    assert.strictEqual(told.at(-1), "text 3 \ufffd")
  })

  it("takes exactly the texts that are UTF-8, of all whose bytes stand at an edge of what may be", () => {
    // The ends of each range that RFC 3629, section 4, has, and of U+FFFD.
    const edges = Buffer.from("007f808f909fa0bbbcbdbebfc0c1c2dfe0e1eceDeeeff0f1f3f4f5f7f8ff", "hex")
    const texts: Array<Buffer> = []
    for (const a of edges) {
      texts.push(Buffer.from([a]))
      for (const b of edges) {
        texts.push(Buffer.from([a, b]))
        for (const c of edges) {
          texts.push(Buffer.from([a, b, c]))
          if (a >= 0xef) for (const d of edges) texts.push(Buffer.from([a, b, c, d]))
        }
      }
    }
    const taken: Array<string> = []
    const left: Array<Buffer> = []
    const lane = new TextLane(
      LIMITS.bytes,
      { text: (line) => void taken.push(line) },
      {
        take: (bytes) => left.push(bytes) > 0,
        hasRefused: () => false
      }
    )
    lane.take(Buffer.concat(texts.map((bytes) => frame(TEXT, bytes))))
    const valid = texts.filter((bytes) => isUtf8(bytes)).map((bytes) => bytes.toString())
    const invalid = texts.filter((bytes) => !isUtf8(bytes)).map((bytes) => frame(TEXT, bytes))
    assert.isAbove(texts.length, 100_000)
    assert.isAbove(valid.length, 3000)
    assert.strictEqual(taken.length, valid.length)
    assert.isTrue(taken.every((line, at) => line === valid[at]))
    assert.isTrue(Buffer.concat(left).equals(Buffer.concat(invalid)))
  })
})

describe("the lane beside ws, of what conformance suites have", () => {
  it("makes the same of each case as ws, cut in two at every place, between texts", async () => {
    let plays = 0
    for (const { bytes, name } of [...CASES, ...UTF8_CASES]) {
      const stream = Buffer.concat([text("before"), bytes, text("after")])
      const expected = await bare(stream)
      // A long one is cut in its header, in the middle and in the text behind it.
      const places = stream.length < 2000 ? [...stream.keys()] : [9, 10, 12, 17, 1000, stream.length - 6]
      for (const at of places) {
        plays++
        const reads = [stream.subarray(0, at), stream.subarray(at)]
        assert.deepStrictEqual(await inLane(reads), expected, `${name}, cut at ${at}`)
      }
    }
    assert.isAbove(plays, 5000)
  }, 120_000)
})

describe("the lane beside ws", () => {
  it.effect.prop(
    "makes of a stream, however it comes and whatever is done meanwhile, what ws makes of it, behind the collector and alone",
    {
      before: list(Streams.valid, 0, 6),
      end: Streams.anyEnd,
      after: list(Streams.valid, 0, 3),
      sizes: Streams.cuts,
      apart: bool,
      acts
    },
    ({ acts: does, after, apart, before, end, sizes }) =>
      Effect.promise(async () => {
        const stream = Streams.streamOf([...before, end, ...after])
        const plan = { reads: readsOf(stream, sizes), apart, acts: does, ...LIMITS }
        const [lane, beside, ws] = await Promise.all([play("lane", plan), play("source off", plan), play("ws", plan)])
        assert.deepStrictEqual(lane, beside)
        // How much was read when it broke the connection off is a matter of the pace.
        const isPaced = stream.length >= PACED_FROM && [...does.values()].includes("terminate")
        if (!isPaced) assert.deepStrictEqual(lane, ws)
      }),
    // A fraction of that where a machine has nothing else to do.
    { arbitrary: { runs: 2000 }, timeout: 120_000 }
  )

  it.effect.prop(
    "lets nothing overtake what is inflated, for there it isn't",
    { all: list(Streams.validOrCompressed, 1, 8), end: Streams.anyEnd, sizes: Streams.cuts, apart: bool },
    ({ all, apart, end, sizes }) =>
      Effect.promise(async () => {
        const stream = Streams.streamOf([...all, end])
        const plan = {
          reads: readsOf(stream, sizes),
          apart,
          acts: new Map(),
          compression: "permessage-deflate",
          ...LIMITS
        }
        const [lane, ws] = await Promise.all([play("lane", plan), play("ws", plan)])
        // Whether anything can still be written when it was inflated is a matter of time.
        assert.deepStrictEqual(lane.told, ws.told)
      }),
    { arbitrary: { runs: 200 } }
  )

  it("isn't there where the client or the source is told so, nor where compression was offered", async () => {
    const receiver: unknown = Reflect.get(Ws, "Receiver")
    if (typeof receiver !== "function") throw new Error("ws has no receiver")
    const parsed = vi.spyOn(receiver.prototype, "dataMessage")
    const plan = { reads: [text("a")], apart: true, acts: new Map(), ...LIMITS }
    const toldOf = async (reader: Reader, more: Partial<Play> = {}) => {
      parsed.mockClear()
      const { told } = await play(reader, { ...plan, ...more })
      assert.strictEqual(told[0], "text 1 61")
      return parsed.mock.calls.length
    }
    assert.strictEqual(await toldOf("lane"), 0)
    assert.strictEqual(await toldOf("source off"), 1)
    assert.strictEqual(await toldOf("client off"), 1)
    assert.strictEqual(await toldOf("lane", { compression: "permessage-deflate" }), 1)
    // Offered, and not answered.
    assert.strictEqual(await toldOf("lane", { compression: "" }), 1)
    parsed.mockRestore()
  })
})
