/** The line that the tests of faults spoil: what it does to packets, and that nothing of it is left. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lab from "./support/lab.ts"
import { FINE, Line } from "./support/line.ts"
import * as Program from "./support/program.ts"
import * as Scene from "./support/scene.ts"

const packet = (bytes: number, flow: string | null = null, isSyn = false) => ({ bytes, flow, isSyn })
const never = () => 0.999

describe("one direction of a line", () => {
  it("passes what comes at once where it is fine", () => {
    assert.strictEqual(new Line().arrival(packet(1400), 5, never), 5)
  })

  it("loses as many as chance says, and what is longer than its MTU", () => {
    const line = new Line()
    line.set({ loss: 0.5, mtu: 1000 })
    assert.deepStrictEqual(
      [0.4, 0.6].map((chance) => line.arrival(packet(1000), 0, () => chance)),
      [null, 0]
    )
    assert.isNull(line.arrival(packet(1001), 0, never))
    assert.deepStrictEqual(line.counts, { passed: 1, lost: 2 })
  })

  it("puts one packet after the other on a slow line, and loses what doesn't fit into its queue", () => {
    const line = new Line()
    line.set({ bitsPerSecond: 8000, queueBytes: 2000, delayMs: 10 })
    const arrivals = Array.from({ length: 4 }, () => line.arrival(packet(1000), 0, never))
    assert.deepStrictEqual(arrivals, [1010, 2010, null, null])
    assert.strictEqual(line.arrival(packet(500), 1500, never), 2510)
  })

  it("forgets the connections that it knows, and learns them anew by their SYN", () => {
    const line = new Line()
    const passes = (flow: string, isSyn = false) => line.arrival(packet(40, flow, isSyn), 0, never) !== null
    passes("a")
    line.forget()
    assert.deepStrictEqual([passes("a"), passes("b"), passes("a", true), passes("a")], [false, true, true, true])
    line.forget()
    assert.isFalse(passes("b"))
    line.heal()
    assert.isTrue(passes("b"))
  })

  it("lets nothing pass while it is down", () => {
    const line = new Line()
    line.set({ isDown: true })
    assert.isNull(line.arrival(packet(40), 0, never))
    line.set(FINE)
    assert.isNotNull(line.arrival(packet(40), 0, never))
  })
})

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe(`a line between namespaces${Lab.skipped}`, Lab.atOnce, () => {
  for (const signal of Scene.isLong ? (["SIGTERM", "SIGKILL"] as const) : (["SIGKILL"] as const)) {
    it.live(`leaves nothing behind when the test is ended by ${signal}`, () =>
      Effect.gen(function* () {
        const program = yield* Program.start<{ readonly pids: ReadonlyArray<number> }, never>("labProgram.ts", [])
        const pids = yield* program.until((line) => line.pids)
        assert.lengthOf(pids, 2)
        assert.isTrue(pids.every((pid) => pid > 1 && isAlive(pid)))
        yield* program.signal(signal)
        yield* Scene.eventually(() => !pids.some(isAlive))
      })
    )
  }
})
