/** A plugin's service without a host around it. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Limits } from "mooring"
import * as DiagnosticLog from "../../src/diagnostics/DiagnosticLog.ts"
import * as HostError from "../../src/host/HostError.ts"
import { PluginInstance } from "../../src/plugin/PluginInstance.ts"
import type { PluginDiagnostic } from "../../src/plugin/PluginRecord.ts"
import type { Setup } from "../../src/plugin/Setup.ts"
import * as EntrySecrets from "../../src/secrets/EntrySecrets.ts"
import * as RequestCredentials from "../../src/requests/RequestCredentials.ts"
import * as HadTime from "../../src/time/HadTime.ts"
import * as Redaction from "../../src/diagnostics/Redaction.ts"
import { authorityOf, subject } from "../support/grants.ts"
import { noRequests } from "../support/requests.ts"
import { settled } from "../support/host.ts"

const limits = Limits.defaults

/** A service that does nothing, and what is told of its changes. */
const serving = (changed: (instance: PluginInstance) => void) =>
  Effect.gen(function* () {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const asking = subject()
    const authority = yield* authorityOf(asking, {})
    const lives: Array<string> = []
    const setup: Setup = {
      runtime: {
        start: () =>
          Effect.sync(() => {
            lives.push("started")
            return { handle: () => Exit.void, stop: Effect.sync(() => void lives.push("stopped")) }
          })
      },
      config: {},
      secrets: EntrySecrets.none,
      credentials: RequestCredentials.none,
      manifest: asking.manifest,
      authority,
      limits,
      keys: { names: [], valueOf: () => undefined, listen: () => () => {} },
      keeps: () => false,
      slots: () => Effect.succeed([]),
      watch: () => Effect.void,
      release: Effect.sync(() => void lives.push("released"))
    }
    const instance: PluginInstance = new PluginInstance(
      {
        key: "k",
        limits,
        clock,
        log: DiagnosticLog.make<PluginDiagnostic>({
          capacity: 256,
          now: () => clock.currentTimeMillisUnsafe(),
          encode: HostError.encode(Redaction.make({ secrets: [], config: [] })),
          recorded: () => {}
        }),
        hostBytes: { used: 0, limit: 1_000_000 },
        time: yield* HadTime.make,
        activity: () => {},
        requests: noRequests(),
        changed: () => changed(instance)
      },
      setup
    )
    return { instance, lives }
  })

describe("a plugin's service by itself", () => {
  it.effect("goes on whatever who looks on throws, and tells him who told it", () =>
    Effect.gen(function* () {
      let isThrowing = false
      const { instance, lives } = yield* serving(() => {
        if (isThrowing) throw new Error("looked on")
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* instance.supervised
          yield* settled
          assert.strictEqual(instance.lifecycle, "running")
          isThrowing = true
          assert.throws(() => instance.stop(), "looked on")
          isThrowing = false
          yield* settled
          assert.strictEqual(instance.lifecycle, "stopped")
          instance.start()
          yield* settled
          assert.strictEqual(instance.lifecycle, "running")
        })
      )
      assert.deepStrictEqual(lives, ["started", "stopped", "started", "stopped", "released"])
    })
  )

  it.effect("takes what is said in the middle of a change after it, and in order", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { instance, lives } = yield* serving((changed) => {
        seen.push(changed.lifecycle)
        if (seen.length === 2) changed.stop()
        if (changed.lifecycle === "stopping") changed.start()
      })
      yield* Effect.scoped(Effect.andThen(instance.supervised, settled))
      assert.deepStrictEqual(seen, ["starting", "running", "stopping", "starting", "running", "stopping", "stopped"])
      assert.deepStrictEqual(lives, ["started", "stopped", "started", "stopped", "released"])
    })
  )
})
