import { assert, describe, it } from "@effect/vitest"
import { WaitingTexts } from "../../../src/connection/internal/waitingTexts.ts"
import { either, int, list } from "../../support/arbitraries.ts"

/** So many bytes that tell which text they are of. */
const text = (nth: number, bytes: number) => new Uint8Array(bytes).fill(nth % 251)

describe("texts that wait", () => {
  it.prop(
    "come out as they went in, whatever their lengths, and are counted",
    {
      // How long the next one is, or how many are taken out.
      steps: list(either(int(0, 100), int(16_370, 16_390), int(0, 40_000), int(-40, -1)), 1, 100)
    },
    ({ steps }) => {
      const waiting = new WaitingTexts()
      const plain: Array<Uint8Array> = []
      const taken: Array<readonly [Uint8Array | undefined, Uint8Array | undefined]> = []
      steps.forEach((step, nth) => {
        if (step >= 0) {
          waiting.push(text(nth, step))
          plain.push(text(nth, step))
        } else for (let left = step; left < 0; left++) taken.push([waiting.shift(), plain.shift()])
        assert.strictEqual(waiting.count, plain.length)
        assert.strictEqual(waiting.nextLength, plain[0]?.length ?? 0)
      })
      while (plain.length > 0) taken.push([waiting.shift(), plain.shift()])
      // What was taken out stays as it was, whatever came later.
      for (const [one, other] of taken) assert.isTrue(Buffer.from(one ?? []).equals(other ?? new Uint8Array()))
      assert.isUndefined(waiting.shift())
    }
  )
})
