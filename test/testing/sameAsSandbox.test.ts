/** A package does under test what it does in the sandbox: the same texts, one after the other, at both. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Enablement, type HostStatus, type Limits, PluginHost } from "mooring"
import { PackageFolders } from "mooring/node"
import { Sandbox } from "mooring/sandbox"
import { FakeWebSocket, TestHost, TestPackage } from "mooring/testing"
import { MANIFEST, packageOf } from "../node/support/packages.ts"
import { accountingProblem, rowOf } from "../support/host.ts"

const GATEWAY = "ws://127.0.0.1:7700/gateway"
const REF = "project:example.echo"
const LIMITS = { sandboxWorkers: 1, pingIntervalMs: 0 }

const ECHO = `import { websocketSend } from "mooring/guest"
export const handleIngress = (name, event) =>
  event.kind === "websocket_text" ? { output_commands: [websocketSend(event, event.payload.text)] } : {}`

/** Does whatever a text says, and answers with what that makes. */
const OBEDIENT = `import * as guest from "mooring/guest"
let given
let seen = 0
export function start(...args) { given = args; return { status: "started" } }
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  seen++
  const made = (0, eval)("(guest, given, seen, event) => {" + event.payload.text + "}")(guest, given, seen, event)
  const isOutput = typeof made === "object" || typeof made === "function" || made === undefined
  return isOutput ? made : { output_commands: [guest.websocketSend(event, String(made))] }
}
export const status = () => ({ seen })
export function stop() { if (seen > 100) throw new Error("no") }`

const CASES: ReadonlyArray<readonly [name: string, code: string, texts: ReadonlyArray<string>]> = [
  ["an echo", ECHO, ["a", "", "ü\u{1f600}\u0000", "x".repeat(60_000)]],
  ["async exports", ECHO.replace("(name, event) =>", "async (name, event) =>"), ["a", "b"]],
  ["what it is started with", OBEDIENT, ["return JSON.stringify(given)", "return seen"]],
  [
    "promises",
    OBEDIENT,
    [
      "return Promise.resolve({ state: 1 })",
      "return (async () => { await null; await null; return { status: 2 } })()",
      "return Promise.reject(new TypeError('no'))",
      "queueMicrotask(() => { throw 1 }); Promise.reject(2); return 'x'",
      "return { then(resolve) { resolve({ status: 3 }) } }"
    ]
  ],
  [
    "exceptions",
    OBEDIENT,
    [
      "null.x",
      "throw 'text'",
      "throw undefined",
      "throw Symbol('s')",
      "throw Object.assign(new RangeError('r'), { name: 'Mine' })",
      "throw { get message() { throw 1 } }",
      "(function f() { f() })()",
      "try { (function f() { f() })() } catch (error) { return error.name + error.message }"
    ]
  ],
  [
    "outputs of a wrong form",
    OBEDIENT,
    [
      "return null",
      "return []",
      "return () => 1",
      "return { commands: [] }",
      "return { output_commands: {} }",
      "return { accepted: false }",
      "return { accepted: 'yes' }",
      "return { state: 10n }",
      "const c = {}; c.status = c; return c",
      "return JSON.parse('{\"__proto__\":{}}')"
    ]
  ],
  [
    "sizes",
    OBEDIENT,
    [
      "return { status: 'x'.repeat(4094) }",
      "return { status: 'x'.repeat(4095) }",
      "return { state: 'x'.repeat(16383) }",
      "return { status: 'x'.repeat(1e6) }",
      "return { status: '\u00fc'.repeat(200000) }",
      "return { output_commands: Array(17).fill(guest.websocketSend(event, 'x')) }",
      "return { output_commands: [guest.websocketSend(event, 'x'.repeat(65537)), guest.websocketSend(event, 'y')] }",
      "const b = []; for (;;) b.push(new Uint8Array(1e6))",
      "try { const b = []; for (;;) b.push(new Array(100).fill(0)) } catch { return 'caught' }"
    ]
  ],
  [
    "commands",
    OBEDIENT,
    [
      "return { output_commands: [guest.timerSet('t', { after_ms: 60000 }), guest.timerSet('u', { after_ms: 1 }), guest.timerClear('t')] }",
      "return { output_commands: [guest.statusUpdate({ message: 'm', status: { a: 1 } })] }",
      "return { output_commands: [guest.websocketSend('ws://elsewhere/', 'x'), guest.websocketSend(event, 'y', { epoch: 7 })] }",
      "return { output_commands: [{ kind: 'other', payload: {} }, guest.websocketSend(event, new Uint8Array([1, 2]))] }",
      "return { output_commands: [guest.websocketClose(event, { code: 4001, reason: 'bye' })] }"
    ]
  ],
  [
    "the console, and globals of its own",
    OBEDIENT,
    [
      "console.log('a'); console.warn({ b: 1 }); return 'x'",
      "globalThis.mine = 1; JSON.stringify = null; Promise = 1; return 'x'",
      "return String(globalThis.mine) + typeof JSON.stringify",
      "return [new Date(0).toString(), typeof performance, typeof setTimeout, typeof process, typeof require].join()",
      "return [new URL('a', 'http://b/').href, atob('YQ=='), new TextEncoder().encode('\u00fc').length, structuredClone([1])[0]].join()"
    ]
  ],
  [
    "a loop, and what it left",
    OBEDIENT,
    [
      "console.log('a'); return { state: seen, status: 'before' }",
      "console.log('b'); for (;;);",
      "return JSON.stringify(given)",
      "return new Promise(() => {})",
      "console.log('c'); try { for (;;); } finally { for (;;); }",
      "return JSON.stringify(given)"
    ]
  ],
  ["a start that throws", `${ECHO}\nexport const start = () => { throw new Error("no") }`, []],
  ["a start that hands over what it may not", `${ECHO}\nexport const start = () => ({ other: 1 })`, []],
  ["a start that hands over", `${ECHO}\nexport const start = async () => ({ status: 1, state: 2 })`, ["a"]],
  ["a module that is no JavaScript", "export const = 1", []],
  ["a module with a file beside it", `import "./other.js"\n${ECHO}`, []],
  ["a handler that is none", "export const handleIngress = 1", []],
  ["no handler", "export const start = () => ({})", []],
  ["a module that awaits", `const x = await Promise.resolve("x")\n${ECHO}`, ["a"]],
  ["one that awaits for ever", `await new Promise(() => {})\n${ECHO}`, []],
  ["a byte order mark", `\ufeff${ECHO}`, ["a"]]
]

