import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { effectFrom, streamFrom } from "../../src/internal/ports.ts"
import { unhandled } from "../support/rejections.ts"

const boom = (): Promise<never> => Promise.reject(new Error("boom"))
const thrown = (): never => {
  // oxlint-disable-next-line typescript/only-throw-error
  throw boom()
}

describe("what a port of the application returns", () => {
  it.effect.each<readonly [what: string, ask: () => unknown, outcome: "dies" | "fails" | "succeeds"]>([
    ["a promise", boom, "dies"],
    ["nothing", () => undefined, "dies"],
    ["what throws a promise", thrown, "dies"],
    ["an effect of a promise", () => Effect.succeed(boom()), "succeeds"],
    ["an effect of a field that is one", () => Effect.succeed({ kind: "dial", url: boom() }), "succeeds"],
    ["an effect that fails with one", () => Effect.fail(boom()), "fails"],
    ["an effect that dies of one", () => Effect.die(boom()), "dies"]
  ])("in place of an effect ends no process: %s", ([, ask, outcome]) =>
    Effect.gen(function* () {
      const run = Effect.map(Effect.exit(effectFrom(ask as () => Effect.Effect<unknown>)), (exit) =>
        assert.strictEqual(Exit.isSuccess(exit) ? "succeeds" : Exit.hasDies(exit) ? "dies" : "fails", outcome)
      )
      assert.deepStrictEqual(yield* unhandled(run), [])
    })
  )

  it.effect.each<readonly [what: string, ask: () => unknown, outcome: "dies" | "fails" | "succeeds"]>([
    ["a promise", boom, "dies"],
    ["nothing", () => undefined, "dies"],
    ["an effect", () => Effect.succeed(boom()), "dies"],
    ["what throws a promise", thrown, "dies"],
    ["a stream of promises", () => Stream.make(boom(), boom()), "succeeds"],
    ["a stream that fails with one", () => Stream.fail({ code: boom() }), "fails"],
    ["a stream that dies of one", () => Stream.die(boom()), "dies"]
  ])("in place of a stream ends no process: %s", ([, ask, outcome]) =>
    Effect.gen(function* () {
      const stream = streamFrom(ask as () => Stream.Stream<unknown>)
      const run = Effect.map(Effect.exit(Stream.runDrain(stream)), (exit) =>
        assert.strictEqual(Exit.isSuccess(exit) ? "succeeds" : Exit.hasDies(exit) ? "dies" : "fails", outcome)
      )
      assert.deepStrictEqual(yield* unhandled(run), [])
    })
  )
})
