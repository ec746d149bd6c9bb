import { assert, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Standstill } from "mooring/testing"
import * as HadTime from "../../src/time/HadTime.ts"
import { counted } from "../support/fibers.ts"

const { SLICE_MS } = HadTime

/** What was due, by name and at which virtual time. */
const watching = (time: HadTime.HadTime) =>
  Effect.map(Clock.clockWith(Effect.succeed), (clock) => {
    const due: Array<readonly [string, number]> = []
    const wait = (name: string, ms: number) => time.after(ms, () => due.push([name, clock.currentTimeMillisUnsafe()]))
    return { due, wait }
  })

const virtual = <A, E>(test: Effect.Effect<A, E, Scope.Scope>) =>
  test.pipe(Effect.provide(Standstill.layer), Effect.scoped)

it.effect("is due when so much time was had, in the order of the times", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    const { due, wait } = yield* watching(time)
    wait("c", 1000)
    wait("b", 333)
    wait("a", 333)
    yield* TestClock.adjust(332)
    assert.deepStrictEqual(due, [])
    yield* TestClock.adjust(1)
    wait("d", 500)
    yield* TestClock.adjust("1 hour")
    assert.deepStrictEqual(due, [
      ["b", 333],
      ["a", 333],
      ["d", 833],
      ["c", 1000]
    ])
  }).pipe(virtual)
)

it.effect("counts a standstill as one slice, however long it was", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    const { due, wait } = yield* watching(time)
    wait("a", 1000)
    yield* TestClock.adjust(500)
    yield* Standstill.cause("1 day")
    assert.isAtMost(time.now(), 500 + SLICE_MS)
    yield* TestClock.adjust(1000 - 500 - SLICE_MS - 1)
    assert.deepStrictEqual(due, [])
    yield* TestClock.adjust(SLICE_MS + 1)
    assert.strictEqual(due.length, 1)
  }).pipe(virtual)
)

it.effect("judges nobody after a standstill before what waited for the thread had its turn", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    const { due, wait } = yield* watching(time)
    wait("deadline", 100)
    yield* TestClock.adjust(90)
    // Due in the middle of the standstill, before the deadline would have been.
    const work = yield* Effect.forkChild(
      Effect.andThen(
        Effect.sleep(9),
        Effect.sync(() => wait("work", 0))
      )
    )
    yield* Effect.yieldNow
    yield* Standstill.cause("2 seconds")
    yield* Effect.yieldNow
    assert.isDefined(work.pollUnsafe())
    assert.deepStrictEqual(due, [])
    yield* TestClock.adjust(SLICE_MS)
    assert.deepStrictEqual(due.map(([name]) => name).toSorted(), ["deadline", "work"])
  }).pipe(virtual)
)

it.effect("is due though every slice is late", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    const { due, wait } = yield* watching(time)
    wait("a", 200)
    for (let slice = 0; slice < 5; slice++) {
      yield* Standstill.cause(100)
      yield* Effect.yieldNow
    }
    assert.strictEqual(due.length, 1)
  }).pipe(virtual)
)

it.effect("takes no time for load: whatever a turn of a busy loop takes, up to 40 ms", () =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    for (const turn of [1, 5, 20, 30, 40]) {
      // Who wakes does so at the end of a turn.
      const busy: Clock.Clock = {
        ...clock,
        sleep: (duration) =>
          Effect.suspend(() => {
            const now = clock.currentTimeMillisUnsafe()
            const at = Math.ceil((now + Duration.toMillis(duration)) / turn) * turn
            return clock.sleep(Duration.millis(at - now))
          })
      }
      yield* Effect.gen(function* () {
        const { due, wait } = yield* watching(yield* HadTime.make)
        const from = clock.currentTimeMillisUnsafe()
        wait("a", 1000)
        yield* TestClock.adjust("10 seconds")
        const [[, at] = ["", 0]] = due
        assert.isAtLeast(at - from, 1000)
        assert.isAtMost(at - from, 1000 + 3 * turn)
      }).pipe(Effect.provideService(Clock.Clock, busy))
    }
  }).pipe(virtual)
)

