import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { type IngressEvent, OutputCommand, PluginHost, ServicePlugin } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, target } from "../support/plugins.ts"

const REF = "project:test.plugin"

const declared = {
  id: "test.plugin",
  version: "1.0.0",
  ingresses: { gateway: { sources: [GATEWAY] } },
  websocket: [target]
} as const

const start = opened(GATEWAY)

describe("a plugin's configuration", () => {
  const Config = Schema.Struct({ room: Schema.String, since: Schema.DateFromString })
  const pkg = ServicePlugin.make({
    ...declared,
    config: Config,
    handlers: ({ config }) =>
      Effect.succeed({
        gateway: {
          websocket_open: (event) =>
            Exit.succeed({ commands: [OutputCommand.send(event, `${config.room} ${config.since.getUTCFullYear()}`)] })
        }
      })
  })

  it.effect("is decoded by its schema", () =>
    Effect.gen(function* () {
      const { remote } = yield* start
      assert.deepStrictEqual(remote.sent, ["lobby 2026"])
    }).pipe(
      Effect.provide(
        onFake({ plugins: [pkg], enabled: [enable(pkg, { config: { room: "lobby", since: "2026-11-24T00:00:00Z" } })] })
      )
    )
  )

  it.effect("that doesn't fit is listed with all its problems, and only the operator can help", () =>
    Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      yield* TestClock.adjust("2 hours")
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepInclude(row, { lifecycle: "failed", retryAt: null })
      assert.deepStrictEqual(row.diagnosticCounts, { ManifestInvalid: 1 })
      assert.deepStrictEqual(row.diagnostics[0]?.error, {
        _tag: "ManifestInvalid",
        subject: "enablement",
        problems: [
          { path: "config.typo", message: "Expected no excess property" },
          { path: "config.room", message: "Expected string" },
          { path: "config.since", message: "Expected a valid Date" }
        ]
      })
      assert.notInclude(JSON.stringify(row), "secret")
      yield* host.apply({ enabled: [enable(pkg, { config: { room: "lobby", since: "2026-11-24T00:00:00Z" } })] })
      yield* start
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
    }).pipe(
      Effect.provide(
        onFake({
          plugins: [pkg],
          enabled: [enable(pkg, { config: { room: 7, since: "my-secret-date", typo: "my-secret-value" } })]
        })
      )
    )
  )
})

it.effect("rule 11: what a plugin's own check says of a configured value is masked", () => {
  const check = Schema.makeFilter((room: string) => `there is no room ${room}`)
  const pkg = ServicePlugin.make({
    ...declared,
    config: Schema.Struct({ room: Schema.String.check(check) }),
    handlers: {}
  })
  const quiet = ServicePlugin.make({ ...declared, handlers: {} })
  return Effect.gen(function* () {
    const host = yield* PluginHost.PluginHost
    yield* host.idle
    const row = yield* rowOf(REF)
    assert.strictEqual(row.lastError?.tag, "ManifestInvalid")
    assert.include(row.lastError?.message, "there is no room ***")
    assert.notInclude(JSON.stringify(row), "secret-room")
    // Nor later, when something else is configured.
    for (const version of [1, 2, 3]) {
      yield* host.apply({ enabled: [enable(pkg, { surfaces: ["service"], config: { version } })], plugins: [quiet] })
      yield* host.idle
      assert.notInclude(JSON.stringify(yield* rowOf(REF)), "secret-room")
    }
  }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [enable(pkg, { config: { room: "secret-room" } })] })))
})

