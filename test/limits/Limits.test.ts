import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { GrantStore, Limits, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { HeapLimit } from "../../src/limits/HeapLimit.ts"

/** The table of CONTRACT.md. */
const TABLE = {
  ingress_queue_capacity: 1024,
  ingress_queue_bytes: 8388608,
  host_queue_bytes: 268435456,
  burst_patience_ms: 1000,
  dispatch_deadline_ms: 1000,
  start_deadline_ms: 5000,
  max_message_bytes: 1048576,
  max_message_fragments: 65536,
  requests_at_once: 64,
  requests_at_once_per_plugin: 4,
  requests_waiting_per_plugin: 32,
  request_body_bytes: 65536,
  response_body_bytes: 262144,
  request_deadline_ms: 15000,
  control_frames_per_second: 100,
  open_deadline_ms: 10000,
  close_grace_ms: 5000,
  ping_interval_ms: 30000,
  pong_deadline_ms: 10000,
  retry_after_ms: 3600000,
  send_buffer_bytes: 1048576,
  send_stall_ms: 30000,
  sandbox_memory_bytes: 16777216,
  sandbox_stack_bytes: 262144,
  connections_per_plugin: 16,
  connections_per_host: 10000,
  dials_at_once: 64,
  dials_at_once_per_plugin: 4,
  dials_per_second: 100,
  lookups_at_once: 16,
  lookups_at_once_per_plugin: 2,
  commands_per_output: 16,
  command_payload_bytes: 73728,
  send_text_bytes: 65536,
  output_bytes: 262144,
  state_bytes: 16384,
  reported_status_bytes: 4096,
  timers_per_plugin: 8,
  diagnostics_kept: 256,
  command_results_kept: 32,
  restarts: 5,
  restart_window_ms: 60000,
  stopped_retry_ms: 900000,
  failed_retry_ms: 300000,
  sandbox_workers: 0,
  solo_workers: 4
}

const KEYS = Object.keys(TABLE)
const ZERO_HAS_A_MEANING = ["burst_patience_ms", "ping_interval_ms", "stopped_retry_ms", "failed_retry_ms"]

const refusalOf = (made: ReturnType<typeof Limits.make>) => (Result.isFailure(made) ? made.failure.problems : [])

const problemsOf = (input: unknown) => {
  const decoded = Limits.decode(input)
  return Result.isSuccess(decoded) ? [] : decoded.failure.problems
}

/** Without a look at pairs. */
const isInRange = (input: unknown) => Result.isSuccess(Schema.decodeUnknownResult(Limits.LimitsSchema)(input))

const read = (env: Record<string, string>) =>
  Config.nested(Limits.config, "mooring")
    .parse(ConfigProvider.constantCase(ConfigProvider.fromEnv({ env })))
    .pipe(Effect.result)

describe("Limits", () => {
  it("says what was expected in place of what is no table", () => {
    const refused = Limits.decode([])
    assert.strictEqual(Result.isFailure(refused) ? refused.failure.message : "", "invalid limits: Expected object")
  })

  it("has the defaults of the contract's table, and no other keys", () => {
    assert.deepStrictEqual<unknown>(Schema.encodeSync(Limits.LimitsSchema)(Limits.defaults), TABLE)
    assert.deepStrictEqual(Result.getOrThrow(Limits.decode({})), Limits.defaults)
    assert.deepStrictEqual(Result.getOrThrow(Limits.decode(TABLE)), Limits.defaults)
  })

  it("keeps the other defaults where some are given", () => {
    const decoded = Result.getOrThrow(Limits.decode({ restarts: 7, sandbox_workers: 3 }))
    assert.deepStrictEqual(decoded, { ...Limits.defaults, restarts: 7, sandboxWorkers: 3 })
  })

  it.each(KEYS)("says of %s the range that it must be in, and takes both ends of it", (key) => {
    const [problem] = problemsOf({ [key]: -1 })
    assert.strictEqual(problem?.path, key)
    const [, minimum, maximum] = /from (\d+) to (\d+)/.exec(problem?.message ?? "") ?? []
    const [low, high] = [Number(minimum), Number(maximum)]
    assert.isAtMost(low, Limits.defaults[Object.keys(Limits.defaults)[KEYS.indexOf(key)] as keyof Limits.Values])
    for (const end of [low, high]) assert.isTrue(isInRange({ [key]: end }), String(end))
    for (const value of [
      low - 1,
      high + 1,
      low + 0.5,
      -0.5,
      Number.NaN,
      Infinity,
      String(low),
      null,
      true,
      [],
      { low }
    ]) {
      assert.deepStrictEqual([...new Set(problemsOf({ [key]: value }).map(({ path }) => path))], [key], String(value))
    }
  })

  it("says the range also of a number that isn't whole, or no number", () => {
    for (const value of [1.5, Number.NaN, "1", null]) {
      const messages = problemsOf({ restarts: value }).map(({ message }) => message)
      assert.match(messages.join(), /whole number from 0 to \d+/, String(value))
    }
  })

  it.each(ZERO_HAS_A_MEANING)("takes 0 for %s", (key) => assert.deepStrictEqual(problemsOf({ [key]: 0 }), []))

  it("lists all problems at once, unknown keys included", () => {
    const wrong = Object.fromEntries(KEYS.map((key) => [key, -1]))
    const paths = problemsOf({ ...wrong, extra: 1, ingressQueueCapacity: 5 }).map(({ path }) => path)
    assert.deepStrictEqual(paths.toSorted(), [...KEYS, "extra", "ingressQueueCapacity"].toSorted())
  })

  it("refuses what is no table", () => {
    for (const input of [null, undefined, 1, "x", []]) assert.strictEqual(problemsOf(input).length, 1)
  })

  it.each([
    [{ max_message_bytes: 4_194_304 }, []],
    [{ max_message_bytes: 4_194_305 }, ["max_message_bytes: Expected at most half of ingress_queue_bytes"]],
    [
      { max_message_bytes: 5000, ingress_queue_bytes: 10_000, host_queue_bytes: 9999 },
      ["max_message_bytes: Expected at most half of host_queue_bytes"]
    ],
    [{ send_text_bytes: 65_537 }, ["send_text_bytes: Expected at most command_payload_bytes less 8192"]],
    [{ send_text_bytes: 1024, send_buffer_bytes: 1024 }, []],
    [{ send_text_bytes: 1025, send_buffer_bytes: 1024 }, ["send_text_bytes: Expected at most send_buffer_bytes"]],
    [{ output_bytes: 73_728 }, []],
    [{ output_bytes: 73_727 }, ["command_payload_bytes: Expected at most output_bytes"]],
    [
      { send_text_bytes: 70_000, send_buffer_bytes: 66_000, output_bytes: 70_000 },
      [
        "send_text_bytes: Expected at most command_payload_bytes less 8192",
        "send_text_bytes: Expected at most send_buffer_bytes",
        "command_payload_bytes: Expected at most output_bytes"
      ]
    ]
  ])("refuse pairs that can't work together: %o", (input, expected) =>
    assert.deepStrictEqual(
      problemsOf(input).map(({ message, path }) => `${path}: ${message}`),
      expected
    )
  )

  it("are made of those that differ, by their TypeScript names", () => {
    assert.deepStrictEqual(Result.getOrThrow(Limits.make({ restarts: 1 })), { ...Limits.defaults, restarts: 1 })
    const made = Limits.make({ sendTextBytes: 65_537 })
    const problems = Result.isFailure(made) ? made.failure.problems : []
    assert.deepStrictEqual(problems, [
      { path: "sendTextBytes", message: "Expected at most commandPayloadBytes less 8192" }
    ])
  })

  it.effect("fail the host's layer with every problem", () =>
    Effect.gen(function* () {
      const limits = { restarts: -1, timersPerPlugin: 0.5, unknown: 1 }
      const layer = PluginHost.layer({ plugins: [], enabled: [], limits }).pipe(
        Layer.provide([GrantStore.layer([]), FakeWebSocket.layer])
      )
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.strictEqual(error._tag, "LimitsInvalid")
      const paths = error.problems.map(({ path }) => path)
      assert.deepStrictEqual(paths.toSorted(), ["restarts", "timersPerPlugin", "unknown"])
      assert.include(error.message, "restarts")
    })
  )

  it.effect("are read from configuration: those that are there, and no others", () =>
    Effect.gen(function* () {
      const some = { MOORING_RESTARTS: "7", MOORING_INGRESS_QUEUE_CAPACITY: "4096", OTHER: "x" }
      assert.deepStrictEqual(Result.getOrThrow(yield* read(some)), { restarts: 7, ingressQueueCapacity: 4096 })
      assert.deepStrictEqual(Result.getOrThrow(yield* read({})), {})
      for (const wrong of ["-1", "seven", "1.5", " 7 "]) {
        assert.isTrue(Result.isFailure(yield* read({ MOORING_RESTARTS: wrong })), wrong)
      }
    })
  )

  const MIB = 1024 * 1024

  it.each([
    [null, 256 * MIB],
    [4096 * MIB, 256 * MIB],
    [1024 * MIB, 256 * MIB],
    [1024 * MIB - 4, 256 * MIB - 1],
    [560 * MIB, 140 * MIB],
    [259 * MIB + 3, 64.75 * MIB]
  ])("leave queues a quarter of a heap of %s bytes at most, where nothing is said of it", (heap, expected) => {
    for (const made of [Limits.make({}, heap), Limits.decode({}, heap), Limits.make({ restarts: 5 }, heap)]) {
      assert.deepStrictEqual(Result.getOrThrow(made), { ...Limits.defaults, hostQueueBytes: expected })
    }
  })

  it("refuse queues more than half of the heap, and a heap that has no room for two messages", () => {
    const heap = 259 * MIB
    assert.strictEqual(Result.getOrThrow(Limits.make({ hostQueueBytes: heap / 2 }, heap)).hostQueueBytes, heap / 2)
    const message = `Expected at most half of the heap's limit, which is ${heap} bytes`
    assert.deepStrictEqual(refusalOf(Limits.make({ hostQueueBytes: heap / 2 + 1 }, heap)), [
      { path: "hostQueueBytes", message }
    ])
    assert.deepStrictEqual(refusalOf(Limits.decode({ host_queue_bytes: 268_435_456 }, heap)), [
      { path: "host_queue_bytes", message }
    ])
    assert.deepStrictEqual(refusalOf(Limits.make({}, 4 * MIB)), [
      { path: "maxMessageBytes", message: "Expected at most half of hostQueueBytes" }
    ])
    // What is no table, or has no number there, is said to be that.
    for (const input of [null, [], 5, { host_queue_bytes: undefined }]) {
      assert.lengthOf(refusalOf(Limits.decode(input, heap)), 1, String(input))
    }
  })

  it.effect("of a host go by the heap of its process", () =>
    Effect.gen(function* () {
      const heap = yield* HeapLimit
      assert.isAbove(heap ?? 0, 32 * MIB)
      const layer = PluginHost.layer({ plugins: [], enabled: [], limits: { hostQueueBytes: 64 * 1024 * MIB } }).pipe(
        Layer.provide([GrantStore.layer([]), FakeWebSocket.layer])
      )
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.include(error.message, `the heap's limit, which is ${heap} bytes`)
      const large = Layer.provide(layer, Layer.succeed(HeapLimit, 1024 * 1024 * MIB))
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(Effect.scoped(Layer.build(large)))))
    })
  )
})
