import { assert, describe, it, vi } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { FrameCollector } from "../../../src/node/internal/frameCollector.ts"
import { bool, either, int, list, oneOf } from "../../support/arbitraries.ts"
import * as Servers from "../../support/servers.ts"
import { bare, collected, cut, LIMITS } from "../support/received.ts"

const { CLOSE, CONTINUATION, PING, TEXT } = Servers
const BINARY = 2
const PONG = 10
const NOT_LAST = 0

/** A message in so many fragments, with a ping after the first where there is room for one. */
const message = (opcode: number, payload: Buffer, fragments: number, ping: boolean): Buffer => {
  const size = Math.ceil(payload.length / fragments)
  const frames = Array.from({ length: fragments }, (_, nth) =>
    Servers.frame(
      nth === 0 ? opcode : CONTINUATION,
      payload.subarray(nth * size, (nth + 1) * size),
      nth === fragments - 1 ? undefined : NOT_LAST
    )
  )
  if (ping && fragments > 1) frames.splice(1, 0, Servers.frame(PING, "between"))
  return Buffer.concat(frames)
}

const whole = (bytes: number) => Servers.frame(TEXT, Buffer.alloc(bytes, "x"))
const fragmented = (bytes: number) => message(TEXT, Buffer.alloc(bytes, "x"), bytes, false)

/** A message that says it is compressed, in frames of so many bytes. */
const compressedIn = (bytes: number, size: number): Buffer => {
  const all = message(TEXT, Buffer.alloc(bytes, "x"), bytes / size, false)
  all[0] = (all[0] ?? 0) | 0x40
  return all
}

const wellFormed = either(
  Arbitrary.map(
    Arbitrary.all({
      opcode: oneOf(TEXT, BINARY),
      bytes: oneOf(0, 1, 3, 125, 126, 127, 300, 400, 500, 66_000),
      fragments: oneOf(1, 1, 1, 2, 3, 9),
      ping: bool
    }),
    ({ bytes, fragments, opcode, ping }) => message(opcode, Buffer.alloc(bytes, "abcdefg"), fragments, ping)
  ),
  Arbitrary.map(Arbitrary.all({ opcode: oneOf(PING, PONG), bytes: oneOf(0, 1, 125) }), ({ bytes, opcode }) =>
    Servers.frame(opcode, Buffer.alloc(bytes, "p"))
  )
)

/** Bytes that end a connection, in one way or another, wherever they come; or that may be fine there. */
const odd = oneOf(
  Servers.closeFrame(1000, "bye"),
  Servers.frame(CLOSE),
  Servers.closeFrame(1005),
  Servers.frame(CLOSE, Buffer.from([0x03])),
  Servers.frame(TEXT, "reserved", 0xc0),
  Servers.frame(CONTINUATION, "of nothing"),
  Servers.frame(TEXT, "begun", NOT_LAST),
  Servers.frame(3, "unknown"),
  Servers.frame(11, "unknown"),
  Servers.frame(PING, "cut", NOT_LAST),
  Servers.frame(PING, Buffer.alloc(126)),
  Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5]),
  Servers.frame(TEXT, Buffer.from([0xc3])),
  Buffer.from([0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 1]),
  Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0x10, 0, 1]),
  // Lengths that take more bytes than they need.
  Buffer.from([0x81, 126, 0, 1, 0x61]),
  Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, 0x61])
)

const cuts = either<ReadonlyArray<number>>(
  Arbitrary.Constant([1]),
  list(int(1, 20), 1, 9),
  list(oneOf(1, 2, 4, 10, 126, 130, 1400, 65_536), 1, 9)
)

