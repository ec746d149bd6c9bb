import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { EVENT_KINDS, frameOf, saidIn } from "../support/frames.ts"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { enable, plugin, refOf } from "../support/plugins.ts"

const SOURCES = ["ws://127.0.0.1:7700/a", "ws://127.0.0.1:7700/b", "ws://127.0.0.1:7700/c"]
const DEADLINE_MS = 1000

const Behaviour = Schema.Literals(["ok", "gen", "slow", "fail", "refuse", "bad", "die", "throw", "hang"])
const SourceIndex = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: SOURCES.length - 1 }))

const Action = Schema.Union([
  Schema.Struct({ kind: Schema.Literals(["text", "binary"]), source: SourceIndex, behaviour: Behaviour }),
  Schema.Struct({
    kind: Schema.Literal("burst"),
    source: SourceIndex,
    behaviour: Schema.Literals(["ok", "slow", "fail"])
  }),
  Schema.Struct({ kind: Schema.Literals(["close", "break"]), source: SourceIndex }),
  Schema.Struct({ kind: Schema.Literal("wait"), ms: Schema.Literals([1, 50, 400, 1000, 6000]) }),
  Schema.Struct({ kind: Schema.Literals(["stop", "start", "revoke", "grant", "settle"]) })
])

type Outcome = "running" | "answered" | "failed" | "crashed" | "interrupted" | "late"

interface Seen {
  readonly event: IngressEvent.IngressEvent
  readonly droppedBefore: number
  readonly startedAt: number
  outcome: Outcome
}

/** What must never happen, counted by the handlers. */
interface Wrong {
  overlaps: number
  unauthorized: number
  isRevoked: boolean
}

/** A plugin that does what each text says, and the reference: what became of each event, seen from inside. */
const recorded = (seen: Array<Seen>, wrong: Wrong) => {
  let running = 0
  const note = (event: IngressEvent.IngressEvent, startedAt: number): Seen => {
    if (wrong.isRevoked) wrong.unauthorized++
    const entry: Seen = { event, droppedBefore: event.droppedBefore, startedAt, outcome: "running" }
    seen.push(entry)
    return entry
  }
  const timed = (entry: Seen, effect: Effect.Effect<PluginRuntime.Output, string>) =>
    Effect.gen(function* () {
      if (++running > 1) wrong.overlaps++
      return yield* effect
    }).pipe(
      Effect.onExit((exit) =>
        Effect.clockWith((clock) =>
          Effect.sync(() => {
            running--
            const took = clock.currentTimeMillisUnsafe() - entry.startedAt
            if (Exit.isSuccess(exit)) entry.outcome = "answered"
            else if (Exit.hasInterrupts(exit)) entry.outcome = took >= DEADLINE_MS ? "late" : "interrupted"
            else entry.outcome = Exit.hasDies(exit) ? "crashed" : "failed"
          })
        )
      )
    )
  const now = { read: () => 0 }
  const answer = (event: IngressEvent.IngressEvent): Effect.Effect<PluginRuntime.Output, string> => {
    const entry = note(event, now.read())
    const behaviour = saidIn(event)?.split(":")[1] ?? "ok"
    const settle = (outcome: Outcome, exit: Exit.Exit<PluginRuntime.Output, string>) => {
      entry.outcome = outcome
      return exit
    }
    switch (behaviour) {
      case "fail":
        return settle("failed", Exit.fail("no"))
      case "refuse":
        return settle("failed", Exit.succeed({ accepted: false }))
      case "bad":
        return settle("failed", Exit.succeed({ status: "x".repeat(5000) }))
      case "throw":
        entry.outcome = "crashed"
        throw new Error("thrown")
      case "gen":
        return timed(entry, Effect.succeed({}))
      case "slow":
        return timed(entry, Effect.as(Effect.sleep(300), {}))
      case "die":
        return timed(entry, Effect.die(new Error("died")))
      case "hang":
        return timed(entry, Effect.never)
      default:
        return settle("answered", Exit.succeed({}))
    }
  }
  const pkg = plugin({
    sources: SOURCES,
    ingress: { eventKinds: [...EVENT_KINDS] },
    handlers: () =>
      Effect.clockWith((clock) =>
        Effect.sync(() => {
          now.read = () => clock.currentTimeMillisUnsafe()
          return {
            gateway: {
              websocket_open: answer,
              websocket_text: answer,
              websocket_binary: answer,
              websocket_close: answer,
              websocket_error: answer
            }
          }
        })
      )
  })
  return pkg
}

