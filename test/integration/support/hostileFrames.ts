/**
 * What a server can write after its 101, byte for byte, and what becomes of it: after the groups that conformance suites
 * have (framing, pings, reserved bits, opcodes, fragments, UTF-8, closes, limits) and RFC 6455's own words.
 */
import * as Servers from "../../support/servers.ts"

const { CLOSE, CONTINUATION, PING, TEXT, closeFrame, frame, text } = Servers
const BINARY = 2
const PONG = 10
const NOT_LAST = 0
const LAST = 0x80

/** What the plugin is handed after the open and the host does, in a few words. */
export interface Case {
  readonly name: string
  readonly bytes: Buffer
  readonly becomes: string
}

/** What becomes of it where binary frames aren't taken. */
export const withoutBinary = (becomes: string): string =>
  becomes
    .split("; ")
    .filter((part) => !part.startsWith("binary"))
    .join("; ")

const hex = (digits: string) => Buffer.from(digits.replaceAll(" ", ""), "hex")
const begun = (payload: string | Buffer) => frame(TEXT, payload, NOT_LAST)
const goesOn = (payload: string | Buffer) => frame(CONTINUATION, payload, NOT_LAST)
const ends = (payload: string | Buffer) => frame(CONTINUATION, payload)

/** Ends as a violation of the protocol, which the host tells the server by its close code; what follows isn't delivered. */
const violation = (problem: string, code = 1002) =>
  `error ProtocolViolation; 1006 unclean; WS_ERR_${problem}; sent ${code}`
const tooLarge = (what: "bytes" | "fragments") =>
  `error MessageTooLarge; 1006 unclean; ${what}; sent ${what === "bytes" ? 1009 : 1008}`
const closed = (code: number, sent: number | string = code) => `${code} clean; sent ${sent}`

const cases = (group: string, list: ReadonlyArray<readonly [name: string, becomes: string, ...bytes: Array<Buffer>]>) =>
  list.map(([name, becomes, ...bytes]): Case => ({ name: `${group}: ${name}`, becomes, bytes: Buffer.concat(bytes) }))

const lengths = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 1_048_576]

const framing = [
  ...cases(
    "framing",
    lengths.map((bytes) => [`a text of ${bytes} bytes`, `text of ${bytes}`, text("x".repeat(bytes))])
  ),
  ...cases(
    "framing",
    lengths.map((bytes) => [
      `a binary frame of ${bytes} bytes`,
      `binary of ${bytes}`,
      frame(BINARY, Buffer.alloc(bytes))
    ])
  ),
  ...cases("framing", [
    ["a length of 16 bits that needs 7", "text of 2", hex("81 7e 0002 6869")],
    ["a length of 64 bits that needs 7", "text of 2", hex("81 7f 0000000000000002 6869")],
    ["a masked text", violation("UNEXPECTED_MASK"), hex("81 82 01020304 6869")],
    ["a masked ping", violation("UNEXPECTED_MASK"), hex("89 80 01020304")],
    ["a length of 2^32", tooLarge("bytes"), hex("81 7f 0000000100000000"), text("x")],
    ["a length of 2^53", tooLarge("bytes"), hex("81 7f 0020000000000000"), text("x")],
    ["a length of 2^63", tooLarge("bytes"), hex("81 7f 8000000000000000"), text("x")],
    ["a length of 2^64 - 1", tooLarge("bytes"), hex("82 7f ffffffffffffffff"), text("x")]
  ])
]

const pings = cases("pings", [
  ["one without data", "pong of 0", frame(PING)],
  ["one of 125 bytes", "pong of 125", frame(PING, Buffer.alloc(125))],
  ["one that isn't UTF-8", "pong of 2", frame(PING, hex("fffe"))],
  ["one of 126 bytes", violation("INVALID_CONTROL_PAYLOAD_LENGTH"), frame(PING, Buffer.alloc(126))],
  ["a pong of 126 bytes", violation("INVALID_CONTROL_PAYLOAD_LENGTH"), frame(PONG, Buffer.alloc(126))],
  ["pongs that nobody asked for", "", frame(PONG), frame(PONG, "data")],
  ["a cut ping", violation("EXPECTED_FIN"), frame(PING, "a", NOT_LAST), ends("b")],
  ["a cut pong", violation("EXPECTED_FIN"), frame(PONG, "a", NOT_LAST), ends("b")]
])

