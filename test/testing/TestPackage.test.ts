/** Packages under test: what an author sees of a plugin without a network, a worker or a clock of its own. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestPackage } from "mooring/testing"
import { pathToFileURL } from "node:url"
import { MANIFEST, packageOf } from "../node/support/packages.ts"
import { accountingProblem, opened, rowOf } from "../support/host.ts"

const GATEWAY = "ws://127.0.0.1:7700/gateway"
const REF = "project:example.echo"

const folderOf = (code: string, more: { readonly [path: string]: string } = {}) =>
  packageOf({ "plugin.toml": MANIFEST, "plugin.js": code, ...more })

/** A test of a package with this code. */
const tested = (
  code: string,
  test: (plugin: TestPackage.Running) => Promise<unknown>,
  options?: TestPackage.Options,
  more?: { readonly [path: string]: string }
): Effect.Effect<void> =>
  Effect.flatMap(folderOf(code, more), (folder) => Effect.promise(() => TestPackage.run(folder, test, options))).pipe(
    Effect.scoped,
    Effect.asVoid
  )

/** Does whatever a text says, and answers with what that makes. */
const OBEDIENT = `
import { websocketSend, timerSet } from "mooring/guest"
let given
export function start(config, start) { given = { config, ...start } }
export const handleIngress = async (name, event) => {
  if (event.kind === "timer") return { output_commands: [websocketSend(event, "timer " + Date.now())] }
  if (event.kind === "announcement") return { output_commands: [websocketSend("${GATEWAY}", JSON.stringify(event.payload))] }
  if (event.kind !== "websocket_text") return {}
  const made = await (0, eval)(event.payload.text)(event, { websocketSend, timerSet, given })
  return typeof made === "object" ? made : { output_commands: [websocketSend(event, String(made))] }
}
export function stop() { console.info("stopped") }`

const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "nothing",
    (error: unknown) => (error instanceof Error ? error.message : String(error))
  )

/** What is said of a plugin whose answer to one text is this. */
const faultOf = (code: string, deadlineMs: number) =>
  Effect.gen(function* () {
    let said = ""
    yield* tested(
      OBEDIENT,
      async (plugin) => {
        const gateway = await plugin.remote(GATEWAY)
        gateway.sendText(`() => { ${code} }`)
        said = await messageOf(plugin.idle())
        assert.strictEqual(accountingProblem(await plugin.status()), undefined)
      },
      { limits: { dispatchDeadlineMs: deadlineMs } }
    )
    return said
  })

