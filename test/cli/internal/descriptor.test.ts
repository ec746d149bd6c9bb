import { assert, describe, it } from "@effect/vitest"
import * as Descriptor from "../../../src/cli/internal/descriptor.ts"
import { vi } from "vitest"

/** A sink that takes what it is told to take, when it is told to. */
const scripted = (...steps: ReadonlyArray<number | Error>) => {
  const script = [...steps]
  let written = ""
  const sink: Parameters<typeof Descriptor.make>[0] = (bytes, taken) => {
    const step = script.shift() ?? bytes.length
    if (typeof step !== "number") return taken(step, 0)
    const part = bytes.subarray(0, step)
    written += Buffer.from(part).toString("latin1")
    taken(null, part.length)
  }
  return { descriptor: Descriptor.make(sink), written: () => written }
}

describe("a descriptor", () => {
  it("writes texts one after the other, each whole, however little is taken at a time", () => {
    const { descriptor, written } = scripted(1, 2, 1, 5, 1)
    const done: Array<string> = []
    for (const text of ["abcd", "efghij", "k"]) {
      descriptor.write(text, (error) => done.push(`${text} ${String(error)}`))
    }
    assert.strictEqual(written(), "abcdefghijk")
    assert.deepStrictEqual(done, ["abcd null", "efghij null", "k null"])
    assert.strictEqual(descriptor.taken(), 11)
  })

  it("writes once what is given while its owner is told of the text before", () => {
    const { descriptor, written } = scripted()
    descriptor.write("a", () => descriptor.write("b", () => descriptor.write("c", () => {})))
    assert.strictEqual(written(), "abc")
  })

  it("tries again, ever more seldom, what isn't taken now, and soon again once something was", () => {
    vi.useFakeTimers()
    try {
      const { descriptor, written } = scripted(0, 0, 0, 0, 0, 0, 0, 1, 0)
      const done: Array<unknown> = []
      descriptor.write("ab", (error) => done.push(error))
      const waits: Array<number> = []
      while (done.length === 0) {
        const before = Date.now()
        vi.advanceTimersToNextTimer()
        waits.push(Date.now() - before)
      }
      assert.deepStrictEqual(waits, [10, 20, 40, 80, 100, 100, 100, 10])
      assert.strictEqual(written(), "ab")
    } finally {
      vi.useRealTimers()
    }
  })

  it("tells of an error whose text it was, and goes on with the next", () => {
    const full = new Error("full")
    const { descriptor, written } = scripted(2, full)
    const done: Array<unknown> = []
    descriptor.write("abcd", (error) => done.push(error))
    descriptor.write("ef", (error) => done.push(error))
    assert.deepStrictEqual(done, [full, null])
    assert.strictEqual(written(), "abef")
  })
})