it.effect("has no timer while nobody waits, and its time stands still", () =>
  Effect.gen(function* () {
    const sleeps: Array<number> = []
    const clock = yield* Clock.clockWith(Effect.succeed)
    const counting: Clock.Clock = {
      ...clock,
      sleep: (duration) => Effect.suspend(() => (sleeps.push(1), clock.sleep(duration)))
    }
    yield* Effect.gen(function* () {
      const time = yield* HadTime.make
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(time.now(), 0)
      const cancel = time.after(100, () => {})
      yield* TestClock.adjust(60)
      cancel()
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(time.now(), 60 + SLICE_MS)
      assert.isAtMost(sleeps.length, 3)
      const listener = { stood: () => {} }
      time.listen(listener)
      yield* TestClock.adjust(1000)
      time.unlisten(listener)
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(sleeps.length, 3 + 1000 / 40 + 1)
    }).pipe(Effect.provideService(Clock.Clock, counting))
  }).pipe(virtual)
)

it.effect("tells of each standstill of more than half a second, and not of load", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    const told: Array<number> = []
    const listener = { stood: (ms: number) => void told.push(ms) }
    time.listen(listener)
    yield* TestClock.adjust("1 minute")
    yield* Standstill.cause(500)
    yield* TestClock.adjust(1000)
    assert.deepStrictEqual(told, [])
    yield* Standstill.cause("3 seconds")
    yield* Effect.yieldNow
    assert.strictEqual(told.length, 1)
    assert.isTrue(told.every((ms) => ms <= 3000 && ms >= 3000 - SLICE_MS))
    time.unlisten(listener)
    yield* Standstill.cause("3 seconds")
    yield* TestClock.adjust(1000)
    assert.strictEqual(told.length, 1)
  }).pipe(virtual)
)

it.effect("goes on after somebody's turn has failed", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    const { due, wait } = yield* watching(time)
    time.after(100, () => {
      throw new Error("a defect of a test")
    })
    wait("beside it", 100)
    wait("later", 500)
    yield* TestClock.adjust(1000)
    assert.deepStrictEqual(
      due.map(([name]) => name),
      ["beside it", "later"]
    )
  }).pipe(virtual)
)

it.effect("sleeps by time that was had, and leaves nothing where a sleeper is interrupted", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    const sleeping = yield* Effect.forkChild(time.sleep(1000))
    const interrupted = yield* Effect.forkChild(time.sleep(5000))
    yield* Effect.yieldNow
    yield* Standstill.cause("1 minute")
    yield* TestClock.adjust(900)
    assert.isUndefined(sleeping.pollUnsafe())
    yield* TestClock.adjust(100)
    assert.isDefined(sleeping.pollUnsafe())
    yield* Fiber.interrupt(interrupted)
    yield* TestClock.adjust(100)
    const had = time.now()
    yield* TestClock.adjust(1000)
    assert.strictEqual(time.now(), had)
  }).pipe(virtual)
)

it.effect("ends an effect that hasn't ended within its time, and no other", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    const limited = (ms: number) =>
      Effect.exit(
        Effect.as(Effect.sleep(ms), "ended").pipe(HadTime.within(time, 1000, () => Effect.fail("late" as const)))
      )
    const hung = yield* Effect.forkChild(limited(60_000))
    const quick = yield* Effect.forkChild(limited(999))
    yield* Effect.yieldNow
    yield* Standstill.cause(990)
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(yield* Fiber.join(quick), Exit.succeed("ended"))
    assert.deepStrictEqual(yield* Fiber.join(hung), Exit.fail("late" as const))
  }).pipe(virtual)
)

/** An effect that takes a minute, and half a second to be interrupted. */
const slow = (name: string, then: Effect.Effect<string>) =>
  Effect.onInterrupt(Effect.as(Effect.sleep(60_000), name), () => Effect.andThen(Effect.sleep(500), then))

it.effect(
  "ends an effect that is late before it says so, whatever that one still comes to, and leaves none running",
  () =>
    counted((running) =>
      Effect.gen(function* () {
        const time = yield* HadTime.make
        const before = running()
        const said: Array<string> = []
        const says = (text: string) => Effect.sync(() => said.push(text)).pipe(Effect.as(text))
        const limited = (effect: Effect.Effect<string>) =>
          Effect.forkChild(effect.pipe(HadTime.within(time, 1000, () => says("late"))), { startImmediately: true })
        const late = yield* limited(slow("hung", says("ended")))
        const stubborn = yield* limited(Effect.uninterruptible(Effect.as(Effect.sleep(1200), "in the end")))
        const stopped = yield* limited(slow("stopped", says("stopped")))
        yield* Effect.forkChild(Fiber.interrupt(stopped), { startImmediately: true })
        yield* TestClock.adjust(600)
        assert.deepStrictEqual(said, ["stopped"])
        assert.isDefined(stopped.pollUnsafe())
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Fiber.join(late), "late")
        assert.deepStrictEqual(yield* Fiber.join(stubborn), "late")
        assert.deepStrictEqual(said, ["stopped", "late", "ended", "late"])
        assert.strictEqual(running(), before)
      }).pipe(virtual)
    )
)

