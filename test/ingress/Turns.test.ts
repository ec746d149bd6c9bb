import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { Turns, type Waiting } from "../../src/ingress/Turns.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"

class Member implements Waiting<Member> {
  inTurn = false
  nextInTurn: Member | undefined = undefined
}

type Step = { readonly kind: "join" | "rejoin"; readonly index: number } | { readonly kind: "next" }

const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("join", "join", "rejoin"), index: int(0, 4) }),
  Arbitrary.all({ kind: oneOf("next") })
)

describe("Turns", () => {
  it.effect.prop(
    "are those of a list in which each stands once, and a call whenever it isn't empty any more",
    { steps: list(Step, 0, 80) },
    ({ steps }) =>
      Effect.sync(() => {
        let joined = 0
        const turns = new Turns<Member>(() => joined++)
        const members = Array.from({ length: 5 }, () => new Member())
        let waiting: ReadonlyArray<Member> = []
        let expected = 0
        for (const step of steps) {
          if (step.kind === "next") {
            assert.strictEqual(turns.next(), waiting[0])
            waiting = waiting.slice(1)
          } else {
            const member = members[step.index] ?? assert.fail()
            if (waiting.length === 0) expected++
            const others = waiting.filter((other) => other !== member)
            if (step.kind === "join") {
              turns.join(member)
              if (!waiting.includes(member)) waiting = [...waiting, member]
            } else {
              // The only one comes back to an empty ring, which nobody was told had become one.
              if (waiting.length === 1 && others.length === 0) expected++
              turns.rejoin(member)
              waiting = [member, ...others]
            }
          }
          assert.strictEqual(joined, expected)
          for (const member of members) assert.strictEqual(member.inTurn, waiting.includes(member))
        }
        for (const member of waiting) assert.strictEqual(turns.next(), member)
        assert.isUndefined(turns.next())
        for (const member of members) assert.isUndefined(member.nextInTurn)
      }),
    { arbitrary: { runs: 100 } }
  )

  it("lets who comes stand before whose event was handed over as it came, until that turn is over", () => {
    for (const isOver of [false, true]) {
      const turns = new Turns<Member>(() => {})
      const [served, other] = [new Member(), new Member()]
      turns.arrived = () => turns.next() !== undefined
      turns.arrive(served)
      turns.arrived = () => false
      turns.arrive(served)
      if (isOver) turns.forget()
      turns.arrive(other)
      assert.strictEqual(turns.next(), isOver ? served : other)
    }
  })
})
