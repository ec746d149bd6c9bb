/** The TOML of the documentation against the program that reads it. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Wire from "../../src/internal/wire.ts"
import * as HostDocument from "../../src/node/internal/hostDocument.ts"
import * as Toml from "../../src/node/internal/toml.ts"
import { blocksOf, documents, read } from "./markdown.ts"

const blocks = documents
  .flatMap((file) => blocksOf(file, read(file)))
  .filter(({ language, words }) => language === "toml" && words.includes("host"))

describe("host files in the documentation", () => {
  it("are there", () => {
    assert.isAbove(blocks.length, 1)
  })

  it.for(blocks.map((block) => [`${block.file}:${block.line}`, block] as const))(
    "%s: nothing is wrong",
    ([, block]) => {
      const content = Result.flatMap(
        Result.mapError(Toml.parse(block.text, block.file), (problem) => [problem]),
        (document) => HostDocument.read(document, { folder: "/", heapBytes: null })
      )
      const problems = Result.isSuccess(content) ? content.success.problems : content.failure
      assert.deepStrictEqual(problems.map(Wire.formatProblem), [])
    }
  )
})