describe("a plugin's state", () => {
  const State = Schema.Struct({ seen: Schema.Int, at: Schema.DateFromString })

  it.effect("is encoded and handed back by its schema, at once or after a while", () => {
    const states: Array<typeof State.Type | null> = []
    const pkg = ServicePlugin.make({
      ...declared,
      state: State,
      handlers: ({ state }) => {
        states.push(state)
        let seen = state?.seen ?? 0
        return Effect.succeed({
          gateway: {
            websocket_text: (event: IngressEvent.WebSocketText) => {
              if (event.text === "die") return Effect.die("boom")
              if (event.text === "bad") return Exit.succeed({ state: { seen: 1.5, at: new Date(event.at) } })
              const answer = { state: { seen: ++seen, at: new Date(event.at) } }
              return event.text === "slow" ? Effect.as(Effect.sleep(10), answer) : Exit.succeed(answer)
            }
          }
        })
      }
    })
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      for (const text of ["one", "slow"]) remote.sendText(text)
      yield* settled
      yield* TestClock.adjust(10)
      yield* host.idle
      for (const text of ["bad", "die"]) remote.sendText(text)
      yield* host.idle
      assert.deepInclude((yield* rowOf(REF)).diagnosticCounts, { OutputInvalid: 1, InstanceLost: 1 })
      yield* TestClock.adjust(100)
      yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      assert.deepStrictEqual(states, [null, { seen: 2, at: new Date(0) }])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("of another form is no state, and the plugin starts", () => {
    const states: Array<unknown> = []
    const version = (digit: string, state: Schema.Codec<unknown, unknown>) =>
      ServicePlugin.make({
        ...declared,
        version: "1.0.0",
        digest: `sha256:${digit.repeat(64)}`,
        state,
        handlers: (begun) => {
          states.push(begun.state)
          return Effect.succeed({
            gateway: { websocket_open: () => Exit.succeed({ state: { seen: 1, at: new Date(0) } }) }
          })
        }
      })
    const old = version("1", State)
    const other = version("2", Schema.String)
    return Effect.gen(function* () {
      const { fake, host } = yield* start
      yield* host.apply({ enabled: [enable(other)], plugins: [other] })
      yield* host.idle
      // The grant is for the other digest.
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "failed")
      yield* host.apply({ enabled: [enable(old, { config: { again: 1 } })], plugins: [old] })
      yield* fake.remote(GATEWAY, 2)
      assert.deepStrictEqual(states, [null, { seen: 1, at: new Date(0) }])
    }).pipe(Effect.provide(onFake({ plugins: [old] })))
  })
})

describe("a plugin's own services", () => {
  class Seen extends Context.Service<Seen, Ref.Ref<number>>()("test/Seen") {
    static built = 0
    static released = 0
    static readonly layer = Layer.effect(
      this,
      Effect.acquireRelease(
        Effect.suspend(() => {
          Seen.built++
          return Ref.make(0)
        }),
        () => Effect.sync(() => Seen.released++)
      )
    )
  }
  const pkg = (id: string) =>
    ServicePlugin.make({
      ...declared,
      id,
      layer: Seen.layer,
      handlers: {
        gateway: {
          websocket_text: (event) =>
            Effect.gen(function* () {
              const seen = yield* Ref.updateAndGet(yield* Seen, (count) => count + 1)
              return { commands: [OutputCommand.send(event, `${seen}`)] }
            })
        }
      },
      status: Effect.flatMap(Seen, Ref.get),
      stop: Effect.flatMap(Seen, (seen) => Ref.set(seen, -1))
    })

  it.effect("are built for each instance and released with it", () => {
    Seen.built = 0
    Seen.released = 0
    const [a, b] = [pkg("test.plugin"), pkg("test.other")]
    return Effect.gen(function* () {
      const { fake, host } = yield* start
      const [first, second] = yield* fake.remotes(GATEWAY)
      first?.sendText("x")
      first?.sendText("x")
      second?.sendText("x")
      yield* host.idle
      assert.deepStrictEqual([first?.sent, second?.sent], [["1", "2"], ["1"]])
      // The third is the application's own.
      assert.strictEqual(yield* Ref.get(yield* Seen), 0)
      assert.deepStrictEqual([Seen.built, Seen.released], [3, 0])
      yield* host.restart(REF)
      const third = yield* fake.remote(GATEWAY, 3)
      third.sendText("x")
      yield* host.idle
      assert.deepStrictEqual(third.sent, ["1"])
      assert.deepStrictEqual([Seen.built, Seen.released], [4, 1])
    }).pipe(Effect.provide(Layer.provideMerge(onFake({ plugins: [a, b] }), Seen.layer)))
  })

  it.effect("that can't be built fail the start", () => {
    const broken = ServicePlugin.make({
      ...declared,
      layer: Layer.effect(Seen, Effect.fail("no database")),
      handlers: {}
    })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepInclude(row, { lifecycle: "failed" })
      assert.strictEqual(row.lastError?.tag, "StartFailed")
      assert.isNotNull(row.retryAt)
    }).pipe(Effect.provide(onFake({ plugins: [broken] })))
  })
})

const reporting = (status: () => Effect.Effect<Schema.Json, unknown>, texts: Array<string> = []) =>
  ServicePlugin.make({
    ...declared,
    handlers: {
      gateway: {
        websocket_text: (event) => {
          texts.push(event.text)
          return Exit.void
        }
      }
    },
    status: Effect.suspend(status)
  })

