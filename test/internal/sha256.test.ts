import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Sha256 from "../../src/internal/sha256.ts"
import { int } from "../support/arbitraries.ts"

const nodes = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

describe("sha256", () => {
  it("is that of FIPS 180-4", () => {
    const abc = new TextEncoder().encode("abc")
    assert.strictEqual(Sha256.hex(abc), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    const none = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert.strictEqual(Sha256.hex(new Uint8Array()), none)
  })

  it("is that of Node for every length around the ends of blocks", () => {
    for (let length = 0; length <= 300; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 31 + length) & 0xff)
      assert.strictEqual(Sha256.hex(bytes), nodes(bytes), String(length))
    }
  })

  it.effect.prop(
    "is that of Node for any bytes",
    { bytes: Arbitrary.map(Arbitrary.array(int(0, 255)), (numbers) => Uint8Array.from(numbers)) },
    ({ bytes }) => Effect.sync(() => assert.strictEqual(Sha256.hex(bytes), nodes(bytes))),
    { arbitrary: { runs: 200 } }
  )
})
