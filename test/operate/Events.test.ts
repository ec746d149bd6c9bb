/** The stream of what changes in a host, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"
import { Client, inMemory, piecesOf } from "./support/inMemory.ts"

const pkg = plugin({})
const REF = refOf(pkg)

interface Event {
  readonly name: string
  readonly data: {
    readonly plugin_ref?: string
    readonly plugins?: ReadonlyArray<{ readonly plugin_ref: string; readonly lifecycle: string }>
  }
}

/** The whole events in what came; a comment has the name of none. */
const eventsIn = (text: string): ReadonlyArray<Event> =>
  text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => {
      if (event.startsWith(":")) return { name: "", data: {} }
      const [name = "", data = ""] = event.split("\n")
      return { name: name.replace("event: ", ""), data: JSON.parse(data.replace("data: ", "")) as Event["data"] }
    })

/** A reader that takes whatever comes at once. */
const reading = Effect.gen(function* () {
  const { ask } = yield* Client
  const response = yield* ask("GET", "/events")
  const pieces: Array<string> = []
  yield* Effect.forkScoped(
    Stream.runForEach(piecesOf(response), (piece) => Effect.sync(() => pieces.push(piece))),
    {
      startImmediately: true
    }
  )
  yield* settled
  return {
    response,
    /** The events since it was last asked. */
    taken: Effect.andThen(
      settled,
      Effect.sync(() => eventsIn(pieces.splice(0).join("")))
    )
  }
})

const namesOf = (events: ReadonlyArray<Event>) =>
  events.map(({ data, name }) => (data.plugin_ref === undefined ? name : `${name} ${data.plugin_ref}`))