describe("a frame collector", () => {
  it.effect.prop(
    "makes of a stream, however it is cut, what the receiver makes of it whole",
    {
      before: list(wellFormed, 0, 4),
      end: either(Arbitrary.Constant(Buffer.alloc(0)), odd),
      after: list(wellFormed, 0, 2),
      sizes: cuts
    },
    ({ after, before, end, sizes }) =>
      Effect.promise(async () => {
        const stream = Buffer.concat([...before, end, ...after])
        const { events } = await collected(cut(stream, sizes))
        assert.deepStrictEqual(events, await bare(stream))
      }),
    { arbitrary: { runs: 150 } }
  )

  it.effect.prop(
    "makes the same of it where fragments are merged, for compression was offered",
    {
      before: list(wellFormed, 0, 4),
      end: either(Arbitrary.Constant(Buffer.alloc(0)), odd),
      after: list(wellFormed, 0, 2),
      sizes: cuts,
      fragments: oneOf(4, 65_536)
    },
    ({ after, before, end, fragments, sizes }) =>
      Effect.promise(async () => {
        const stream = Buffer.concat([...before, end, ...after])
        const limits = { ...LIMITS, fragments }
        const { events } = await collected(cut(stream, sizes), limits, "declined")
        assert.deepStrictEqual(events, await bare(stream, limits))
      }),
    { arbitrary: { runs: 150 } }
  )

  it.effect.prop(
    "hands on messages and control frames whole, each at once and only once",
    { frames: list(wellFormed, 1, 6), sizes: cuts },
    ({ frames, sizes }) =>
      Effect.promise(async () => {
        const stream = Buffer.concat(frames)
        const { handed } = await collected(cut(stream, sizes))
        assert.strictEqual(Buffer.concat(handed).length, stream.length)
        for (const bytes of handed) {
          // What was handed on is a stream of its own: nothing before it is missing.
          const alone = await bare(Buffer.concat([bytes, Servers.text("end")]))
          assert.strictEqual(alone.at(-1), "text end")
        }
      }),
    { arbitrary: { runs: 100 } }
  )

  it("passes a read of whole frames on as it is, without a copy", () => {
    const copies = vi.spyOn(Buffer.prototype, "copy")
    const handed: Array<Buffer> = []
    const collector = new FrameCollector(LIMITS, { take: (bytes) => handed.push(bytes) > 0 })
    const read = Buffer.concat([Servers.text("a"), Servers.frame(PING, "b"), Servers.text("c".repeat(200))])
    collector.take(read)
    assert.strictEqual(handed[0], read)
    assert.strictEqual(handed.length, 1)
    assert.strictEqual(copies.mock.calls.length, 0)
    copies.mockRestore()
  })

  it("tells whoever writes to pause when the receiver wants one, for any part of a read", () => {
    for (const wants of [0, 1, 2, 3]) {
      let part = 0
      const collector = new FrameCollector(LIMITS, { take: () => part++ !== wants })
      // Two parts: what was begun before, and the rest.
      assert.isTrue(collector.take(Servers.text("abc").subarray(0, 2)))
      const asked = collector.take(Buffer.concat([Servers.text("abc").subarray(2), Servers.text("d")]))
      assert.strictEqual(asked, wants > 1)
    }
  })

  for (const [name, stream, sizes] of [
    ["one text in reads of a byte", whole(100_000), [1]],
    ["one text in reads of 4 bytes", whole(300_000), [4]],
    ["one text in whole reads", whole(1_000_000), [65_536]],
    ["20,000 fragments of a byte, each a read", fragmented(20_000), [3]],
    ["20,000 fragments of a byte in reads of a byte", fragmented(20_000), [1]],
    ["65,536 fragments of a byte in one read", fragmented(65_536), [1_000_000]]
  ] as const) {
    it(`copies a bounded number of times what it is given, of ${name}, and hands it on in one piece`, async () => {
      let copied = 0
      const copy = Buffer.prototype.copy
      vi.spyOn(Buffer.prototype, "copy").mockImplementation(function (this: Buffer, ...args) {
        const count = copy.apply(this, args)
        copied += count
        return count
      })
      const { events, handed } = await collected(cut(stream, sizes))
      vi.restoreAllMocks()
      assert.match(events.join(), /^text x+… of \d+$/)
      assert.strictEqual(handed.length, 1)
      assert.isAtLeast(copied, sizes[0] === 1_000_000 ? 0 : stream.length)
      assert.isAtMost(copied, 3 * stream.length)
    })
  }

  for (const [name, bytes, each, size, pieces] of [
    ["one frame in reads of a byte", 100_000, 100_000, 1, 1],
    ["one frame in reads of 4 bytes", 300_000, 300_000, 4, 1],
    ["one frame in whole reads", 1_000_000, 1_000_000, 65_536, 1],
    ["20,000 fragments of a byte, each a read", 20_000, 1, 3, 2],
    ["20,000 fragments of a byte in reads of a byte", 20_000, 1, 1, 2],
    ["65,536 fragments of a byte in one read", 65_536, 1, 1_000_000, 2]
  ] as const) {
    it(`copies a bounded number of times what it is given, of a compressed message of ${name}, as one frame`, () => {
      let copied = 0
      const { copy, copyWithin } = Buffer.prototype
      vi.spyOn(Buffer.prototype, "copy").mockImplementation(function (this: Buffer, ...args) {
        const count = copy.apply(this, args)
        copied += count
        return count
      })
      vi.spyOn(Buffer.prototype, "copyWithin").mockImplementation(function (this: Buffer, ...args) {
        const [to, from, until] = args.map(Number)
        copied += (until ?? this.length) - (from ?? 0)
        return copyWithin.call(this, to ?? 0, from ?? 0, until)
      })
      const stream = compressedIn(bytes, each)
      const handed: Array<Buffer> = []
      const collector = new FrameCollector(LIMITS, { take: (part) => handed.push(part) > 0 }, "agreed")
      for (const read of cut(stream, [size])) collector.take(read)
      vi.restoreAllMocks()
      assert.strictEqual(handed.length, pieces)
      assert.deepStrictEqual(Buffer.concat(handed), Servers.frame(TEXT, Buffer.alloc(bytes, "x"), 0xc0))
      assert.isAtMost(copied, 4 * stream.length)
    })
  }

  for (const [name, stream, read, most] of [
    ["a frame's own bytes, however often it grows", whole(1_000_000), 4096, 1_000_010],
    ["one read for a frame that only says it is long", whole(1_000_000).subarray(0, 100), 100, 65_536],
    ["four times what came of a long frame", whole(1_000_000).subarray(0, 70_000), 70_000, 280_000],
    ["a small frame's own bytes", whole(1000).subarray(0, 500), 500, 1004],
    ["twice the fragments that came", fragmented(20_000), 3, 120_000],
    ["twice the fragments that came in one read", fragmented(20_000).subarray(0, -1), 100_000, 120_000]
  ] as const) {
    it(`takes as memory at most ${name}`, () => {
      const allocated = vi.spyOn(Buffer, "allocUnsafe")
      const collector = new FrameCollector(LIMITS, { take: () => true })
      for (const bytes of cut(stream, [read])) collector.take(bytes)
      const sizes = allocated.mock.calls.map(([size]) => size)
      allocated.mockRestore()
      assert.isAtMost(Math.max(...sizes), most)
      assert.isAtMost(sizes.length, 20)
    })
  }

  it("takes a message of exactly the limits, and lets the receiver refuse one of more", async () => {
    const limits = { bytes: 1000, fragments: 10 }
    const play = (bytes: number, fragments: number) =>
      collected(cut(message(TEXT, Buffer.alloc(bytes, "x"), fragments, true), [7]), limits)
    const send = async (bytes: number, fragments: number) => (await play(bytes, fragments)).events.at(-1)
    for (const fragments of [1, 5, 10]) {
      const { events, handed } = await play(1000, fragments)
      assert.match(events.at(-1) ?? "", /^text x+… of 1000$/)
      // Whole: with a ping before it where there was one.
      assert.strictEqual(handed.length, events.length)
    }
    assert.strictEqual(await send(1001, 10), "error WS_ERR_UNSUPPORTED_MESSAGE_LENGTH")
    assert.strictEqual(await send(1000, 11), "error WS_ERR_TOO_MANY_BUFFERED_PARTS")
    assert.strictEqual(await send(1001, 1), "error WS_ERR_UNSUPPORTED_MESSAGE_LENGTH")
  })

  it("holds back a fragment too many until it is whole, for the receiver counts it only then", async () => {
    const limits = { bytes: 1_000_000, fragments: 10 }
    const stream = Buffer.concat([fragmented(11).subarray(0, -3), Servers.frame(CONTINUATION, Buffer.alloc(500_000))])
    const { events, handed } = await collected(cut(stream.subarray(0, -1), [4000]), limits)
    assert.deepStrictEqual({ events, handed }, { events: [], handed: [] })
    const all = await collected(cut(stream, [4000]), limits)
    assert.deepStrictEqual(all.events, ["error WS_ERR_TOO_MANY_BUFFERED_PARTS"])
  })

  it("merges fragments of a text without losing its place in it", async () => {
    const stream = Buffer.concat([
      Servers.frame(TEXT, "a", NOT_LAST),
      // Its header is longer than those of the others.
      Servers.frame(CONTINUATION, "b".repeat(200), NOT_LAST),
      Servers.frame(CONTINUATION, "c\u00e9", NOT_LAST),
      Servers.frame(CONTINUATION, Buffer.from([0xc3]), NOT_LAST),
      Servers.frame(CONTINUATION, Buffer.from([0xa9]))
    ])
    for (const size of [1, 3, stream.length]) {
      const { events } = await collected(cut(stream, [size]), LIMITS, "declined")
      assert.match(events.join(), /^text a.* of 206$/u)
    }
  })

  it("asks for no pause while it holds what came", () => {
    const collector = new FrameCollector(LIMITS, { take: () => assert.fail("nothing is whole") })
    for (const bytes of cut(fragmented(9).subarray(0, -3), [1])) assert.isTrue(collector.take(bytes))
    assert.isTrue(collector.take(fragmented(9).subarray(3, -3)))
  })

  it("holds back nothing of what breaks the protocol: the receiver knows with the byte that does it", async () => {
    for (const [bytes, needed] of [
      [Servers.frame(TEXT, "reserved", 0xc0), 2],
      [Servers.frame(3, "unknown"), 2],
      [Servers.frame(PING, "cut", NOT_LAST), 2],
      [Servers.frame(CONTINUATION, "of nothing"), 2],
      [Servers.frame(PING, Buffer.alloc(126)), 2],
      [Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5]), 2],
      [Servers.frame(CLOSE, Buffer.from([3])), 2],
      [Buffer.from([0x81, 127, 0, 0, 0, 0, 0x00, 0x10, 0, 1, 1, 1]), 10],
      [Buffer.from([0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1]), 10],
      [Buffer.from([0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 1]), 10],
      [Buffer.concat([Servers.frame(TEXT, "begun", NOT_LAST), Servers.text("another")]), 9],
      [Buffer.concat([Servers.frame(TEXT, "begun", NOT_LAST), Servers.frame(CONTINUATION, "reserved", 0x40)]), 9],
      [Buffer.concat([Servers.frame(TEXT, "begun", NOT_LAST), Buffer.from([0, 0x82, 1, 2, 3, 4, 5, 6])]), 9],
      [Buffer.concat([Servers.frame(TEXT, "begun", NOT_LAST), Buffer.from([0, 127, 0, 0, 0, 0, 0, 0x10, 0, 0])]), 17]
    ] as const) {
      for (const before of [Buffer.alloc(0), Servers.text("fine")]) {
        const reads = cut(Buffer.concat([before, bytes.subarray(0, needed)]), [1])
        const { events } = await collected(reads)
        assert.match(events.at(-1) ?? "", /^error /, bytes.toString("hex"))
        const early = await collected(reads.slice(0, -1))
        assert.notMatch(early.events.join(), /error/, bytes.toString("hex"))
      }
    }
  })

  it("ends a text with the byte that makes it invalid, wherever that is, and not with its last one", async () => {
    const begun = Buffer.from("\u00e9".repeat(500))
    const bad = Buffer.from([0xed, 0xa0])
    const rest = Buffer.alloc(1000, "x")
    const long = Servers.frame(TEXT, Buffer.concat([begun, bad, rest]))
    const first = Servers.frame(TEXT, begun, NOT_LAST)
    for (const [name, stream, untilBad] of [
      ["in one frame", long, 4 + begun.length + 2],
      ["in its first fragment", Servers.frame(TEXT, Buffer.concat([begun, bad]), NOT_LAST), 4 + begun.length + 2],
      [
        "in a later fragment",
        Buffer.concat([first, Servers.frame(CONTINUATION, Buffer.concat([bad, rest]), NOT_LAST)]),
        first.length + 4 + 2
      ],
      [
        "across two fragments with a ping between them",
        Buffer.concat([
          Servers.frame(TEXT, Buffer.concat([begun, bad.subarray(0, 1)]), NOT_LAST),
          Servers.frame(PING, Buffer.from([0xff])),
          Servers.frame(CONTINUATION, bad.subarray(1), NOT_LAST)
        ]),
        first.length + 1 + 3 + 3
      ]
    ] as const) {
      for (const size of [1, 7, 10_000]) {
        const reads = cut(stream.subarray(0, untilBad), [size])
        const { events } = await collected(reads)
        assert.strictEqual(events.at(-1), "error WS_ERR_INVALID_UTF8", `${name}, reads of ${size}`)
        const early = await collected(cut(stream.subarray(0, untilBad - 1), [size]))
        assert.notMatch(early.events.join(), /error/, `${name}, a byte less`)
        // Nothing of it is looked at any more.
        const late = await collected([...reads, Servers.text("late"), Servers.closeFrame(1000)])
        assert.deepStrictEqual(late.events, events)
      }
    }
  })

  it("takes a text that is valid for one, and what isn't UTF-8 where it need not be", async () => {
    const bytes = Buffer.from([0xff, 0xfe])
    for (const size of [1, 3]) {
      const stream = Buffer.concat([
        Servers.frame(TEXT, Buffer.from("\u{1f30a}").subarray(0, 2), NOT_LAST),
        Servers.frame(PING, bytes),
        Servers.frame(CONTINUATION, Buffer.from("\u{1f30a}").subarray(2)),
        Servers.frame(BINARY, bytes, NOT_LAST),
        Servers.frame(CONTINUATION, bytes),
        Servers.frame(TEXT, "after")
      ])
      const { events } = await collected(cut(stream, [size]))
      assert.deepStrictEqual(
        events.map((event) => event.split(" ")[0]),
        ["ping", "text", "binary", "text"]
      )
    }
  })

  it("drops what comes after a close frame", async () => {
    const stream = Buffer.concat([
      Servers.text("a"),
      Servers.closeFrame(4001, "bye"),
      Servers.text("late"),
      Buffer.alloc(9)
    ])
    for (const sizes of [[1], [5], [stream.length]]) {
      const { events, handed } = await collected(cut(stream, sizes))
      assert.deepStrictEqual(events, ["text a", "close 4001 bye"])
      assert.strictEqual(
        Buffer.concat(handed).length,
        Servers.text("a").length + Servers.closeFrame(4001, "bye").length
      )
    }
  })
})
