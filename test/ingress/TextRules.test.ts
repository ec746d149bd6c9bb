import { assert, describe, it } from "@effect/vitest"
import { memoryOf } from "../../src/ingress/Accounting.ts"
import * as TextRules from "../../src/ingress/TextRules.ts"

const rules: TextRules.TextRules = {
  urgent: ["ping", '{"op":11', "\u{e9}"],
  autoReplies: [
    { text: "ping", reply: "pong" },
    { text: "", reply: "empty" },
    { text: "\u{1f600}", reply: "" }
  ]
}

const utf8 = new TextEncoder()

describe("TextRules", () => {
  it("are none where an ingress says nothing of its texts", () => {
    for (const ingress of [undefined, {}, { urgent: [] }, { autoReplies: [] }, { urgent: [], autoReplies: [] }]) {
      assert.isNull(TextRules.of(ingress))
    }
    assert.deepStrictEqual(TextRules.of({ urgent: ["a"] }), { urgent: ["a"], autoReplies: [] })
    const autoReplies = [{ text: "a", reply: "b" }]
    assert.deepStrictEqual(TextRules.of({ autoReplies }), { urgent: [], autoReplies })
  })

  it.each([
    ["ping", true, "pong"],
    ["ping!", true, undefined],
    ["pin", false, undefined],
    [" ping", false, undefined],
    ["Ping", false, undefined],
    ["", false, "empty"],
    ['{"op":11', true, undefined],
    ['{"op":11}', true, undefined],
    ['{"op":110}', true, undefined],
    ['{"op": 11}', false, undefined],
    ["\u{e9}t\u{e9}", true, undefined],
    ["e\u{301}", false, undefined],
    ["\u{1f600}", false, ""],
    ["\u{1f600}\u{fe0f}", false, undefined],
    ["x".repeat(100_000), false, undefined]
  ])("say of %o whether it is urgent (%s) and what answers it (%o)", (text, isUrgent, reply) => {
    assert.strictEqual(TextRules.isUrgent(rules, text), isUrgent)
    assert.strictEqual(TextRules.replyTo(rules, text), reply)
  })
})

describe("the memory of a text", () => {
  it.each([
    ["", 0],
    ["abc\0\x7f", 5],
    ["\u{80}", 2],
    ["caf\u{e9}", 8],
    ["\u{4e2d}\u{6587}", 4],
    ["\u{1f600}", 4],
    ["x".repeat(1000), 1000],
    [`${"x".repeat(999)}\u{20ac}`, 2000]
  ])("is its UTF-16 units, twice that where it isn't ASCII: %o", (text, expected) =>
    assert.strictEqual(memoryOf(text, utf8.encode(text).length), expected)
  )
})
