import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { GrantStore, OutputCommand, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const REF = "project:test.plugin"

const counting = plugin({ handlers: { gateway: { websocket_text: () => Exit.void } } })
const closing = plugin({
  handlers: {
    gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.close(event)] }) }
  }
})
const granted = GrantStore.grantOf(enable(counting))

const connection = Effect.map(rowOf(REF), (row) => row.websocketConnections[0])

/** A host on the fake network whose grants come from this store. */
const withStore = (plugins: ReadonlyArray<PluginRuntime.PluginPackage>, store: GrantStore.GrantStore["Service"]) =>
  TestHost.failingFast(PluginHost.layer({ plugins, enabled: plugins.map((pkg) => enable(pkg)) })).pipe(
    Layer.provide(Layer.succeed(GrantStore.GrantStore, store)),
    Layer.provideMerge(FakeWebSocket.layer)
  )

describe("a grant that is withdrawn", () => {
  it.effect("rule 1: and given again at once closes the connection and dials anew", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const grants = yield* GrantStore.GrantEditor
      const first = yield* fake.remote(GATEWAY)
      yield* host.idle
      yield* grants.revoke(REF)
      yield* grants.set(REF, granted)
      const second = yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      assert.isFalse(first.isOpen)
      second.sendText("heard")
      yield* host.idle
      assert.deepInclude(yield* connection, { state: "open", rejectedText: 0, enqueuedText: 1 })
      assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["PermissionMissing"], 1)
    }).pipe(Effect.provide(onFake({ plugins: [counting] })))
  )

  it.effect("rule 1: shortens a close of its plugin's that a deaf server holds up", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(GATEWAY)
      remote.ignoreClose()
      remote.sendText("close")
      yield* settled
      assert.isNotNull(remote.closeFrame)
      yield* TestClock.adjust(1000)
      assert.isTrue(remote.isOpen)
      yield* (yield* GrantStore.GrantEditor).revoke(REF)
      yield* TestClock.adjust(499)
      assert.isTrue(remote.isOpen)
      yield* TestClock.adjust(1)
      yield* settled
      assert.isFalse(remote.isOpen)
    }).pipe(Effect.provide(onFake({ plugins: [closing] })))
  )

  it.effect(
    "rule 1: ends a connection whose server doesn't answer within half a second, deaf and dumb till then",
    () => {
      const pkg = plugin({
        handlers: {
          gateway: {
            websocket_text: (event) => Effect.as(Effect.sleep(400), { commands: [OutputCommand.send(event, "late")] })
          }
        }
      })
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const grants = yield* GrantStore.GrantEditor
        const remote = yield* fake.remote(GATEWAY)
        remote.ignoreClose()
        remote.sendText("handled")
        remote.sendText("waits")
        yield* settled
        yield* grants.set(REF, { ...granted, websocket: [] })
        yield* settled
        remote.sendText("too late")
        assert.deepInclude(yield* connection, { state: "closing", queueDepth: 0, rejectedText: 1 })
        yield* TestClock.adjust(499)
        yield* settled
        assert.isTrue(remote.isOpen)
        yield* TestClock.adjust(1)
        yield* settled
        assert.isFalse(remote.isOpen)
        assert.deepInclude(yield* connection, { state: "stopped", stopReason: "grant" })
        const row = yield* rowOf(REF)
        assert.strictEqual(row.outputCommandResults[0]?.error?.tag, "CommandUngranted")
        assert.deepStrictEqual(remote.sent, [])
        assert.isUndefined(accountingProblem(row))
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    }
  )

  it.effect("rule 1: and given again at once closes the connection also where only the target was withdrawn", () =>
    Effect.gen(function* () {
      const changes = yield* Queue.unbounded<void>()
      const answers = [Option.some(granted), Option.some({ ...granted, websocket: [] })]
      const store = {
        lookup: () => Effect.sync(() => answers.shift() ?? Option.some(granted)),
        changes: Stream.fromQueue(changes)
      }
      yield* Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const first = yield* fake.remote(GATEWAY)
        yield* host.idle
        Queue.offerUnsafe(changes, undefined)
        Queue.offerUnsafe(changes, undefined)
        const second = yield* fake.remote(GATEWAY, 2)
        yield* host.idle
        assert.isFalse(first.isOpen)
        second.sendText("heard")
        yield* host.idle
        assert.deepInclude(yield* connection, { state: "open", rejectedText: 0, enqueuedText: 1 })
        assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["GrantRevoked"], 1)
      }).pipe(Effect.provide(withStore([counting], store)))
    })
  )

  it.effect("rule 1: stays withdrawn when an older answer of the store comes late", () =>
    Effect.gen(function* () {
      const changes = yield* Queue.unbounded<void>()
      let now: Option.Option<GrantStore.Grant> = Option.some(granted)
      let delay = 100
      const store = {
        lookup: () =>
          Effect.suspend(() => {
            const answer = now
            return Effect.as(Effect.sleep(delay), answer)
          }),
        changes: Stream.fromQueue(changes)
      }
      const scope = yield* Effect.scope
      const building = yield* Effect.forkChild(Layer.buildWithScope(withStore([counting], store), scope))
      yield* settled
      yield* TestClock.adjust(50)
      now = Option.none()
      delay = 1
      Queue.offerUnsafe(changes, undefined)
      yield* settled
      yield* TestClock.adjust(500)
      yield* settled
      const context = yield* Fiber.join(building)
      yield* settled
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* rowOf(REF)).lifecycle, "failed")
        assert.deepStrictEqual(yield* (yield* FakeWebSocket.FakeWebSocket).dials, [])
      }).pipe(Effect.provideContext(context))
    })
  )

  it.effect("rules 1 and 12: takes effect though the store never answers for another plugin", () =>
    Effect.gen(function* () {
      const changes = yield* Queue.unbounded<void>()
      const other = plugin({ name: "other", sources: ["ws://127.0.0.1:7700/other"] })
      const grantOf = new Map([
        [REF, granted],
        ["project:test.other", GrantStore.grantOf(enable(other))]
      ])
      let withdrawn = false
      const store = {
        lookup: (pluginRef: string) =>
          Effect.suspend(() => {
            if (!withdrawn) return Effect.succeed(Option.fromUndefinedOr(grantOf.get(pluginRef)))
            return pluginRef === REF ? Effect.succeed(Option.none()) : Effect.never
          }),
        changes: Stream.fromQueue(changes)
      }
      yield* Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const remote = yield* fake.remote(GATEWAY)
        const neighbour = yield* fake.remote("ws://127.0.0.1:7700/other")
        withdrawn = true
        Queue.offerUnsafe(changes, undefined)
        yield* settled
        assert.isFalse(remote.isOpen)
        // The other has no grant either, until there is an answer.
        yield* TestClock.adjust(1000)
        yield* neighbour.closed
      }).pipe(Effect.provide(withStore([other, counting], store)))
    })
  )

  it.effect("rule 1: is noticed again after the store's changes broke off", () =>
    Effect.gen(function* () {
      const changes = yield* Queue.unbounded<void>()
      let now: Option.Option<GrantStore.Grant> = Option.some(granted)
      let breaks = 1
      const store = {
        lookup: () => Effect.sync(() => now),
        changes: Stream.map(Stream.fromQueue(changes), () => {
          if (breaks-- > 0) throw new Error("gone")
        })
      }
      yield* Effect.gen(function* () {
        const remote = yield* (yield* FakeWebSocket.FakeWebSocket).remote(GATEWAY)
        Queue.offerUnsafe(changes, undefined)
        yield* settled
        now = Option.none()
        yield* TestClock.adjust(1000)
        yield* remote.closed
      }).pipe(Effect.provide(withStore([counting], store)))
    })
  )

  it.effect("rule 6: and given again starts no instance beside one that goes on", () => {
    let instances = 0
    const stubborn = plugin({
      handlers: () =>
        Effect.sync(() => {
          instances++
          return { gateway: { websocket_text: () => Effect.uninterruptible(Effect.never) } }
        })
    })
    return Effect.gen(function* () {
      const grants = yield* GrantStore.GrantEditor
      const remote = yield* (yield* FakeWebSocket.FakeWebSocket).remote(GATEWAY)
      remote.sendText("for ever")
      yield* settled
      yield* TestClock.adjust(1000)
      yield* settled
      yield* TestClock.adjust(5000)
      yield* settled
      assert.strictEqual((yield* rowOf(REF)).lastError?.tag, "InstanceUnstoppable")
      yield* grants.revoke(REF)
      yield* settled
      yield* grants.set(REF, GrantStore.grantOf(enable(stubborn)))
      yield* settled
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(instances, 1)
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "failed")
    }).pipe(Effect.provide(onFake({ plugins: [stubborn] })))
  })

  it.effect("doesn't shorten the time until a failed service is tried again", () => {
    let starts = 0
    const failing = plugin({ handlers: () => Effect.suspend(() => Effect.fail(++starts)) })
    return Effect.gen(function* () {
      const grants = yield* GrantStore.GrantEditor
      yield* settled
      assert.strictEqual(starts, 1)
      yield* grants.revoke(REF)
      yield* settled
      yield* grants.set(REF, GrantStore.grantOf(enable(failing)))
      yield* settled
      assert.strictEqual(starts, 1)
      yield* TestClock.adjust("5 minutes")
      yield* settled
      assert.strictEqual(starts, 2)
    }).pipe(Effect.provide(onFake({ plugins: [failing] })))
  })

  it.effect("rule 12: a store that answers slowly holds up the start of a host once, and not for each plugin", () =>
    Effect.gen(function* () {
      const plugins = Array.from({ length: 20 }, (_, n) =>
        plugin({ name: `p${n}`, sources: [`ws://127.0.0.1:7700/${n}`] })
      )
      const grants = new Map(plugins.map((pkg) => [refOf(pkg), GrantStore.grantOf(enable(pkg))]))
      const store = {
        lookup: (pluginRef: string) => Effect.as(Effect.sleep(400), Option.fromUndefinedOr(grants.get(pluginRef))),
        changes: Stream.never
      }
      const scope = yield* Effect.scope
      const building = yield* Effect.forkChild(Layer.buildWithScope(withStore(plugins, store), scope))
      yield* settled
      yield* TestClock.adjust(400)
      const context = yield* Fiber.join(building)
      yield* Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        yield* host.idle
        const { plugins: rows } = yield* host.status
        assert.deepStrictEqual(
          rows.map(({ pluginRef, websocketConnections }) => [pluginRef, websocketConnections[0]?.state]),
          plugins.map((pkg) => [refOf(pkg), "open"])
        )
      }).pipe(Effect.provideContext(context))
    })
  )
})
