import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { typeless } from "../../../src/cli/internal/typeless.ts"

/** What can't be made without its types, and where that is. */
const REFUSED: ReadonlyArray<readonly [text: string, position: string, message: RegExp]> = [
  ["enum A { x }", "1:1", /enum/],
  ["let x = 1\nconst enum A {\n  x\n}\n", "2:7", /enum/],
  ["let x = 1\r\n\r\n  enum C {}\r\n", "3:3", /enum/],
  ["\t\tenum B {}", "1:3", /enum/],
  ['"\u65e5\u672c"; enum B {}', "1:7", /enum/],
  ["'\u{1f600}'; enum B {}", "1:7", /enum/],
  ["// a\n// b\n  namespace N {\n  export const a = 1\n}\n", "3:3", /namespace/],
  ["class A { constructor(private x: number) {} }", "1:31", /parameter property/],
  ["import x = require('y')", "1:1", /import equals/],
  ["let a = <any>b", "1:9", /angle-bracket/],
  ["let a = 1;\n\n\n  const b = {\n  c: 1\n  d: 2 }\n", "6:3", /Expected ','/],
  ["const a: number = ;\n", "1:19", /Expression expected/],
  ["let ok = 1\nlet q = 'abc\n", "2:9", /Unterminated/],
  ["function f() {\n  return 1\n", "2:11", /Expected '}'/],
  ["let a = 1\n^^^", "2:1", /Expression expected/],
  ["\0", "1:1", /Unexpected character/]
]

describe("a text without its types", () => {
  it.for(REFUSED)("is refused for %j, at %s", ([text, position, message]) => {
    const made = typeless(text)
    assert.isTrue(Result.isFailure(made))
    if (!Result.isFailure(made)) return
    assert.strictEqual(`${made.failure.line}:${made.failure.column}`, position)
    assert.match(made.failure.message, message)
    assert.notInclude(made.failure.message, "\n")
  })

  it("keeps everything else where it stood", () => {
    const text =
      'import { type A, b } from "c"\nlet x = b as any; function f(this: any, x?: string) {}\nexport let y!: number\n'
    const made = Result.getOrThrow(typeless(text))
    assert.strictEqual(made.length, text.length)
    for (const word of ["b }", "let x", "function f", "export let y"]) {
      assert.strictEqual(made.indexOf(word), text.indexOf(word))
    }
  })
})
