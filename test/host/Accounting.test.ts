import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { GrantStore, type HostStatus, type IngressEvent, OutputCommand, PluginHost, type PluginRuntime } from "mooring"
import { FakeRequests, FakeWebSocket } from "mooring/testing"
import { EVENT_KINDS, frameOf, saidIn } from "../support/frames.ts"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { enable, plugin, refOf } from "../support/plugins.ts"

const SOURCES = ["ws://127.0.0.1:7700/a", "ws://127.0.0.1:7700/b", "ws://127.0.0.1:7700/c"]
const DEADLINE_MS = 1000

const AT_ONCE = 2
const API = "https://api.example.com/"
/** How the server of a request behaves, by its path. */
const ANSWERS = {
  quick: { body: "x" },
  slow: { body: "x", afterMs: 300 },
  large: { body: "x".repeat(2048) },
  broken: { kind: "fail", phase: "headers", code: "ECONNRESET", afterMs: 50 },
  never: { kind: "never" }
} as const satisfies { readonly [path: string]: FakeRequests.Answer }

const Behaviour = Schema.Literals(["ok", "gen", "slow", "fail", "refuse", "bad", "die", "throw", "hang"])
const SourceIndex = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: SOURCES.length - 1 }))

const Path = Schema.Literals(["quick", "slow", "large", "broken", "never"])

const Action = Schema.Union([
  Schema.Struct({ kind: Schema.Literals(["text", "binary"]), source: SourceIndex, behaviour: Behaviour }),
  Schema.Struct({
    kind: Schema.Literal("burst"),
    source: SourceIndex,
    behaviour: Schema.Literals(["ok", "slow", "fail"])
  }),
  // Two requests in one answer.
  Schema.Struct({
    kind: Schema.Literal("ask"),
    source: SourceIndex,
    paths: Schema.Tuple([Path, Path])
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

/** The requests that were asked for in answers, and how often each was answered. */
type Asked = Map<string, number>

/** A plugin that does what each text says, and the reference: what became of each event, seen from inside. */
const recorded = (seen: Array<Seen>, wrong: Wrong, asked: Asked) => {
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
    const [, behaviour = "ok", ...paths] = saidIn(event)?.split(":") ?? []
    if (event.kind === "host_response") asked.set(event.commandId, (asked.get(event.commandId) ?? 0) + 1)
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
      case "ask": {
        const commands = paths.map((path) => {
          const commandId = `r${asked.size}`
          asked.set(commandId, 0)
          return OutputCommand.request("GET", `${API}${path}`, { commandId })
        })
        return settle("answered", Exit.succeed({ commands }))
      }
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
    request: [{ scheme: "https", host: "api.example.com", methods: ["GET"], pathPrefixes: ["/"] }],
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
              websocket_error: answer,
              host_response: answer
            }
          }
        })
      )
  })
  return pkg
}

const count = (seen: ReadonlyArray<Seen>, ...outcomes: ReadonlyArray<Outcome>) =>
  seen.filter((entry) => outcomes.includes(entry.outcome)).length

/** What the status must say of requests, from those that were asked for and what the plugin was told of them. */
const compareRequests = (seen: ReadonlyArray<Seen>, asked: Asked, row: HostStatus.PluginStatus) => {
  const { abandoned, answered, executed, failed, inFlight, waiting } = row.requests
  assert.strictEqual(executed, asked.size)
  assert.strictEqual(executed, answered + failed + abandoned + waiting + inFlight)
  const told = seen.filter(({ event }) => event.kind === "host_response")
  assert.strictEqual(
    told.length,
    [...asked.values()].filter((times) => times === 1).length,
    "rule 7: at most one answer"
  )
  // An answer that wasn't handed over waits, or was discarded with its instance.
  const others = answered + failed - told.length
  assert.isAtLeast(others, 0)
  assert.isAtMost(others, row.queueDepth + row.dispatchCounters.discarded)
  const well = told.filter(({ event }) => event.kind === "host_response" && event.error === undefined)
  assert.isAtMost(well.length, answered)
  assert.isAtMost(told.length - well.length, failed)
  assert.isAtMost(inFlight, AT_ONCE)
}

/** What the status must say, from what the plugin saw. */
const compare = (seen: ReadonlyArray<Seen>, wrong: Wrong, asked: Asked, ref: string) =>
  Effect.gen(function* () {
    const row = yield* rowOf(ref)
    assert.isUndefined(accountingProblem(row))
    compareRequests(seen, asked, row)
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
    "rules 1, 2, 4, 5 and 7: accounts for every event and request, whatever frames, servers, handlers and stops do",
    { actions: Schema.Array(Action).check(Schema.isMaxLength(40)) },
    ({ actions }) => {
      const seen: Array<Seen> = []
      const wrong: Wrong = { overlaps: 0, unauthorized: 0, isRevoked: false }
      const asked: Asked = new Map()
      const pkg = recorded(seen, wrong, asked)
      const ref = refOf(pkg)
      const quick = { reconnect: { initial_ms: 10, max_ms: 50, stable_ms: 0 } }
      const enabled = [enable(pkg, { sources: { gateway: quick } })]
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const grants = yield* GrantStore.GrantEditor
        const requests = yield* FakeRequests.FakeRequests
        for (const [path, answer] of Object.entries(ANSWERS)) yield* requests.answer(`${API}${path}`, answer)
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
            case "ask":
              remote?.sendText(`${sent++}:ask:${action.paths.join(":")}`)
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
          yield* compare(seen, wrong, asked, ref)
        }
        yield* host.stop(ref)
        yield* TestClock.adjust("10 seconds")
        yield* settled
        yield* compare(seen, wrong, asked, ref)
        const row = yield* rowOf(ref)
        assert.strictEqual(row.queueDepth, 0)
        assert.strictEqual(row.dispatchCounters.inFlight, 0)
        assert.deepInclude(row.requests, { waiting: 0, inFlight: 0 })
        assert.strictEqual(yield* requests.underway, 0)
      }).pipe(
        Effect.provide(
          onFake({
            plugins: [pkg],
            enabled,
            limits: {
              ingressQueueCapacity: 6,
              burstPatienceMs: 100,
              dispatchDeadlineMs: DEADLINE_MS,
              requestDeadlineMs: 2000,
              requestsAtOncePerPlugin: AT_ONCE,
              requestsWaitingPerPlugin: 1000,
              responseBodyBytes: 1024
            }
          })
        )
      )
    },
    { arbitrary: { runs: 250 }, timeout: 120_000 }
  )
})
