import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import * as Zlib from "node:zlib"
import * as Servers from "../support/servers.ts"
import type { ClientFrame } from "./support/clientFrames.ts"
import {
  agreeing,
  COMPRESSED,
  COMPRESSED_NOT_LAST,
  compressed,
  deflated,
  deflater,
  inflater
} from "./support/deflate.ts"
import { client, failureOf } from "./support/direct.ts"

const { CONTINUATION, PING, TEXT } = Servers
const BINARY = 2
const NOT_LAST = 0
const AGREED = "permessage-deflate"

/** Texts of which each has much of those before it, and of which none fits a small window. */
const TEXTS = [1, 2, 3].map((nth) =>
  JSON.stringify(Array.from({ length: 300 }, (_, id) => ({ id, nth, price: (id * 7919) % 1000, market: "BTC-EUR" })))
)

const LIMITS = { compression: true, maxMessageBytes: 1_048_576, maxMessageFragments: 65_536 }

/** Dials a server that sends these bytes, and tells all that was told until the end or until it answers a ping. */
const received = (bytes: ReadonlyArray<Buffer>, limits: Partial<typeof LIMITS> = {}, extensions = AGREED) =>
  Effect.gen(function* () {
    const { url } = yield* agreeing(
      extensions,
      (socket) => {
        for (const part of bytes) socket.write(part)
        socket.write(Servers.frame(PING, "last"))
      },
      // A pong: all was read. A close frame: it is answered by the end.
      ({ opcode }, socket) => void (opcode >= 8 && socket.end())
    )
    const { dial } = yield* client()
    const { ended, told } = yield* dial(url, { ...LIMITS, ...limits })
    yield* ended
    return told.filter((line) => line !== "ping last" && line !== "closed 1006")
  })

const payloadOf = ({ payload }: ClientFrame) => payload.toString()

