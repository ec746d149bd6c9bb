/** Plugins that hand over whatever JavaScript allows: the status of the host goes on, and says so on the wire. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { HostStatus, OutputCommand, PluginError, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { int, list, oneOf } from "../support/arbitraries.ts"
import { accountingProblem, onFake, opened, rowOf } from "../support/host.ts"
import { FINE, fine, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const throwing = () => {
  throw new Error("looked at")
}

const traps: ProxyHandler<object> = {
  get: throwing,
  has: throwing,
  ownKeys: throwing,
  getPrototypeOf: throwing,
  getOwnPropertyDescriptor: throwing
}

const deep = (levels: number): unknown => {
  let value: unknown = "bottom"
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { value }
  return value
}

const cyclic = (): unknown => {
  const error = new Error("cyclic")
  error.cause = { error, list: [error] }
  return error
}

const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** An error of the host's own, made into something else. */
const disguised = (change: PropertyDescriptorMap): unknown =>
  Object.defineProperties(new PluginError.OutputInvalid({ problems: [{ path: "a", message: "b" }] }), change)

/** What no JSON, no error and no text ever looks like. */
const ODD: { readonly [name: string]: () => unknown } = {
  symbol: () => Symbol("s"),
  bigint: () => 10n ** 40n,
  function: () => throwing,
  "nothing at all": () => undefined,
  null: () => null,
  NaN: () => Number.NaN,
  "a lone surrogate": () => "\ud800",
  "a megabyte": () => "x".repeat(1_000_000),
  "a proxy that throws": () => new Proxy({}, traps),
  "a revoked proxy": revoked,
  "a getter that throws": () => Object.defineProperty({}, "message", { get: throwing, enumerable: true }),
  "toJSON that throws": () => ({ toJSON: throwing }),
  "toJSON of something else": () => ({ toJSON: () => 7n }),
  "a cycle": cyclic,
  "ten thousand levels": () => deep(10_000),
  "ten thousand entries": () => Object.fromEntries(Array.from({ length: 10_000 }, (_, nth) => [`k${nth}`, nth])),
  "an error whose stack throws": () => Object.defineProperty(new Error("x"), "stack", { get: throwing }),
  "an error whose name is a symbol": () => Object.defineProperty(new Error("x"), "name", { value: Symbol("n") }),
  "an error of ours with another tag": () => disguised({ _tag: { value: "Constructor" } }),
  "an error of ours whose message throws": () => disguised({ message: { get: throwing } }),
  "an error of ours whose problems are none": () => disguised({ problems: { value: 7 } }),
  "an error of ours that is only its prototype": () => Object.create(PluginError.OutputInvalid.prototype),
  __proto__: () => JSON.parse('{ "__proto__": { "polluted": 1 }, "constructor": 1 }')
}

const oddities = Object.keys(ODD)

/** Where a plugin may hand something over: as from JavaScript, not what the types say. */
const PLACES: { readonly [name: string]: (odd: unknown) => unknown } = {
  "the answer": (odd) => Exit.succeed(odd),
  status: (odd) => Exit.succeed({ status: odd }),
  state: (odd) => Exit.succeed({ state: odd }),
  accepted: (odd) => Exit.succeed({ accepted: odd }),
  commands: (odd) => Exit.succeed({ commands: odd }),
  "a command": (odd) => Exit.succeed({ commands: [odd] }),
  "a command's kind": (odd) => Exit.succeed({ commands: [{ kind: odd, payload: {} }] }),
  "a command's payload": (odd) => Exit.succeed({ commands: [{ kind: "websocket_send", payload: odd }] }),
  "a command's ids": (odd) =>
    Exit.succeed({
      commands: [
        { kind: "timer_clear", payload: { name: "t" }, command_id: odd, correlation_id: odd, source_event_id: odd }
      ]
    }),
  "a command's ids, set afterwards": (odd) => {
    const command = OutputCommand.clearTimer("t")
    for (const key of ["command_id", "correlation_id", "source_event_id", "payload"]) Reflect.set(command, key, odd)
    return Exit.succeed({ commands: [command] })
  },
  "a URL": (odd) => Exit.succeed({ commands: [{ kind: "websocket_send", payload: { url: odd, text: odd } }] }),
  "a timer's name": (odd) => Exit.succeed({ commands: [{ kind: "timer_set", payload: { name: odd, after_ms: 100 } }] }),
  "a timer's time": (odd) =>
    Exit.succeed({ commands: [{ kind: "timer_set", payload: { name: "t", after_ms: odd, every_ms: odd } }] }),
  "a reported status": (odd) =>
    Exit.succeed({ commands: [{ kind: "diagnostic_status_update", payload: { message: odd, status: odd } }] }),
  "a close": (odd) =>
    Exit.succeed({ commands: [{ kind: "websocket_close", payload: { url: GATEWAY, code: odd, reason: odd } }] }),
  "a failure": (odd) => Effect.fail(odd),
  "a defect": (odd) => Effect.die(odd),
  "an exit that failed": (odd) => Exit.fail(odd),
  "a rejection": (odd) => Effect.promise(() => Promise.reject(odd)),
  "no effect": (odd) => odd,
  "a throw": (odd) => {
    throw odd
  }
}

