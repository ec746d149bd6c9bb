import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import {
  type Enablement,
  GrantStore,
  OutputCommand,
  PluginHost,
  PluginRef,
  type PluginRuntime,
  ServicePlugin
} from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { heapUsed } from "../support/memory.ts"
import { enable, GATEWAY, plugin, refOf, target } from "../support/plugins.ts"

const DIGEST = PluginRef.DIGEST_WITHOUT_FILES
const urlOf = (name: string) => `ws://127.0.0.1:7700/${name}`

interface Life {
  readonly starts: Array<ServicePlugin.Start>
  running: number
  most: number
}

/** A plugin that counts its instances, hands over how many texts it has seen, and echoes. */
const living = (name: string, version = "1.0.0", sources = [urlOf(name)]) => {
  const life: Life = { starts: [], running: 0, most: 0 }
  const pkg = ServicePlugin.make({
    id: `test.${name}`,
    version,
    ingresses: { gateway: { sources } },
    websocket: [target],
    handlers: (start) =>
      Effect.gen(function* () {
        life.starts.push(start)
        life.running++
        life.most = Math.max(life.most, life.running)
        yield* Effect.addFinalizer(() => Effect.sync(() => life.running--))
        let seen = typeof start.state === "number" ? start.state : 0
        return {
          gateway: {
            websocket_text: (event) =>
              event.text === "forever"
                ? Effect.uninterruptible(Effect.never)
                : Exit.succeed({ state: ++seen, commands: [OutputCommand.send(event, event.text)] })
          }
        }
      })
  })
  return { life, pkg, ref: refOf(pkg), url: urlOf(name) }
}

const apply = (enabled: ReadonlyArray<Enablement.Enablement>, plugins?: ReadonlyArray<PluginRuntime.PluginPackage>) =>
  Effect.gen(function* () {
    const grants = yield* GrantStore.GrantEditor
    const host = yield* PluginHost.PluginHost
    yield* grants.replace(enabled)
    yield* host.apply(plugins === undefined ? { enabled } : { enabled, plugins })
    yield* host.idle
  })

/** Lets so many seconds pass, and what is due in them happen. */
const pass = (seconds: number) =>
  Effect.gen(function* () {
    for (let second = 0; second < seconds; second++) {
      yield* TestClock.adjust(1000)
      yield* settled
    }
  })

const refs = Effect.flatMap(PluginHost.PluginHost, ({ status }) =>
  Effect.map(status, ({ plugins }) => plugins.map(({ pluginRef }) => pluginRef))
)