describe("permessage-deflate", () => {
  it.live("is offered where a source has it, and else not", () =>
    Effect.gen(function* () {
      const offers: Array<string> = []
      const { url } = yield* agreeing(undefined, (_socket, offer) => void offers.push(offer))
      const { dial } = yield* client()
      yield* dial(url, { compression: true })
      yield* dial(url)
      assert.deepStrictEqual(offers, ["permessage-deflate; client_max_window_bits=12", ""])
    })
  )

  const bits = [undefined, 8, 9, 10, 11, 12, 13, 14, 15]
  for (const [name, serverKeeps, clientKeeps] of [
    ["both contexts kept", true, true],
    ["no context of the server's", false, true],
    ["no context of the client's", true, false],
    ["no context", false, false]
  ] as const) {
    it.live(`gets texts through both ways with ${name} and every window that may be agreed upon`, () =>
      Effect.gen(function* () {
        const { dial } = yield* client()
        for (const serverBits of bits) {
          for (const clientBits of bits.slice(0, 6)) {
            const extensions = [
              AGREED,
              ...(serverKeeps ? [] : ["server_no_context_takeover"]),
              ...(clientKeeps ? [] : ["client_no_context_takeover"]),
              ...(serverBits === undefined ? [] : [`server_max_window_bits=${serverBits}`]),
              ...(clientBits === undefined ? [] : [`client_max_window_bits=${clientBits}`])
            ].join("; ")
            const frames: Array<ClientFrame> = []
            const pack = deflater(serverBits ?? 15, serverKeeps)
            const send = async (socket: Socket) => {
              for (const text of TEXTS) socket.write(await pack(text))
            }
            const { url } = yield* agreeing(
              extensions,
              (socket) => void send(socket),
              (frame) => void frames.push(frame)
            )
            const { socket, told } = yield* dial(url, LIMITS)
            for (const text of TEXTS) socket.send(Buffer.from(text), "text", () => {})
            while (told.length < 3 || frames.length < 3) yield* Effect.sleep("1 millis")
            assert.deepStrictEqual(
              told,
              TEXTS.map((text) => `text ${text.slice(0, 40)}… of ${text.length}`),
              extensions
            )
            const unpack = inflater(clientBits ?? 12, clientKeeps)
            for (const [nth, { payload, reserved }] of frames.entries()) {
              assert.strictEqual(reserved, 4)
              assert.strictEqual((yield* Effect.promise(() => unpack(payload))).toString(), TEXTS[nth], extensions)
            }
            socket.terminate()
          }
        }
      }).pipe(Effect.scoped)
    )
  }

  for (const [name, extensions] of [
    ["an unknown parameter", `${AGREED}; mux=1`],
    ["a window of the server's that is too small", `${AGREED}; server_max_window_bits=7`],
    ["a window of the server's that is too large", `${AGREED}; server_max_window_bits=16`],
    ["a window of the server's without a size", `${AGREED}; server_max_window_bits`],
    ["a window of the client's that is larger than the offered one", `${AGREED}; client_max_window_bits=13`],
    ["a window of the client's without a size", `${AGREED}; client_max_window_bits`],
    ["a parameter twice", `${AGREED}; server_max_window_bits=9; server_max_window_bits=9`],
    ["a value where none may be", `${AGREED}; server_no_context_takeover=1`],
    ["another extension", "permessage-bzip2"],
    ["another extension beside it", `${AGREED}, x-mux`],
    ["the extension twice", `${AGREED}, ${AGREED}; server_no_context_takeover`],
    ["the extension twice, in two headers", `${AGREED}\r\nsec-websocket-extensions: ${AGREED}`],
    ["a header that is none", "permessage-deflate;;"]
  ] as const) {
    it.live(`is refused with ${name} in the answer`, () =>
      Effect.gen(function* () {
        const { url } = yield* agreeing(extensions, () => {})
        const { dial } = yield* client()
        assert.deepInclude(yield* failureOf(dial(url, LIMITS)), { _tag: "HandshakeRejected", status: 101 })
      })
    )
  }

  it.live("is refused where it wasn't offered", () =>
    Effect.gen(function* () {
      const { url } = yield* agreeing(AGREED, () => {})
      const { dial } = yield* client()
      assert.deepInclude(yield* failureOf(dial(url)), { _tag: "HandshakeRejected", status: 101 })
    })
  )

  it.live("sends short texts as they are, and in order with the long ones, pings and the close frame", () =>
    Effect.gen(function* () {
      const frames: Array<ClientFrame> = []
      const { url } = yield* agreeing(
        AGREED,
        () => {},
        (frame, socket) => {
          frames.push(frame)
          if (frame.opcode === 8) socket.end(Servers.closeFrame(1000))
        }
      )
      const { dial } = yield* client()
      const { ended, socket } = yield* dial(url, LIMITS)
      const written: Array<string> = []
      const tell = (name: string) => () => void written.push(name)
      const [first = "", second = ""] = TEXTS
      socket.send(Buffer.from(first), "text", tell("first"))
      socket.send(Buffer.from("short"), "text", tell("short"))
      socket.ping(Buffer.from("p"), tell("ping"))
      socket.send(Buffer.from(second), "text", tell("second"))
      socket.close(1000, "bye")
      yield* ended
      const unpack = inflater(12, true)
      const texts: Array<string> = []
      for (const frame of frames) {
        const isCompressed = frame.reserved === 4
        texts.push(
          `${frame.opcode} ${isCompressed ? (yield* Effect.promise(() => unpack(frame.payload))).toString() : payloadOf(frame)}`
        )
      }
      assert.deepStrictEqual(texts, [`1 ${first}`, "1 short", "9 p", `1 ${second}`, "8 \u0003\ufffdbye"])
      assert.deepStrictEqual(written, ["first", "short", "ping", "second"])
    })
  )
})

/** Bytes without an end to them, as a compressed message has them. */
const zeros = (bytes: number) => deflated(Buffer.alloc(bytes))
const repeated = (unit: Buffer, bytes: number) =>
  Buffer.concat(Array.from({ length: Math.floor(bytes / unit.length) }, () => unit))
/** Blocks that end with a byte, so that the next can be read by itself. */
const aligned = (bytes: number) =>
  Zlib.deflateRawSync(Buffer.alloc(bytes), { finishFlush: Zlib.constants.Z_SYNC_FLUSH })
const EMPTY_BLOCK = Buffer.from([0, 0, 0, 0xff, 0xff])

/** A compressed message in fragments of so many bytes, with a ping before each but the first. */
const inFragments = (payload: Buffer, size: number, ping: string | undefined = undefined) => {
  const count = Math.max(1, Math.ceil(payload.length / size))
  return Buffer.concat(
    Array.from({ length: count }, (_, nth) => {
      const isLast = nth === count - 1
      const first = nth === 0 ? (isLast ? COMPRESSED : COMPRESSED_NOT_LAST) : isLast ? 0x80 : NOT_LAST
      const part = Servers.frame(nth === 0 ? TEXT : CONTINUATION, payload.subarray(nth * size, (nth + 1) * size), first)
      return ping === undefined || nth === 0 ? part : Buffer.concat([Servers.frame(PING, ping), part])
    })
  )
}

