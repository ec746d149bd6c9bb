import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { GrantStore, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"
const TEXTS = Array.from({ length: 400 }, (_, n) => String(n))

/** A plugin that tells which texts it was handed, and takes a turn for each where that is asked for. */
const hearing = (takes: Effect.Effect<void> = Effect.void) => {
  const heard: Array<string> = []
  const pkg = plugin({
    handlers: {
      gateway: {
        websocket_text: ({ text }) => {
          heard.push(text)
          return takes
        }
      }
    }
  })
  return { heard, pkg }
}

const ENDS = [
  ["stopped", (host: PluginHost.PluginHost["Service"]) => Effect.orDie(host.stop(REF))],
  ["restarted", (host: PluginHost.PluginHost["Service"]) => Effect.orDie(host.restart(REF))],
  ["disabled", (host: PluginHost.PluginHost["Service"]) => host.apply({ enabled: [] })]
] as const

describe("a plugin that the operator tells to end", () => {
  for (const [how, end] of ENDS) {
    for (const [what, takes, most] of [
      ["at once", Effect.void, 0],
      ["in a turn of their own", Effect.yieldNow, 1]
    ] as const) {
      it.effect(`is handed nothing more of a burst once it is ${how}, where its handlers answer ${what}`, () => {
        const { heard, pkg } = hearing(takes)
        return Effect.gen(function* () {
          const { host, remote } = yield* opened(GATEWAY)
          remote.sendBurst(TEXTS)
          if (most > 0) for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow
          const before = heard.length
          yield* end(host)
          yield* settled
          yield* host.idle
          assert.isBelow(before, 400)
          assert.isAtMost(heard.length - before, most)
          if (how === "disabled") return
          assert.isUndefined(accountingProblem(yield* rowOf(REF)))
        }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
      })
    }
  }

  it.effect("says in the same turn that it stops, and takes no event of the application's any more", () => {
    const pkg = plugin({ ingress: { eventKinds: ["order"] } })
    return Effect.gen(function* () {
      const { host } = yield* opened(GATEWAY)
      yield* host.stop(REF)
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "stopping")
      const refused = yield* Effect.flip(host.deliver(REF, { ingressName: "gateway", kind: "order", payload: 1 }))
      assert.strictEqual(refused._tag, "ServiceStopped")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})

describe("a plugin that the operator starts", () => {
  for (const meanwhile of ["in one go", "while it still stops"]) {
    it.effect(`begins anew where it was stopped and started ${meanwhile}`, () => {
      const starts: Array<PluginRuntime.StartReason> = []
      const pkg = plugin({
        handlers: ({ reason }) =>
          Effect.as(
            Effect.sync(() => starts.push(reason)),
            {}
          )
      })
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        yield* host.idle
        const refused = (yield* rowOf(REF)).websocketConnections[0]
        assert.deepInclude(refused, { state: "stopped", stopReason: "http" })
        yield* fake.answer(GATEWAY, { kind: "accept" })
        yield* host.stop(REF)
        if (meanwhile !== "in one go") yield* Effect.yieldNow
        yield* host.start(REF)
        yield* fake.remote(GATEWAY)
        yield* host.idle
        assert.deepStrictEqual(starts, ["first", "reload"])
        assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", restarts: 0 })
      }).pipe(Effect.provide(onFake({ plugins: [pkg], answers: { [GATEWAY]: { kind: "refuse", status: 401 } } })))
    })
  }

  it.effect("has a whole budget of crashes again, also where it ran", () => {
    const pkg = plugin({ handlers: { gateway: { websocket_text: () => Effect.die("boom") } } })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const crash = Effect.gen(function* () {
        const dials = (yield* fake.dials).length
        yield* Effect.map(fake.remote(GATEWAY, dials), (remote) => remote.sendText("die"))
        yield* host.idle
        return yield* rowOf(REF)
      })
      yield* fake.remote(GATEWAY)
      for (let crashes = 1; crashes <= 5; crashes++) {
        assert.deepInclude(yield* crash, { lifecycle: "restarting", restarts: crashes })
        yield* TestClock.adjust(100 * 2 ** (crashes - 1))
        yield* fake.remote(GATEWAY, crashes + 1)
        yield* host.idle
      }
      yield* host.start(REF)
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
      assert.deepInclude(yield* crash, { lifecycle: "restarting", restarts: 6 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("leaves alone what runs already", () => {
    const { pkg } = hearing()
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      yield* host.start(REF)
      yield* host.start(REF)
      yield* host.idle
      assert.isTrue(remote.isOpen)
      assert.lengthOf(yield* fake.dials, 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})

describe("a plugin that has failed", () => {
  it.effect("says what for, also after its grant was gone for a while", () => {
    const gate = Promise.withResolvers<void>()
    const pkg = plugin({
      handlers: { gateway: { websocket_text: () => Effect.uninterruptible(Effect.promise(() => gate.promise)) } }
    })
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      const grants = yield* GrantStore.GrantEditor
      remote.sendText("for ever")
      yield* settled
      yield* TestClock.adjust(1000)
      yield* settled
      yield* TestClock.adjust(5000)
      yield* settled
      gate.resolve()
      yield* settled
      const failed = yield* rowOf(REF)
      assert.strictEqual(failed.lastError?.tag, "InstanceUnstoppable")
      for (const change of [grants.revoke(REF), grants.set(REF, GrantStore.grantOf(enable(pkg)))]) {
        yield* change
        yield* settled
        yield* host.idle
        const { lastError, lifecycle, retryAt } = yield* rowOf(REF)
        assert.deepStrictEqual({ lastError, lifecycle, retryAt }, { ...failedAs(failed), retryAt: null })
      }
      yield* host.start(REF)
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("and is tried again at a time says that its grant is gone only for as long as it is", () => {
    const pkg = plugin({ handlers: () => Effect.fail("no") })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const grants = yield* GrantStore.GrantEditor
      yield* host.idle
      const failed = yield* rowOf(REF)
      assert.strictEqual(failed.lastError?.tag, "StartFailed")
      assert.isNotNull(failed.retryAt)
      yield* grants.revoke(REF)
      yield* settled
      const denied = yield* rowOf(REF)
      assert.deepInclude(denied, { lifecycle: "failed", retryAt: null })
      assert.strictEqual(denied.lastError?.tag, "PermissionMissing")
      yield* grants.set(REF, GrantStore.grantOf(enable(pkg)))
      yield* settled
      const again = yield* rowOf(REF)
      assert.deepStrictEqual(failedAs(again), failedAs(failed))
      assert.strictEqual(again.diagnosticCounts["StartFailed"], 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})

const failedAs = ({ lastError, lifecycle, retryAt }: Effect.Success<ReturnType<typeof rowOf>>) => ({
  lastError,
  lifecycle,
  retryAt
})

/** A host whose grant store is the test's: what it is asked for, and a way to say that answers may have changed. */
const onStore = (pkg: PluginRuntime.PluginPackage, answersAfter: () => Effect.Effect<void> = () => Effect.void) => {
  const asked: Array<string> = []
  const changed = Effect.runSync(PubSub.unbounded<void>())
  const granted = GrantStore.grantOf(enable(pkg))
  const store = GrantStore.GrantStore.of({
    lookup: (ref) =>
      Effect.suspend(() => {
        asked.push(ref)
        return Effect.as(answersAfter(), Option.some(granted))
      }),
    changes: Stream.fromPubSub(changed)
  })
  const layer = TestHost.failingFast(PluginHost.layer({ plugins: [pkg], enabled: [enable(pkg)] })).pipe(
    Layer.provide(Layer.succeed(GrantStore.GrantStore, store)),
    Layer.provideMerge(FakeWebSocket.layer)
  )
  return { asked, changed: PubSub.publish(changed, undefined), layer }
}

describe("a plugin that is enabled differently", () => {
  it.effect("rule 9: leaves nothing of what never ran behind, and runs what was enabled last", () => {
    const gate = Promise.withResolvers<void>()
    const configs: Array<unknown> = []
    const slow = {
      ...plugin({}),
      runtime: {
        start: ({ config }: PluginRuntime.Start) =>
          Effect.sync(() => {
            configs.push(config)
            return { handle: () => Exit.void, stop: Effect.promise(() => gate.promise) }
          })
      }
    }
    const { asked, changed, layer } = onStore(slow)
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      for (const version of [1, 2, 3]) yield* host.apply({ enabled: [enable(slow, { config: { version } })] })
      asked.length = 0
      yield* changed
      yield* settled
      // What runs, and what is to run instead.
      assert.lengthOf(asked, 2)
      gate.resolve()
      yield* settled
      yield* host.idle
      assert.deepStrictEqual(configs, [{}, { version: 3 }])
      asked.length = 0
      yield* changed
      yield* settled
      assert.lengthOf(asked, 1)
      yield* host.apply({ enabled: [] })
      yield* host.idle
      asked.length = 0
      yield* changed
      yield* settled
      assert.lengthOf(asked, 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("rule 9: leaves nothing of what was to run instead behind where it is disabled before it does", () => {
    const gate = Promise.withResolvers<void>()
    const starts: Array<unknown> = []
    const slow = {
      ...plugin({}),
      runtime: {
        start: ({ config }: PluginRuntime.Start) =>
          Effect.sync(() => {
            starts.push(config)
            return { handle: () => Exit.void, stop: Effect.promise(() => gate.promise) }
          })
      }
    }
    const { asked, changed, layer } = onStore(slow)
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      yield* host.apply({ enabled: [enable(slow, { config: { version: 1 } })] })
      yield* host.apply({ enabled: [] })
      gate.resolve()
      yield* settled
      yield* host.idle
      asked.length = 0
      yield* changed
      yield* settled
      assert.lengthOf(asked, 0)
      assert.deepStrictEqual(starts, [{}])
    }).pipe(Effect.provide(layer))
  })

  it.effect("runs what was enabled last, also where the grants of what was before come late", () => {
    const configs: Array<unknown> = []
    let delays = 0
    const pkg = plugin({
      handlers: ({ config }) =>
        Effect.as(
          Effect.sync(() => configs.push(config)),
          {}
        )
    })
    const { layer } = onStore(pkg, () => (delays > 0 ? Effect.sleep(delays) : Effect.void))
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      delays = 300
      const applying = yield* Effect.forkChild(host.apply({ enabled: [enable(pkg, { config: { version: 1 } })] }))
      yield* settled
      delays = 0
      const after = yield* Effect.forkChild(host.apply({ enabled: [enable(pkg, { config: { version: 2 } })] }))
      yield* settled
      yield* TestClock.adjust(300)
      yield* Fiber.joinAll([applying, after])
      yield* host.idle
      assert.deepStrictEqual(configs.at(-1), { version: 2 })
    }).pipe(Effect.provide(layer))
  })
})
