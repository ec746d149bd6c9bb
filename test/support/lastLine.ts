/**
 * A reporter whose one line comes last, so that whoever reads the log of CI finds
 * it: `797 passed, 0 failed, 0 skipped`, and of what was skipped why, where that
 * was said.
 */
import type { Reporter, TestModule } from "vitest/node"

export const lastLine: Reporter = {
  onTestRunEnd: (modules: ReadonlyArray<TestModule>) => {
    const results = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result()))
    const count = (state: string) => results.filter((result) => result.state === state).length
    const notes = results.flatMap((result) =>
      result.state === "skipped" && result.note !== undefined ? [result.note] : []
    )
    const why = [...new Set(notes)].map((note) => `${notes.filter((each) => each === note).length}: ${note}`)
    const reasons = why.length === 0 ? "" : ` (${why.join("; ")})`
    process.on("exit", () => {
      process.stdout.write(
        `${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped${reasons}\n`
      )
    })
  }
}
