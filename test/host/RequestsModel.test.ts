import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, OutputCommand, PluginHost, type PluginRuntime, ServicePlugin } from "mooring"
import { FakeRequests, FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { enable, target } from "../support/plugins.ts"

const PLUGINS = 20
const REQUESTS = 1000
const API = "https://api.example.com/"
const SLOWEST_MS = 5000

/** A generator of numbers from 0 to 1 (mulberry32): what a seed gives, it gives again. */
const randomOf = (seed: number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Asked {
  readonly life: number
  readonly answers: Array<{ readonly life: number; readonly event: IngressEvent.HostResponse }>
}

/** A plugin that makes the request which each text names; what it asked for, and what it was told, by its life. */
class Asker {
  readonly url: string
  readonly ref: string
  readonly pkg: PluginRuntime.PluginPackage
  readonly asked = new Map<string, Asked>()
  readonly strangers: Array<string> = []
  life = 0
  isGranted = true
  lost = Deferred.makeUnsafe<PluginRuntime.Loss>()

  constructor(index: number) {
    const id = `test.asker${index}`
    this.url = `ws://127.0.0.1:7700/${index}`
    this.ref = `project:${id}`
    const declared = ServicePlugin.make({
      id,
      version: "1.0.0",
      ingresses: { gateway: { sources: [this.url], eventKinds: ["websocket_text"] } },
      websocket: [target],
      request: [{ scheme: "https", host: "api.example.com", methods: ["GET", "POST"], pathPrefixes: ["/"] }],
      handlers: {}
    })
    const start: PluginRuntime.PluginRuntime["start"] = ({ reason }) =>
      Effect.sync(() => {
        if (reason !== "neighbour") this.life++
        this.lost = Deferred.makeUnsafe()
        return { handle: (event) => this.#handle(event), stop: Effect.void, lost: Deferred.await(this.lost) }
      })
    this.pkg = { ...declared, runtime: { isInProcess: true, start } }
  }

  #handle(event: IngressEvent.AnyEvent): Effect.Effect<PluginRuntime.Output> {
    if ("requestId" in event) {
      const asked = this.asked.get(event.commandId)
      if (asked === undefined) this.strangers.push(event.commandId)
      else asked.answers.push({ life: this.life, event })
    } else if ("text" in event) {
      if (event.text === "die") throw new Error("as told")
      const [commandId = ""] = event.text.split(" ")
      if (this.isGranted) this.asked.set(commandId, { life: this.life, answers: [] })
      return Exit.succeed({
        commands: [OutputCommand.request("GET", `${API}${commandId.split(".")[0]}?n=${commandId}`, { commandId })]
      })
    }
    return Exit.succeed({})
  }

  /** What is granted while requests are, and while only others are. */
  grant(isGranted: boolean): GrantStore.Grant {
    this.isGranted = isGranted
    return GrantStore.grantOf(enabledWith(this.pkg, isGranted ? ["GET", "POST"] : ["POST"]))
  }
}

const enabledWith = (pkg: PluginRuntime.PluginPackage, methods: ReadonlyArray<string>) =>
  enable(pkg, {
    grants: {
      permissions: pkg.manifest.permissions,
      websocket: [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"] }],
      request: [{ scheme: "https", host: "api.example.com", methods, path_prefixes: ["/"] }]
    }
  })

/** Each request that was accepted was answered once, by what its own server says, in the life that asked. */
const compare = (asker: Asker, index: number) =>
  Effect.gen(function* () {
    const row = yield* rowOf(asker.ref)
    assert.isUndefined(accountingProblem(row))
    assert.deepStrictEqual(asker.strangers, [])
    let told = 0
    for (const [commandId, { answers, life }] of asker.asked) {
      assert.isAtMost(answers.length, 1, commandId)
      if (life === asker.life) assert.lengthOf(answers, 1, `${commandId} has no answer, though its instance lived`)
      for (const { event, life: toldIn } of answers) {
        told++
        assert.strictEqual(toldIn, life, "told to another instance")
        assert.strictEqual(event.commandId, commandId)
        if (event.answer !== undefined) assert.strictEqual(event.answer.body, `${index} ${commandId}`)
        else assert.include(["GrantRevoked", "RequestTimeout"], event.error?.tag)
      }
    }
    const { abandoned, answered, executed, failed, inFlight, waiting } = row.requests
    assert.strictEqual(executed, asker.asked.size)
    assert.deepStrictEqual({ waiting, inFlight }, { waiting: 0, inFlight: 0 })
    // What ended with its instance had no event, or one that was discarded with it.
    assert.isAtLeast(answered + failed, told)
    assert.strictEqual(executed, answered + failed + abandoned)
    assert.deepStrictEqual([row.queueDepth, row.queueBytes], [0, 0])
    return row.requests
  })

describe("a thousand requests of twenty plugins", () => {
  it.effect.prop(
    "rule 7: one answer for each that was executed by an instance that lived, none for another plugin, nothing left",
    { seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 })) },
    ({ seed }) => {
      const random = randomOf(seed)
      const below = (limit: number) => Math.floor(random() * limit)
      const askers = Array.from({ length: PLUGINS }, (_, index) => new Asker(index))
      const happen = Effect.fn(function* (asker: Asker) {
        const host = yield* PluginHost.PluginHost
        const editor = yield* GrantStore.GrantEditor
        const sockets = yield* FakeWebSocket.FakeWebSocket
        switch (below(40)) {
          case 0:
            ;(yield* sockets.remotes(asker.url)).at(-1)?.sendText("die")
            break
          case 1:
            yield* host.restart(asker.ref)
            break
          case 2:
            yield* editor.set(asker.ref, asker.grant(!asker.isGranted))
            break
          case 3:
          case 4:
            yield* Deferred.succeed(asker.lost, "neighbour")
            break
        }
      })
      return Effect.gen(function* () {
        const fake = yield* FakeRequests.FakeRequests
        const sockets = yield* FakeWebSocket.FakeWebSocket
        for (const [index] of askers.entries()) {
          yield* fake.answer(`${API}${index}`, ({ url }) => ({
            afterMs: below(SLOWEST_MS),
            body: `${index} ${url.split("n=")[1]}`
          }))
        }
        yield* settled
        for (let n = 0; n < REQUESTS; n++) {
          const index = below(PLUGINS)
          const asker = askers[index] ?? new Asker(index)
          ;(yield* sockets.remotes(asker.url)).at(-1)?.sendText(`${index}.${n}`)
          yield* settled
          yield* happen(askers[below(PLUGINS)] ?? asker)
          yield* TestClock.adjust(below(100))
        }
        yield* TestClock.adjust("2 minutes")
        yield* settled
        assert.strictEqual(yield* fake.underway, 0)
        const totals = yield* Effect.forEach(askers.entries(), ([index, asker]) => compare(asker, index))
        const sum = (key: keyof (typeof totals)[number]) => totals.reduce((all, each) => all + each[key], 0)
        // It is no test if nothing of it happens.
        assert.isAbove(sum("answered"), 300)
        assert.isAbove(sum("failed"), 0)
        assert.isAbove(sum("abandoned"), 0)
        // Begun in the order of the commands.
        const begun = (yield* fake.requests).map(({ url }) => (url.split("n=")[1] ?? "").split("."))
        const last = new Map<string, number>()
        for (const [plugin = "", n = ""] of begun) {
          assert.isAbove(Number(n), last.get(plugin) ?? -1)
          last.set(plugin, Number(n))
        }
      }).pipe(
        Effect.provide(
          onFake({
            plugins: askers.map(({ pkg }) => pkg),
            enabled: askers.map(({ pkg }) => enabledWith(pkg, ["GET", "POST"])),
            limits: { requestsWaitingPerPlugin: 1000, restarts: 1000, requestsAtOnce: 32 }
          })
        )
      )
    },
    { arbitrary: { runs: 6 }, timeout: 120_000 }
  )
})
