import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, IngressEventWire, OutputCommand, PluginHost, ServicePlugin } from "mooring"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, target } from "../support/plugins.ts"

const REF = "project:test.plugin"
const KINDS = ["websocket_open", "websocket_text", "command_result", "order"] as const

const start = opened(GATEWAY)

const asking = (seen: Array<IngressEvent.AnyEvent>, kinds: ReadonlyArray<string> = KINDS) =>
  plugin({
    ingress: { eventKinds: kinds },
    handlers: {
      gateway: {
        websocket_text: (event) =>
          Exit.succeed({
            commands: [
              OutputCommand.send(event, "one", { commandId: "first" }),
              OutputCommand.send("ws://127.0.0.1:7700/elsewhere", "two")
            ]
          }),
        command_result: (event) => {
          seen.push(event)
          // What answers a result causes none: or this would go on for ever.
          return Exit.succeed({ commands: [OutputCommand.send(GATEWAY, `got ${event.result.status}`)] })
        }
      }
    }
  })

describe("results of commands", () => {
  it.effect("are events for an ingress that asks for them, in order, and feed nothing themselves", () => {
    const seen: Array<IngressEvent.AnyEvent> = []
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      remote.sendText("go")
      yield* host.idle
      assert.deepStrictEqual(remote.sent, ["one", "got executed", "got rejected"])
      const [first, second] = seen.map((event) => IngressEventWire.encode(event))
      const text = (yield* rowOf(REF)).outputCommandResults[0]?.sourceEventId ?? ""
      assert.deepInclude(first, {
        kind: "command_result",
        source: "host:command_result",
        ingress_name: "gateway",
        epoch: 0,
        frame: 0,
        sequence: 1,
        dropped_before: 0,
        attempt: 1
      })
      assert.deepStrictEqual(first?.payload, {
        command_id: "first",
        correlation_id: text,
        source_event_id: text,
        kind: "websocket_send",
        status: "executed",
        recorded_at: "1970-01-01T00:00:00.000Z"
      })
      assert.deepInclude(second?.payload, { status: "rejected" })
      assert.strictEqual(second?.sequence, 2)
      // The open, the text and the two results.
      assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { enqueued: 4, dispatched: 4 })
      assert.lengthOf((yield* rowOf(REF)).outputCommandResults, 4)
    }).pipe(Effect.provide(onFake({ plugins: [asking(seen)] })))
  })

  it.effect("are no events where the ingress doesn't list them", () => {
    const seen: Array<IngressEvent.AnyEvent> = []
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      remote.sendText("go")
      yield* host.idle
      assert.deepStrictEqual(seen, [])
      assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { enqueued: 1 })
    }).pipe(Effect.provide(onFake({ plugins: [asking(seen, ["websocket_text"])] })))
  })

  it.effect("rule 1: are no events for an ingress that was revoked while its event was handled", () => {
    const seen: Array<IngressEvent.AnyEvent> = []
    const pkg = plugin({
      ingress: { eventKinds: KINDS },
      handlers: {
        gateway: {
          websocket_text: () => Effect.as(Effect.sleep(500), { commands: [OutputCommand.clearTimer("x")] }),
          command_result: (event) => {
            seen.push(event)
            return Exit.void
          }
        }
      }
    })
    const granted = GrantStore.grantOf(enable(pkg))
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      const grants = yield* GrantStore.GrantEditor
      remote.sendText("x")
      yield* settled
      yield* grants.set(REF, {
        ...granted,
        permissions: granted.permissions.filter(({ kind }) => kind !== "ingress")
      })
      yield* settled
      yield* TestClock.adjust(500)
      yield* host.idle
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", queueDepth: 0 })
      assert.lengthOf((yield* rowOf(REF)).outputCommandResults, 1)
      assert.deepStrictEqual(seen, [])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 3: are bounded where a plugin asks for more than it takes", () => {
    const pkg = plugin({
      ingress: { eventKinds: KINDS },
      handlers: {
        gateway: {
          websocket_text: (event) =>
            Exit.succeed({ commands: Array.from({ length: 16 }, (_, n) => OutputCommand.send(event, String(n))) })
        }
      }
    })
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      remote.sendBurst(Array.from({ length: 20 }, () => "go"))
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.isUndefined(accountingProblem(row, "may slide"))
      assert.isAbove(row.dispatchCounters.evicted, 100)
      assert.strictEqual(row.diagnosticCounts["QueueOverflow"], row.dispatchCounters.evicted)
      assert.strictEqual(remote.sent.length, 320)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], limits: { ingressQueueCapacity: 32 } })))
  })
})

