import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { GrantStore, OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { onFake, rowOf, type Setup } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"
const HOUR = 3_600_000

/** The real clock, whose wall time can be set, and which can stand still without sleepers noticing. */
const settable = () => {
  const real = Clock.Clock.defaultValue()
  let offset = 0
  let missed = 0n
  const clock: Clock.Clock = Object.create(real, {
    currentTimeMillisUnsafe: { value: () => real.currentTimeMillisUnsafe() + offset },
    monotonicTimeNanosUnsafe: { value: () => real.monotonicTimeNanosUnsafe() + missed }
  })
  return {
    clock,
    miss: (millis: number) =>
      Effect.sync(() => {
        missed += BigInt(millis) * 1_000_000n
      }),
    set: (millis: number) =>
      Effect.sync(() => {
        offset = millis
      })
  }
}

type Services = PluginHost.PluginHost | FakeWebSocket.FakeWebSocket | GrantStore.GrantEditor

/** Runs against a host whose wall clock can be set, and fails if that takes anywhere near as long as it was set by. */
const withClock = (
  setup: Setup,
  test: (
    set: (millis: number) => Effect.Effect<void>,
    miss: (millis: number) => Effect.Effect<void>
  ) => Effect.Effect<void, PluginHost.PluginUnknown, Services>
) => {
  const { clock, miss, set } = settable()
  return test(set, miss).pipe(
    Effect.provide(onFake(setup)),
    Effect.provideService(Clock.Clock, clock),
    Effect.timeout("15 seconds")
  )
}

const until = <A>(
  effect: Effect.Effect<A, never, Services>,
  condition: (value: A) => boolean
): Effect.Effect<void, never, Services> =>
  Effect.flatMap(effect, (value) =>
    condition(value) ? Effect.void : Effect.andThen(Effect.sleep(5), until(effect, condition))
  )

const row = rowOf(REF)
const connection = Effect.map(row, ({ websocketConnections }) => websocketConnections[0])

const still = plugin({ handlers: { gateway: { websocket_text: () => Exit.void } } })

describe("a wall clock that is set by an hour", () => {
  for (const jump of [-HOUR, HOUR]) {
    const how = jump < 0 ? "back" : "forward"

    it.live(`${how} neither ends a connection that is pinged nor keeps one whose server is gone`, () =>
      withClock({ plugins: [still], limits: { pingIntervalMs: 50, pongDeadlineMs: 2000 } }, (set) =>
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const remote = yield* fake.remote(GATEWAY)
          const pinged = Effect.sync(() => remote.pings.length)
          yield* until(pinged, (pings) => pings > 2)
          yield* set(jump)
          yield* until(pinged, (pings) => pings > 8)
          assert.isTrue(remote.isOpen)
          remote.ignorePings()
          yield* set(0)
          yield* remote.closed
          yield* until(connection, (shown) => shown?.lastError?.tag === "KeepaliveTimeout")
        })
      )
    )

    it.live(`${how} doesn't hold up dials`, () =>
      withClock({ plugins: [still] }, (set) =>
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const host = yield* PluginHost.PluginHost
          yield* fake.remote(GATEWAY)
          yield* set(jump)
          yield* host.stop(REF)
          yield* host.idle
          yield* host.start(REF)
          yield* fake.remote(GATEWAY, 2)
        })
      )
    )

    it.live(`${how} doesn't change how long a source waits before it is dialled again`, () => {
      const settings = { reconnect: { initial_ms: 100, max_ms: 100 } }
      return withClock({ plugins: [still], enabled: [enable(still, { sources: { gateway: settings } })] }, (set) =>
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const remote = yield* fake.remote(GATEWAY)
          remote.breakOff()
          yield* until(connection, (one) => one?.state === "waiting" || one?.epoch === 2)
          yield* set(jump)
          yield* fake.remote(GATEWAY, 2)
        })
      )
    })

    it.live(`${how} doesn't change the grace of a close`, () =>
      withClock({ plugins: [still], limits: { closeGraceMs: 200 } }, (set) =>
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const host = yield* PluginHost.PluginHost
          const remote = yield* fake.remote(GATEWAY)
          remote.ignoreClose()
          yield* host.stop(REF)
          yield* until(connection, (one) => one?.state === "closing")
          yield* set(jump)
          yield* remote.closed
        })
      )
    )

    it.live(`${how} doesn't change when a crashed plugin is started again`, () => {
      const dying = plugin({ handlers: { gateway: { websocket_text: () => Exit.die("boom") } } })
      return withClock({ plugins: [dying] }, (set) =>
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const remote = yield* fake.remote(GATEWAY)
          remote.sendText("die")
          yield* until(row, ({ lifecycle }) => lifecycle === "restarting")
          yield* set(jump)
          yield* fake.remote(GATEWAY, 2)
        })
      )
    })

    it.live(`${how} doesn't change when a queue slides`, () => {
      const slow = plugin({ handlers: { gateway: { websocket_text: () => Effect.sleep(10_000) } } })
      const limits = { ingressQueueCapacity: 8, burstPatienceMs: 200, dispatchDeadlineMs: 60_000 }
      return withClock({ plugins: [slow], limits }, (set) =>
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const remote = yield* fake.remote(GATEWAY)
          for (let i = 0; i < 8; i++) remote.sendText("x")
          yield* until(connection, (one) => one?.flow === "paused")
          yield* set(jump)
          yield* until(connection, (one) => one?.flow === "sliding")
        })
      )
    })

    it.live(`${how} doesn't change when a timer fires`, () => {
      const fired: Array<number> = []
      const ticking = plugin({
        handlers: {
          gateway: {
            websocket_open: () => Exit.succeed({ commands: [OutputCommand.setTimer("soon", { afterMs: 200 })] }),
            timer: (event) => {
              fired.push(event.at)
              return Exit.void
            }
          }
        }
      })
      return withClock({ plugins: [ticking] }, (set) =>
        Effect.gen(function* () {
          yield* until(row, ({ timers }) => timers.length === 1)
          yield* set(jump)
          yield* until(row, ({ dispatchCounters }) => dispatchCounters.dispatched === 2)
          assert.lengthOf(fired, 1)
        })
      )
    })

    it.live(`${how} neither ends a start nor a handler before its deadline`, () => {
      const slow = plugin({
        handlers: () =>
          Effect.as(Effect.sleep(200), { gateway: { websocket_text: () => Effect.as(Effect.sleep(200), {}) } })
      })
      return withClock({ plugins: [slow] }, (set) =>
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const grants = yield* GrantStore.GrantEditor
          yield* until(row, ({ lifecycle }) => lifecycle === "starting")
          yield* set(jump)
          // Makes the supervisor look at its clock.
          yield* grants.set(REF, { ...GrantStore.grantOf(enable(slow)), id: "project:test.plugin" })
          const remote = yield* fake.remote(GATEWAY)
          remote.sendText("slow")
          yield* set(0)
          yield* until(row, ({ dispatchCounters }) => dispatchCounters.dispatched === 2)
          assert.deepStrictEqual((yield* row).diagnosticCounts, {})
        })
      )
    })
  }
})

describe("a process that stood still for an hour", () => {
  it.live("is handed one event of a timer, and no others for what it missed", () => {
    const fired: Array<number> = []
    const ticking = plugin({
      handlers: {
        gateway: {
          websocket_open: () =>
            Exit.succeed({ commands: [OutputCommand.setTimer("beat", { afterMs: 200, everyMs: 1000 })] }),
          timer: (event) => {
            fired.push(event.at)
            return Exit.void
          }
        }
      }
    })
    return withClock({ plugins: [ticking] }, (_set, miss) =>
      Effect.gen(function* () {
        yield* until(row, ({ timers }) => timers.length === 1)
        yield* miss(HOUR)
        yield* until(row, ({ dispatchCounters }) => dispatchCounters.dispatched >= 2)
        yield* until(row, ({ dispatchCounters }) => dispatchCounters.dispatched >= 3)
        // The second one keeps the rhythm of the first: 200 ms after a full second.
        assert.lengthOf(fired, 2)
      })
    )
  })
})
