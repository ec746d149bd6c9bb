/** What host and worker see of a batch, both on this thread, against a reference. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import type { Answer } from "../../src/sandbox/internal/guest.ts"
import { Borrowed, Lent, MOST_EVENTS } from "../../src/sandbox/internal/lent.ts"
import { either, int, list, oneOf } from "../support/arbitraries.ts"

type Step =
  | { readonly kind: "lend" | "recall" | "take" | "read" | "stale" }
  | { readonly kind: "answer"; readonly answer: Answer; readonly isCopied: boolean }

const answers: Arbitrary.Arbitrary<Answer> = either<Answer>(
  Arbitrary.map(oneOf("", "x", "é\u{1f600}", "y".repeat(30_000), "ü".repeat(40_000)), (text) => ({
    kind: "answered",
    text
  })),
  oneOf<Answer>(
    { kind: "memory" },
    { kind: "late" },
    { kind: "large", bytes: 7 },
    { kind: "threw", name: "E", message: "ü", position: undefined }
  )
)
const Step: Arbitrary.Arbitrary<Step> = either<Step>(
  Arbitrary.all({ kind: oneOf("lend", "recall", "take", "take", "take", "read", "read", "stale") }),
  Arbitrary.all({ kind: oneOf("answer"), answer: answers, isCopied: oneOf(true, false) }),
  Arbitrary.all({ kind: oneOf("answer"), answer: answers, isCopied: oneOf(true, false) })
)

/** As it travels. */
const plain = (answer: Answer | undefined): unknown =>
  answer === undefined ? undefined : JSON.parse(JSON.stringify(answer))

describe("a batch in shared memory", () => {
  it.effect.prop(
    "rules 2 and 5: each event begins at most once, none after a recall, and its result is read once and in order",
    { steps: list(Step, 0, 60), first: int(0, 2 ** 24) },
    ({ first, steps }) =>
      Effect.sync(() => {
        const lent = new Lent()
        const borrowed = new Borrowed(lent.shared)
        let batch = first
        let taken = 0
        let isRecalled = true
        let isBusy = false
        let unread: Array<Answer> = []
        const lend = () => {
          batch++
          lent.lend(batch)
          borrowed.begin(batch)
          ;[taken, isRecalled, isBusy, unread] = [0, false, false, []]
        }
        lend()
        for (const step of steps) {
          switch (step.kind) {
            case "lend":
              if (!isBusy && unread.length === 0) lend()
              break
            case "recall":
              assert.strictEqual(lent.recall(), taken)
              isRecalled = true
              break
            case "stale": {
              // The worker comes late to a batch that was taken back, and finds another one out.
              const late = new Borrowed(lent.shared)
              late.begin(batch - 1)
              assert.isFalse(late.take())
              break
            }
            case "take":
              if (isBusy || taken === MOST_EVENTS) break
              assert.strictEqual(borrowed.take(), !isRecalled)
              if (isRecalled) break
              taken++
              isBusy = true
              break
            case "answer": {
              if (!isBusy) break
              const { answer, isCopied } = step
              const isText = answer.kind === "answered"
              // What is copied may turn out to be no answer: it came too late.
              const isTaken = isCopied && borrowed.copy(new TextEncoder().encode(isText ? answer.text : "late"))
              const hasRoom = borrowed.tell(isTaken && isText ? { kind: "answered", text: "" } : answer)
              // Its batch ends there.
              if (!hasRoom) {
                lent.recall()
                isRecalled = true
              } else unread.push(answer)
              isBusy = !hasRoom
              break
            }
            case "read":
              assert.deepStrictEqual(plain(lent.next()), plain(unread.shift()))
          }
          assert.strictEqual(lent.begun, taken)
          if (isBusy && isRecalled && step.kind === "answer") return
        }
        for (const answer of unread) assert.deepStrictEqual(plain(lent.next()), plain(answer))
        assert.isUndefined(lent.next())
      }),
    { arbitrary: { runs: 500 } }
  )
})
