import { assert, describe, it } from "@effect/vitest"
import { Inputs } from "../../src/internal/inputs.ts"

describe("the inputs of a driver", () => {
  it("are done one after the other, also where one is told while another is being done", () => {
    const seen: Array<string> = []
    const inputs = new Inputs<number>({
      step: (input, attempt) => {
        seen.push(`begin ${input}`)
        attempt(() => {
          if (input < 3) inputs.tell(input + 1)
          assert.isTrue(inputs.isStepping)
        })
        seen.push(`end ${input}`)
      },
      stepped: () => void seen.push("stepped")
    })
    inputs.tell(1)
    assert.deepStrictEqual(seen, ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3", "stepped"])
    assert.isFalse(inputs.isStepping)
  })

  it("are all done, and the next as well, where a listener throws; the teller gets the first defect", () => {
    const seen: Array<string> = []
    const inputs = new Inputs<string>({
      step: (input, attempt) => {
        attempt(() => {
          seen.push(input)
          throw new Error(`of ${input}`)
        })
        attempt(() => {
          if (input === "one") inputs.tell("two")
        })
      },
      stepped: () => void seen.push("stepped")
    })
    assert.throws(() => inputs.tell("one"), "of one")
    assert.throws(() => inputs.tell("three"), "of three")
    assert.deepStrictEqual(seen, ["one", "two", "stepped", "three", "stepped"])
  })
})
