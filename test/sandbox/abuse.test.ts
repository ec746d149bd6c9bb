import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { read, rowsOf } from "../docs/markdown.ts"
import { accountingProblem, opened, rowOf } from "../support/host.ts"
import { ABUSES, HARMLESS, MODULES, type End } from "./support/abuses.ts"
import { beside, FINE, GATEWAY } from "./support/host.ts"
import { observed, REF } from "./support/observed.ts"

/** What fills its memory is given the time for it. */
const deadlineOf = (end: End): number => (end === "full" ? 2000 : 200)
/** Ten times the deadline, the 50 ms until a worker is ended, and what ending it takes. */
const mostMs = (end: End): number => 10 * (deadlineOf(end) + 50 + 15)
const MOST_LOOP_MS = 500

/** As the table is read: without marks of code. */
const plain = (name: string): string => name.replaceAll("`", "")

describe("a guest that abuses its sandbox", () => {
  for (const [name, code, tag, end] of ABUSES) {
    const isCrash = tag === "DispatchTimeout"
    const mayLose = end.includes("hard")
    it.live(`rule 12: ${name} is ${tag}, and its neighbour goes on`, () =>
      Effect.gen(function* () {
        const { endedMs, fake, host, loopMs, lost, neighbour, neighbourMs, other, remote, row } = yield* observed(code)
        assert.isBelow(endedMs, mostMs(end))
        assert.isBelow(neighbourMs, mostMs(end))
        assert.isBelow(loopMs, MOST_LOOP_MS)
        assert.include(tag.split(", "), row.lastError?.tag)
        assert.strictEqual(row.diagnosticCounts[row.lastError?.tag ?? ""], 1)
        assert.deepInclude(row.dispatchCounters, isCrash ? { timedOut: 1, failed: 0 } : { timedOut: 0, failed: 1 })
        assert.strictEqual(row.restarts, isCrash ? 1 : 0)
        assert.isUndefined(accountingProblem(row))
        // What was answered before was executed, and nothing of this; what waited behind it is discarded by a crash.
        assert.deepStrictEqual(remote.sent, isCrash ? ["one", "two"] : ["one", "two", "behind"])
        assert.deepInclude(neighbour, { lifecycle: "running", restarts: 0 })
        assert.isUndefined(accountingProblem(neighbour))
        assert.deepInclude(neighbour.dispatchCounters, { failed: lost, timedOut: 0, evicted: 0, discarded: 0 })
        assert.isTrue(other.isOpen)
        // Only where the worker has to be ended, and then at most one, and what follows goes on from the last state.
        assert.isAtMost(lost, mayLose ? 1 : 0)
        const why = other.sent.map((text) => text.split(" ")[0])
        assert.deepStrictEqual(
          other.sent.map((text) => text.split(" ")[1]),
          other.sent.map((_, at) => String(at + 1))
        )
        assert.deepStrictEqual([...new Set(why)], mayLose ? [...new Set(["first", why.at(-1)])] : ["first"])
        // It works again.
        const again = isCrash ? yield* fake.remote(GATEWAY, 2) : remote
        again.sendText("answer = 'again'")
        yield* host.idle
        assert.strictEqual(again.sent.at(-1), "again")
      }).pipe(Effect.provide(beside({ deadlineMs: deadlineOf(end) })))
    )
  }

  for (const [name, code] of HARMLESS) {
    it.live(`survives ${name}`, () =>
      Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        remote.sendText(code)
        remote.sendText("'and ' + 'goes on'")
        yield* host.idle
        remote.sendText("'and ' + 'on'")
        yield* host.idle
        assert.deepStrictEqual(remote.sent, ["x", "and goes on", "and on"])
        assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", lastError: null })
      }).pipe(Effect.provide(beside({ deadlineMs: 5000 })))
    )
  }

  for (const [name, code, tag] of MODULES) {
    it.live(`rule 12: ${name} is ${tag}, and its neighbour runs`, () =>
      Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const other = yield* fake.remote(FINE)
        other.sendText("x")
        yield* host.idle
        const row = yield* rowOf(REF)
        assert.strictEqual(row.lifecycle, "failed")
        assert.strictEqual(row.lastError?.tag, tag)
        assert.match(other.sent[0] ?? "", /^(?:first|neighbour) 1$/)
        assert.notInclude(JSON.stringify(row), "/work/")
      }).pipe(Effect.provide(beside({ code, limits: { startDeadlineMs: tag === "StartTimeout" ? 300 : 3000 } })))
    )
  }

  it("is in the table of docs/sandbox.md, each by its name with what is said of it and how it ends", () => {
    const rows = rowsOf(read("docs/sandbox.md"), "what a guest does")
    assert.deepStrictEqual(
      rows.map((row) => row.slice(0, 3)),
      [
        ...ABUSES.map(([name, , tag, end]) => [plain(name), tag, end]),
        ...HARMLESS.map(([name]) => [plain(name), "nothing", "soon"]),
        ...MODULES.map(([name, , tag]) => [
          plain(name),
          tag,
          tag === "StartTimeout" ? "at the start's deadline" : "soon"
        ])
      ]
    )
  })
})