it.effect("waits for no time where an effect ends at once", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    const ends = (effect: Effect.Effect<string, string>) =>
      Effect.exit(effect.pipe(HadTime.within(time, 1000, () => Effect.die("late"))))
    const had = time.now()
    assert.deepStrictEqual(yield* ends(Effect.succeed("ended")), Exit.succeed("ended"))
    assert.deepStrictEqual(yield* ends(Effect.fail("failed")), Exit.fail("failed"))
    yield* TestClock.adjust(500)
    assert.strictEqual(time.now(), had)
  }).pipe(virtual)
)

it.effect("leaves no fiber when its scope closes, and is due for nobody after that", () =>
  counted((running) =>
    Effect.gen(function* () {
      const before = running()
      const scope = yield* Scope.make()
      const time = yield* Scope.provide(HadTime.make, scope)
      const { due, wait } = yield* watching(time)
      wait("a", 100)
      yield* TestClock.adjust(50)
      yield* Scope.close(scope, Exit.void)
      wait("b", 10)
      assert.strictEqual(running(), before)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(due, [])
    }).pipe(virtual)
  )
)

const millis = (most: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: most }))

const Script = Schema.Array(
  Schema.Union([
    Schema.Struct({ kind: Schema.Literal("wait"), ms: millis(400) }),
    Schema.Struct({ kind: Schema.Literal("cancel"), nth: millis(20) }),
    Schema.Struct({ kind: Schema.Literal("stand"), ms: millis(2000) }),
    Schema.Struct({ kind: Schema.Literal("adjust"), ms: millis(200) })
  ])
)

it.effect.prop(
  "rule 6: nobody is due before he had his time, nobody later than a slice after it, and nobody is lost",
  { script: Script },
  ({ script }) =>
    Effect.gen(function* () {
      const time = yield* HadTime.make
      const clock = yield* Clock.clockWith(Effect.succeed)
      let stood = 0
      let standstills = 0
      // What is thrown in somebody's turn is only logged.
      const problems: Array<string> = []
      const run = () => clock.currentTimeMillisUnsafe() - stood
      const waiters: Array<{
        readonly ms: number
        readonly from: number
        readonly before: number
        readonly cancel: () => void
        state: "waits" | "due" | "cancelled"
      }> = []
      const check = () => {
        for (const waiter of waiters) {
          if (waiter.state === "waits") assert.isAtMost(run() - waiter.from, waiter.ms + SLICE_MS)
        }
      }
      let last = 0
      for (const step of script) {
        switch (step.kind) {
          case "wait": {
            const waiter: (typeof waiters)[number] = {
              ms: step.ms,
              from: run(),
              before: standstills,
              state: "waits",
              cancel: time.after(step.ms, () => {
                const had = run() - waiter.from
                if (waiter.state !== "waits") problems.push(`due, but ${waiter.state}`)
                // The standstill counts as a slice itself.
                const most = had + SLICE_MS * (standstills - waiter.before)
                if (most < waiter.ms || had > waiter.ms + SLICE_MS) problems.push(`${waiter.ms} due after ${had}`)
                waiter.state = "due"
              })
            }
            waiters.push(waiter)
            break
          }
          case "cancel": {
            const waiter = waiters[step.nth]
            waiter?.cancel()
            if (waiter?.state === "waits") waiter.state = "cancelled"
            break
          }
          case "stand":
            standstills++
            stood += step.ms
            yield* Standstill.cause(step.ms)
            yield* Effect.yieldNow
            break
          case "adjust":
            yield* TestClock.adjust(step.ms)
        }
        check()
        assert.isAtLeast(time.now(), last)
        last = time.now()
      }
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(problems, [])
      assert.isTrue(waiters.every(({ state }) => state !== "waits"))
      const had = time.now()
      yield* TestClock.adjust(1000)
      assert.strictEqual(time.now(), had)
    }).pipe(virtual),
  { arbitrary: { runs: 300 } }
)

it.effect("passes an hour in which somebody waits in seconds", () =>
  Effect.gen(function* () {
    const time = yield* HadTime.make
    let due = 0
    for (let nth = 0; nth < 10_000; nth++) time.after(60_000 + nth * 100, () => due++)
    const started = process.hrtime.bigint()
    yield* TestClock.adjust("1 hour")
    assert.isAtMost(Number(process.hrtime.bigint() - started) / 1e6, 20_000)
    assert.strictEqual(due, 10_000)
  }).pipe(virtual)
)