describe("PluginHost.apply", () => {
  it.effect("starts what is new, stops what is gone, and touches nothing else", () => {
    const [a, b, c] = [living("a"), living("b"), living("c")]
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remoteA = yield* fake.remote(a.url)
      const remoteB = yield* fake.remote(b.url)
      yield* host.idle
      yield* apply([enable(c.pkg), enable(b.pkg)])
      assert.deepStrictEqual(yield* refs, [c.ref, b.ref])
      assert.isFalse(remoteA.isOpen)
      assert.deepStrictEqual(remoteA.closeFrame, { code: 1001, reason: "" })
      assert.isTrue(remoteB.isOpen)
      const remoteC = yield* fake.remote(c.url)
      assert.isTrue(remoteC.isOpen)
      assert.deepStrictEqual([a.life.running, b.life.starts.length, c.life.starts.length], [0, 1, 1])
      yield* apply([])
      assert.deepStrictEqual(yield* refs, [])
      assert.deepStrictEqual([remoteB.isOpen, remoteC.isOpen], [false, false])
      assert.deepStrictEqual([b.life.running, c.life.running], [0, 0])
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg, b.pkg, c.pkg], enabled: [enable(a.pkg), enable(b.pkg)] })))
  })

  it.effect("starts anew what changed, with its last state, its counters and the sources that stay", () => {
    const a = living("a", "1.0.0", [urlOf("a"), urlOf("old")])
    const next = living("a", "1.1.0", [urlOf("a"), urlOf("new")])
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(a.url)
      yield* fake.remote(urlOf("old"))
      remote.sendText("one")
      remote.sendText("two")
      yield* host.idle
      const before = yield* rowOf(a.ref)
      yield* apply([enable(next.pkg, { config: { room: 7 } })], [next.pkg])
      const second = yield* fake.remote(a.url, 2)
      yield* fake.remote(urlOf("new"))
      second.sendText("three")
      yield* host.idle
      assert.deepStrictEqual(next.life.starts, [{ config: { room: 7 }, reason: "reload", state: 2, secrets: {} }])
      assert.deepStrictEqual([a.life.running, a.life.most, next.life.most], [0, 1, 1])
      const row = yield* rowOf(a.ref)
      assert.deepInclude(row, { version: "1.1.0", lifecycle: "running", restarts: 0 })
      assert.deepStrictEqual(
        row.websocketConnections.map(({ epoch, receivedTextFrames, state, url }) => [
          url,
          state,
          epoch,
          receivedTextFrames
        ]),
        [
          [urlOf("a"), "open", 2, 3],
          [urlOf("new"), "open", 1, 0]
        ]
      )
      assert.isAbove(row.dispatchCounters.enqueued, before.dispatchCounters.enqueued)
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg] })))
  })

  it.effect("doesn't take a change of grants for a change", () => {
    const a = living("a")
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(a.url)
      yield* host.idle
      const enabled = enable(a.pkg)
      const none = { ...enabled, grants: { ...enabled.grants, websocket: [] } }
      yield* apply([none])
      assert.isFalse(remote.isOpen)
      yield* apply([enabled])
      yield* fake.remote(a.url, 2)
      yield* host.idle
      assert.lengthOf(a.life.starts, 1)
      assert.strictEqual((yield* rowOf(a.ref)).lifecycle, "running")
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg] })))
  })

  it.effect("lists what is enabled twice, and what can't be found fails until it can", () => {
    const a = living("a")
    const wrong = enable(a.pkg, { version: "9.9.9" })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(a.url)
      yield* host.idle
      yield* apply([wrong, enable(a.pkg)])
      assert.deepStrictEqual((yield* host.status).host.config.problems, [
        { path: "enabled[1]", message: "Expected an id and instance that occur once" }
      ])
      assert.isFalse(remote.isOpen)
      const failed = yield* rowOf(a.ref)
      assert.deepInclude(failed, { lifecycle: "failed", retryAt: null, websocketConnections: [] })
      assert.strictEqual(failed.lastError?.tag, "VersionMismatch")
      // The counters are those of before.
      assert.strictEqual(failed.dispatchCounters.enqueued, 2)
      yield* host.start(a.ref)
      yield* host.restart(a.ref)
      yield* host.stop(a.ref)
      yield* host.idle
      assert.strictEqual((yield* rowOf(a.ref)).lifecycle, "failed")
      yield* host.start(a.ref)
      yield* apply([enable(a.pkg)])
      yield* fake.remote(a.url, 2)
      assert.strictEqual((yield* host.status).host.config.state, "applied")
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg] })))
  })

  it.effect("rule 6: starts nothing beside what was disabled and still runs, and gives up on what never ends", () => {
    const a = living("a")
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(a.url)
      remote.sendText("forever")
      yield* settled
      const grants = yield* GrantStore.GrantEditor
      yield* host.apply({ enabled: [] })
      yield* settled
      assert.strictEqual((yield* rowOf(a.ref)).lifecycle, "stopping")
      yield* grants.replace([enable(a.pkg)])
      yield* host.apply({ enabled: [enable(a.pkg)] })
      yield* settled
      // One row, and it waits for what runs under its name.
      assert.deepStrictEqual(yield* refs, [a.ref])
      assert.strictEqual((yield* rowOf(a.ref)).lifecycle, "ready")
      yield* TestClock.adjust(5000)
      yield* settled
      const row = yield* rowOf(a.ref)
      assert.deepInclude(row, { lifecycle: "failed", retryAt: null })
      assert.strictEqual(row.lastError?.tag, "InstanceUnstoppable")
      yield* TestClock.adjust("2 hours")
      yield* host.start(a.ref)
      yield* settled
      assert.deepStrictEqual([a.life.starts.length, a.life.most], [1, 1])
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg] })))
  })

  it.effect("lets what crashed often begin anew with what the operator corrected", () => {
    const reasons: Array<string> = []
    const pkg = plugin({
      handlers: ({ config, reason }) => {
        reasons.push(reason)
        return Effect.succeed({
          gateway: {
            websocket_open: () => (JSON.stringify(config) === "{}" ? Effect.die("boom") : Exit.void),
            websocket_text: () => Effect.die("boom")
          }
        })
      }
    })
    const ref = refOf(pkg)
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      for (let tick = 0; tick < 1000 && (yield* rowOf(ref)).restarts < 5; tick++) {
        yield* TestClock.adjust(100)
        yield* host.idle
      }
      // One more within the minute, and it would have failed.
      assert.deepInclude(yield* rowOf(ref), { lifecycle: "restarting", restarts: 5 })
      yield* apply([enable(pkg, { config: { corrected: true } })])
      assert.strictEqual((yield* rowOf(ref)).lifecycle, "running")
      assert.deepStrictEqual(reasons.slice(-2), ["crash", "reload"])
      // Its budget is a whole one again.
      const [remote] = (yield* fake.remotes(GATEWAY)).slice(-1)
      remote?.sendText("die")
      yield* host.idle
      assert.strictEqual((yield* rowOf(ref)).lifecycle, "restarting")
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 11: keeps masking what was configured before", () => {
    const pkg = plugin({
      handlers: ({ config }) =>
        Effect.succeed({
          gateway: {
            websocket_open: () =>
              Exit.succeed({
                status: { said: JSON.stringify(config) },
                // Ids and names are the plugin's text, too.
                commands: [OutputCommand.setTimer("hunter2-0", { afterMs: 100 }, { commandId: "hunter2-0" })]
              })
          }
        })
    })
    const quiet = plugin({})
    const ref = refOf(pkg)
    const secret = (n: number) => enable(pkg, { config: { token: `hunter2-${n}` } })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.close(4000, "bye hunter2-0")
      yield* host.idle
      const row = yield* rowOf(ref)
      assert.include(JSON.stringify(row.reportedStatus), "***")
      yield* TestClock.adjust(500)
      assert.deepStrictEqual([row.outputCommandResults[0]?.commandId, row.timers[0]?.name], ["***", "***"])
      // What was enabled before still has its say while it ends.
      const second = yield* fake.remote(GATEWAY, 2)
      second.ignoreClose()
      yield* host.apply({ enabled: [secret(9)], plugins: [pkg] })
      yield* settled
      second.close(4000, "bye hunter2-0")
      yield* settled
      assert.notInclude(JSON.stringify(yield* host.status), "hunter2")
      for (const n of [1, 2, 3]) {
        // What runs now never says anything.
        yield* apply([secret(n)], [quiet])
        assert.notInclude(JSON.stringify(yield* host.status), "hunter2")
      }
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [secret(0)] })))
  })

  it.effect("rule 6: remembers what never ended after its supervisor has given it up", () => {
    const a = living("a")
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(a.url)
      remote.sendText("forever")
      yield* settled
      yield* host.apply({ enabled: [] })
      yield* pass(15)
      assert.deepStrictEqual(yield* refs, [])
      yield* host.apply({ enabled: [enable(a.pkg)] })
      yield* settled
      const row = yield* rowOf(a.ref)
      assert.strictEqual(row.lifecycle, "failed")
      assert.strictEqual(row.lastError?.tag, "InstanceUnstoppable")
      assert.lengthOf(a.life.starts, 1)
      // Rule 3: however often that is done.
      const cycles = (count: number) =>
        Effect.gen(function* () {
          for (let cycle = 0; cycle < count; cycle++) {
            yield* host.apply({ enabled: [] })
            yield* settled
            yield* host.apply({ enabled: [enable(a.pkg)] })
            yield* settled
          }
          return heapUsed()
        })
      const before = yield* cycles(100)
      assert.isBelow((yield* cycles(300)) - before, 1_000_000)
      assert.lengthOf(a.life.starts, 1)
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg] })))
  })

  const ORDERS: ReadonlyArray<
    readonly [
      what: string,
      (
        host: PluginHost.PluginHost["Service"],
        entry: (change?: { readonly [key: string]: unknown }) => Enablement.Enablement
      ) => Effect.Effect<void, PluginHost.PluginUnknown>
    ]
  > = [
    [
      "off and on twice",
      (host, entry) =>
        Effect.gen(function* () {
          yield* host.apply({ enabled: [] })
          yield* host.apply({ enabled: [entry()] })
        })
    ],
    [
      "stopped and started",
      (host) =>
        Effect.gen(function* () {
          yield* host.stop("project:test.slow")
          yield* settled
          yield* host.start("project:test.slow")
        })
    ],
    [
      "enabled wrongly and corrected",
      (host, entry) =>
        Effect.gen(function* () {
          yield* host.apply({ enabled: [entry({ version: "9.9.9" })] })
          yield* settled
          yield* host.apply({ enabled: [entry()] })
        })
    ]
  ]

  for (const [what, then] of ORDERS) {
    it.effect(`starts what was ${what} while the one before it ends in order`, () => {
      const starts: Array<string> = []
      const pkg = {
        ...plugin({ name: "slow" }),
        runtime: {
          start: ({ reason }: PluginRuntime.Start) =>
            Effect.sync(() => {
              starts.push(reason)
              return { handle: () => Exit.void, stop: Effect.sleep(2000) }
            })
        }
      }
      return Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        yield* host.idle
        yield* host.apply({ enabled: [] })
        yield* settled
        yield* host.apply({ enabled: [enable(pkg)] })
        yield* settled
        yield* then(host, (change) => enable(pkg, change))
        yield* pass(15)
        assert.strictEqual((yield* rowOf(refOf(pkg))).lifecycle, "running")
        assert.lengthOf(starts, 2)
        yield* host.stop(refOf(pkg))
        yield* pass(3)
      }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
    })
  }

  const circular: { [key: string]: unknown } = {}
  circular["itself"] = circular
  const nested = Array.from({ length: 2500 }).reduce<unknown>((value) => ({ config: value }), 1)
  const unusable: ReadonlyArray<readonly [what: string, change: object, path: string]> = [
    ["a configuration without end", { config: circular }, "config"],
    ["a configuration that is nested too deeply", { config: nested }, "config"],
    ["a configuration that is no JSON", { config: { at: new Date(0) } }, "config"],
    ["a version that is none", { version: "1.0.0-01" }, "version"],
    ["a digest that is none", { digest: 7 }, "digest"],
    ["no grants", { grants: null }, "grants"],
    [
      "a rate that has another name here",
      { grants: { websocket: [{ ...target, sends_per_minute: 1 }] } },
      "grants.websocket[0].sends_per_minute"
    ],
    [
      "the same source twice",
      { sources: { gateway: { urls: [urlOf("x"), `${urlOf("x")}?`] } } },
      "sources.gateway.urls[1]"
    ],
    ["a key that nobody knows", { admin: true }, "admin"]
  ]
  it.effect("denies an entry that can't be looked at, while the others apply", () => {
    const [a, b] = [living("a"), living("b")]
    const boobyTraps = [
      Object.defineProperty({ ...enable(b.pkg) }, "config", {
        enumerable: true,
        get: () => {
          throw new Error("x")
        }
      }),
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error("x")
          }
        }
      )
    ] as unknown as ReadonlyArray<Enablement.Enablement>
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* fake.remote(a.url)
      assert.strictEqual((yield* host.status).host.config.state, "partly")
      assert.strictEqual((yield* rowOf(b.ref)).lifecycle, "failed")
      yield* apply([...boobyTraps, enable(a.pkg)])
      assert.strictEqual((yield* rowOf(a.ref)).lifecycle, "running")
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg, b.pkg], enabled: [...boobyTraps, enable(a.pkg)] })))
  })

  for (const [what, change, path] of unusable) {
    it.effect(`denies an entry with ${what}, at the start and later, while the others apply`, () => {
      const [a, b] = [living("a"), living("b")]
      const bad = { ...enable(b.pkg), ...change } as Enablement.Enablement
      return Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const fake = yield* FakeWebSocket.FakeWebSocket
        const denied = Effect.gen(function* () {
          const row = yield* rowOf(b.ref)
          assert.deepInclude(row, { lifecycle: "failed", retryAt: null, websocketConnections: [] })
          assert.strictEqual(row.lastError?.tag, "ManifestInvalid")
          // What can be used of it is shown.
          const isUnpinned = "version" in change || "digest" in change
          assert.deepStrictEqual([row.version, row.digest], [isUnpinned ? "0.0.0" : "1.0.0", DIGEST])
          const { config } = (yield* host.status).host
          assert.deepStrictEqual(
            [config.state, config.problems.map((each) => each.path)],
            ["partly", [`enabled[0].${path}`]]
          )
        })
        yield* host.idle
        yield* denied
        const remote = yield* fake.remote(a.url)
        yield* apply([enable(b.pkg), enable(a.pkg)])
        yield* fake.remote(b.url)
        assert.strictEqual((yield* rowOf(b.ref)).lifecycle, "running")
        assert.strictEqual((yield* host.status).host.config.state, "applied")
        yield* host.apply({ enabled: [bad, enable(a.pkg)] })
        yield* host.idle
        yield* denied
        assert.isTrue(remote.isOpen)
        assert.deepStrictEqual([a.life.starts.length, b.life.starts.length, b.life.running], [1, 1, 0])
      }).pipe(Effect.provide(onFake({ plugins: [a.pkg, b.pkg], enabled: [bad, enable(a.pkg)] })))
    })
  }

  it.effect("has no row for an entry without a usable name, and says so", () => {
    const a = living("a")
    const nameless = [null, undefined, 7, {}, { id: "example.echo" }, { ...enable(a.pkg), instance: "a b" }]
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      assert.deepStrictEqual(yield* refs, [a.ref])
      const { problems } = (yield* host.status).host.config
      const named = new Set(problems.map(({ path }) => path.replace(/\..*$/, "")))
      assert.deepStrictEqual(
        [...named],
        [0, 1, 2, 3, 4, 5].map((index) => `enabled[${index}]`)
      )
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg], enabled: [...(nameless as never), enable(a.pkg)] })))
  })

  it.effect("goes by what an entry was when it was applied", () => {
    const a = living("a")
    const config = { room: "one" }
    const enabled = { ...enable(a.pkg), config }
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      config.room = "two"
      yield* host.restart(a.ref)
      yield* host.idle
      assert.deepStrictEqual(
        a.life.starts.map((start) => start.config),
        [{ room: "one" }, { room: "one" }]
      )
      yield* apply([enabled])
      assert.deepStrictEqual(a.life.starts.at(-1)?.config, { room: "two" })
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg], enabled: [enabled] })))
  })

  it.effect("rule 3: holds no more memory for a plugin that is enabled again while it is still being ended", () => {
    const sources = Array.from({ length: 10 }, (_, n) => `ws://127.0.0.1:7700/${n}`)
    const pkg = plugin({ sources })
    const enabled = [enable(pkg)]
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const cycles = (count: number) =>
        Effect.gen(function* () {
          for (let cycle = 0; cycle < count; cycle++) {
            // What doesn't answer the close keeps the plugin from having ended.
            for (const url of sources) (yield* fake.remotes(url)).at(-1)?.ignoreClose()
            yield* host.apply({ enabled: [] })
            yield* host.apply({ enabled })
            assert.strictEqual((yield* rowOf(refOf(pkg))).lifecycle, "ready")
            yield* TestClock.adjust("7 seconds")
            yield* host.idle
          }
          return heapUsed()
        })
      const before = yield* cycles(20)
      // A source with all that it holds is some 10 KB, and the network of the test keeps its servers' ends.
      assert.isBelow((yield* cycles(60)) - before, 5_000_000)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled })))
  })

  it.effect("rule 3: holds no more memory for sources that are gone", () => {
    const pkg = plugin({})
    const applied = (first: number, last: number) =>
      Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        for (let version = first; version < last; version++) {
          const urls = Array.from({ length: 10 }, (_, n) => `ws://127.0.0.1:7700/${version}/${n}`)
          yield* host.apply({ enabled: [enable(pkg, { config: { version }, sources: { gateway: { urls } } })] })
          yield* host.idle
        }
        return heapUsed()
      })
    const none = enable(pkg, { grants: { permissions: pkg.manifest.permissions, websocket: [] } })
    return Effect.gen(function* () {
      const before = yield* applied(0, 100)
      const after = yield* applied(100, 300)
      // 2,000 sources came and went; each has 6 KB while it is there.
      assert.isBelow(after - before, 3_000_000)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [none] })))
  })

  it.effect("gives the places of sources that are gone to others", () => {
    const [a, b, c] = [living("a"), living("b"), living("c")]
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* fake.remote(a.url)
      yield* host.idle
      assert.strictEqual((yield* rowOf(b.ref)).websocketConnections[0]?.stopReason, "limit")
      yield* apply([enable(b.pkg), enable(c.pkg)])
      // First come, first served.
      yield* fake.remote(b.url)
      yield* host.reconnect(c.ref, c.url)
      yield* host.idle
      assert.strictEqual((yield* rowOf(c.ref)).websocketConnections[0]?.stopReason, "limit")
      yield* apply([enable(c.pkg)])
      yield* fake.remote(c.url)
    }).pipe(
      Effect.provide(
        onFake({
          plugins: [a.pkg, b.pkg, c.pkg],
          enabled: [enable(a.pkg), enable(b.pkg)],
          limits: { connectionsPerHost: 1 }
        })
      )
    )
  })

  it.effect("rule 9: closing the host waits for what was just disabled", () => {
    const a = living("a")
    return Effect.gen(function* () {
      const remote = yield* Effect.scoped(
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const host = yield* PluginHost.PluginHost
          const opened = yield* fake.remote(a.url)
          yield* host.idle
          yield* host.apply({ enabled: [] })
          return opened
        })
      ).pipe(Effect.provide(onFake({ plugins: [a.pkg] })))
      assert.isFalse(remote.isOpen)
      assert.deepStrictEqual(remote.closeFrame, { code: 1001, reason: "" })
      assert.strictEqual(a.life.running, 0)
    })
  })
})

