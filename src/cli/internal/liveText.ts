/**
 * A text of the host's own that stands in a file which may be replaced while it
 * runs: the one that is there is used from then on, and one that can't be used
 * leaves the last.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Problem } from "../../internal/wire.ts"
import type * as HostFile from "../../node/HostFile.ts"

type Found = Result.Result<Redacted.Redacted<string> | undefined, Problem>

export class LiveText {
  readonly #ask: Effect.Effect<Found>
  #text: Redacted.Redacted<string> | undefined
  #problem: Problem | undefined

  constructor(first: Found, ask: Effect.Effect<Found>) {
    this.#ask = ask
    this.#take(first)
  }

  /** The last that could be used. */
  get text(): Redacted.Redacted<string> | undefined {
    return this.#text
  }

  /** What is wrong with the one that is there now. */
  get problem(): string | undefined {
    return this.#problem?.message
  }

  /** Asks for it again. Whether what is wrong with it is something else now. */
  get renewed(): Effect.Effect<boolean> {
    return Effect.map(this.#ask, (found) => {
      const before = this.#problem
      this.#take(found)
      return before?.message !== this.#problem?.message
    })
  }

  /** What is wrong with a file where this stands at `path`, and may have become another since that was read. */
  problemsOf(path: string, file: HostFile.HostFile, problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> {
    const others = problems.filter((problem) => problem.path !== path)
    return this.#problem === undefined
      ? others
      : [...others, ...file.located([{ path, message: this.#problem.message }])]
  }

  #take(found: Found): void {
    if (Result.isFailure(found)) {
      this.#problem = found.failure
      return
    }
    this.#problem = undefined
    this.#text = found.success
  }
}