const deliver = (payload: unknown, kind = "order", ingressName = "gateway") =>
  Effect.flatMap(PluginHost.PluginHost, (host) => host.deliver(REF, { ingressName, kind, payload }))

describe("PluginHost.deliver", () => {
  const seen: Array<IngressEvent.AnyEvent> = []
  const desk = () => {
    seen.length = 0
    return ServicePlugin.make({
      id: "test.plugin",
      version: "1.0.0",
      ingresses: {
        gateway: { sources: [GATEWAY], eventKinds: [...KINDS, "websocket_custom", "host_custom"] },
        quiet: { sources: [] }
      },
      websocket: [target],
      handlers: {
        gateway: {
          order: (event) => {
            seen.push(event)
            return event.payload === "slow"
              ? Effect.sleep(900)
              : Exit.succeed({ commands: [OutputCommand.send(GATEWAY, JSON.stringify(event.payload))] })
          }
        }
      }
    })
  }

  it.effect("hands a plugin an event of the application's own, accounted for like any", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* start
      const payload = { item: 7 }
      const id = yield* deliver(payload)
      // What the application does with its value later is its own business.
      payload.item = 8
      yield* host.idle
      assert.deepStrictEqual(remote.sent, ['{"item":7}'])
      const [event] = seen.map((one) => IngressEventWire.encode(one))
      assert.deepInclude(event, {
        kind: "order",
        source: "host:deliver",
        ingress_name: "gateway",
        payload: { item: 7 },
        correlation_id: id,
        sequence: 1,
        epoch: 0
      })
      const row = yield* rowOf(REF)
      assert.isUndefined(accountingProblem(row))
      assert.deepInclude(row.dispatchCounters, { enqueued: 3, dispatched: 3 })
    }).pipe(Effect.provide(onFake({ plugins: [desk()] })))
  )

  it.effect("refuses what can't be an event, each with its reason, and reports it", () =>
    Effect.gen(function* () {
      const { host } = yield* start
      const field = (effect: ReturnType<typeof deliver>) =>
        Effect.map(Effect.flip(effect), (error) => ("field" in error ? error.field : error._tag))
      const circular: Array<unknown> = []
      circular.push(circular)
      const kinds = [
        "websocket_text",
        "websocket_custom",
        "host_custom",
        "timer",
        "command_result",
        "websocket_close",
        "unlisted",
        "Order"
      ]
      for (const kind of kinds) assert.strictEqual(yield* field(deliver({}, kind)), "kind")
      // An ingress that lists no kinds takes none of the application's.
      assert.strictEqual(yield* field(deliver({}, "order", "quiet")), "kind")
      assert.strictEqual(yield* field(deliver({}, "order", "nowhere")), "ingress")
      for (const payload of [undefined, () => {}, circular, 1n, "x".repeat(1_048_576)]) {
        assert.strictEqual(yield* field(deliver(payload)), "payload")
      }
      const unknown = host.deliver("project:test.nobody", { ingressName: "gateway", kind: "order", payload: 1 })
      assert.strictEqual((yield* Effect.flip(unknown))._tag, "PluginUnknown")
      const row = yield* rowOf(REF)
      assert.strictEqual(row.diagnosticCounts["EventInvalid"], kinds.length + 7)
      assert.deepInclude(row.dispatchCounters, { enqueued: 1 })
    }).pipe(Effect.provide(onFake({ plugins: [desk()] })))
  )

  it.effect("rule 1: needs the ingress's permission, and takes back what waits when it goes", () => {
    const pkg = desk()
    const granted = GrantStore.grantOf(enable(pkg))
    const without = granted.permissions.filter(
      (permission) => !(permission.kind === "ingress" && permission.name === "gateway")
    )
    return Effect.gen(function* () {
      yield* start
      const grants = yield* GrantStore.GrantEditor
      yield* deliver("slow")
      yield* settled
      yield* deliver("waits")
      yield* grants.set(REF, { ...granted, permissions: without })
      yield* settled
      assert.strictEqual((yield* Effect.flip(deliver(1)))._tag, "PermissionMissing")
      yield* TestClock.adjust(900)
      yield* settled
      const row = yield* rowOf(REF)
      assert.lengthOf(seen, 1)
      assert.isUndefined(accountingProblem(row))
      assert.isAtLeast(row.dispatchCounters.discarded, 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("answers what is no delivery, no reference and no source with an error, not a defect", () =>
    Effect.gen(function* () {
      const { host } = yield* start
      const trap = new Proxy(
        {},
        {
          get: () => {
            throw new Error("x")
          }
        }
      )
      for (const odd of [null, 5, trap, { ingressName: 5, kind: {}, payload: 1 }, { ingressName: "desk", kind: {} }]) {
        const failure = yield* Effect.flip(host.deliver(REF, odd as never))
        assert.strictEqual(failure._tag, "EventInvalid", String(typeof odd))
      }
      for (const odd of [null, 5, {}, Object.create(null)]) {
        assert.strictEqual((yield* Effect.flip(host.reconnect(REF, odd as never)))._tag, "SourceUnknown")
        for (const act of [host.start, host.stop, host.restart, host.plugin, host.awaitRunning, host.stopped]) {
          const asked: Effect.Effect<unknown, { readonly _tag: string }> = act(odd as never)
          assert.strictEqual((yield* Effect.flip(asked))._tag, "PluginUnknown")
        }
      }
    }).pipe(Effect.provide(onFake({ plugins: [desk()] })))
  )

  it.effect("says why the service takes no events", () =>
    Effect.gen(function* () {
      const { host } = yield* start
      yield* host.stop(REF)
      yield* host.idle
      assert.strictEqual((yield* Effect.flip(deliver(1)))._tag, "ServiceStopped")
      yield* host.start(REF)
      assert.deepInclude(yield* Effect.flip(deliver(1)), { _tag: "ServiceUnavailable", lifecycle: "starting" })
      const grants = yield* GrantStore.GrantEditor
      yield* grants.revoke(REF)
      yield* host.idle
      assert.deepInclude(yield* Effect.flip(deliver(1)), { _tag: "ServiceFailed", tag: "PermissionMissing" })
    }).pipe(Effect.provide(onFake({ plugins: [desk()] })))
  )

  it.effect.prop(
    "rules 2 and 3: slides, whatever is delivered to a plugin that is busy",
    { sizes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 }))) },
    ({ sizes }) =>
      Effect.gen(function* () {
        yield* start
        yield* deliver("slow")
        yield* settled
        for (const size of sizes) {
          yield* deliver("x".repeat(size))
          const row = yield* rowOf(REF)
          assert.isUndefined(accountingProblem(row, "may slide"))
          assert.isAtMost(row.queueDepth, 4)
          assert.isAtMost(row.queueBytes, 4096)
        }
        yield* TestClock.adjust(900)
        yield* settled
        const row = yield* rowOf(REF)
        assert.isUndefined(accountingProblem(row, "may slide"))
        assert.strictEqual(row.dispatchCounters.evicted + seen.length, sizes.length + 1)
      }).pipe(
        Effect.provide(
          onFake({
            plugins: [desk()],
            limits: { ingressQueueCapacity: 4, ingressQueueBytes: 4096, maxMessageBytes: 2048 }
          })
        )
      ),
    { arbitrary: { runs: 50 } }
  )
})
