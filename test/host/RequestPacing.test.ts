import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { type Limits, OutputCommand, ServicePlugin } from "mooring"
import { FakeRequests, FakeWebSocket } from "mooring/testing"
import { onFake, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, target } from "../support/plugins.ts"

const API = "https://api.example.com/v1"
const REF = "project:test.eager"
const WANTED = 600

/**
 * A plugin that wants so many requests made: the next one a moment after one was accepted, and one that was refused again
 * after as long as it was told.
 */
const eager = () => {
  const refusals = new Map<number, number>()
  const tags: Array<string> = []
  let next = 0
  let answered = 0
  const ask = () =>
    Exit.succeed(
      next < WANTED ? { commands: [OutputCommand.request("GET", `${API}?n=${next}`, { commandId: `n${next}` })] } : {}
    )
  const pkg = ServicePlugin.make({
    id: "test.eager",
    version: "1.0.0",
    ingresses: { gateway: { sources: [GATEWAY], eventKinds: ["websocket_text", "command_result"] } },
    websocket: [target],
    request: [{ scheme: "https", host: "api.example.com", methods: ["GET"], pathPrefixes: ["/"] }],
    handlers: {
      gateway: {
        websocket_text: ask,
        command_result: ({ result }) => {
          if (result.kind !== "host_request_dispatch") return Exit.void
          if (result.error === undefined) {
            next++
            return Exit.succeed({ commands: [OutputCommand.setTimer("next", { afterMs: 100 })] })
          }
          refusals.set(next, (refusals.get(next) ?? 0) + 1)
          tags.push(result.error.tag)
          const afterMs = Math.max(100, result.error.retryAfterMs ?? 0)
          return Exit.succeed({ commands: [OutputCommand.setTimer("next", { afterMs })] })
        },
        timer: ask,
        host_response: ({ answer }) => {
          if (answer?.status === 200) answered++
          return Exit.void
        }
      }
    }
  })
  return { pkg, refusals, tags, made: () => next, answered: () => answered }
}

const run = (requestsPerMinute: number, afterMs: number, minutes: number, limits: Partial<Limits.Values> = {}) => {
  const plugin = eager()
  const grants = {
    permissions: plugin.pkg.manifest.permissions,
    websocket: [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"] }],
    request: [
      {
        scheme: "https",
        host: "api.example.com",
        methods: ["GET"],
        path_prefixes: ["/"],
        requests_per_minute: requestsPerMinute
      }
    ]
  }
  return Effect.gen(function* () {
    const fake = yield* FakeRequests.FakeRequests
    const remote = yield* (yield* FakeWebSocket.FakeWebSocket).remote(GATEWAY)
    yield* fake.answer(API, { afterMs })
    remote.sendText("go")
    for (let second = 0; second < minutes * 60; second++) {
      yield* TestClock.adjust(1000)
      yield* settled
    }
    yield* TestClock.adjust("20 seconds")
    yield* settled
    return { ...plugin, row: yield* rowOf(REF) }
  }).pipe(Effect.provide(onFake({ plugins: [plugin.pkg], enabled: [enable(plugin.pkg, { grants })], limits })))
}

describe("a plugin that goes by retry_after_ms", () => {
  it.effect("has 600 requests made in a minute, and none of them refused twice", () =>
    Effect.gen(function* () {
      const { answered, made, refusals, row } = yield* run(600, 40, 1.2)
      assert.strictEqual(made(), WANTED)
      assert.strictEqual(answered(), WANTED)
      assert.deepStrictEqual(
        [...refusals].filter(([, times]) => times > 1),
        []
      )
      assert.deepInclude(row.requests, { executed: WANTED, answered: WANTED, failed: 0 })
    })
  )

  it.effect("waits for its rate, and is refused nothing twice", () =>
    Effect.gen(function* () {
      const { made, refusals, row, tags } = yield* run(200, 40, 2.2)
      assert.strictEqual(made(), WANTED)
      assert.isAbove(tags.length, 200)
      assert.deepStrictEqual([...new Set(tags)], ["RequestRateLimited"])
      assert.deepStrictEqual(
        [...refusals].filter(([, times]) => times > 1),
        []
      )
      assert.deepInclude(row.requests, { executed: WANTED, answered: WANTED })
    })
  )

  it.effect("waits for room, and is refused nothing twice", () =>
    Effect.gen(function* () {
      // A server that lets four requests pass in three seconds.
      const { refusals, row, tags } = yield* run(0, 3000, 4, { requestDeadlineMs: 60_000 })
      assert.isAbove(tags.length, 50)
      assert.deepStrictEqual([...new Set(tags)], ["RequestsTooMany"])
      assert.deepStrictEqual(
        [...refusals].filter(([, times]) => times > 1),
        []
      )
      assert.strictEqual(row.requests.failed, 0)
      assert.isAbove(row.requests.answered, 250)
    })
  )
})
