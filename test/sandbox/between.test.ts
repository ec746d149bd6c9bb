/** What changes in the host while a real guest is at one event of a batch, and others of it wait in the worker. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { GrantStore, PluginConsole, PluginHost } from "mooring"
import type { Remote } from "mooring/testing"
import { Sandbox } from "mooring/sandbox"
import { accountingProblem, onFake, opened, rowOf } from "../support/host.ts"
import { enable, GATEWAY } from "../support/plugins.ts"
import { sandboxed } from "./support/host.ts"

const REF = "project:test.plugin"
const OTHER = "ws://127.0.0.1:7700/other"
const CAPACITY = 8
/** How long the guest is at the event in the midst of which something happens. */
const SLOW_MS = 1000

/** Says which event it is at, and answers with its text and what was dropped before it; `other` goes to the other connection. */
const CODE = `
import { websocketSend } from "mooring/guest"
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  const { text } = event.payload
  console.log(text)
  if (text === "slow") { const end = Date.now() + ${SLOW_MS}; while (Date.now() < end); }
  return { output_commands: [websocketSend(text.startsWith("other") ? "${OTHER}" : event, text + " " + event.dropped_before)] }
}`

/** A host of that, and the lines that it wrote. */
const host = (lines: Array<string>) =>
  Layer.unwrap(
    Effect.map(Sandbox.Sandbox, (sandbox) => {
      const pkg = sandboxed(sandbox, CODE, { sources: [GATEWAY, OTHER] })
      const reconnect = { initial_ms: 10, max_ms: 10, stable_ms: 0 }
      return onFake({
        plugins: [pkg],
        enabled: [
          enable(pkg, {
            sources: { gateway: { reconnect } },
            limits: { dispatch_deadline_ms: 5000 }
          })
        ],
        limits: { sandboxWorkers: 1, ingressQueueCapacity: CAPACITY, burstPatienceMs: 50 }
      })
    })
  ).pipe(
    Layer.provide(Sandbox.layer),
    Layer.provide(
      Layer.succeed(PluginConsole.PluginConsole, { listens: () => true, line: ({ text }) => void lines.push(text) })
    )
  )

/** Asks again until something holds. */
const until = <R>(holds: Effect.Effect<boolean, never, R>): Effect.Effect<void, never, R> =>
  Effect.flatMap(holds, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep(2), until(holds))))

/** The guest is at `slow`, and all of `rest` were lent with it. */
const within = (remote: Remote.Remote, lines: Array<string>, rest: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { idle } = yield* PluginHost.PluginHost
    // So many have shown that they fit into a turn. Each burst has its second in which lines are shown.
    for (let burst = 0; burst < 5; burst++) {
      remote.sendBurst(Array.from({ length: CAPACITY }, (_, index) => `warm ${index}`))
      yield* idle
      yield* Effect.sleep(20)
    }
    yield* Effect.sleep(1100)
    lines.length = 0
    remote.sent.length = 0
    // The first is lent alone.
    remote.sendBurst(["first", "slow", ...rest])
    yield* until(Effect.sync(() => lines.includes("slow")))
    yield* until(Effect.map(rowOf(REF), ({ queueDepth }) => queueDepth === rest.length))
    assert.deepStrictEqual([lines, remote.sent], [["first", "slow"], ["first 0"]])
  })

describe("between the events of a batch in a real guest", () => {
  const REST = ["a", "b", "c", "d", "e", "f"]

  it.live(
    "rule 1: a grant that is revoked lets none begin that was lent, and drops the answer of the one that had",
    () => {
      const lines: Array<string> = []
      return Effect.gen(function* () {
        const { remote } = yield* opened(GATEWAY)
        const grants = yield* GrantStore.GrantEditor
        yield* within(remote, lines, REST)
        const before = yield* rowOf(REF)
        yield* grants.revoke(REF)
        yield* until(Effect.map(rowOf(REF), ({ lifecycle }) => lifecycle !== "running" && lifecycle !== "stopping"))
        yield* Effect.sleep(SLOW_MS)
        const row = yield* rowOf(REF)
        assert.deepStrictEqual([lines, remote.sent], [["first", "slow"], ["first 0"]])
        assert.isAtLeast(row.dispatchCounters.discarded - before.dispatchCounters.discarded, REST.length)
        assert.deepInclude(row.dispatchCounters, { inFlight: 0, timedOut: 0 })
        assert.strictEqual(row.queueDepth, 0)
        assert.isUndefined(accountingProblem(row))
      }).pipe(Effect.provide(host(lines)))
    }
  )

  it.live(
    "rule 2: what slides out of the queue never begins though it was lent, and the next one says how many",
    () => {
      const lines: Array<string> = []
      return Effect.gen(function* () {
        const { host: running, remote } = yield* opened(GATEWAY)
        yield* within(remote, lines, REST)
        const before = yield* rowOf(REF)
        for (let text = 1; text <= 5; text++) remote.sendText(`n${text}`)
        yield* running.idle
        const row = yield* rowOf(REF)
        const evicted = REST.length + 5 - CAPACITY
        assert.strictEqual(row.dispatchCounters.evicted - before.dispatchCounters.evicted, evicted)
        assert.isUndefined(accountingProblem(row))
        const [next, ...others] = [...REST, "n1", "n2", "n3", "n4", "n5"].slice(evicted)
        assert.deepStrictEqual(remote.sent, [
          "first 0",
          "slow 0",
          `${next} ${evicted}`,
          ...others.map((text) => `${text} 0`)
        ])
        assert.deepStrictEqual(lines, ["first", "slow", next, ...others])
      }).pipe(Effect.provide(host(lines)))
    }
  )

  it.live(
    "rule 8: a connection that was dialled anew meanwhile is reached by what is lent afterwards, and not by its batch",
    () => {
      const lines: Array<string> = []
      return Effect.gen(function* () {
        const { fake, host: running, remote } = yield* opened(GATEWAY)
        const other = yield* fake.remote(OTHER)
        yield* within(remote, lines, ["other 1", "a", "other 2"])
        const before = yield* rowOf(REF)
        other.close(1001)
        const again = yield* fake.remote(OTHER, 2)
        assert.notInclude(lines, "other 1", "too slow a machine to tell")
        // It is behind the batch.
        remote.sendText("other 3")
        yield* running.idle
        const row = yield* rowOf(REF)
        assert.deepStrictEqual(remote.sent, ["first 0", "slow 0", "a 0"])
        assert.deepStrictEqual(again.sent, ["other 3 0"])
        assert.strictEqual((row.diagnosticCounts["StaleEpoch"] ?? 0) - (before.diagnosticCounts["StaleEpoch"] ?? 0), 2)
      }).pipe(Effect.provide(host(lines)))
    }
  )
})