/** What can be told from outside; ids, times and workers are each host's own. */
const viewOf = (row: HostStatus.PluginStatus, remotes: ReadonlyArray<{ readonly sent: ReadonlyArray<string> }>) => ({
  sent: remotes.map(({ sent }) => sent),
  lifecycle: row.lifecycle,
  restarts: row.restarts,
  lastError: row.lastError && [row.lastError.tag, row.lastError.message],
  reportedStatus: row.reportedStatus,
  consoleLines: row.consoleLines,
  counters: row.dispatchCounters,
  timers: row.timers.map(({ name }) => name),
  results: row.outputCommandResults.map(({ error, kind, status }) => [kind, status, error?.tag, error?.message]),
  diagnostics: row.diagnostics.map(({ count, error, message, tag }) => [tag, message, count, error["position"]]),
  connections: row.websocketConnections.map(({ epoch, lastClose, state, stopReason }) => [
    epoch,
    state,
    stopReason,
    lastClose?.code
  ])
})

/** What there is to tell after each of the texts. */
const played = (texts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const host = yield* PluginHost.PluginHost
    const fake = yield* FakeWebSocket.FakeWebSocket
    const views: Array<ReturnType<typeof viewOf>> = []
    const look = Effect.gen(function* () {
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.strictEqual(accountingProblem(row), undefined)
      views.push(viewOf(row, yield* fake.remotes(GATEWAY)))
      return row
    })
    yield* look
    for (const text of texts) {
      const [remote] = (yield* fake.remotes(GATEWAY)).slice(-1)
      remote?.sendText(text)
      const { lifecycle } = yield* look
      // Each crash doubles what it waits for.
      if (lifecycle === "restarting") yield* TestClock.adjust("5 seconds")
    }
    yield* look
    yield* TestClock.adjust("10 seconds")
    yield* look
    return views
  })

const inSandbox = (folder: string, limits: Partial<Limits.Values>) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.Sandbox
      const loaded = yield* PackageFolders.load(folder, 5000)
      const made = sandbox.package(PackageFolders.codeOf(loaded))
      return TestHost.layer({ plugins: [made], enabled: [Enablement.trusting(made)], limits })
    })
  ).pipe(Layer.provide([Sandbox.layer, PackageFolders.layer]))

describe("a package under test", () => {
  for (const [name, code, texts] of CASES) {
    it.effect(`does what it does in the sandbox: ${name}`, () =>
      Effect.gen(function* () {
        const folder = yield* packageOf({ "plugin.toml": MANIFEST, "plugin.js": code })
        // What isn't about time has all that a busy machine may need.
        const deadlines = { dispatchDeadlineMs: name.startsWith("a loop") ? 200 : 10_000, startDeadlineMs: 10_000 }
        const limits = { ...LIMITS, ...deadlines }
        const under = yield* Effect.provide(played(texts), TestPackage.layer(folder, { limits }))
        const real = yield* Effect.provide(played(texts), inSandbox(folder, limits))
        assert.deepStrictEqual(under, real)
      }).pipe(Effect.scoped)
    )
  }
})
