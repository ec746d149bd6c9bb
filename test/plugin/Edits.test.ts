/** What a plugin keeps of what it handed over or was handed, and edits later: nothing of it reaches anybody else. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import {
  HostStatus,
  type IngressEvent,
  ManifestError,
  OutputCommand,
  PluginError,
  PluginHost,
  type PluginRuntime,
  ServicePlugin
} from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { onFake, opened, rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin, target } from "../support/plugins.ts"

const REF = "project:test.plugin"
const NEIGHBOUR = "ws://127.0.0.1:7700/neighbour"
const UNUSABLE = [5, Symbol("x"), null, undefined, {}, "x".repeat(1_000_000), () => "x"]

/** Sets every field of an object, and of what is in it, to something unusable, as far as that is possible. */
const spoil = (value: unknown, seen = new Set<unknown>()): void => {
  if (typeof value !== "object" || value === null || seen.has(value)) return
  seen.add(value)
  for (
    let owner: object | null = value;
    owner !== null && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner)
  ) {
    for (const key of Reflect.ownKeys(owner)) {
      if (key === "constructor") continue
      try {
        spoil(Reflect.get(value, key), seen)
      } catch {
        // What can't be read isn't there to be edited.
      }
    }
  }
  for (const key of [...Reflect.ownKeys(value), "kind", "payload", "ids", "message", "_tag", "origin", "epoch", "at"]) {
    const unusable = UNUSABLE[seen.size % UNUSABLE.length]
    try {
      Reflect.defineProperty(value, key, { value: unusable, writable: true, configurable: true, enumerable: true })
      Reflect.set(value, key, unusable)
    } catch {
      // It can't be edited: well.
    }
  }
}

const neighbour = plugin({ name: "neighbour", sources: [NEIGHBOUR] })

/** After what a plugin did the status of all is a document of the right form. */
const wellAfter = (pkg: PluginRuntime.PluginPackage, texts: ReadonlyArray<string>, config: object = {}) =>
  Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    const host = yield* PluginHost.PluginHost
    const remote = yield* fake.remote(GATEWAY)
    yield* host.idle
    for (const text of texts) {
      remote.sendText(text)
      yield* host.idle
      const status = yield* host.status
      const encoded = HostStatus.encode(status)
      assert.deepStrictEqual(HostStatus.encode(Schema.decodeSync(HostStatus.HostStatus)(encoded)), encoded)
      assert.strictEqual(status.plugins.length, 2)
    }
    return { remote, row: yield* rowOf(REF) }
  }).pipe(Effect.provide(onFake({ plugins: [pkg, neighbour], enabled: [enable(pkg, { config }), enable(neighbour)] })))

describe("rule 10: what a plugin edits after it was checked", () => {
  const ids = { commandId: "mine", correlationId: "flow" }
  const constructed = (event: IngressEvent.WebSocketText): ReadonlyArray<OutputCommand.Command> => [
    OutputCommand.send(event, "one"),
    OutputCommand.send(event, "two", ids),
    OutputCommand.setTimer("beat", { afterMs: 1000 }, ids),
    OutputCommand.reportStatus({ message: "m", status: { a: 1 } }, ids)
  ]

  it.effect("commands", () => {
    const kept: Array<unknown> = []
    const pkg = plugin({
      handlers: {
        gateway: {
          websocket_text: (event) => {
            for (const command of kept) spoil(command)
            const commands = constructed(event)
            kept.push(...commands)
            return Exit.succeed({ commands })
          }
        }
      }
    })
    return Effect.gen(function* () {
      const { remote, row } = yield* wellAfter(pkg, ["a", "b", "c"])
      assert.deepStrictEqual(remote.sent, ["one", "two", "one", "two", "one", "two"])
      assert.deepStrictEqual(row.outputCommandResults.map(({ status }) => status).slice(-4), [
        "executed",
        "executed",
        "executed",
        "recorded"
      ])
    })
  })

  it.effect("commands that it spoils before it hands them over, which are refused or as they were", () => {
    const pkg = plugin({
      handlers: {
        gateway: {
          websocket_text: (event) => {
            const commands = constructed(event)
            for (const command of commands) spoil(command)
            return Exit.succeed({ commands })
          }
        }
      }
    })
    return Effect.gen(function* () {
      const { remote, row } = yield* wellAfter(pkg, ["a"])
      assert.deepStrictEqual(remote.sent, row.lastError === null ? ["one"] : [])
    })
  })

  it.effect("the event that it was handed, and its origin, which all events of the source share", () => {
    const other = "ws://127.0.0.1:7700/other"
    const pkg = plugin({
      sources: [GATEWAY, other],
      ingress: {
        eventKinds: ["websocket_open", "websocket_text", "websocket_close", "websocket_error", "command_result"]
      },
      handlers: {
        gateway: {
          websocket_open: (event) => Exit.succeed(spoil(event)),
          command_result: (event) => Exit.succeed([spoil(event.result), spoil(event)].at(-1)),
          timer: (event) => Exit.succeed(spoil(event)),
          websocket_text: (event) => {
            const commands = [OutputCommand.send(GATEWAY, "own"), OutputCommand.send(other, "no", { epoch: 7 })]
            spoil(event)
            return Exit.succeed({
              commands: [...commands, OutputCommand.setTimer("t", { afterMs: 100, url: GATEWAY })]
            })
          }
        }
      }
    })
    return Effect.gen(function* () {
      const { remote, row } = yield* wellAfter(pkg, ["a", "b"])
      assert.deepStrictEqual(remote.sent, ["own", "own"])
      assert.deepStrictEqual(
        row.outputCommandResults.map(({ error, sourceEventId, status }) => [
          error?.tag ?? status,
          sourceEventId.length > 5
        ]),
        [1, 2].flatMap(() => [
          ["executed", true],
          ["StaleEpoch", true],
          ["executed", true]
        ])
      )
    })
  })

  it.effect("status and state", () => {
    const kept: Array<unknown> = []
    const pkg = plugin({
      handlers: {
        gateway: {
          websocket_text: (event) => {
            for (const value of kept) spoil(value)
            const value = { text: event.text, list: [1, 2] }
            kept.push(value)
            return Exit.succeed({ status: value, state: value })
          }
        }
      }
    })
    return Effect.gen(function* () {
      const { row } = yield* wellAfter(pkg, ["a", "b"])
      assert.deepStrictEqual(row.reportedStatus, { text: "b", list: [1, 2] })
    })
  })

  it.effect("its errors, also those that are of the host's own classes", () => {
    const kept: Array<unknown> = []
    const errors = [
      new PluginError.OutputInvalid({ problems: [{ path: "a", message: "b" }] }),
      new ManifestError.ManifestInvalid({ subject: "enablement", problems: [{ path: "a", message: "b" }] }),
      new PluginError.DispatchTimeout({ during: "event", deadlineMs: 1 }),
      Object.defineProperty(new PluginError.OutputInvalid({ problems: [] }), "message", { value: 5 }),
      Object.defineProperty(new PluginError.OutputInvalid({ problems: [] }), "_tag", { value: 5 }),
      new Error("x")
    ]
    const pkg = plugin({
      handlers: {
        gateway: {
          websocket_text: () => {
            for (const error of kept) spoil(error)
            const error = errors[kept.length]
            kept.push(error)
            return Exit.fail(error)
          }
        }
      }
    })
    return Effect.gen(function* () {
      const { row } = yield* wellAfter(pkg, ["a", "b", "c", "d", "e", "f"])
      assert.deepInclude(row.dispatchCounters, { failed: 6 })
      assert.strictEqual(row.lastError?.tag, "DispatchFailed")
    })
  })

  it.effect.each<readonly [string, (error: ManifestError.ManifestInvalid) => void]>([
    ["an edited one", (error: ManifestError.ManifestInvalid) => spoil(error)],
    [
      "one that says something else",
      (error: ManifestError.ManifestInvalid) => void Object.defineProperty(error, "message", { value: 5 })
    ]
  ])("the error that its start failed with: %s", ([, edit]) => {
    const error = new ManifestError.ManifestInvalid({ subject: "enablement", problems: [{ path: "a", message: "b" }] })
    const pkg = plugin({ handlers: () => Effect.fail(error) })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      edit(error)
      yield* host.idle
      edit(error)
      HostStatus.encode(yield* host.status)
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "failed")
    }).pipe(Effect.provide(onFake({ plugins: [pkg, neighbour] })))
  })
})