const count = (seen: ReadonlyArray<Seen>, ...outcomes: ReadonlyArray<Outcome>) =>
  seen.filter((entry) => outcomes.includes(entry.outcome)).length

/** What the status must say, from what the plugin saw. */
const compare = (seen: ReadonlyArray<Seen>, wrong: Wrong, ref: string) =>
  Effect.gen(function* () {
    const row = yield* rowOf(ref)
    assert.isUndefined(accountingProblem(row))
    const { discarded, dispatched, enqueued, evicted, failed, inFlight, timedOut } = row.dispatchCounters
    assert.strictEqual(dispatched, count(seen, "answered"))
    assert.strictEqual(failed, count(seen, "failed", "crashed"))
    assert.strictEqual(timedOut, count(seen, "late"))
    assert.strictEqual(inFlight, count(seen, "running"))
    // What was never handed over is waiting, evicted or discarded; interrupted ones are discarded.
    assert.strictEqual(enqueued - seen.length, evicted + row.queueDepth + discarded - count(seen, "interrupted"))
    assert.strictEqual(wrong.overlaps, 0, "rule 5: at most one dispatch at a time")
    assert.strictEqual(wrong.unauthorized, 0, "rule 1: no delivery without a grant")
    for (const url of SOURCES) {
      const own = seen.filter(({ event }) => event.url === url)
      let previous = 0
      for (const { droppedBefore, event } of own) {
        assert.isAbove(event.sequence, previous, "rule 5: in order, and at most once")
        assert.strictEqual(droppedBefore, event.sequence - previous - 1, "rule 4")
        previous = event.sequence
      }
    }
  })

const turnOver = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

describe("the accounting of a host", () => {
  it.effect.prop(
    "rules 1, 2, 4 and 5: accounts for every event, whatever frames, handlers, stops and revocations do",
    { actions: Schema.Array(Action).check(Schema.isMaxLength(40)) },
    ({ actions }) => {
      const seen: Array<Seen> = []
      const wrong: Wrong = { overlaps: 0, unauthorized: 0, isRevoked: false }
      const pkg = recorded(seen, wrong)
      const ref = refOf(pkg)
      const quick = { reconnect: { initial_ms: 10, max_ms: 50, stable_ms: 0 } }
      const enabled = [enable(pkg, { sources: { gateway: quick } })]
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const grants = yield* GrantStore.GrantEditor
        const grant = GrantStore.grantOf(enabled[0] ?? (yield* Effect.die("no enablement")))
        yield* settled
        let sent = 0
        for (const action of actions) {
          const remote = "source" in action ? (yield* fake.remotes(SOURCES[action.source] ?? "")).at(-1) : undefined
          switch (action.kind) {
            case "text":
            case "binary":
              remote?.sendBurst([frameOf(`${sent++}:${action.behaviour}`, action.kind === "binary")])
              break
            case "burst":
              remote?.sendBurst(
                Array.from({ length: 9 }, (_, nth) => frameOf(`${sent++}:${action.behaviour}`, nth % 2 === 1))
              )
              break
            case "close":
              remote?.close(4000, "bye")
              break
            case "break":
              remote?.breakOff()
              break
            case "wait":
              // What outlasts its turn is timed from that turn's end on.
              yield* turnOver
              yield* TestClock.adjust(action.ms)
              break
            case "stop":
              yield* host.stop(ref)
              // What was in flight is told in the same turn, and its handler interrupted in the next.
              yield* settled
              break
            case "start":
              yield* host.start(ref)
              break
            case "revoke":
              yield* grants.revoke(ref)
              yield* settled
              wrong.isRevoked = true
              break
            case "grant":
              wrong.isRevoked = false
              yield* grants.set(ref, grant)
              break
            case "settle":
              yield* settled
              break
          }
          yield* compare(seen, wrong, ref)
        }
        yield* host.stop(ref)
        yield* TestClock.adjust("10 seconds")
        yield* settled
        yield* compare(seen, wrong, ref)
        const row = yield* rowOf(ref)
        assert.strictEqual(row.queueDepth, 0)
        assert.strictEqual(row.dispatchCounters.inFlight, 0)
      }).pipe(
        Effect.provide(
          onFake({
            plugins: [pkg],
            enabled,
            limits: { ingressQueueCapacity: 6, burstPatienceMs: 100, dispatchDeadlineMs: DEADLINE_MS }
          })
        )
      )
    },
    { arbitrary: { runs: 250 }, timeout: 120_000 }
  )
})
