/** Packages under test: what an author sees of a plugin without a network, a worker or a clock of its own. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestPackage } from "mooring/testing"
import { MANIFEST, packageOf } from "../node/support/packages.ts"
import { opened, rowOf } from "../support/host.ts"

const URL = "ws://127.0.0.1:7700/gateway"
const REF = "project:example.echo"

const folderOf = (code: string, more: { readonly [path: string]: string } = {}) =>
  packageOf({ "plugin.toml": MANIFEST, "plugin.js": code, ...more })

/** A test of a package with this code. */
const tested = (
  code: string,
  test: (plugin: TestPackage.Running) => Promise<unknown>,
  options?: TestPackage.Options
): Effect.Effect<void> =>
  Effect.flatMap(folderOf(code), (folder) => Effect.promise(() => TestPackage.run(folder, test, options))).pipe(
    Effect.scoped,
    Effect.asVoid
  )

const OBEDIENT = `
import { websocketSend, timerSet } from "mooring/guest"
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  const made = (0, eval)(event.payload.text)
  return typeof made === "object" ? made : { output_commands: [websocketSend(event, String(made))] }
}`

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error
  )

describe("TestPackage", () => {
  it.effect("runs the package in a folder on the fake network", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(OBEDIENT)
      yield* Effect.gen(function* () {
        const { host, remote } = yield* opened(URL)
        remote.sendText("1 + 1")
        yield* host.idle
        assert.deepStrictEqual(remote.sent, ["2"])
        assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", worker: null })
      }).pipe(Effect.provide(TestPackage.layer(folder)))
    }).pipe(Effect.scoped)
  )

  it.live("runs it for tests that aren't written in Effect, under whatever runs them", () =>
    tested(OBEDIENT, async (plugin) => {
      const gateway = await plugin.remote(URL)
      gateway.sendText("'a' + 1")
      await plugin.idle()
      assert.deepStrictEqual(gateway.sent, ["a1"])
    })
  )

  it.live("ends a loop within its deadline, and the test says so", () =>
    tested(
      OBEDIENT,
      async (plugin) => {
        const gateway = await plugin.remote(URL)
        gateway.sendText("for (;;);")
        const fault = await rejection(plugin.idle())
        assert.instanceOf(fault, TestPackage.PluginFault)
        assert.strictEqual((fault as TestPackage.PluginFault).tag, "DispatchTimeout")
        assert.strictEqual((await plugin.status()).lifecycle, "restarting")
      },
      { limits: { dispatchDeadlineMs: 100 } }
    )
  )
})