const nested = (levels: number) => Array.from({ length: levels }).reduce<Schema.Json>((inner) => [inner], "x")

describe("a plugin's config", () => {
  for (const [how, config] of [
    ["without a schema", undefined],
    ["with a schema", Schema.Struct({ rooms: Schema.Array(Schema.Json) })]
  ] as const) {
    it.effect(`is a value of its own for each start and each instance, ${how}`, () => {
      const seen: Array<unknown> = []
      const pkg = ServicePlugin.make({
        id: "test.plugin",
        version: "1.0.0",
        ingresses: { gateway: { sources: [GATEWAY] } },
        websocket: [target],
        ...(config === undefined ? {} : { config }),
        handlers: ({ config: given }: ServicePlugin.Start<unknown>) => {
          seen.push(JSON.stringify(given))
          const { rooms } = given as { readonly rooms: Array<unknown> }
          rooms.push("pushed")
          spoil(rooms[0])
          return Effect.succeed({ gateway: { websocket_text: () => Exit.die("boom") } })
        }
      })
      const operators = { rooms: [{ name: "lobby" }] }
      const enabled = [enable(pkg, { config: operators }), enable(pkg, { config: operators, instance: "second" })]
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const { host, remote } = yield* opened(GATEWAY)
        remote.sendText("die")
        yield* host.idle
        yield* TestClock.adjust("1 second")
        yield* fake.remote(GATEWAY, 3)
        yield* host.restart(`${REF}#second`)
        yield* fake.remote(GATEWAY, 4)
        assert.deepStrictEqual(
          seen,
          [1, 2, 3, 4].map(() => '{"rooms":[{"name":"lobby"}]}')
        )
      }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled })))
    })
  }

  it.effect.each<readonly [what: string, config: Schema.Json, lifecycle: string]>([
    ["100 levels", nested(100), "running"],
    ["101 levels", nested(101), "failed"],
    ["2,500 levels", nested(2500), "failed"],
    ["a megabyte of characters", "x".repeat(1_048_574), "running"],
    ["a character more", "x".repeat(1_048_575), "failed"]
  ])("is bounded in depth and size: with %s it is its entry alone that %s", ([, config, lifecycle]) => {
    const pkg = plugin({ handlers: () => Effect.succeed({}) })
    const enabled = [{ ...enable(pkg), config }, enable(neighbour)]
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.strictEqual(row.lifecycle, lifecycle)
      assert.strictEqual(row.lastError?.tag, lifecycle === "failed" ? "ManifestInvalid" : undefined)
      assert.isNull(row.retryAt)
      assert.strictEqual((yield* rowOf("project:test.neighbour")).lifecycle, "running")
    }).pipe(Effect.provide(onFake({ plugins: [pkg, neighbour], enabled })))
  })
})