describe("a plugin's status", () => {
  it.effect("is asked for at the start, and then at most every ten seconds", () => {
    let asked = 0
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      assert.strictEqual(asked, 1)
      assert.deepStrictEqual((yield* rowOf(REF)).reportedStatus, { asked: 1 })
      for (let text = 0; text < 50; text++) {
        remote.sendText("x")
        yield* host.idle
      }
      yield* TestClock.adjust(9999)
      yield* host.idle
      assert.strictEqual(asked, 1)
      yield* TestClock.adjust(1)
      yield* host.idle
      assert.deepStrictEqual((yield* rowOf(REF)).reportedStatus, { asked: 2 })
      for (let second = 0; second < 60; second++) {
        remote.sendText("x")
        yield* TestClock.adjust(1000)
        yield* host.idle
      }
      assert.strictEqual(asked, 8)
    }).pipe(Effect.provide(onFake({ plugins: [reporting(() => Effect.sync(() => ({ asked: ++asked })))] })))
  })

  it.effect("rule 5: is asked between two dispatches, and never beside one", () => {
    let busy = 0
    let most = 0
    const during = (effect: Effect.Effect<void>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          most = Math.max(most, ++busy)
        }),
        () => effect,
        () => Effect.sync(() => busy--)
      )
    const pkg = ServicePlugin.make({
      ...declared,
      handlers: { gateway: { websocket_text: () => during(Effect.sleep(700)) } },
      status: Effect.as(during(Effect.sleep(500)), null)
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(GATEWAY)
      for (let text = 0; text < 20; text++) remote.sendText("x")
      for (let half = 0; half < 80; half++) {
        yield* settled
        yield* TestClock.adjust(250)
      }
      assert.strictEqual(most, 1)
      assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { dispatched: 21, failed: 0, timedOut: 0 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("that fails, or isn't one, is reported, and the service goes on", () => {
    const answers = [
      Effect.fail("no"),
      Effect.succeed("x".repeat(5000)),
      Effect.succeed(1n as unknown as Schema.Json),
      Effect.succeed("well")
    ]
    let asked = 0
    return Effect.gen(function* () {
      const { host } = yield* start
      for (let times = 0; times < 3; times++) {
        yield* TestClock.adjust("10 seconds")
        yield* host.idle
      }
      const row = yield* rowOf(REF)
      assert.deepStrictEqual(row.diagnosticCounts, { DispatchFailed: 1, OutputInvalid: 2 })
      assert.deepInclude(row, { lifecycle: "running", reportedStatus: "well", restarts: 0 })
      assert.deepInclude(row.dispatchCounters, { failed: 0, dispatched: 1 })
    }).pipe(Effect.provide(onFake({ plugins: [reporting(() => answers[asked++] ?? Effect.succeed(null))] })))
  })

  for (const [how, handler] of [
    ["is past its deadline", Effect.never],
    ["dies", Effect.andThen(Effect.sleep(800), Effect.die("boom"))],
    ["is to be stopped", Effect.sleep(950)]
  ] as const) {
    it.effect(`rule 6: that becomes due while a handler ${how} keeps no instance from ending`, () => {
      const pkg = ServicePlugin.make({
        ...declared,
        handlers: { gateway: { websocket_text: () => handler } },
        status: Effect.succeed(1)
      })
      return Effect.gen(function* () {
        const { host, remote } = yield* start
        yield* TestClock.adjust(9500)
        yield* host.idle
        remote.sendText("x")
        yield* settled
        yield* TestClock.adjust(700)
        yield* settled
        if (how === "is to be stopped") yield* host.stop(REF)
        for (let tick = 0; tick < 100; tick++) {
          yield* settled
          yield* TestClock.adjust(100)
        }
        const row = yield* rowOf(REF)
        assert.strictEqual(row.lifecycle, how === "is to be stopped" ? "stopped" : "running")
        assert.notProperty(row.diagnosticCounts, "InstanceUnstoppable")
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    })
  }

  for (const [how, effect, tag] of [
    ["never answers", Effect.never, "DispatchTimeout"],
    ["dies", Effect.die("boom"), "InstanceLost"]
  ] as const) {
    it.effect(`rule 6: that ${how} is a crash, and no event is lost in it`, () => {
      let asked = 0
      const texts: Array<string> = []
      return Effect.gen(function* () {
        const { fake, host, remote } = yield* start
        yield* TestClock.adjust("10 seconds")
        yield* settled
        remote.sendText("waits")
        yield* TestClock.adjust(1000)
        yield* host.idle
        const row = yield* rowOf(REF)
        assert.strictEqual(row.lastError?.tag, tag)
        assert.deepInclude(row.dispatchCounters, { failed: 0, timedOut: 0, inFlight: 0 })
        yield* TestClock.adjust("10 seconds")
        const second = yield* fake.remote(GATEWAY, 2)
        second.sendText("heard")
        yield* host.idle
        assert.strictEqual(texts.at(-1), "heard")
        assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", restarts: 1 })
      }).pipe(
        Effect.provide(onFake({ plugins: [reporting(() => (++asked === 2 ? effect : Effect.succeed(asked)), texts)] }))
      )
    })
  }
})