const reserved = cases(
  "reserved bits",
  [1, 2, 3, 4, 5, 6, 7].flatMap((bits) => {
    const problem = (bits & 3) === 0 ? "UNEXPECTED_RSV_1" : "UNEXPECTED_RSV_2_3"
    return [TEXT, BINARY, PING, PONG, CLOSE].map(
      (opcode) =>
        [
          `${bits} in a frame of opcode ${opcode}`,
          `text of 4; ${violation(problem)}`,
          text("fine"),
          frame(opcode, "xy", LAST | (bits << 4))
        ] as const
    )
  })
)

const opcodes = cases(
  "opcodes",
  [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) =>
    ["", "data"].map(
      (data) =>
        [
          `${opcode} with ${data.length} bytes`,
          `text of 4; ${violation("INVALID_OPCODE")}`,
          text("fine"),
          frame(opcode, data)
        ] as const
    )
  )
)

const fragments = cases("fragments", [
  ["two", "text of 5", begun("he"), ends("llo")],
  ["empty ones", "text of 0", begun(""), goesOn(""), ends("")],
  ["one that is empty in the middle", "text of 5", begun("he"), goesOn(""), ends("llo")],
  ["of a binary message", "binary of 2", frame(BINARY, "a", NOT_LAST), ends("b")],
  ["of a binary message, all empty", "binary of 0", frame(BINARY, "", NOT_LAST), goesOn(""), ends("")],
  [
    "of a binary message, between texts and with pings",
    "text of 2; binary of 131074; text of 1; pong of 1; pong of 0",
    text("hi"),
    frame(BINARY, "a", NOT_LAST),
    frame(PING, "a"),
    goesOn(Buffer.alloc(131_072, 0xff)),
    frame(PING),
    frame(PONG, "unasked"),
    ends(hex("80")),
    text("x")
  ],
  ["of a binary message with a text among them", violation("INVALID_OPCODE"), frame(BINARY, "a", NOT_LAST), text("b")],
  ["of a binary message with a close among them", closed(1000), frame(BINARY, "a", NOT_LAST), closeFrame(1000)],
  [
    "with pings between them",
    "text of 5; pong of 1; pong of 2",
    begun("he"),
    frame(PING, "a"),
    goesOn("ll"),
    frame(PING, "bb"),
    ends("o")
  ],
  ["a continuation of nothing", violation("INVALID_OPCODE"), ends("x")],
  ["a continuation of nothing that isn't the last", violation("INVALID_OPCODE"), goesOn("x")],
  ["a continuation after the end", `text of 2; ${violation("INVALID_OPCODE")}`, begun("a"), ends("b"), ends("c")],
  ["a text among them", violation("INVALID_OPCODE"), begun("a"), text("b"), ends("c")],
  ["a binary frame among them", violation("INVALID_OPCODE"), begun("a"), frame(BINARY, "b"), ends("c")],
  ["another message begun among them", violation("INVALID_OPCODE"), begun("a"), begun("b"), ends("c")],
  ["a close among them", closed(1000), begun("a"), closeFrame(1000)],
  ["a reserved bit in a continuation", violation("UNEXPECTED_RSV_1"), begun("a"), frame(CONTINUATION, "b", LAST | 0x40)]
])

const valid = [
  "κόσμε",
  "\u{10ffff}",
  "\u{ffff}",
  "\u{fffe}\u{fdd0}",
  "\u0000\u007f\u0080",
  "\u{d7ff}\u{e000}",
  "\ufeffx"
]
const broken = [
  "80",
  "bf",
  "c0 80",
  "c1 bf",
  "c0 af",
  "e0 80 af",
  "f0 80 80 af",
  "f8 88 80 80 80",
  "fc 84 80 80 80 80",
  "fe",
  "ff",
  "ed a0 80",
  "ed bf bf",
  "ed a0 80 ed b0 80",
  "f4 90 80 80",
  "f5 80 80 80",
  "c3",
  "e2 82",
  "f0 9f 8c",
  "68 c3 28 69",
  "ce ba ed a0 80 65"
]
const utf8 = [
  ...cases(
    "UTF-8",
    valid.map((value) => [
      `valid ${Buffer.from(value).toString("hex")}`,
      `text of ${Buffer.byteLength(value)}`,
      text(value)
    ])
  ),
  ...cases(
    "UTF-8",
    valid.map((value) => [
      `valid ${Buffer.from(value).toString("hex")} in fragments of a byte`,
      `text of ${Buffer.byteLength(value)}`,
      ...[...Buffer.from(value)].map((byte, nth) =>
        nth === 0 ? begun(Buffer.from([byte])) : goesOn(Buffer.from([byte]))
      ),
      ends("")
    ])
  ),
  ...cases(
    "UTF-8",
    broken.map((bytes) => [`invalid ${bytes}`, violation("INVALID_UTF8", 1007), frame(TEXT, hex(bytes))])
  ),
  ...cases(
    "UTF-8",
    broken.map((bytes) => [
      `invalid ${bytes} in two fragments`,
      violation("INVALID_UTF8", 1007),
      begun(hex(bytes).subarray(0, 1)),
      ends(hex(bytes).subarray(1))
    ])
  ),
  ...cases("UTF-8", [
    ["invalid in a binary frame is none", "binary of 2", frame(BINARY, hex("ff fe"))],
    ["cut by the fragments of a binary message", "binary of 2", frame(BINARY, hex("c3"), NOT_LAST), ends(hex("a9"))]
  ])
]

