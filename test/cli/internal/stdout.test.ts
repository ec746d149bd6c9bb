import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Stdout from "../../../src/cli/internal/stdout.ts"
import { fakeDescriptor } from "../support/fakeDescriptor.ts"

const make = () => {
  const fake = fakeDescriptor()
  return { fake, stdout: Stdout.make(fake.descriptor) }
}

describe("stdout", () => {
  it.effect("is drained when everything that was offered is written", () =>
    Effect.gen(function* () {
      const { fake, stdout } = make()
      yield* stdout.drained(0)
      stdout.offer("a")
      stdout.offer("b")
      const draining = yield* Effect.forkChild(stdout.drained(Infinity), { startImmediately: true })
      fake.settle()
      assert.isFalse(stdout.idle())
      assert.isUndefined(draining.pollUnsafe())
      fake.settle()
      assert.isTrue(stdout.idle())
      yield* Fiber.join(draining)
      assert.strictEqual(fake.written(), "ab")
    })
  )

  it.effect("is given up when nothing was taken for as long as the patience lasts, and not while something is", () =>
    Effect.gen(function* () {
      const { fake, stdout } = make()
      stdout.offer("a")
      const draining = yield* Effect.forkChild(Effect.flip(stdout.drained(1000)), { startImmediately: true })
      for (let second = 0; second < 5; second++) {
        yield* TestClock.adjust(999)
        fake.trickle()
        yield* TestClock.adjust(1)
        assert.isUndefined(draining.pollUnsafe())
      }
      assert.isUndefined(stdout.problem())
      yield* TestClock.adjust(1000)
      assert.strictEqual((yield* Fiber.join(draining)).code, "stalled")
      assert.strictEqual(stdout.problem()?.code, "stalled")
      stdout.offer("b")
      assert.strictEqual(fake.waiting(), 1)
    })
  )

  it.effect("fails for everybody who waits, and for good, with the first error", () =>
    Effect.gen(function* () {
      const { fake, stdout } = make()
      const failing = yield* Effect.forkChild(Effect.flip(stdout.failure), { startImmediately: true })
      stdout.offer("a")
      fake.settle()
      assert.isUndefined(failing.pollUnsafe())
      stdout.offer("b")
      stdout.offer("c")
      const draining = yield* Effect.forkChild(Effect.flip(stdout.drained(Infinity)), { startImmediately: true })
      fake.settle("ENOSPC")
      assert.strictEqual((yield* Fiber.join(failing)).message, "stdout can't be written: ENOSPC")
      assert.strictEqual((yield* Fiber.join(draining)).code, "ENOSPC")
      fake.settle("EPIPE")
      stdout.offer("d")
      assert.strictEqual(fake.waiting(), 0)
      assert.strictEqual((yield* Effect.flip(stdout.drained(0))).code, "ENOSPC")
      assert.strictEqual((yield* Effect.flip(stdout.failure)).code, "ENOSPC")
    })
  )
})
