/**
 * The host's log: a bounded list of lines, and the one fiber that writes them.
 * Whoever has a line leaves it here and goes on; what a logger costs, or that
 * it throws, is that fiber's to bear.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Log from "../../internal/log.ts"
import * as Parking from "../../internal/parking.ts"

/** At most so many lines are written in any such time. */
export const MOST_LINES = 50
export const WITHIN_MS = 1000

export interface Line {
  readonly level: LogLevel.Severity
  /** Nothing foreign. */
  readonly message: string
  /** Of a defect in the developer's own code. */
  readonly stack?: string | undefined
  readonly annotations: { readonly [name: string]: string }
}

interface Options {
  readonly monotonic: () => number
  readonly activity: Parking.Activity
}

export class LogLines {
  readonly #options: Options
  readonly #minimum: LogLevel.LogLevel
  readonly #parking: Parking.Parking
  readonly #waiting: Array<Line> = []
  /** When the last lines were taken, a ring; and which of it is the oldest. */
  readonly #taken: Array<number> = []
  #oldest = 0
  #leftOut = 0
  #hasEnded = false

  /** `minimum`: lines below it are not even made. */
  constructor(options: Options, minimum: LogLevel.LogLevel) {
    this.#options = options
    this.#minimum = minimum
    this.#parking = Parking.make(options.activity)
  }

  /** Leaves a line to be written, unless nobody wants lines of its level, there were too many, or it has ended. */
  add(level: LogLevel.Severity, line: () => Omit<Line, "level">): void {
    if (this.#hasEnded || !LogLevel.isGreaterThanOrEqualTo(level, this.#minimum)) return
    // What was left out comes first, so that lines stay in order.
    if (this.#leftOut > 0 || !this.#take()) this.#leftOut++
    else this.#waiting.push({ level, ...line() })
    this.#parking.wake()
  }

  /** Ends the writing once everything is written. */
  end(): void {
    this.#hasEnded = true
    this.#parking.wake()
  }

  /** Writes lines as they come, until it is ended. */
  get run(): Effect.Effect<void> {
    return this.#parking.around(
      Effect.gen({ self: this }, function* () {
        while (true) {
          this.#parking.look()
          const line = this.#waiting.shift() ?? this.#summary()
          if (line !== undefined) yield* write(line)
          else if (this.#hasEnded) return
          else yield* this.#parking.park(this.#leftOut === 0 ? null : this.#untilNext)
        }
      })
    )
  }

  /** Takes one of the places of a second; false where there is none. */
  #take(): boolean {
    if (this.#untilNext > 0) return false
    this.#taken[this.#oldest] = this.#options.monotonic()
    this.#oldest = (this.#oldest + 1) % MOST_LINES
    return true
  }

  get #untilNext(): number {
    const oldest = this.#taken[this.#oldest]
    return oldest === undefined ? 0 : Math.max(0, Math.ceil(oldest + WITHIN_MS - this.#options.monotonic()))
  }

  /** How many lines were left out, once there is a place to say so, or no time to wait for one. */
  #summary(): Line | undefined {
    const count = this.#leftOut
    if (count === 0 || (!this.#hasEnded && !this.#take())) return undefined
    this.#leftOut = 0
    return {
      level: "Warn",
      message: `${count} log ${count === 1 ? "line was" : "lines were"} left out`,
      annotations: {}
    }
  }
}

/** Lines that a fiber of the scope writes, with the loggers of whoever makes them; the last ones at its end. */
export const make = (options: Options): Effect.Effect<LogLines, never, Scope.Scope> =>
  Effect.gen(function* () {
    const lines = new LogLines(options, yield* References.MinimumLogLevel)
    yield* Effect.acquireRelease(Effect.forkDetach(lines.run), (fiber) => {
      lines.end()
      return Fiber.await(fiber)
    })
    return lines
  })

const write = ({ annotations, level, message, stack }: Line): Effect.Effect<void> =>
  Log.written(
    Effect.annotateLogs(
      Effect.logWithLevel(level)(message, ...(stack === undefined ? [] : [causeOf(stack)])),
      annotations
    )
  )

/** A cause that loggers show by this stack; what was thrown itself may be anything, and is kept from them. */
const causeOf = (stack: string): Cause.Cause<never> => {
  const defect = new Error(stack.split("\n", 1)[0]?.replace(/^\w*Error: /, ""))
  defect.stack = stack
  return Cause.die(defect)
}
