/**
 * What becomes of each abuse of the sandbox, as the rows of the table in
 * `docs/sandbox.md`: after how long it ended, the longest that a neighbour in the
 * same worker waited for an answer meanwhile, and the longest delay of the host's
 * event loop. The deadline is 200 ms, and 2 s where memory is to be filled.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { ABUSES, HARMLESS, MODULES } from "../sandbox/support/abuses.ts"
import { beside } from "../sandbox/support/host.ts"
import { observed } from "../sandbox/support/observed.ts"

const row = (...cells: ReadonlyArray<string>): void => void process.stdout.write(`| ${cells.join(" | ")} |\n`)
const tags = (tag: string): string => tag.replaceAll(/\w+/g, "`$&`")
const ms = (value: number): string => `${Math.round(value)} ms`

row("what a guest does", "what is said", "it ends", "after", "its neighbour waits", "the host's loop")
row("---", "---", "---", "---", "---", "---")
for (const [name, code, tag, end] of ABUSES) {
  const { endedMs, loopMs, neighbourMs } = await Effect.runPromise(
    observed(code).pipe(
      Effect.provide(beside({ deadlineMs: end === "full" ? 2000 : 200 })),
      Effect.provide(Logger.layer([])),
      Effect.scoped
    )
  )
  row(name, tags(tag), end, ms(endedMs), ms(neighbourMs), ms(loopMs))
}
for (const [name] of HARMLESS) row(name, "nothing", "soon", "", "", "")
for (const [name, , tag] of MODULES) {
  row(name, tags(tag), tag === "StartTimeout" ? "at the start's deadline" : "soon", "", "", "")
}
