/**
 * The result of a command: exactly one for each, in the order of the commands.
 *
 * @since 0.1.0
 */
import type { CommandOutcome, Status } from "../ingress/CommandOutcome.ts"
import { correlationId, type Origin } from "../ingress/Origin.ts"
import type { CommandError } from "./CommandError.ts"
import type { Ids } from "./OutputCommand.ts"
import type { RequestRefusal } from "./RequestRefusal.ts"

export { CommandOutcome as CommandResult, Status } from "../ingress/CommandOutcome.ts"

/**
 * A result as it is recorded: small, and without the event's text. Ids that
 * the plugin didn't give are derived when somebody reads the result.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recorded {
  readonly origin: Origin
  /** The sequence of the event that the command answers. */
  readonly sequence: number
  /** The command's place in its output, from 0. */
  readonly index: number
  readonly ids: Ids
  readonly kind: string | null
  readonly status: typeof Status.Type
  readonly error: NonNullable<CommandOutcome["error"]> | null
  /** Unix milliseconds. */
  readonly at: number
}

/**
 * An error as a result carries it: with how long to wait, where that is known.
 *
 * @category conversions
 * @since 0.2.0
 */
export const errorOf = (error: CommandError | RequestRefusal): NonNullable<CommandOutcome["error"]> => ({
  tag: error._tag,
  message: error.message,
  ...("retryAfterMs" in error ? { retryAfterMs: error.retryAfterMs } : {})
})

/**
 * The id of a command: the plugin's own, or one of the event that it answers and
 * its place among the commands.
 *
 * @category getters
 * @since 0.5.0
 */
export const commandIdOf = ({
  ids,
  index,
  origin,
  sequence
}: Pick<Recorded, "ids" | "index" | "origin" | "sequence">) =>
  ids.commandId ?? `${correlationId(origin, sequence)}:${index}`

/**
 * The result for readers. It is a value of its own for each.
 *
 *
 * @category conversions
 * @since 0.1.0
 */
export const fromRecorded = (recorded: Recorded): CommandOutcome => {
  const event = correlationId(recorded.origin, recorded.sequence)
  return {
    commandId: commandIdOf(recorded),
    correlationId: recorded.ids.correlationId ?? event,
    sourceEventId: event,
    kind: recorded.kind,
    status: recorded.status,
    ...(recorded.error === null ? {} : { error: { ...recorded.error } }),
    recordedAt: new Date(recorded.at).toISOString()
  }
}

/**
 * The last results of a plugin, a ring that holds `capacity` of them.
 *
 * @category models
 * @since 0.1.0
 */
export class Results {
  readonly #capacity: number
  readonly #kept: Array<Recorded> = []
  #next = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  add(result: Recorded): void {
    this.#kept[this.#next] = result
    this.#next = (this.#next + 1) % this.#capacity
  }

  /** Masks for good what the plugin made up. */
  mask(masked: (text: string) => string): void {
    for (const [index, result] of this.#kept.entries()) {
      const ids = Object.fromEntries(Object.entries(result.ids).map(([key, id]: [string, string]) => [key, masked(id)]))
      this.#kept[index] = { ...result, ids }
    }
  }

  /** The oldest first. */
  all(): ReadonlyArray<CommandOutcome> {
    if (this.#kept.length === 0) return []
    return [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)].map(fromRecorded)
  }
}
