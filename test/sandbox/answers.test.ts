/** What the host makes of what a worker says, whatever that is: an engine may have been broken by its guest. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { defaults } from "../../src/limits/Limits.ts"
import { check } from "../../src/plugin/internal/output.ts"
import * as Answers from "../../src/sandbox/internal/answers.ts"
import type { Outcome } from "../../src/sandbox/internal/thread.ts"
import { either, oneOf } from "../support/arbitraries.ts"

const SECRET = "hunter2hunter2"
const texts: Arbitrary.Arbitrary<string> = either<string>(
  Arbitrary.schema(Schema.String),
  Arbitrary.map(Arbitrary.schema(Schema.Json), (value) => JSON.stringify(value)),
  oneOf(
    "",
    "{",
    "}",
    '{"status":',
    `{"status":"${SECRET}`,
    '{"status":1}}',
    '"\ud800',
    "undefined",
    "NaN",
    "[".repeat(9000)
  ),
  oneOf(
    '{"status":1e400}',
    '{"__proto__":1}',
    '{"state":1,"state":2}',
    '{"output_commands":{"length":1}}',
    '{"status":-0}'
  ),
  oneOf("[".repeat(30_000) + "]".repeat(30_000), `{"output_commands":[${"[".repeat(30_000)}${"]".repeat(30_000)}]}`)
)
const numbers = oneOf(0, -1, 0.5, Number.NaN, Infinity, 7)

/** What an engine says that is whole, and what it never would. */
const outcomes: Arbitrary.Arbitrary<unknown> = either<unknown>(
  Arbitrary.map(texts, (text) => ({ kind: "answered", text })),
  Arbitrary.map(Arbitrary.all({ name: texts, message: texts }), (said) => ({
    kind: "threw",
    position: undefined,
    ...said
  })),
  Arbitrary.map(numbers, (bytes) => ({ kind: "large", bytes })),
  Arbitrary.map(texts, (message) => ({ kind: "invalid", message })),
  oneOf(
    { kind: "threw", name: 5, message: null },
    { kind: "threw", name: "x" },
    { kind: "threw", name: {}, message: [] }
  )
)

describe("an answer of a guest", () => {
  it.effect.prop(
    "rules 10 and 11: is an output, a failure or the end of its instance, whatever stands in it, and nothing is thrown",
    { said: outcomes },
    ({ said }) =>
      Effect.gen(function* () {
        // What comes from another thread has whatever form it has.
        const outcome = said as Outcome
        const dispatched = Answers.dispatched(outcome, defaults)
        const exits: ReadonlyArray<Exit.Exit<unknown, unknown>> = [
          dispatched,
          Answers.started(outcome, defaults),
          Answers.called(outcome, defaults),
          Answers.stopped(outcome, defaults),
          outcome.kind === "answered" ? yield* Effect.exit(Answers.status(outcome.text)) : Exit.void
        ]
        for (const exit of exits) {
          if (!Exit.isFailure(exit) || !Cause.hasDies(exit.cause)) continue
          assert.notInclude(String(Cause.squash(exit.cause)), SECRET.slice(0, 4))
        }
        if (Exit.isSuccess(dispatched)) check(dispatched.value, defaults)
      }),
    { arbitrary: { runs: 500 } }
  )

  it.each(["commands", "outputCommands", "output_command"])("with the field %s is told which there are", (name) => {
    const exit = Answers.dispatched({ kind: "answered", text: JSON.stringify({ [name]: [] }) }, defaults)
    const said = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
    assert.include(said, "Expected no field but accepted, status, state, output_commands")
  })
})
