import { assert, describe, it } from "@effect/vitest"
import { documents, linksOf, problemOf } from "./markdown.ts"

describe("the links of the documentation", () => {
  it.for(documents)("%s: every relative link leads somewhere", (file) => {
    const relative = linksOf(file).filter(({ target }) => !/^[a-z]+:/.test(target))
    const dead = relative.flatMap((link) => {
      const problem = problemOf(link)
      return problem === undefined ? [] : [`${link.target}: ${problem}`]
    })
    assert.deepStrictEqual(dead, [])
  })

  it("every document is linked from another", () => {
    const linked = new Set(
      documents.flatMap((file) =>
        linksOf(file).map(({ target }) => new URL(target, `file:///${file}`).pathname.slice(1))
      )
    )
    assert.deepStrictEqual(
      documents.filter((file) => file !== "README.md" && !linked.has(file)),
      []
    )
  })
})
