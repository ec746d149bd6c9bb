import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { isUtf8 } from "node:buffer"
import { Utf8Prefix } from "../../../src/node/internal/utf8Prefix.ts"
import { int, list, oneOf } from "../../support/arbitraries.ts"
import { cut } from "../support/received.ts"

/** Table 3-7 of the Unicode standard, as RFC 3629 has it in section 4: where the first byte is that no valid text has. */
const invalidAt = (bytes: Uint8Array): number => {
  let missing = 0
  let least = 0x80
  let most = 0xbf
  for (const [at, byte] of bytes.entries()) {
    if (missing > 0) {
      if (byte < least || byte > most) return at
      missing--
      least = 0x80
      most = 0xbf
    } else if (byte >= 0x80) {
      if (byte < 0xc2 || byte > 0xf4) return at
      missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
      least = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80
      most = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf
    }
  }
  return bytes.length
}

/** How many bytes are taken until a piece is refused; all where none is. */
const takenOf = (pieces: ReadonlyArray<Buffer>): number => {
  const text = new Utf8Prefix()
  let taken = 0
  for (const piece of pieces) {
    // What comes later is written over what came before.
    const lent = Buffer.from(piece)
    const goesOn = text.take(lent)
    lent.fill(0x80)
    if (!goesOn) return taken
    taken += piece.length
  }
  return taken
}

describe("the beginning of a text", () => {
  it("is refused with the first byte that no valid text has, after every beginning of up to three bytes", () => {
    const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed]
    const all = [...edges, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfe, 0xff]
    for (const a of all)
      for (const b of all)
        for (const c of all)
          for (const d of [0x41, 0x80, 0xbf, 0xc2]) {
            const bytes = Buffer.from([a, b, c, d])
            assert.strictEqual(takenOf(cut(bytes, [1])), invalidAt(bytes), bytes.toString("hex"))
          }
  })

  it.effect.prop(
    "is refused with the piece that has that byte, however it is cut",
    {
      characters: list(oneOf("a", "\u00e9", "\u0800", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}"), 0, 12),
      odd: oneOf("", "80", "c0", "e080", "eda0", "f08f", "f490", "ff", "e2", "f09f"),
      sizes: list(int(1, 7), 1, 5)
    },
    ({ characters, odd, sizes }) =>
      Effect.sync(() => {
        const bytes = Buffer.concat([Buffer.from(characters.join("")), Buffer.from(odd, "hex"), Buffer.from("after")])
        const pieces = cut(bytes, sizes)
        const first = invalidAt(bytes)
        let at = 0
        const before = pieces.filter((piece) => (at += piece.length) <= first)
        assert.strictEqual(takenOf(pieces), Buffer.concat(before).length)
        assert.strictEqual(first === bytes.length, isUtf8(bytes))
      }),
    { arbitrary: { runs: 500 } }
  )

  it("begins anew after a reset", () => {
    const text = new Utf8Prefix()
    assert.isTrue(text.take(Buffer.from([0xe2])))
    text.reset()
    assert.isTrue(text.take(Buffer.from("a")))
  })
})