const MAY_BE_SENT = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
const MAY_NOT = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
const closes = [
  ...cases(
    "close",
    MAY_BE_SENT.map((code) => [`${code}`, closed(code), closeFrame(code)])
  ),
  ...cases(
    "close",
    MAY_NOT.map((code) => [`${code}, which may not be sent`, violation("INVALID_CLOSE_CODE"), closeFrame(code)])
  ),
  ...cases("close", [
    ["without a code", closed(1005, "none"), frame(CLOSE)],
    ["of 1 byte", violation("INVALID_CONTROL_PAYLOAD_LENGTH"), frame(CLOSE, hex("03"))],
    ["with a reason of 123 bytes", closed(1000), closeFrame(1000, "r".repeat(123))],
    ["with a reason of 124 bytes", violation("INVALID_CONTROL_PAYLOAD_LENGTH"), closeFrame(1000, "r".repeat(124))],
    ["with a reason that isn't UTF-8", violation("INVALID_UTF8", 1007), frame(CLOSE, hex("03e8 ceba ed a0 80"))],
    ["cut", violation("EXPECTED_FIN"), frame(CLOSE, hex("03e8"), NOT_LAST)],
    ["with a text behind it", closed(4001), closeFrame(4001), text("late")],
    ["with a ping behind it", closed(4001), closeFrame(4001), frame(PING)],
    ["with garbage behind it", closed(4001), closeFrame(4001), hex("ffffffffff")],
    ["with a text before it", `text of 5; ${closed(1000)}`, hex("81 05 48656c6c6f 88 02 03e8")],
    ["twice", closed(4001), closeFrame(4001), closeFrame(4002)]
  ])
]

const FRAGMENTS = 65_536
const inFragments = (count: number, payload: string) =>
  Buffer.concat([
    begun(payload),
    Buffer.concat(Array.from({ length: count - 2 }, () => goesOn(payload))),
    ends(payload)
  ])
const limits = cases("limits", [
  ["a text of a byte too many", tooLarge("bytes"), text("x".repeat(1_048_577))],
  ["a binary frame of a byte too many", tooLarge("bytes"), frame(BINARY, Buffer.alloc(1_048_577))],
  [
    "fragments of a binary message of a byte too many",
    tooLarge("bytes"),
    frame(BINARY, Buffer.alloc(1_000_000), NOT_LAST),
    ends(Buffer.alloc(48_577))
  ],
  ["fragments of a byte too many", tooLarge("bytes"), begun("x".repeat(1_000_000)), ends("x".repeat(48_577))],
  ["as many fragments as there may be", `text of ${FRAGMENTS}`, inFragments(FRAGMENTS, "x")],
  ["as many empty fragments as there may be", "text of 0", inFragments(FRAGMENTS, "")],
  ["a fragment too many", tooLarge("fragments"), inFragments(FRAGMENTS + 1, "x")],
  ["an empty fragment too many", tooLarge("fragments"), inFragments(FRAGMENTS + 1, "")],
  [
    "a fragment too many of a message that doesn't end",
    tooLarge("fragments"),
    inFragments(FRAGMENTS + 2, "").subarray(0, -2)
  ]
])

export const CASES: ReadonlyArray<Case> = [
  ...framing,
  ...pings,
  ...reserved,
  ...opcodes,
  ...fragments,
  ...utf8,
  ...closes,
  ...limits
]
