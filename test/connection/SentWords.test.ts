import { assert, describe, it } from "@effect/vitest"
import * as SentWords from "../../src/connection/SentWords.ts"

describe("SentWords", () => {
  it("are a query, and each value in it, as written and as it reads", () => {
    assert.deepStrictEqual(SentWords.ofQuery("ws://h/p"), [])
    assert.deepStrictEqual(
      new Set(SentWords.ofQuery("ws://h/p?a=x%20y&b=c+d&e&f=g=h?i")),
      new Set(["a=x%20y&b=c+d&e&f=g=h?i", "x%20y", "c+d", "e", "g=h?i", "x y", "c d", ""])
    )
  })

  it("are a header's value, and what stands behind the name of its scheme", () => {
    assert.deepStrictEqual(SentWords.ofHeader("Bearer  a b"), ["Bearer  a b", "a b"])
    assert.deepStrictEqual(SentWords.ofHeader("token"), ["token", "token"])
  })

  it("are masked in a text, but for those that are too short to say anything, or too long to be in it", () => {
    assert.strictEqual(
      SentWords.masked("five! is shown, six!!! isn't", ["five!", "six!!!"]),
      "five! is shown, *** isn't"
    )
    assert.strictEqual(SentWords.masked("SIX%21%21%21", ["six!!!"]), "***")
    assert.strictEqual(SentWords.masked("six!!", ["six!!!", "six!! and more of it"]), "six!!")
    assert.strictEqual(SentWords.masked("$&", []), "$&")
  })
})
