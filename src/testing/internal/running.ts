/**
 * A package that runs for as long as a test takes, for tests of promises.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { PluginStatus } from "../../host/HostStatus.ts"
import * as PluginHost from "../../host/PluginHost.ts"
import type { Delivery } from "../../ingress/Delivery.ts"
import { type ConsoleLine, PluginConsole } from "../../plugin/PluginConsole.ts"
import * as FakeWebSocket from "../FakeWebSocket.ts"
import type { Remote } from "../Remote.ts"
import { Faults, lastOf, type PluginFault } from "./faults.ts"
import { isTestClock, passing, turn } from "./passing.ts"

/**
 * A plugin under test. Every step waits until the host has nothing left to do at
 * this moment, and rejects with a `PluginFault` where something went wrong with
 * the plugin since the last one.
 *
 * @category models
 * @since 0.4.0
 */
export interface Running {
  /** Waits, and nothing else. */
  readonly idle: () => Promise<void>
  /** Lets so much time pass: what is due happens when it is due. A number is milliseconds. */
  readonly pass: (duration: Duration.Input) => Promise<void>
  /**
   * The server's end of the `nth` connection of a URL, from 1; by default the latest. Rejects where there is none, with
   * the reason why not.
   */
  readonly remote: (url: string, nth?: number) => Promise<Remote>
  /** How dials of a URL are answered from now on. */
  readonly answer: (url: string, answer: FakeWebSocket.Answer) => Promise<void>
  /** Every dial so far. */
  readonly dials: () => Promise<ReadonlyArray<FakeWebSocket.Dial>>
  /** Hands the plugin an event as an application would; rejects where its ingress doesn't take it. */
  readonly deliver: (delivery: Delivery) => Promise<void>
  /** Ends the instance in order and starts another: its `reason` is `reload`. */
  readonly restart: () => Promise<void>
  /** The lines that it wrote to its console so far. */
  readonly console: () => ReadonlyArray<Pick<ConsoleLine, "level" | "text">>
  /** The plugin's row of the host's status, now. Waits for nothing, and tells of no fault. */
  readonly status: () => Promise<PluginStatus>
}

type Services = PluginHost.PluginHost | FakeWebSocket.FakeWebSocket

/** Runs a test beside the host that a layer provides; virtual time passes by itself while that closes. */
export const running = <A, E>(
  layer: Layer.Layer<Services, E>,
  test: (plugin: Running) => Promise<A>
): Effect.Effect<A, E | PluginFault> =>
  Effect.acquireUseRelease(
    Scope.make(),
    (scope) =>
      Effect.gen(function* () {
        const lines: Array<ConsoleLine> = []
        const services = yield* Effect.provideService(Layer.buildWithScope(layer, scope), PluginConsole, {
          listens: () => true,
          line: (line) => void lines.push(line)
        })
        const steps = stepsOf(yield* Clock.clockWith(Effect.succeed), services, lines)
        const result = yield* Effect.promise(() => test(steps.running))
        yield* steps.settled
        return result
      }),
    (scope, exit) =>
      Clock.clockWith((clock) =>
        isTestClock(clock) ? Effect.raceFirst(Scope.close(scope, exit), passing(clock)) : Scope.close(scope, exit)
      )
  ).pipe(
    Effect.provide(TestClock.layer({ warningDelay: "1 hour" })),
    Effect.provideService(References.MinimumLogLevel, "None")
  )

// While a dial is never answered the host isn't idle; neither is it after so many turns in which nothing happened.
const QUIET_TURNS = 20

const stepsOf = (clock: Clock.Clock, services: Context.Context<Services>, lines: ReadonlyArray<ConsoleLine>) => {
  const host = Context.get(services, PluginHost.PluginHost)
  const fake = Context.get(services, FakeWebSocket.FakeWebSocket)
  const faults = new Faults()
  const row = Effect.flatMap(host.status, ({ plugins: [only] }) => Effect.fromNullishOr(only)).pipe(Effect.orDie)

  const quiet = Effect.gen(function* () {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      yield* turn
      const { dispatchCounters, lifecycle, queueDepth } = yield* row
      if (!RESTS.has(lifecycle) || queueDepth + dispatchCounters.inFlight > 0) turns = 0
    }
  })
  const settled = Effect.gen(function* () {
    yield* Effect.raceFirst(host.idle, quiet)
    const fault = faults.next(yield* row)
    if (fault !== undefined) return yield* fault
  })

  const opened = (url: string, nth: number | undefined) =>
    Effect.gen(function* () {
      yield* settled
      const remotes = yield* fake.remotes(url)
      const remote = nth === undefined ? remotes.at(-1) : remotes[nth - 1]
      return remote ?? (yield* Effect.fail(new TypeError(absence(url, yield* row))))
    })

  const step = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
    Effect.runPromise(Effect.provideService(effect, Clock.Clock, clock))
  // What was sent before is dealt with before.
  const then = <A, E>(effect: Effect.Effect<A, E>): Promise<void> =>
    step(Effect.andThen(Effect.andThen(settled, effect), settled))
  return {
    settled,
    running: {
      idle: () => step(settled),
      pass: (duration) => then(isTestClock(clock) ? clock.adjust(duration) : Effect.sleep(duration)),
      remote: (url, nth) => step(opened(url, nth)),
      answer: (url, answer) => step(fake.answer(url, answer)),
      dials: () => step(fake.dials),
      deliver: (delivery) => then(Effect.flatMap(row, ({ pluginRef }) => host.deliver(pluginRef, delivery))),
      restart: () => then(Effect.flatMap(row, ({ pluginRef }) => host.restart(pluginRef))),
      console: () => lines.map(({ level, text }) => ({ level, text })),
      status: () => step(row)
    } satisfies Running
  }
}

const RESTS: ReadonlySet<PluginStatus["lifecycle"]> = new Set(["running", "restarting", "stopped", "failed"])

/** Why a URL has no connection. */
const absence = (url: string, row: PluginStatus): string => {
  const connections = row.websocketConnections.map((each) => `${each.url} is ${each.state}${because(each.lastError)}`)
  // A fault says more than the last error, which may be the lack of a grant.
  const fault = row.lastError === null ? undefined : lastOf(row)
  const plugin = fault?.tag === row.lastError?.tag && fault ? ` (${fault.message})` : because(row.lastError)
  return [`there is no such connection of ${url}`, `the plugin is ${row.lifecycle}${plugin}`, ...connections].join("; ")
}

const because = (error: PluginStatus["lastError"]): string =>
  error === null ? "" : ` (${error.tag}: ${error.message})`
