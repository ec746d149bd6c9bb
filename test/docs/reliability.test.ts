/** Each row of the table of faults names the test that shows it. */
import { assert, describe, it } from "@effect/vitest"
import { read, rowsOf } from "./markdown.ts"

const rows = rowsOf(read("docs/reliability.md"), "fault").map((row): readonly [string, string] => [
  row[0] ?? "",
  row[5] ?? ""
])

describe("docs/reliability.md", () => {
  it("has rows", () => {
    assert.isAbove(rows.length, 0)
  })

  it.for(rows)("%s: its test", ([, test]) => {
    const [, file = "", name = ""] = /^(\S+\.ts): (.+)$/.exec(test) ?? []
    assert.include(read(`test/${file}`), name)
  })
})