describe("PluginHost.restart", () => {
  it.effect("ends the instance in order and starts another, with its state, and lifts what stopped its sources", () => {
    const a = living("a")
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(a.url)
      remote.sendText("one")
      yield* host.idle
      yield* host.restart(a.ref)
      yield* fake.remote(a.url, 2)
      yield* host.idle
      yield* host.stop(a.ref)
      yield* host.idle
      yield* host.restart(a.ref)
      yield* fake.remote(a.url, 3)
      assert.deepStrictEqual(
        a.life.starts.map(({ reason, state }) => [reason, state]),
        [
          ["first", null],
          ["reload", 1],
          ["reload", 1]
        ]
      )
      assert.deepInclude(yield* rowOf(a.ref), { lifecycle: "running", restarts: 0 })
      assert.strictEqual(a.life.most, 1)
      assert.strictEqual((yield* Effect.flip(host.restart("project:x")))._tag, "PluginUnknown")
    }).pipe(Effect.provide(onFake({ plugins: [a.pkg] })))
  })

  it.effect("takes the place of a start that is under way", () => {
    let starts = 0
    const pkg = plugin({ handlers: () => Effect.suspend(() => (starts++ === 0 ? Effect.never : Effect.succeed({}))) })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* settled
      assert.strictEqual((yield* rowOf(refOf(pkg))).lifecycle, "starting")
      yield* host.restart(refOf(pkg))
      yield* host.idle
      assert.deepInclude(yield* rowOf(refOf(pkg)), { lifecycle: "running", lastError: null })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})
