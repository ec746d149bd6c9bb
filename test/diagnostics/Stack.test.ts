import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"
import * as Stack from "../../src/diagnostics/Stack.ts"

const withStack = (stack: unknown): Error => Object.defineProperty(new Error("boom"), "stack", { value: stack })

const OWN = new URL("../../src/", import.meta.url)

const handler = () => {
  throw new Error("boom")
}

describe("the stack of what was thrown", () => {
  it("is that of an error, with what would play with a terminal replaced", () => {
    assert.strictEqual(
      Stack.of(withStack("Error: \u001b[31mred\u202e\n\tat f (a.ts:1:2)")),
      "Error: \ufffd[31mred\ufffd\n\tat f (a.ts:1:2)"
    )
    assert.strictEqual(Stack.of(withStack("x".repeat(10_000)))?.length, 4096)
  })

  it("is the thing itself where it is a text or a number, and nothing where it says nothing", () => {
    assert.deepStrictEqual(["why", 7, null, true, Symbol("s")].map(Stack.of), [
      "why",
      "7",
      undefined,
      "true",
      "Symbol(s)"
    ])
    for (const thrown of [undefined, null, {}, { stack: "mine" }, () => "f", withStack(7), withStack("")]) {
      assert.isUndefined(Stack.of(thrown))
      assert.deepStrictEqual(Stack.frames(thrown), [])
    }
  })

  it("is nothing where it can't be looked at", () => {
    const hostile = new Proxy(new Error("x"), {
      get: () => {
        throw new Error("no")
      },
      getPrototypeOf: () => {
        throw new Error("no")
      }
    })
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    for (const thrown of [hostile, proxy]) {
      assert.isUndefined(Stack.of(thrown))
      assert.deepStrictEqual(Stack.frames(thrown), [])
    }
  })
})

describe("the first places in a plugin's own files", () => {
  it("are named by function, file, line and column", () => {
    const lines = [
      "Error: at the first line is the message (not.ts:1:1)",
      "    at handle (file:///home/me/app/src/echo.ts:12:9)",
      "    at Object.gateway [as websocket_text] (/home/me/app/src/echo.ts:14:3)",
      "    at async file:///home/me/app/src/main.ts:3:1",
      "    at C:\\app\\fourth.ts:4:4"
    ]
    assert.deepStrictEqual(Stack.frames(withStack(lines.join("\n"))), [
      "handle (echo.ts:12:9)",
      "Object.gateway [as websocket_text] (echo.ts:14:3)",
      "main.ts:3:1"
    ])
    assert.deepStrictEqual(Stack.frames(withStack(lines.slice(4).join("\n"))), ["fourth.ts:4:4"])
  })

  it("leave out Node, Effect and the host, and what is no place", () => {
    const lines = [
      "Error: boom",
      "    at node:internal/process/task_queues:95:5",
      "    at listOnTimeout (node:internal/timers:588:17)",
      "    at run (/home/me/app/node_modules/effect/dist/internal/effect.js:10:1)",
      "    at run (file:///home/me/app/node_modules/@effect/platform-node/dist/x.js:10:1)",
      `    at dispatch (${new URL("plugin/Dispatcher.ts", OWN).href}:10:1)`,
      `    at dispatch (${new URL("plugin/Dispatcher.ts", OWN).pathname}:10:1)`,
      "    at new Promise (<anonymous>)",
      "    at native",
      "at",
      "    at mine (/home/me/app/node_modules/effect-plugin/index.js:2:3)"
    ]
    assert.deepStrictEqual(Stack.frames(withStack(lines.join("\n"))), ["mine (index.js:2:3)"])
  })

  it("are there for what a handler really throws", () => {
    const exit = Effect.runSyncExit(Effect.sync(handler))
    const [first] = Exit.isFailure(exit) ? Stack.frames(Cause.squash(exit.cause)) : []
    assert.match(first ?? "", /^handler \(Stack\.test\.ts:\d+:\d+\)$/)
  })

  it.effect.prop("are few and short whatever the stack is", { stack: Schema.String }, ({ stack }) =>
    Effect.sync(() => {
      for (const text of [stack, `    at ${stack} (${stack}:1:2)`, stack.repeat(50)]) {
        const frames = Stack.frames(withStack(text))
        assert.isAtMost(frames.length, 3)
        assert.isAtMost(frames.join("").length, 4096)
      }
    })
  )
})