const effectOf = (value: unknown): Effect.Effect<never> =>
  (Effect.isEffect(value) ? value : Effect.succeed(value)) as Effect.Effect<never>

const places = Object.keys(PLACES)
const Case = Arbitrary.all({
  odd: Arbitrary.map(int(0, oddities.length - 1), (index) => oddities[index] ?? "symbol"),
  place: Arbitrary.map(int(0, places.length - 1), (index) => places[index] ?? "the answer")
})

const validate = Schema.decodeUnknownEffect(HostStatus.HostStatus)

/** The status on the wire is JSON, and a reader of the wire takes it. */
const assertWell = Effect.gen(function* () {
  const host = yield* PluginHost.PluginHost
  const encoded = HostStatus.encode(yield* host.status)
  const read: unknown = JSON.parse(JSON.stringify(encoded))
  assert.deepStrictEqual<unknown>(read, encoded)
  yield* Effect.orDie(validate(read))
  assert.isBelow(JSON.stringify(encoded).length, 3_000_000)
})

describe("a plugin that hands over anything", () => {
  it.effect.prop(
    "rule 10: never makes the status of its host fail, and costs itself only",
    { cases: list(Case, 1, 6), how: oneOf("handle", "handle", "handle", "start", "status", "stop") },
    ({ cases, how }) => {
      const answers = cases.map(
        ({ odd, place }) =>
          () =>
            PLACES[place]?.(ODD[odd]?.())
      )
      let next = 0
      // As from JavaScript: what the types don't allow.
      const answer = () => answers[next++ % answers.length]?.() as Effect.Effect<never>
      const hostile = plugin({
        name: "hostile",
        handlers: how === "start" ? () => answer() : { gateway: { websocket_text: answer } },
        ...(how === "status" ? { status: Effect.suspend(() => effectOf(answer())) } : {}),
        ...(how === "stop" ? { stop: Effect.suspend(() => effectOf(answer())) } : {})
      })
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const other = yield* fake.remote(FINE)
        for (const _ of cases) {
          const [remote] = (yield* fake.remotes(GATEWAY)).slice(-1)
          if (remote?.isOpen === true) remote.sendText("x")
          yield* host.idle
          yield* assertWell
          yield* TestClock.adjust("11 seconds")
          yield* host.idle
        }
        yield* host.restart(refOf(hostile))
        yield* host.idle
        yield* assertWell
        other.sendText("x")
        yield* host.idle
        assert.deepStrictEqual(other.sent, ["fine"])
        const row = yield* rowOf(refOf(fine))
        assert.strictEqual(row.lifecycle, "running")
        assert.deepStrictEqual(row.diagnosticCounts, {})
        assert.isUndefined(accountingProblem(yield* rowOf(refOf(hostile))))
        assert.isUndefined(Object.getOwnPropertyDescriptor(Object.prototype, "polluted"))
      }).pipe(Effect.provide(onFake({ plugins: [hostile, fine] })))
    },
    { arbitrary: { runs: 200 } }
  )

  it.effect("crashes, and nothing waits for it, where it hands over what is no effect inside of one", () => {
    // Effect ends the fiber then, and runs none of its finalizers.
    const nested = plugin({
      handlers: { gateway: { websocket_text: () => Effect.suspend(() => 7 as unknown as Effect.Effect<void>) } }
    })
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("x")
      yield* host.idle
      yield* assertWell
      assert.deepInclude((yield* rowOf(refOf(nested))).lastError, { tag: "InstanceLost" })
      yield* TestClock.adjust("1 second")
      yield* host.awaitRunning(refOf(nested))
      yield* host.idle
      assert.isUndefined(accountingProblem(yield* rowOf(refOf(nested))))
    }).pipe(Effect.provide(onFake({ plugins: [nested] })))
  })
})
