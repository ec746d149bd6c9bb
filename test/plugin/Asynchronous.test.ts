/** Promises, and whatever else is no effect, wherever plugin code hands something over: rule 10. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { TestClock } from "effect/testing"
import * as Vm from "node:vm"
import { ManifestError, PluginHost, type PluginRuntime, ServicePlugin } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { GATEWAY, plugin, target } from "../support/plugins.ts"
import { unhandled } from "../support/rejections.ts"

const REF = "project:test.plugin"
const declared = {
  id: "test.plugin",
  version: "1.0.0",
  ingresses: { gateway: { sources: [GATEWAY] } },
  websocket: [target]
} as const

const boom = () => Promise.reject(new Error("boom"))
// What JavaScript may hand over and TypeScript wouldn't let through.
const unlike = (value: unknown): never => value as never

class Subclass extends Promise<unknown> {}

const elsewhere = (): unknown => Vm.runInNewContext("Promise.reject(new Error('boom'))")
// Like a database's query: it runs when somebody asks for its outcome.
// oxlint-disable-next-line unicorn/no-thenable
const lazy = Object.fromEntries([["then", () => assert.fail("nobody may begin its work")]])

/** What a handler returns in place of an effect, or hands over in one. */
const ANSWERS: ReadonlyArray<readonly [what: string, answer: () => unknown]> = [
  ["a promise that rejects", boom],
  ["a promise that resolves", () => Promise.resolve({ commands: [] })],
  ["a promise that never settles", () => new Promise(() => {})],
  ["a promise of a subclass", () => Subclass.reject(new Error("boom"))],
  ["a promise of another realm", elsewhere],
  ["an async function's", async () => Promise.reject(new Error("boom"))],
  ["a lazy thenable", () => lazy],
  ["a generator", () => (function* () {})()],
  ["an async generator", () => (async function* () {})()],
  ["nothing at all", () => undefined],
  ["an answer without an effect", () => ({ commands: [] })],
  ["a promise in an exit", () => Exit.succeed(boom())],
  ["a promise of another realm in an exit", () => Exit.succeed(elsewhere())],
  ["a promise after a while", () => Effect.map(Effect.yieldNow, () => boom())],
  ["null in an exit", () => Exit.succeed(null)],
  ["a promise for its commands", () => Exit.succeed({ commands: boom() })],
  ["a promise among its commands", () => Exit.succeed({ commands: [boom()] })],
  ["a promise in a command", () => Exit.succeed({ commands: [{ kind: "timer_clear", payload: boom() }] })],
  ["a promise for its status", () => Exit.succeed({ status: boom() })],
  ["a promise within its status", () => Exit.succeed({ status: [{ deep: { deeper: boom() } }] })],
  ["a promise for its state", () => Exit.succeed({ state: boom() })],
  ["a promise for accepted", () => Exit.succeed({ accepted: boom() })],
  ["a promise in an unknown field", () => Exit.succeed({ more: boom() })]
]

const FAILURES: ReadonlyArray<readonly [what: string, answer: () => unknown]> = [
  ["refuses and has a promise", () => Exit.succeed({ accepted: false, status: boom() })],
  ["fails with a promise", () => Exit.fail(boom())],
  ["fails with an error that has a promise", () => Exit.fail(Object.assign(new Error("x"), { work: boom() }))],
  ["fails with an error whose cause is a promise", () => Exit.fail(new Error("x", { cause: boom() }))]
]

/** A plugin whose first text is answered with this, in each of the ways in which its handler may be called. */
const VARIANTS: ReadonlyArray<readonly [how: string, pkg: (answer: () => unknown) => PluginRuntime.PluginPackage]> = [
  [
    "plain",
    (answer) => ServicePlugin.make({ ...declared, handlers: { gateway: { websocket_text: () => unlike(answer()) } } })
  ],
  [
    "with handlers as an effect",
    (answer) =>
      ServicePlugin.make({
        ...declared,
        handlers: () => Effect.succeed({ gateway: { websocket_text: () => unlike(answer()) } })
      })
  ],
  [
    "with a layer",
    (answer) =>
      ServicePlugin.make({
        ...declared,
        layer: Layer.empty,
        handlers: { gateway: { websocket_text: () => unlike(answer()) } }
      })
  ],
  [
    "with a state schema",
    (answer) =>
      ServicePlugin.make({
        ...declared,
        state: Schema.Struct({ seen: Schema.Int }),
        handlers: { gateway: { websocket_text: () => unlike(answer()) } }
      })
  ]
]

