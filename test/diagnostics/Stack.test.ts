import { assert, describe, it } from "@effect/vitest"
import * as Stack from "../../src/diagnostics/Stack.ts"

const withStack = (stack: unknown): Error => Object.defineProperty(new Error("boom"), "stack", { value: stack })

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
    }
  })
})
