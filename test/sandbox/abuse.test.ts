import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, opened, rowOf } from "../support/host.ts"
import { beside, FINE, GATEWAY } from "./support/host.ts"

const REF = "project:test.plugin"
const NEIGHBOUR = "project:test.neighbour"

const BOMB = "const bomb = []; for (;;) bomb.push"
const DEEP = "let deep = []; for (let level = 0; level < 100000; level++) deep = [deep];"

/** What one event does, and what is said of it; `killed` where the worker has to be ended for it. */
const ABUSES: ReadonlyArray<readonly [name: string, code: string, tag: string, killed?: "killed"]> = [
  ["an endless loop", "while (true);", "DispatchTimeout"],
  ["one that is caught", "try { for (;;); } catch { for (;;); }", "DispatchTimeout"],
  ["one that goes on in the end", "try { for (;;); } finally { for (;;); }", "DispatchTimeout"],
  ["a catastrophic regular expression", "/(a+)+$/.test('a'.repeat(40) + 'b')", "DispatchTimeout"],
  ["endless microtasks", "const f = () => { Promise.resolve().then(f) }; f()", "DispatchTimeout"],
  ["endless microtasks behind its answer", "const g = () => queueMicrotask(g); g(); 'x'", "DispatchTimeout"],
  ["a promise that never settles", "new Promise(() => {})", "DispatchTimeout"],
  ["a getter that spins", "({ get status() { for (;;); } })", "DispatchTimeout"],
  ["toJSON that spins", "({ status: { toJSON() { for (;;); } } })", "DispatchTimeout"],
  ["then that spins", "({ get then() { for (;;); } })", "DispatchTimeout"],
  ["a thrown getter that spins", "throw { get message() { for (;;); } }", "DispatchTimeout"],
  ["a rejection that spins", "Promise.reject({ get name() { for (;;); } })", "DispatchTimeout"],
  ["a proxy that spins", "new Proxy({}, { ownKeys() { for (;;); } })", "DispatchTimeout"],
  ["indexOf with a long needle", "'a'.repeat(2e6).indexOf('a'.repeat(1e6) + 'b')", "DispatchTimeout", "killed"],
  ["an array-like that is joined", "[].join.call({ length: 2 ** 32 - 1 })", "DispatchTimeout", "killed"],
  ["an array-like that is reversed", "[].reverse.call({ length: 2 ** 52 })", "DispatchTimeout", "killed"],
  ["an array-like that is copied", "[].copyWithin.call({ length: 2 ** 52 }, 1, 0)", "DispatchTimeout", "killed"],
  ["a bomb of arrays", `${BOMB}(new Array(100).fill(0))`, "OutOfMemory"],
  ["a bomb of typed arrays", `${BOMB}(new Uint8Array(1e6))`, "OutOfMemory"],
  ["a bomb of texts", `let text = 'x'; ${BOMB}((text += text.slice(0, 1e6)))`, "OutOfMemory"],
  ["a large resizable buffer", "new ArrayBuffer(8, { maxByteLength: 1e9 }).resize(1e9)", "OutOfMemory"],
  ["8 MiB of output", "({ status: 'x'.repeat(8388608) })", "OutOfMemory"],
  ["1 MiB of output", "({ status: 'x'.repeat(1048576) })", "OutputTooLarge"],
  ["output that is too large in UTF-8 only", "({ status: 'ü'.repeat(200000) })", "OutputTooLarge"],
  ["a status over its limit", "({ status: 'x'.repeat(5000) })", "OutputInvalid"],
  ["500-deep JSON", "let d = []; for (let n = 0; n < 500; n++) d = [d]; ({ state: d })", "OutputInvalid"],
  ["deep recursion", "(function f() { f() })()", "GuestError"],
  ["a forged interruption", "throw new Error('interrupted')", "GuestError"],
  ["a forged out of memory", "throw new Error('out of memory')", "GuestError"],
  ["a getter that throws", "({ get status() { throw new Error('no') } })", "GuestError"],
  ["toJSON that throws", "({ toJSON() { throw new Error('no') } })", "GuestError"],
  ["a thrown getter that throws", "throw { get message() { throw { get message() { throw 1 } } } }", "GuestError"],
  ["a thrown symbol", "throw Symbol('x')", "GuestError"],
  ["nothing thrown", "throw undefined", "GuestError"],
  ["a rejected promise", "Promise.reject(new TypeError('no'))", "GuestError"],
  ["a bigint", "({ state: 10n })", "GuestError"],
  ["a cycle", "const cycle = {}; cycle.state = cycle; cycle", "GuestError"],
  ["another module", "import('fs')", "GuestError"],
  ["a function as output", "(() => 1)", "OutputInvalid"],
  ["null as output", "null", "OutputInvalid"],
  ["a list as output", "[]", "OutputInvalid"],
  ["an unknown field", "({ commands: [] })", "OutputInvalid"],
  ["__proto__ as a field", `JSON.parse('{"__proto__":{"accepted":false}}')`, "OutputInvalid"],
  ["commands that are none", "({ output_commands: {} })", "OutputInvalid"],
  ["accepted: false", "({ accepted: false })", "DispatchFailed"]
]