describe("TestPackage", () => {
  it.effect("runs the package in a folder on the fake network", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(OBEDIENT)
      yield* Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        remote.sendText("() => 1 + 1")
        yield* host.idle
        assert.deepStrictEqual(remote.sent, ["2"])
        assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", worker: null })
      }).pipe(Effect.provide(TestPackage.layer(folder)))
    }).pipe(Effect.scoped)
  )

  it.live("runs it for tests that aren't written in Effect, and is over when their promise is", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(OBEDIENT)
      const result = yield* Effect.promise(() =>
        TestPackage.run(pathToFileURL(folder), async (plugin) => {
          const gateway = await plugin.remote(GATEWAY)
          gateway.sendText("async () => 'a' + 1")
          await plugin.idle()
          assert.deepStrictEqual(gateway.sent, ["a1"])
          return gateway
        })
      )
      assert.isFalse(result.isOpen)
      assert.strictEqual(result.closeFrame?.code, 1001)
    }).pipe(Effect.scoped)
  )

  it.live("fails as the test fails, and at once though a server never lets it go", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(OBEDIENT)
      const failing = TestPackage.run(folder, async (plugin) => {
        const gateway = await plugin.remote(GATEWAY)
        gateway.ignoreClose()
        throw new Error("the test's own")
      })
      assert.strictEqual(yield* Effect.promise(() => messageOf(failing)), "the test's own")
    }).pipe(Effect.scoped)
  )

  it.live("has the test's clock, and its timers", () =>
    tested(OBEDIENT, async (plugin) => {
      const gateway = await plugin.remote(GATEWAY)
      gateway.sendText("() => Date.now() + ' ' + new Date().toISOString()")
      await plugin.pass("10 minutes")
      gateway.sendText(
        "(event, { timerSet }) => ({ output_commands: [timerSet('t', { after_ms: 100, every_ms: 1000, url: event.payload.url })] })"
      )
      await plugin.pass("2 seconds")
      const later = 600_000
      assert.deepStrictEqual(gateway.sent, [
        "0 1970-01-01T00:00:00.000Z",
        `timer ${later + 100}`,
        `timer ${later + 1100}`
      ])
    })
  )

  it.live("deals with what was sent before a step before that step", () =>
    tested(
      OBEDIENT,
      async (plugin) => {
        const first = await plugin.remote(GATEWAY)
        first.sendText("() => Date.now()")
        await plugin.pass("1 minute")
        assert.deepStrictEqual(first.sent, ["0"])
        first.sendText("() => ({ state: { seen: 7 } })")
        await plugin.restart()
        const second = await plugin.remote(GATEWAY)
        second.sendText("(event, { given }) => given.state.seen")
        await plugin.deliver({ ingressName: "gateway", kind: "announcement", payload: null })
        assert.deepStrictEqual(second.sent, ["7", "null"])
      },
      {},
      {
        "plugin.toml": MANIFEST.replace(
          'name = "gateway"\nsources',
          'name = "gateway"\nevent_kinds = ["websocket_text", "announcement"]\nsources'
        )
      }
    )
  )

  it.live("lets each happen when it is due that the one before it has caused", () =>
    tested(
      `import { timerSet, websocketSend } from "mooring/guest"
      const again = timerSet("t", { after_ms: 1000 })
      export const handleIngress = (name, event) => ({
        output_commands: event.kind === "timer" ? [again, websocketSend("${GATEWAY}", "at " + Date.now())] : [again]
      })`,
      async (plugin) => {
        const gateway = await plugin.remote(GATEWAY)
        await plugin.pass("5 seconds")
        assert.deepStrictEqual(gateway.sent, ["at 1000", "at 2000", "at 3000", "at 4000", "at 5000"])
      }
    )
  )

  it.live("starts again after a crash, with the state that it handed over", () =>
    tested(
      OBEDIENT,
      async (plugin) => {
        const gateway = await plugin.remote(GATEWAY)
        gateway.sendText("() => ({ state: { seen: 7 } })")
        await plugin.idle()
        gateway.sendText("() => { for (;;); }")
        assert.strictEqual(await messageOf(plugin.idle()), "DispatchTimeout: the handler was interrupted after 100 ms")
        assert.deepInclude(await plugin.status(), { lifecycle: "restarting", restarts: 1 })
        await plugin.pass("100 millis")
        const again = await plugin.remote(GATEWAY)
        assert.notStrictEqual(again, gateway)
        again.sendText("(event, { given }) => JSON.stringify(given)")
        await plugin.idle()
        assert.deepStrictEqual(again.sent, ['{"config":{},"reason":"crash","state":{"seen":7},"secrets":{}}'])
        assert.deepInclude(await plugin.status(), { lifecycle: "running", restarts: 1 })
        await plugin.restart()
        const third = await plugin.remote(GATEWAY)
        third.sendText("(event, { given }) => given.reason")
        await plugin.idle()
        assert.deepStrictEqual(third.sent, ["reload"])
        assert.deepStrictEqual(plugin.console(), [{ level: "info", text: "stopped" }])
      },
      { limits: { dispatchDeadlineMs: 100 } }
    )
  )

  for (const [name, code, expected] of [
    [
      "an exception",
      "null.x",
      /^GuestError: TypeError: .* at <input>:1:\d+$|^GuestError: TypeError: .* at plugin\.js:9:\d+$/
    ],
    ["a rejection", "return Promise.reject(new RangeError('no'))", /^GuestError: RangeError: no/],
    ["accepted: false", "return { accepted: false }", /^DispatchFailed: /],
    ["an unknown field", "return { commands: [] }", /^OutputInvalid: .*no field but/],
    ["a status over its limit", "return { status: 'x'.repeat(5000) }", /^OutputInvalid: .*status.*4096/],
    ["an answer over its limit", "return { status: 'x'.repeat(1e6) }", /^OutputTooLarge: /],
    ["an array that grows for ever", "const all = []; for (;;) all.push(new Array(100).fill(0))", /^OutOfMemory: /],
    ["a loop", "for (;;);", /^DispatchTimeout: /],
    ["a promise that never settles", "return new Promise(() => {})", /^DispatchTimeout: /],
    ["endless microtasks", "const f = () => { Promise.resolve().then(f) }; f()", /^DispatchTimeout: /]
  ] as const) {
    it.live(`says at the next step what went wrong: ${name}`, () =>
      // What isn't about time has all that a busy machine may need.
      Effect.map(faultOf(code, expected.source.includes("Timeout") ? 100 : 10_000), (said) =>
        assert.match(said, expected)
      )
    )
  }

  it.live("says what went wrong once, each at its own step, and at the end what no step has told", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf(OBEDIENT)
      const said: Array<string> = []
      const end = TestPackage.run(folder, async (plugin) => {
        const gateway = await plugin.remote(GATEWAY)
        for (const text of ["one", "two", "two"]) {
          gateway.sendText(`() => { throw new Error('${text}') }`)
          said.push(await messageOf(plugin.idle()), await messageOf(plugin.idle()))
        }
        gateway.sendText("() => { throw new Error('three') }")
        gateway.sendText("() => ({ accepted: false })")
      })
      assert.match(
        yield* Effect.promise(() => messageOf(end)),
        /^GuestError: another one within a second of GuestError: Error: one at /
      )
      assert.deepStrictEqual(
        said.map((text) => text.replace(/ at .*/, "")),
        ["GuestError: Error: one", "nothing", "GuestError: two", "nothing", "GuestError: two", "nothing"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("says where in its source something went wrong, where the package has a source map", () =>
    tested(
      "export function handleIngress() { null.x }",
      async (plugin) => {
        const said = await messageOf(plugin.idle())
        assert.match(said, /^GuestError: TypeError: .* at mine\.ts:5:\d+$/)
      },
      {},
      { "plugin.js.map": '{"version":3,"sources":["src/mine.ts"],"names":[],"mappings":"AAIA"}' }
    )
  )

  for (const [name, code, expected] of [
    [
      "throws",
      "export const start = () => { throw new Error('no') }",
      /^StartFailed: .*: Error: no at plugin\.js:2:\d+$/
    ],
    ["loops", "export const start = () => { for (;;); }", /^StartTimeout: /],
    ["is no JavaScript", "export const = 1", /^StartFailed: .*: SyntaxError: .* at plugin\.js:2:14$/],
    ["imports what there isn't", "import 'fs'", /^StartFailed: /],
    ["loops at once", "for (;;);", /^StartTimeout: /],
    ["has no handler", "export const start = 1", /^StartFailed: .*: OutputInvalid: .*start/]
  ] as const) {
    it.live(`says why a package can't be started that ${name}`, () =>
      Effect.gen(function* () {
        let said = ""
        yield* tested(
          name === "has no handler" ? code : `export const handleIngress = () => ({})\n${code}`,
          async (plugin) => {
            said = await messageOf(plugin.remote(GATEWAY))
            assert.match(
              await messageOf(plugin.remote(GATEWAY)),
              /^there is no such connection of ws:.*; the plugin is failed \(Start.*: .*/
            )
          },
          { limits: { startDeadlineMs: 100 } }
        )
        assert.match(said, expected)
      })
    )
  }

  it.live("enables it with what the test says", () =>
    tested(
      OBEDIENT,
      async (plugin) => {
        const gateway = await plugin.remote("ws://127.0.0.1:7700/gateway/two")
        gateway.sendText("(event, { given }) => JSON.stringify(given.config)")
        gateway.sendText("(event) => event.payload.url")
        await plugin.idle()
        assert.deepStrictEqual(gateway.sent, ['{"room":1}', "ws://127.0.0.1:7700/gateway/two"])
        assert.deepStrictEqual(
          (await plugin.dials()).map(({ headers, url }) => [url, headers]),
          [["ws://127.0.0.1:7700/gateway/two", { authorization: "Bearer s3cr3t-t0ken" }]]
        )
        assert.strictEqual((await plugin.status()).queueCapacity, 3)
      },
      {
        config: { room: 1 },
        secrets: { token: "s3cr3t-t0ken" },
        sources: {
          gateway: { urls: ["ws://127.0.0.1:7700/gateway/two"], headers: { authorization: "Bearer {token}" } }
        },
        limits: { ingressQueueCapacity: 3 }
      }
    )
  )

  it.live("grants no more than the test says, where it says so", () =>
    tested(
      OBEDIENT,
      async (plugin) => {
        assert.match(await messageOf(plugin.remote(GATEWAY)), /the plugin is failed \(PermissionMissing: /)
        assert.deepStrictEqual(await plugin.dials(), [])
      },
      { grants: {} }
    )
  )

  it.live("is handed what an application delivers, and what a server does to it", () =>
    tested(
      OBEDIENT,
      async (plugin) => {
        assert.match(await messageOf(plugin.remote(GATEWAY)), /is waiting \(HandshakeRejected: /)
        await plugin.answer(GATEWAY, { kind: "accept" })
        await plugin.pass("1 second")
        const gateway = await plugin.remote(GATEWAY)
        await plugin.deliver({ ingressName: "gateway", kind: "announcement", payload: { text: "hi" } })
        assert.deepStrictEqual(gateway.sent, ['{"text":"hi"}'])
        assert.match(
          await messageOf(plugin.deliver({ ingressName: "gateway", kind: "other", payload: null })),
          /^the event is invalid: kind: /
        )
      },
      { answers: { [GATEWAY]: { kind: "refuse", status: 503 } } },
      {
        "plugin.toml": MANIFEST.replace(
          'name = "gateway"\nsources',
          'name = "gateway"\nevent_kinds = ["websocket_text", "announcement"]\nsources'
        )
      }
    )
  )

  it.live("isn't held up by a dial that is never answered", () =>
    tested(
      OBEDIENT,
      async (plugin) => {
        await plugin.idle()
        assert.match(await messageOf(plugin.remote(GATEWAY)), /is connecting/)
        await plugin.pass("10 seconds")
        assert.match(await messageOf(plugin.remote(GATEWAY)), /is waiting \(OpenTimeout: /)
      },
      { answers: { [GATEWAY]: { kind: "never" } } }
    )
  )

  it.live("fails with everything that keeps a folder from being a package, and where that is", () =>
    Effect.gen(function* () {
      const broken = yield* packageOf({ "plugin.toml": "schema_version = 2\nname = 3\n", "plugin.js": "" })
      const said = yield* Effect.promise(() => messageOf(TestPackage.run(broken, () => Promise.resolve())))
      for (const part of ["plugin.toml:1:1: schema_version", "plugin.toml:2:1: name", "runtime: required"]) {
        assert.include(said, part)
      }
      const missing = TestPackage.run(`${broken}/none`, () => Promise.resolve())
      assert.strictEqual(yield* Effect.promise(() => messageOf(missing)), "the package can't be read: ENOENT")
      const folder = yield* folderOf(OBEDIENT)
      const wrong = TestPackage.run(folder, () => Promise.resolve(), {
        sources: { gateway: { headers: { host: "x" } } }
      })
      assert.match(yield* Effect.promise(() => messageOf(wrong)), /^the enablement is invalid: sources\.gateway/)
    }).pipe(Effect.scoped)
  )

  it.live("says so where what it nests ends the thread's stack before its own, and goes on with a new instance", () =>
    tested(
      OBEDIENT,
      async (plugin) => {
        const gateway = await plugin.remote(GATEWAY)
        gateway.sendText("() => { JSON.parse('['.repeat(1e5)) }")
        const said = await messageOf(plugin.idle())
        // A thread with a larger stack than a process begins with has room for it.
        assert.match(said, /^(?:InstanceLost: .*RangeError: Maximum call stack size exceeded|GuestError: RangeError: )/)
        await plugin.pass("1 second")
        const again = await plugin.remote(GATEWAY)
        again.sendText("() => 'x'")
        await plugin.idle()
        assert.deepStrictEqual(again.sent.slice(-1), ["x"])
      },
      { limits: { dispatchDeadlineMs: 10_000 } }
    )
  )
})