const afterOne = (pkg: PluginRuntime.PluginPackage) =>
  Effect.gen(function* () {
    const { host, remote } = yield* opened(GATEWAY)
    const seen = yield* unhandled(
      Effect.gen(function* () {
        remote.sendText("one")
        yield* settled
        yield* host.idle
      })
    )
    const row = yield* rowOf(REF)
    assert.isUndefined(accountingProblem(row))
    return { seen, row }
  }).pipe(Effect.provide(onFake({ plugins: [pkg] })))

describe("rule 10: a handler in place of an effect", () => {
  for (const [how, pkg] of VARIANTS) {
    it.effect.each(ANSWERS)(`${how}: %s is a wrong answer of one event, and nobody's rejection`, ([, answer]) =>
      Effect.gen(function* () {
        const { row, seen } = yield* afterOne(pkg(answer))
        assert.deepStrictEqual(seen, [])
        assert.deepInclude(row, { lifecycle: "running", restarts: 0 })
        assert.deepInclude(row.dispatchCounters, { failed: 1, dispatched: 1 })
        assert.strictEqual(row.lastError?.tag, "OutputInvalid")
        assert.notInclude(JSON.stringify(row), "boom")
      })
    )

    it.effect.each(FAILURES)(`${how}: one that %s has failed for one event`, ([, answer]) =>
      Effect.gen(function* () {
        const { row, seen } = yield* afterOne(pkg(answer))
        assert.deepStrictEqual(seen, [])
        assert.strictEqual(row.lifecycle, "running")
        assert.strictEqual(row.lastError?.tag, "DispatchFailed")
      })
    )

    it.effect(`${how}: one that dies of a promise crashes, and no more`, () =>
      Effect.gen(function* () {
        const { row, seen } = yield* afterOne(pkg(() => Exit.die(boom())))
        assert.deepStrictEqual(seen, [])
        assert.strictEqual(row.lastError?.tag, "InstanceLost")
      })
    )
  }

  it.effect("whose state has an asynchronous schema gives a wrong answer, and no crash", () => {
    const later = SchemaGetter.transformEffect<string, string>(() => Effect.promise(boom))
    const state = Schema.String.pipe(Schema.decodeTo(Schema.String, { decode: later, encode: later }))
    const handlers = { gateway: { websocket_text: () => Exit.succeed({ state: "x" }) } }
    return Effect.gen(function* () {
      const { row, seen } = yield* afterOne(ServicePlugin.make({ ...declared, state, handlers }))
      assert.deepStrictEqual(seen, [])
      assert.deepInclude(row, { lifecycle: "running", restarts: 0 })
      assert.strictEqual(row.lastError?.tag, "OutputInvalid")
    })
  })

  it.effect("says where asynchronous code belongs", () =>
    Effect.gen(function* () {
      const pkg = plugin({ handlers: { gateway: { websocket_text: unlike(boom) } } })
      const { row } = yield* afterOne(pkg)
      assert.include(row.lastError?.message, "Effect.tryPromise")
    })
  )
})

const ran = (pkg: PluginRuntime.PluginPackage) =>
  Effect.gen(function* () {
    const host = yield* PluginHost.PluginHost
    const seen = yield* unhandled(
      Effect.gen(function* () {
        yield* settled
        yield* host.idle
        yield* host.stop(REF)
        yield* host.idle
      })
    )
    return { seen, row: yield* rowOf(REF) }
  }).pipe(Effect.provide(onFake({ plugins: [pkg] })))

const withRuntime = (start: unknown): PluginRuntime.PluginPackage => ({
  ...plugin({}),
  runtime: { start: unlike(start) }
})

const well = { handle: () => Exit.void, stop: Effect.void }

