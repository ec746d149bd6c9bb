/** The engine's module as guests get it. */
import { assert, describe, it } from "@effect/vitest"
import { trimmed } from "../../src/sandbox/internal/trimmed.ts"

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
/** A function that answers 7, exported by a long name and by a short one, and a memory of two pages. */
const LONG = "x".repeat(200)
const FUNCTION = [1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0]
const MEMORY = [5, 3, 1, 0, 2]
const named = (name: string, kind: number) => [
  ...(name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >>> 7]),
  ...new TextEncoder().encode(name),
  kind,
  0
]
const BODY = [3, ...named(LONG, 0), ...named("f", 0), ...named("memory", 2)]
const EXPORTS = [7, (BODY.length & 0x7f) | 0x80, BODY.length >>> 7, ...BODY]
const CODE = [10, 6, 1, 4, 0, 0x41, 7, 0x0b]
const MODULE = Uint8Array.from([...HEADER, ...FUNCTION, ...MEMORY, ...EXPORTS, ...CODE])

const namesOf = (bytes: Uint8Array) => WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(({ name }) => name)

describe("the engine's module", () => {
  it("has the exports that are wanted, and no others", () => {
    assert.deepStrictEqual(namesOf(MODULE), [LONG, "f", "memory"])
    assert.deepStrictEqual(namesOf(trimmed(MODULE, 200, () => true)), [LONG, "f", "memory"])
    assert.deepStrictEqual(namesOf(trimmed(MODULE, 200, (name) => name !== LONG)), ["f", "memory"])
    assert.deepStrictEqual(namesOf(trimmed(MODULE, 200, () => false)), [])
  })

  it("goes on to do what it did, in so many pages of memory at most", async () => {
    for (const pages of [2, 127, 128, 65_536]) {
      const bytes = trimmed(MODULE, pages, (name) => name !== LONG)
      // One memory, with a maximum: then its minimum and that.
      assert.isTrue(Buffer.from(bytes).includes(Buffer.from([1, 1, 2, ...leb(pages)])), `${pages}`)
    }
  })

  it("isn't bounded in silence where it brings no memory of its own", () => {
    assert.throws(() => trimmed(Uint8Array.from([...HEADER, ...FUNCTION]), 2, () => true), /no memory of its own/)
  })
})

const leb = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]
