import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { BoundedBytes } from "../../../src/node/internal/boundedBytes.ts"

it.effect.prop(
  "pieces become one, up to the bound and never beyond it",
  {
    pieces: Schema.Array(Schema.Uint8Array),
    most: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 12_000 }))
  },
  ({ most, pieces }) =>
    Effect.sync(() => {
      const bytes = new BoundedBytes(most)
      let expected = Buffer.alloc(0)
      // So that it has to grow more than once.
      for (const piece of [...pieces, Buffer.alloc(3000, 1), Buffer.alloc(5000, 2), Buffer.of(3)]) {
        const fits = expected.length + piece.length <= most
        assert.strictEqual(bytes.add(piece), fits)
        if (fits) expected = Buffer.concat([expected, piece])
        assert.deepStrictEqual(Buffer.from(bytes.bytes), expected)
        assert.isAtMost(bytes.bytes.buffer.byteLength, most)
      }
    })
)

it("a piece may be another's to change afterwards", () => {
  const bytes = new BoundedBytes(10)
  const piece = Buffer.of(1, 2)
  bytes.add(piece)
  piece.fill(9)
  assert.deepStrictEqual([...bytes.bytes], [1, 2])
})

it("one byte a piece costs no more than twice the bytes", () => {
  const bytes = new BoundedBytes(1_000_000)
  for (let nth = 0; nth < 100_000; nth++) bytes.add(Buffer.of(nth & 0xff))
  assert.strictEqual(bytes.bytes.length, 100_000)
  assert.isAtMost(bytes.bytes.buffer.byteLength, 200_000)
})
