/**
 * What a guest writes to its console, on its way out of the worker: so many
 * lines a second and no more, and how many were left out once the second is over.
 */
import { MAX_LINES } from "../../diagnostics/Redaction.ts"
import type { ConsoleLevel } from "../../plugin/PluginConsole.ts"

/** At most so many lines are told in a second: any text that is shown at all fits. */
export const MOST_LINES = MAX_LINES
const WITHIN_MS = 1000

interface Options {
  readonly now: () => number
  readonly tell: (level: ConsoleLevel, text: string) => void
}

export class Console {
  readonly #options: Options
  #since = -Infinity
  #lines = 0
  #leftOut = 0
  #timer: NodeJS.Timeout | undefined = undefined

  constructor(options: Options) {
    this.#options = options
  }

  write(level: ConsoleLevel, text: string): void {
    const now = this.#options.now()
    if (now - this.#since >= WITHIN_MS) {
      this.flush()
      this.#since = now
      this.#lines = 0
    }
    const lines = Math.min(text.split("\n", MOST_LINES).length, MOST_LINES)
    // What comes behind something that was left out would stand in its place.
    if (this.#leftOut > 0 || this.#lines + lines > MOST_LINES) {
      this.#leftOut += lines
      this.#timer ??= setTimeout(() => this.flush(), this.#since + WITHIN_MS - now)
      return
    }
    this.#lines += lines
    this.#options.tell(level, text)
  }

  /** Says now how many lines were left out, if any were. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const count = this.#leftOut
    this.#leftOut = 0
    if (count > 0) this.#options.tell("warn", `${count} ${count === 1 ? "line was" : "lines were"} left out`)
  }
}
