import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { GrantStore, ManifestError, OutputCommand, PluginHost, PluginRef, ServicePlugin } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { opened, rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin, target } from "../support/plugins.ts"

type Entry = PluginHost.EnabledPackage

const digestOf = (digit: string) => `sha256:${digit.repeat(64)}`

/** A package of the id `test.plugin` that answers with its version, and pins itself. */
const versioned = (version: string, digest: string, starts: Array<string> = []) => ({
  ...ServicePlugin.make({
    id: "test.plugin",
    version,
    ingresses: { gateway: { sources: [`${GATEWAY}/${version}`] } },
    websocket: [target],
    handlers: () => {
      starts.push(version)
      return Effect.succeed({
        gateway: {
          websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, version)] })
        }
      })
    }
  }),
  digest
})

const hostOf = (enabled: PluginHost.Options["enabled"], plugins: PluginHost.Options["plugins"] = []) =>
  TestHost.failingFast(PluginHost.layer({ plugins, enabled })).pipe(
    Layer.provide(
      GrantStore.layer(enabled.map((each) => ("enablement" in each && "package" in each ? each.enablement : each)))
    ),
    Layer.provideMerge(FakeWebSocket.layer)
  )

const failureOf = (pluginRef: string) => Effect.map(rowOf(pluginRef), ({ lastError }) => lastError?.tag)

describe("entries with a package of their own", () => {
  it.effect("run two versions of one package side by side, each entry its own", () => {
    const [old, next] = [versioned("1.0.0", digestOf("1")), versioned("2.0.0", digestOf("2"))]
    const entries: ReadonlyArray<Entry> = [
      { enablement: enable(old, { instance: "old" }), package: old },
      { enablement: enable(next, { instance: "next" }), package: next }
    ]
    return Effect.gen(function* () {
      const { awaitRunning } = yield* PluginHost.PluginHost
      for (const [version, instance] of [
        ["1.0.0", "old"],
        ["2.0.0", "next"]
      ] as const) {
        yield* awaitRunning(`project:test.plugin#${instance}`)
        const { host, remote } = yield* opened(`${GATEWAY}/${version}`)
        remote.sendText("which?")
        yield* host.idle
        assert.deepStrictEqual(yield* remote.received(1), [version])
      }
    }).pipe(Effect.provide(hostOf(entries)))
  })

  it.effect("fail by themselves where there is a reason instead, whatever packages the host has", () => {
    const [there, other] = [versioned("1.0.0", digestOf("1")), plugin({ name: "other" })]
    const unreadable = new ManifestError.PackageUnreadable({ problem: "there is no such folder" })
    const entries = [{ enablement: enable(there), package: unreadable }, enable(other)]
    return Effect.gen(function* () {
      const { awaitRunning } = yield* PluginHost.PluginHost
      yield* awaitRunning("project:test.other")
      const row = yield* rowOf("project:test.plugin")
      assert.deepInclude(row, { lifecycle: "failed", retryAt: null, version: "1.0.0", digest: digestOf("1") })
      assert.deepInclude(row.lastError, { tag: "PackageUnreadable", message: unreadable.message })
    }).pipe(Effect.provide(hostOf(entries, [there, other])))
  })

  it.effect("are pinned to exactly their package, before any code of it runs", () => {
    const starts: Array<string> = []
    const real = versioned("1.0.0", digestOf("1"), starts)
    const entries: ReadonlyArray<Entry> = [
      { enablement: enable(real, { instance: "version", version: "1.0.1" }), package: real },
      { enablement: enable(real, { instance: "digest", digest: digestOf("2") }), package: real },
      {
        enablement: enable(real, { instance: "id", id: "project:test.stranger" }),
        package: real,
        at: "plugins.enabled[7]"
      }
    ]
    return Effect.gen(function* () {
      assert.strictEqual(yield* failureOf("project:test.plugin#version"), "VersionMismatch")
      assert.strictEqual(yield* failureOf("project:test.plugin#digest"), "DigestMismatch")
      const row = yield* rowOf("project:test.stranger#id")
      assert.deepInclude(row.lastError, {
        tag: "ManifestInvalid",
        message: "the enablement is invalid: id: Expected the id of the package behind the colon, which is test.plugin"
      })
      assert.deepStrictEqual(starts, [])
    }).pipe(Effect.provide(hostOf(entries, [real])))
  })

  it.effect("start once there is a package, and aren't touched where it is the same again", () => {
    const starts: Array<string> = []
    const real = versioned("1.0.0", digestOf("1"), starts)
    const enablement = enable(real)
    const missing = new ManifestError.PackageUnreadable({ problem: "there is no such folder" })
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      assert.strictEqual(yield* failureOf("project:test.plugin"), "PackageUnreadable")
      yield* host.apply({ enabled: [{ enablement, package: real }] })
      yield* host.awaitRunning("project:test.plugin")
      yield* host.apply({ enabled: [{ enablement, package: versioned("1.0.0", digestOf("1"), starts) }] })
      yield* host.idle
      assert.deepStrictEqual(starts, ["1.0.0"])
      yield* host.apply({ enabled: [{ enablement, package: missing }] })
      yield* host.stopped("project:test.plugin")
      assert.deepInclude(yield* rowOf("project:test.plugin"), { lifecycle: "failed" })
    }).pipe(Effect.provide(hostOf([{ enablement, package: missing }])))
  })

  it.effect("say what was wrong with them where they were read, under their key there", () => {
    const real = versioned("1.0.0", digestOf("1"))
    const problems = [{ path: "limits.timers_per_plugin", message: "Expected a whole number from 0 to 10000" }]
    const entry: Entry = {
      at: "plugins.enabled[3]",
      enablement: { ...enable(real), digest: PluginRef.DIGEST_WITHOUT_FILES },
      package: new ManifestError.ManifestInvalid({ subject: "enablement", problems })
    }
    return Effect.gen(function* () {
      const { status } = yield* PluginHost.PluginHost
      const { host } = yield* status
      assert.strictEqual(host.config.state, "partly")
      assert.deepStrictEqual(host.config.problems, [
        {
          path: "plugins.enabled[3].limits.timers_per_plugin",
          message: "Expected a whole number from 0 to 10000"
        }
      ])
      assert.strictEqual(yield* failureOf("project:test.plugin"), "ManifestInvalid")
    }).pipe(Effect.provide(hostOf([entry])))
  })

  it.effect("are refused like any entry where what is in them is none", () => {
    const real = versioned("1.0.0", digestOf("1"))
    const broken = { enablement: { id: "nothing" }, package: real } as unknown as Entry
    const hollow = { enablement: null, package: real } as unknown as Entry
    return Effect.gen(function* () {
      const { status } = yield* PluginHost.PluginHost
      const { host, plugins } = yield* status
      assert.deepStrictEqual(plugins, [])
      assert.strictEqual(host.config.state, "partly")
      assert.isTrue(host.config.problems.every(({ path }) => /^enabled\[[01]\]/.test(path)))
    }).pipe(Effect.provide(hostOf([broken, hollow])))
  })
})