const violation = (code: string) => [`ProtocolViolation ${code}`]

describe("a compressed message", () => {
  const CASES: ReadonlyArray<readonly [name: string, bytes: Buffer, told: ReadonlyArray<string>]> = [
    ["that is empty", compressed(""), ["text "]],
    ["that is one byte of nothing", Servers.frame(TEXT, Buffer.from([0]), COMPRESSED), ["text "]],
    ["without a payload", Servers.frame(TEXT, "", COMPRESSED), ["text "]],
    [
      "between two that aren't",
      Buffer.concat([Servers.text("a"), compressed("b"), Servers.text("c")]),
      ["text a", "text b", "text c"]
    ],
    ["that is binary", compressed("abc", BINARY), ["binary of 3"]],
    ["in fragments", inFragments(deflated("hello"), 2), ["text hello"]],
    ["in fragments of a byte", inFragments(deflated("hello"), 1), ["text hello"]],
    [
      "in fragments with pings between them",
      inFragments(deflated("hello"), 3, "p"),
      ["ping p", "ping p", "text hello"]
    ],
    [
      "with empty fragments before and behind it",
      Buffer.concat([
        Servers.frame(TEXT, "", COMPRESSED_NOT_LAST),
        Servers.frame(CONTINUATION, deflated("hello"), NOT_LAST),
        Servers.frame(CONTINUATION, "")
      ]),
      ["text hello"]
    ],
    ["that ends with a final block", Servers.frame(TEXT, Zlib.deflateRawSync("final"), COMPRESSED), ["text final"]],
    [
      "and a ping behind it, in this order",
      Buffer.concat([compressed("x".repeat(100_000)), Servers.frame(PING, "p")]),
      [`text ${"x".repeat(40)}… of 100000`, "ping p"]
    ],
    [
      "and a close frame behind it, in this order",
      Buffer.concat([compressed("a"), Servers.closeFrame(4001)]),
      ["text a", "closed 4001"]
    ],
    ["that isn't UTF-8", compressed(Buffer.from([0x61, 0xff])), violation("WS_ERR_INVALID_UTF8")],
    [
      "that is no deflate data",
      Servers.frame(TEXT, Buffer.from([0xff, 0xff, 0xff]), COMPRESSED),
      violation("Z_DATA_ERROR")
    ],
    [
      "that refers to what never was",
      Servers.frame(TEXT, deflated("hello", { dictionary: Buffer.from("hello hello") }), COMPRESSED),
      violation("Z_DATA_ERROR")
    ],
    [
      "that says so in a later fragment",
      Buffer.concat([Servers.frame(TEXT, "a", NOT_LAST), Servers.frame(CONTINUATION, "b", COMPRESSED)]),
      violation("WS_ERR_UNEXPECTED_RSV_1")
    ],
    ["with another reserved bit", Servers.frame(TEXT, deflated("a"), 0xe0), violation("WS_ERR_UNEXPECTED_RSV_2_3")],
    ["that is masked", Buffer.from([0xc1, 0x81, 1, 2, 3, 4, 5]), violation("WS_ERR_UNEXPECTED_MASK")],
    [
      "among fragments of another",
      Buffer.concat([Servers.frame(TEXT, "a", NOT_LAST), compressed("b")]),
      violation("WS_ERR_INVALID_OPCODE")
    ],
    [
      "whose end is another",
      Buffer.concat([Servers.frame(TEXT, deflated("a"), COMPRESSED_NOT_LAST), compressed("b")]),
      violation("WS_ERR_INVALID_OPCODE")
    ],
    ["that is a ping", Servers.frame(PING, "x", COMPRESSED), violation("WS_ERR_UNEXPECTED_RSV_1")],
    ["that is a pong", Servers.frame(10, "x", COMPRESSED), violation("WS_ERR_UNEXPECTED_RSV_1")],
    ["that is a close frame", Servers.frame(8, Buffer.from([3, 232]), COMPRESSED), violation("WS_ERR_UNEXPECTED_RSV_1")]
  ]
  for (const [name, bytes, told] of CASES) {
    it.live(`${name}: ${told.join(", ").slice(0, 60)}, however it is cut`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* received([bytes]), told)
        if (bytes.length < 100) {
          const single = Array.from(bytes, (byte) => Buffer.from([byte]))
          assert.deepStrictEqual(yield* received(single), told)
        }
      })
    )
  }

  for (const [name, bytes, limits, code] of [
    ["that is no deflate data", Servers.frame(TEXT, Buffer.from([0xff]), COMPRESSED), {}, 1007],
    ["that isn't UTF-8", compressed(Buffer.from([0xff])), {}, 1007],
    ["that is too large", compressed("x".repeat(1001)), { maxMessageBytes: 1000 }, 1009],
    ["in too many fragments", inFragments(deflated("hello"), 1), { maxMessageFragments: 2 }, 1008],
    ["that is a ping", Servers.frame(PING, "x", COMPRESSED), {}, 1002]
  ] as const) {
    it.live(`${name} is closed with ${code}`, () =>
      Effect.gen(function* () {
        const codes: Array<number> = []
        const { url } = yield* agreeing(
          AGREED,
          (socket) => socket.write(bytes),
          ({ opcode, payload }, socket) => {
            if (opcode === Servers.CLOSE) codes.push(payload.readUInt16BE())
            socket.end()
          }
        )
        const { dial } = yield* client()
        const { ended } = yield* dial(url, { ...LIMITS, ...limits })
        yield* ended
        assert.deepStrictEqual(codes, [code])
      })
    )
  }

  it.live("is a violation where compression was offered and not agreed upon, or not offered", () =>
    Effect.gen(function* () {
      for (const compression of [true, false]) {
        const { url } = yield* agreeing(undefined, (socket) => socket.write(compressed("a")))
        const { dial } = yield* client()
        const { ended, told } = yield* dial(url, { compression })
        yield* ended
        assert.deepStrictEqual(told, ["ProtocolViolation WS_ERR_UNEXPECTED_RSV_1", "closed 1006"])
      }
    })
  )

  it.live("beside which fragments aren't compressed is as without compression, agreed upon or not", () =>
    Effect.gen(function* () {
      const fragments = Buffer.concat([
        Servers.frame(TEXT, "he", NOT_LAST),
        Servers.frame(PING, "p"),
        Servers.frame(CONTINUATION, "ll", NOT_LAST),
        Servers.frame(CONTINUATION, "o")
      ])
      for (const extensions of [AGREED, undefined]) {
        const { url } = yield* agreeing(extensions, (socket) => socket.end(fragments))
        const { dial } = yield* client()
        const { ended, told } = yield* dial(url, LIMITS)
        yield* ended
        assert.deepStrictEqual(told, ["ping p", "text hello", "closed 1006"])
      }
    })
  )

  it.live("may have as many bytes as a message may, and no more, after inflating", () =>
    Effect.gen(function* () {
      const limits = { maxMessageBytes: 100_000 }
      const noise = Buffer.from(Array.from({ length: 100_000 }, (_, at) => 97 + ((at * 7919) % 26)))
      assert.deepStrictEqual(yield* received([compressed(noise)], limits), [
        `text ${noise.toString("latin1", 0, 40)}… of 100000`
      ])
      const more = compressed(Buffer.concat([noise, Buffer.from("x")]))
      assert.deepStrictEqual(yield* received([more], limits), ["MessageTooLarge"])
      assert.deepStrictEqual(yield* received([inFragments(zeros(100_001), 10)], limits), ["MessageTooLarge"])
    })
  )

  it.live("may have as many fragments as a message may, and no more", () =>
    Effect.gen(function* () {
      const payload = deflated(TEXTS.join(""))
      const limits = { maxMessageFragments: Math.ceil(payload.length / 7) }
      const [text] = yield* received([inFragments(payload, 7)], limits)
      assert.match(text ?? "", /^text .*of \d+$/u)
      const fewer = { maxMessageFragments: limits.maxMessageFragments - 1 }
      assert.deepStrictEqual(yield* received([inFragments(payload, 7)], fewer), ["MessageTooLarge"])
      // Also one that doesn't end.
      const endless = inFragments(payload, 7).subarray(0, -3)
      assert.deepStrictEqual(yield* received([endless], { maxMessageFragments: limits.maxMessageFragments - 2 }), [
        "MessageTooLarge"
      ])
      const plain = Buffer.concat([
        Servers.frame(TEXT, "a", NOT_LAST),
        Servers.frame(CONTINUATION, "b", NOT_LAST),
        Servers.frame(CONTINUATION, "c")
      ])
      assert.deepStrictEqual(yield* received([plain], { maxMessageFragments: 2 }), ["MessageTooLarge"])
      assert.deepStrictEqual(yield* received([plain], { maxMessageFragments: 3 }), ["text abc"])
    })
  )

  for (const [name, payload, becomes] of [
    ["a bomb of 1,000 to 1", zeros(1_000_000_000).subarray(0, 1_000_000), ["MessageTooLarge"]],
    ["a bomb of blocks by themselves", repeated(aligned(16_384), 1_000_000), ["MessageTooLarge"]],
    ["blocks of nothing", repeated(EMPTY_BLOCK, 1_000_000), ["text "]],
    ["more bytes than it may have, of nothing", repeated(EMPTY_BLOCK, 1_100_000), ["MessageTooLarge"]]
  ] as const) {
    it.live(`that is ${name} costs no more than a message of the largest size`, () =>
      Effect.gen(function* () {
        yield* received([compressed("warm")])
        const expected: ReadonlyArray<string> = becomes
        const before = process.cpuUsage()
        const memory = process.memoryUsage().rss
        assert.deepStrictEqual(yield* received([Servers.frame(TEXT, payload, COMPRESSED)]), expected)
        const { system, user } = process.cpuUsage(before)
        // A gigabyte takes a second to inflate.
        assert.isBelow((system + user) / 1000, 500)
        assert.isBelow(process.memoryUsage().rss - memory, 64_000_000)
      })
    )
  }

  it.live("in 65,536 fragments is inflated once, not each by itself", () =>
    Effect.gen(function* () {
      const text = "x".repeat(500_000)
      // Blocks of nothing make it as long as it has to be.
      const payload = Buffer.concat([repeated(EMPTY_BLOCK, 65_000), deflated(text)])
      const flushes: Array<unknown> = []
      const { flush } = Zlib.InflateRaw.prototype
      Zlib.InflateRaw.prototype.flush = function (this: Zlib.InflateRaw, ...args: Array<never>) {
        flushes.push(args)
        return Reflect.apply(flush, this, args)
      }
      const told = yield* received([inFragments(payload, 1)])
      Zlib.InflateRaw.prototype.flush = flush
      assert.deepStrictEqual(told, [`text ${"x".repeat(40)}… of 500000`])
      assert.strictEqual(flushes.length, 1)
    })
  )

  it.live("behind another in the same read comes slowly while reading is slow", () =>
    Effect.gen(function* () {
      const texts = Array.from({ length: 20 }, () => compressed("x".repeat(1000)))
      const { url } = yield* agreeing(AGREED, (socket) => socket.write(Buffer.concat(texts)))
      const { dial } = yield* client()
      const times: Array<number> = []
      const { told } = yield* dial(url, {
        ...LIMITS,
        opened: (socket) => socket.read("slow"),
        onText: () => void times.push(performance.now())
      })
      while (told.length < 20) yield* Effect.sleep("1 millis")
      // A pause of 10 ms behind each.
      assert.isAbove((times[19] ?? 0) - (times[0] ?? 0), 150)
    })
  )

  it.live("behind another in the same read waits while reading is off, and is told before the end", () =>
    Effect.gen(function* () {
      const texts = Array.from({ length: 50 }, (_, nth) => `${nth} ${"x".repeat(1000)}`)
      const peers: Array<Socket> = []
      const { url } = yield* agreeing(AGREED, (socket) => {
        peers.push(socket)
        socket.write(Buffer.concat(texts.map((text) => compressed(text))))
      })
      const { dial } = yield* client()
      const { ended, socket, told } = yield* dial(url, {
        ...LIMITS,
        onText: () => {
          if (told.length === 3) socket.read("off")
        }
      })
      while (told.length < 3) yield* Effect.sleep("1 millis")
      yield* Effect.sleep("50 millis")
      assert.strictEqual(told.length, 3)
      socket.read("full")
      while (told.length < 50) yield* Effect.sleep("1 millis")
      assert.deepStrictEqual(
        told.map((line) => Number.parseInt(line.slice(5), 10)),
        texts.map((_, nth) => nth)
      )
      peers[0]?.end(Buffer.concat([...texts.map((text) => compressed(text)), Servers.closeFrame(4001)]))
      while (told.length < 60) yield* Effect.sleep("1 millis")
      socket.read("off")
      socket.terminate()
      yield* ended
    })
  )
})