describe("the events", () => {
  it.effect("begin with the whole status, and go on with rows, at most four a second", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(GATEWAY)
      yield* host.idle
      const { response, taken } = yield* reading
      assert.deepStrictEqual(
        [response.headers["content-type"], response.headers["cache-control"], response.headers["x-accel-buffering"]],
        ["text/event-stream", "no-store", "no"]
      )
      const [first, ...rest] = yield* taken
      assert.strictEqual(first?.name, "status")
      assert.deepStrictEqual(
        first?.data.plugins?.map((row) => row.plugin_ref),
        [REF]
      )
      assert.deepStrictEqual(rest, [])
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual(yield* taken, [])
      /** How many events there are in two seconds of it. */
      const during = (something: Effect.Effect<void, unknown>) =>
        Effect.gen(function* () {
          let told = 0
          for (let step = 0; step < 100; step++) {
            yield* something
            yield* settled
            yield* TestClock.adjust("20 millis")
            told += (yield* taken).length
          }
          return told
        })
      // Counters alone are no change that anybody is told of: somebody looks each second.
      assert.strictEqual(yield* during(Effect.sync(() => remote.sendText("hi"))), 2)
      const restarts = yield* during(host.restart(REF))
      assert.isAtLeast(restarts, 7)
      // One at each end of them included.
      assert.isAtMost(restarts, 9)
    }).pipe(Effect.scoped, Effect.provide(inMemory({ plugins: [pkg] })))
  )

  it.effect("say which rows are gone and which are new", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const { taken } = yield* reading
      yield* TestClock.adjust("1 second")
      yield* taken
      yield* host.apply({ enabled: [enable(pkg, { instance: "two" })] })
      yield* host.idle
      yield* TestClock.adjust("1 second")
      const names = namesOf(yield* taken)
      assert.include(names, `removed ${REF}`)
      assert.include(names, `plugin ${REF}#two`)
      assert.notInclude(names, `plugin ${REF}`)
    }).pipe(Effect.scoped, Effect.provide(inMemory({ plugins: [pkg] })))
  )

  it.effect("say by a whole status what stands in no row", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const { taken } = yield* reading
      yield* TestClock.adjust("1 second")
      yield* taken
      yield* host.reject([{ path: "", message: "Expected TOML" }])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(namesOf(yield* taken), ["status"])
    }).pipe(Effect.scoped, Effect.provide(inMemory({ plugins: [pkg] })))
  )

  it.effect("have a comment every 15 s, in silence too", () =>
    Effect.gen(function* () {
      yield* (yield* PluginHost.PluginHost).idle
      const { taken } = yield* reading
      yield* taken
      yield* TestClock.adjust("14 seconds")
      assert.deepStrictEqual(yield* taken, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(namesOf(yield* taken), [""])
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(namesOf(yield* taken), [""])
    }).pipe(Effect.scoped, Effect.provide(inMemory({ plugins: [pkg] })))
  )

  it.effect("hand a reader whose socket hasn't drained nothing, and one fresh status once it has", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(GATEWAY)
      yield* host.idle
      const { ask } = yield* Client
      const pull = yield* Stream.toPull(piecesOf(yield* ask("GET", "/events")))
      const next = Effect.map(pull, (pieces) => namesOf(eventsIn(pieces.join(""))))
      assert.deepStrictEqual(yield* next, ["status"])
      for (let second = 0; second < 20; second++) {
        remote.sendText("hi")
        yield* host.idle
        yield* TestClock.adjust("1 second")
      }
      const asked = yield* Effect.forkChild(next)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(asked), ["status"])
      const silent = yield* Effect.forkChild(next)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(silent.pollUnsafe())
      remote.sendText("hi")
      yield* host.idle
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(silent), [`plugin ${REF}`])
    }).pipe(Effect.scoped, Effect.provide(inMemory({ plugins: [pkg] })))
  )

  it.effect("end a document that was begun, each row as it is then, and tell what changed while it was written", () => {
    const refs = Array.from({ length: 100 }, (_, index) => `${REF}#n${index}`)
    const enabled = refs.map((_, index) => enable(pkg, { instance: `n${index}` }))
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const { ask } = yield* Client
      const pull = yield* Stream.toPull(piecesOf(yield* ask("GET", "/events")))
      const next = Effect.map(pull, (pieces) => pieces.join(""))
      let text = yield* next
      assert.notInclude(text, "\n\n")
      // The first row has been written, the last one hasn't.
      yield* host.stop(refs[0] ?? "")
      yield* host.stop(refs[99] ?? "")
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* settled
      while (!text.includes("\n\n")) text += yield* next
      const [status, ...early] = eventsIn(text)
      assert.deepStrictEqual([status?.name, early], ["status", []])
      assert.deepStrictEqual(
        status?.data.plugins?.map((row) => row.plugin_ref),
        refs
      )
      const rows = status?.data.plugins ?? []
      assert.deepStrictEqual([rows[0]?.lifecycle, rows[99]?.lifecycle], ["running", "stopped"])
      const late = eventsIn(yield* next)
      assert.sameMembers(namesOf(late), [`plugin ${refs[0]}`, `plugin ${refs[99]}`])
    }).pipe(Effect.scoped, Effect.provide(inMemory({ plugins: [pkg], enabled })))
  })

  it.effect("end for a reader who leaves its socket full for 30 s", () =>
    Effect.gen(function* () {
      yield* (yield* PluginHost.PluginHost).idle
      const { ask } = yield* Client
      const begun = yield* Queue.unbounded<void>()
      const fiber = yield* Effect.forkScoped(
        Effect.scoped(
          Effect.gen(function* () {
            const response = yield* ask("GET", "/events")
            yield* Stream.runForEach(piecesOf(response), () =>
              Effect.andThen(Queue.offer(begun, undefined), Effect.never)
            )
          })
        )
      )
      yield* Queue.take(begun)
      yield* TestClock.adjust("29 seconds")
      yield* settled
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
    }).pipe(Effect.scoped, Effect.provide(inMemory({ plugins: [pkg] })))
  )

  it.effect("are for 64 readers; a place is free again once one has left", () =>
    Effect.gen(function* () {
      const { ask } = yield* Client
      const scopes = yield* Effect.forEach(Array.from({ length: 64 }), () => Scope.make())
      for (const scope of scopes) {
        assert.strictEqual((yield* Scope.provide(ask("GET", "/events"), scope)).status, 200)
      }
      assert.strictEqual((yield* Effect.scoped(ask("GET", "/events"))).status, 429)
      for (const scope of scopes.slice(0, 1)) yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Effect.scoped(ask("GET", "/events"))).status, 200)
      yield* Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void))
    }).pipe(Effect.provide(inMemory({ plugins: [pkg] })))
  )
})