/** What a plugin may do to itself without harm. */
const HARMLESS: ReadonlyArray<readonly [name: string, code: string]> = [
  ["recursion that is caught", "try { (function f() { f() })() } catch {} 'x'"],
  ["out of memory that is caught", `try { ${BOMB}(new Array(100).fill(0)) } catch {} 'x'`],
  ["a microtask that throws", "queueMicrotask(() => { throw 1 }); 'x'"],
  ["a rejection that nobody handles", "Promise.reject(1); 'x'"],
  ["a registry whose callback throws", "new FinalizationRegistry(() => { throw 1 }).register({}, 1); 'x'"],
  [
    "poisoned globals",
    `JSON.parse = () => { throw 1 }; JSON.stringify = () => 1; Promise = 1; Array.prototype.map = null;
     Promise.prototype = 1; Object.prototype.then = 1; Array.prototype[Symbol.iterator] = null;
     Object.prototype.toJSON = undefined; Reflect.apply = null; String.prototype.slice = null; 'x'`
  ]
]

const crashes = (tag: string): boolean => tag === "DispatchTimeout"

describe("a guest that abuses its sandbox", () => {
  for (const [name, code, tag, killed] of ABUSES) {
    it.live(`rule 12: ${name} is ${tag}, and its neighbour goes on`, () =>
      Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        const { remote: other } = yield* opened(FINE)
        remote.sendText("answer = 'before'")
        other.sendText("x")
        yield* host.idle
        const from = performance.now()
        remote.sendText(code)
        yield* Effect.sleep(20)
        for (let text = 0; text < 3; text++) other.sendText("x")
        yield* host.idle
        const row = yield* rowOf(REF)
        // Ten times what it takes: the deadline is 200 ms.
        assert.isBelow(performance.now() - from, 5000)
        assert.strictEqual(row.lastError?.tag, tag)
        assert.strictEqual(row.diagnosticCounts[tag], 1)
        assert.deepInclude(row.dispatchCounters, crashes(tag) ? { timedOut: 1, failed: 0 } : { timedOut: 0, failed: 1 })
        assert.strictEqual(row.restarts, crashes(tag) ? 1 : 0)
        assert.isUndefined(accountingProblem(row))
        // What was answered before was executed, and nothing of this.
        assert.deepStrictEqual(remote.sent, ["before"])
        const neighbour = yield* rowOf(NEIGHBOUR)
        assert.deepInclude(neighbour, { lifecycle: "running", restarts: 0 })
        assert.isUndefined(accountingProblem(neighbour))
        assert.deepInclude(neighbour.dispatchCounters, { timedOut: 0, evicted: 0, discarded: 0 })
        assert.isTrue(other.isOpen)
        if (killed === "killed") {
          // At most one event is lost, and what follows goes on from the last state.
          assert.isAtMost(neighbour.dispatchCounters.failed, 1)
          assert.deepStrictEqual(other.sent.slice(0, 1), ["first 1"])
          assert.strictEqual(other.sent.at(-1), `neighbour ${other.sent.length}`)
        } else {
          assert.deepStrictEqual(other.sent, ["first 1", "first 2", "first 3", "first 4"])
        }
        if (!crashes(tag)) {
          remote.sendText("answer = 'after'")
          yield* host.idle
          assert.strictEqual(remote.sent.at(-1), "after")
        }
      }).pipe(Effect.provide(beside({})))
    )
  }

  for (const [name, code] of HARMLESS) {
    it.live(`survives ${name}`, () =>
      Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        remote.sendText(code)
        remote.sendText("'and ' + 'goes on'")
        yield* host.idle
        assert.deepStrictEqual(remote.sent, ["x", "and goes on"])
        assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", lastError: null })
      }).pipe(Effect.provide(beside({ deadlineMs: 5000 })))
    )
  }

  it.live("100,000-deep JSON ends in an error of its own", () =>
    Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText(`${DEEP} ({ state: deep })`)
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.include(["GuestError", "DispatchTimeout"], row.lastError?.tag)
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(beside({})))
  )

  for (const [name, code, tag] of [
    ["throws", "throw new RangeError('no')", "StartFailed"],
    ["isn't JavaScript", "export function (", "StartFailed"],
    ["imports something else", "import fs from 'fs'; export function handleIngress() {}", "StartFailed"],
    ["exports no handler", "export const x = 1", "StartFailed"],
    ["exports a handler that is none", "export const handleIngress = 1", "StartFailed"],
    ["exports a stop that is none", "export function handleIngress() {}; export let stop", "StartFailed"],
    [
      "starts with an answer of another form",
      "export function handleIngress() {}; export const start = () => ({ x: 1 })",
      "StartFailed"
    ],
    [
      "starts with a state that is too large",
      "export function handleIngress() {}; export const start = () => ({ state: 'x'.repeat(20000) })",
      "StartFailed"
    ],
    [
      "starts with a state that is too deep",
      "export function handleIngress() {}; export const start = () => { let d = 1; for (let n = 0; n < 500; n++) d = [d]; return { state: d } }",
      "StartFailed"
    ],
    [
      "throws at its start",
      "export function handleIngress() {}; export const start = async () => { throw 1 }",
      "StartFailed"
    ],
    ["spins", "for (;;);", "StartTimeout"],
    ["spins natively", "[].join.call({ length: 2 ** 32 - 1 })", "StartTimeout"],
    ["awaits what never comes", "await new Promise(() => {}); export function handleIngress() {}", "StartTimeout"],
    [
      "exports then that spins",
      "export function handleIngress() {}; export function then() { for (;;); }",
      "StartTimeout"
    ]
  ] as const) {
    it.live(`a module that ${name} is ${tag}, and its neighbour runs`, () =>
      Effect.gen(function* () {
        const { fake, host } = yield* Effect.gen(function* () {
          return { fake: yield* FakeWebSocket.FakeWebSocket, host: yield* PluginHost.PluginHost }
        })
        const other = yield* fake.remote(FINE)
        other.sendText("x")
        yield* host.idle
        const row = yield* rowOf(REF)
        assert.strictEqual(row.lifecycle, "failed")
        assert.strictEqual(row.lastError?.tag, tag)
        assert.match(other.sent[0] ?? "", /^(?:first|neighbour) 1$/)
        assert.notInclude(JSON.stringify(row), "/work/")
      }).pipe(Effect.provide(beside({ code, limits: { startDeadlineMs: 300 } })))
    )
  }
})
