import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { clean } from "../../../src/cli/internal/cells.ts"
import { shellWord } from "../../../src/cli/internal/shellWord.ts"
import { NAMES } from "../support/names.ts"

/** What a shell hands to a command as one argument each. */
const argumentsOf = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { stderr, stdout } = spawnSync("bash", ["-c", `printf '%s\\0' ${words.join(" ")}`])
  assert.strictEqual(String(stderr), "")
  return String(stdout).split("\0").slice(0, -1)
}

const path = (name: string) => (name.startsWith("-") ? `./${name}` : name)

describe("a path as somebody can type it", () => {
  it("is one argument of a shell, the same path, and never an option", () => {
    const names = NAMES.map(([name]) => name)
    assert.deepStrictEqual(argumentsOf(names.map((name) => shellWord(name, "linux"))), names.map(path))
  })

  it("is so whichever three characters there are in it, and moves no cursor", () => {
    const units = [..." '\"\\$`!#&*(){};|<~=%-a\u00fc\n\t\u001b\u007f\u0085\u202e\u2028\u{1f600}"]
    const texts = units.flatMap((one) => units.flatMap((two) => units.map((three) => one + two + three)))
    const words = texts.map((each) => shellWord(each, "linux"))
    for (let at = 0; at < words.length; at += 2000) {
      assert.deepStrictEqual(argumentsOf(words.slice(at, at + 2000)), texts.slice(at, at + 2000).map(path))
    }
    assert.deepStrictEqual(words.map(clean), words)
  })

  it("is left as it is where no shell takes anything of it for something else", () => {
    for (const plain of ["echo", "./a/b", "../host.toml", "\u00dcn\u00efcode", "a-b_c.d"]) {
      assert.strictEqual(shellWord(plain, "linux"), plain)
    }
    assert.strictEqual(shellWord("My Bot", "linux"), "'My Bot'")
    assert.strictEqual(shellWord("My Bot", "win32"), '"My Bot"')
  })
})
