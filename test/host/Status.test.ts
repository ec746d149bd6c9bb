/** The form of the status document, and that it tells the truth. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { HostError, HostStatus, OutputCommand, PluginHost } from "mooring"
import * as Redaction from "../../src/diagnostics/Redaction.ts"
import { residentSize } from "../../src/host/internal/residentSize.ts"
import { onFake, opened, rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

// The keys of the contract's example, in its words and order.
const HOST = "version at started_at uptime_ms event_loop_lag_ms rss_bytes dials_waiting proxy config diagnostics".split(
  " "
)
const PLUGIN = (
  "plugin_ref version digest lifecycle reported_status reported_at queue_depth queue_bytes queue_capacity " +
  "oldest_queued_ms last_dispatch_at last_error retry_at restarts worker console_lines timers requests " +
  "dispatch_counters output_command_results websocket_connections diagnostics diagnostic_counts"
).split(" ")
const CONNECTION = (
  "id url ingress_name state stop_reason epoch opens attempts since last_frame_at last_pong_at round_trip_ms " +
  "peer_certificate_expires_at last_error last_close next_attempt_at subprotocol remote_address flow " +
  "received_text_frames enqueued_text rejected_text ignored_text received_binary_frames enqueued_binary " +
  "rejected_binary unsupported_binary auto_replied sent_text_frames sent_binary_frames queue_depth queue_capacity " +
  "queue_drops send_failures unconfirmed_frames unconfirmed_at_ends buffered_bytes"
).split(" ")

const echo = plugin({
  handlers: {
    gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] }) }
  }
})

describe("the status document", () => {
  it.effect("has every field of the contract's example and no other, always", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      const check = Effect.map(host.status, (status) => {
        const encoded = HostStatus.encode(status)
        const [row] = encoded.plugins
        assert.deepStrictEqual(Object.keys(encoded), ["schema", "host", "plugins"])
        assert.strictEqual(encoded.schema, 1)
        assert.deepStrictEqual(Object.keys(encoded.host).toSorted(), HOST.toSorted())
        assert.deepStrictEqual(Object.keys(encoded.host.config).toSorted(), [
          "applied_at",
          "digest",
          "problems",
          "state"
        ])
        assert.deepStrictEqual(Object.keys(row ?? {}).toSorted(), PLUGIN.toSorted())
        assert.deepStrictEqual(Object.keys(row?.websocket_connections[0] ?? {}).toSorted(), CONNECTION.toSorted())
        assert.deepStrictEqual(row?.requests, {
          executed: 0,
          answered: 0,
          failed: 0,
          waiting: 0,
          in_flight: 0,
          abandoned: 0
        })
        return row
      })
      yield* check
      remote.sendText("hi")
      remote.close(4000, "bye")
      yield* host.idle
      const row = yield* check
      const status = yield* host.status
      // Where the system doesn't tell.
      assert.isNull(HostStatus.encode({ ...status, host: { ...status.host, rssBytes: null } }).host.rss_bytes)
      assert.deepStrictEqual(Object.keys(row?.websocket_connections[0]?.last_close ?? {}), [
        "code",
        "reason",
        "clean",
        "at"
      ])
      assert.deepStrictEqual(Object.keys(row?.websocket_connections[0]?.last_error ?? {}), ["tag", "message", "at"])
      assert.deepStrictEqual(Object.keys(row?.diagnostics[0] ?? {}).toSorted(), [
        "at",
        "count",
        "error",
        "message",
        "severity",
        "source_id",
        "stage",
        "tag"
      ])
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("counts as unconfirmed what was sent, in this epoch and at the ends of those before", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      const counted = Effect.map(rowOf(refOf(echo)), ({ websocketConnections: [connection] }) => [
        connection?.sentTextFrames,
        connection?.unconfirmedFrames,
        connection?.unconfirmedAtEnds
      ])
      remote.sendBurst(["a", "b"])
      yield* host.idle
      assert.deepStrictEqual(yield* counted, [2, 2, 0])
      remote.breakOff()
      yield* TestClock.adjust("1 minute")
      const second = yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      assert.deepStrictEqual(yield* counted, [2, 0, 2])
      second.sendText("c")
      yield* host.idle
      assert.deepStrictEqual(yield* counted, [3, 1, 2])
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("counts every binary frame, none of which is delivered", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendBinary(3)
      remote.sendBinary(4)
      yield* host.idle
      const [connection] = (yield* rowOf(refOf(echo))).websocketConnections
      assert.deepInclude(connection, {
        receivedBinaryFrames: 2,
        enqueuedBinary: 0,
        rejectedBinary: 0,
        unsupportedBinary: 2
      })
    }).pipe(Effect.provide(onFake({ plugins: [echo] })))
  )

  it.effect("has the limit of the queue in every row", () =>
    Effect.gen(function* () {
      yield* opened(GATEWAY)
      const row = yield* rowOf(refOf(echo))
      assert.deepStrictEqual([row.queueCapacity, row.websocketConnections[0]?.queueCapacity], [77, 77])
    }).pipe(Effect.provide(onFake({ plugins: [echo], limits: { ingressQueueCapacity: 77 } })))
  )

  it.effect("goes on counting its uptime when the wall clock is set", () => {
    let set = 0
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* TestClock.adjust(1500)
      set = -3_600_000
      const back = yield* host.status
      set = 3_600_000
      const ahead = yield* host.status
      assert.deepStrictEqual([back.host.uptimeMs, ahead.host.uptimeMs], [1500, 1500])
      assert.deepStrictEqual(
        [back.host.startedAt, back.host.at, ahead.host.at],
        ["1970-01-01T00:00:00.000Z", "1969-12-31T23:00:01.500Z", "1970-01-01T01:00:01.500Z"]
      )
    }).pipe(
      Effect.provide(onFake({ plugins: [] })),
      Effect.updateService(Clock.Clock, (clock) =>
        Object.create(clock, { currentTimeMillisUnsafe: { value: () => clock.currentTimeMillisUnsafe() + set } })
      )
    )
  })

  it.effect("says when a timer fires, however far away that is", () => {
    const lazy = plugin({
      handlers: {
        gateway: {
          websocket_open: () =>
            Exit.succeed({ commands: [OutputCommand.setTimer("late", { afterMs: Number.MAX_SAFE_INTEGER })] })
        }
      }
    })
    return Effect.gen(function* () {
      const { host } = yield* opened(GATEWAY)
      const status = yield* host.status
      const { output_command_results: results, timers } = HostStatus.encode(status).plugins[0] ?? {}
      // Whether a time so far away is taken is the command's to say.
      const expected = results?.[0]?.status === "executed" ? ["9999-12-31T23:59:59.999Z"] : []
      assert.deepStrictEqual(
        timers?.map((timer) => timer.next_at),
        expected
      )
    }).pipe(Effect.provide(onFake({ plugins: [lazy] })))
  })
})

describe("severity", () => {
  const encode = HostError.encode(Redaction.make({ secrets: [], config: null }))
  const expected: { readonly [stage: string]: string } = {
    manifest: "error",
    grant: "error",
    dial: "warning",
    connection: "warning",
    ingress: "warning",
    dispatch: "error",
    command: "warning",
    request: "warning",
    runtime: "error",
    host: "error"
  }

  it.effect.prop(
    "is that of the stage, and info for a close with a close frame",
    { error: HostError.HostError },
    ({ error }) =>
      Effect.sync(() => {
        const { severity, stage } = encode(error)
        assert.strictEqual(
          severity,
          error._tag === "ConnectionClosed" && error.clean ? "info" : (expected[stage] ?? "none")
        )
      }),
    { arbitrary: { runs: 300 } }
  )
})

const reply = (kind: string) =>
  plugin({
    handlers: {
      gateway: {
        websocket_text: () =>
          kind === "dispatch"
            ? Effect.fail("no")
            : Exit.succeed({ commands: [OutputCommand.send("ws://127.0.0.1:7700/other", "x")] })
      }
    }
  })

describe("last_error", () => {
  it.effect("of a plugin is set by a dispatch, and by no command", () =>
    Effect.gen(function* () {
      for (const [kind, tag, count] of [
        ["dispatch", "DispatchFailed", "DispatchFailed"],
        ["command", undefined, "CommandUngranted"]
      ] as const) {
        const tried = reply(kind)
        yield* Effect.gen(function* () {
          const { host, remote } = yield* opened(GATEWAY)
          remote.sendText("x")
          yield* host.idle
          const row = yield* rowOf(refOf(tried))
          assert.strictEqual(row.lastError?.tag, tag)
          assert.strictEqual(row.websocketConnections[0]?.lastError, null)
          assert.strictEqual(row.diagnosticCounts[count], 1)
        }).pipe(Effect.provide(onFake({ plugins: [tried] })))
      }
    })
  )

  it.effect("of a plugin is set by its own grant, and that of a source by the source's", () => {
    const { digest, manifest } = echo
    const without = enable(echo, { grants: { permissions: manifest.permissions, websocket: [] } })
    const nothing = enable(echo, { instance: "none", grants: { permissions: [], websocket: [] } })
    assert.strictEqual(digest, without.digest)
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const source = yield* rowOf("project:test.plugin")
      assert.strictEqual(source.lastError, null)
      assert.strictEqual(source.websocketConnections[0]?.lastError?.tag, "TargetUngranted")
      const own = yield* rowOf("project:test.plugin#none")
      assert.strictEqual(own.lastError?.tag, "PermissionMissing")
    }).pipe(Effect.provide(onFake({ plugins: [echo], enabled: [without, nothing] })))
  })
})

const unanswered = () => {
  throw new Error("EMFILE: too many open files, uv_resident_set_memory")
}

describe("resident memory", () => {
  it("is what the system last said where it doesn't answer, and null where it never did", () => {
    const memory = process.memoryUsage.rss
    try {
      const size = residentSize()
      process.memoryUsage.rss = unanswered
      assert.isNull(size())
      process.memoryUsage.rss = () => 4096
      assert.strictEqual(size(), 4096)
      process.memoryUsage.rss = unanswered
      assert.strictEqual(size(), 4096)
    } finally {
      process.memoryUsage.rss = memory
    }
  })
})