describe("rule 10: a start", () => {
  it.effect.each<readonly [string, () => PluginRuntime.PluginPackage]>([
    ["async handlers", () => ServicePlugin.make({ ...declared, handlers: () => unlike(boom()) })],
    [
      "handlers that are a promise",
      () => ServicePlugin.make({ ...declared, handlers: () => Effect.succeed(unlike(boom()) as {}) })
    ],
    [
      "handlers of an ingress that are a promise",
      () => ServicePlugin.make({ ...declared, handlers: () => Effect.succeed({ gateway: unlike(boom()) }) })
    ],
    [
      "a handler that is a promise",
      () =>
        ServicePlugin.make({
          ...declared,
          handlers: () => Effect.succeed({ gateway: { websocket_text: unlike(boom()) } })
        })
    ],
    ["no handlers", () => ServicePlugin.make({ ...declared, handlers: () => unlike(Effect.void) })],
    ["a failure that is a promise", () => ServicePlugin.make({ ...declared, handlers: () => Effect.fail(boom()) })],
    ["a runtime's promise", () => withRuntime(boom)],
    ["a runtime's promise of an instance", () => withRuntime(async () => well)],
    ["an instance that is a promise", () => withRuntime(() => Effect.sync(boom))],
    ["no instance", () => withRuntime(() => Effect.succeed(null))],
    ["an instance without handle", () => withRuntime(() => Effect.succeed({ stop: Effect.void }))],
    ["an instance whose stop is a promise", () => withRuntime(() => Effect.sync(() => ({ ...well, stop: boom() })))],
    ["an instance whose status is a promise", () => withRuntime(() => Effect.sync(() => ({ ...well, status: boom() })))]
  ])("with %s has failed, and nobody's rejection", ([, pkg]) =>
    Effect.gen(function* () {
      const { row, seen } = yield* ran(pkg())
      assert.deepStrictEqual(seen, [])
      assert.strictEqual(row.lastError?.tag, "StartFailed")
      assert.notInclude(JSON.stringify(row.lastError), "boom")
    })
  )

  it.effect("keeps an instance as it was checked", () => {
    const instance: { handle: unknown; stop: unknown } = { ...well }
    const pkg = withRuntime(() =>
      Effect.sync(() => {
        setImmediate(() => (instance.stop = boom))
        return instance
      })
    )
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
      yield* host.stop(REF)
      yield* host.idle
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "stopped", lastError: null })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})

describe("rule 10: an end", () => {
  for (const [how, stop, tag] of [
    ["answers with a promise", Effect.sync(boom), undefined],
    ["fails with a promise", Effect.suspend(() => Effect.fail(boom())), "DispatchFailed"]
  ] as const) {
    it.effect(`whose stop ${how} leaves no rejection`, () =>
      Effect.gen(function* () {
        const { row, seen } = yield* ran(ServicePlugin.make({ ...declared, handlers: {}, stop: unlike(stop) }))
        assert.deepStrictEqual(seen, [])
        assert.strictEqual(row.lifecycle, "stopped")
        assert.strictEqual(row.lastError?.tag, tag)
      })
    )
  }
})

describe("rule 10: a status", () => {
  for (const [how, status, tag] of [
    ["is a promise", Effect.sync(boom), "OutputInvalid"],
    ["has a promise in it", Effect.sync(() => ({ a: [boom()] })), "OutputInvalid"],
    ["fails with a promise", Effect.suspend(() => Effect.fail(boom())), "DispatchFailed"]
  ] as const) {
    it.effect(`that ${how} is reported, and nobody's rejection`, () =>
      Effect.gen(function* () {
        const { row, seen } = yield* ran(ServicePlugin.make({ ...declared, handlers: {}, status: unlike(status) }))
        assert.deepStrictEqual(seen, [])
        assert.strictEqual(row.lastError?.tag, tag)
        assert.isNull(row.reportedStatus)
      })
    )
  }

  it.effect("that says nothing replaces nothing", () => {
    const pkg = ServicePlugin.make({
      ...declared,
      handlers: { gateway: { websocket_open: () => Exit.succeed({ status: "kept" }) } },
      status: unlike(Effect.void)
    })
    return Effect.gen(function* () {
      yield* FakeWebSocket.FakeWebSocket
      const { host } = yield* opened(GATEWAY)
      yield* TestClock.adjust("10 seconds")
      yield* host.idle
      assert.deepInclude(yield* rowOf(REF), { reportedStatus: "kept", lastError: null })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})

describe("rule 10: a declaration", () => {
  it.effect.each<readonly [path: string, options: () => object]>([
    ["layer", () => ({ layer: boom() })],
    ["layer", () => ({ layer: () => Layer.empty })],
    ["config", () => ({ config: boom() })],
    ["state", () => ({ state: {} })],
    ["status", () => ({ status: boom })],
    ["status", () => ({ status: boom() })],
    ["stop", () => ({ stop: async () => {} })],
    ["handlers", () => ({ handlers: boom() })],
    ["handlers", () => ({ handlers: null })],
    ["handlers.gateway", () => ({ handlers: { gateway: boom() } })],
    ["handlers.gateway.websocket_text", () => ({ handlers: { gateway: { websocket_text: boom() } } })]
  ])("with a wrong %s is refused where it is made", ([path, options]) =>
    Effect.gen(function* () {
      const problems: Array<string> = []
      const seen = yield* unhandled(
        Effect.sync(() => {
          try {
            ServicePlugin.make({ ...declared, handlers: {}, ...(options() as {}) })
          } catch (error) {
            if (error instanceof ManifestError.ManifestInvalid)
              problems.push(...error.problems.map((each) => each.path))
          }
        })
      )
      assert.deepStrictEqual(seen, [])
      assert.deepStrictEqual(problems, [path])
    })
  )
})
