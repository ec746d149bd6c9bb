import { assert, describe, it } from "@effect/vitest"
import { WaitingFrames, type WaitingFrame } from "../../../src/connection/internal/waitingFrames.ts"
import { either, int, list } from "../../support/arbitraries.ts"

/** So many bytes that tell which frame they are of, and every third of them binary. */
const frame = (nth: number, bytes: number): WaitingFrame => ({
  payload: new Uint8Array(bytes).fill(nth % 251),
  kind: nth % 3 === 0 ? "binary" : "text"
})

describe("frames that wait", () => {
  it.prop(
    "come out as they went in, whatever their kinds and lengths, and are counted",
    {
      // How long the next one is, or how many are taken out.
      steps: list(either(int(0, 100), int(16_370, 16_390), int(0, 40_000), int(-40, -1)), 1, 100)
    },
    ({ steps }) => {
      const waiting = new WaitingFrames()
      const plain: Array<WaitingFrame> = []
      const taken: Array<readonly [WaitingFrame | undefined, WaitingFrame | undefined]> = []
      steps.forEach((step, nth) => {
        if (step >= 0) {
          const { kind, payload } = frame(nth, step)
          waiting.push(payload, kind)
          plain.push(frame(nth, step))
        } else for (let left = step; left < 0; left++) taken.push([waiting.shift(), plain.shift()])
        assert.strictEqual(waiting.count, plain.length)
        assert.strictEqual(waiting.nextLength, plain[0]?.payload.length ?? 0)
      })
      while (plain.length > 0) taken.push([waiting.shift(), plain.shift()])
      // What was taken out stays as it was, whatever came later.
      for (const [one, other] of taken) {
        assert.strictEqual(one?.kind, other?.kind)
        assert.isTrue(Buffer.from(one?.payload ?? []).equals(other?.payload ?? new Uint8Array()))
      }
      assert.isUndefined(waiting.shift())
    }
  )
})
