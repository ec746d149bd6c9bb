/**
 * Stdout: what was asked for, and nothing else. A stdout that can't be written
 * is a failure, which ends the program.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Descriptor } from "./descriptor.ts"

/** Stdout can't be written: `code` is the system's, or `stalled` where nobody read for too long. */
export class StdoutUnwritable extends Schema.TaggedError<StdoutUnwritable>("mooring/cli/StdoutUnwritable")(
  "StdoutUnwritable",
  { code: Schema.String }
) {
  override get message(): string {
    return `stdout can't be written: ${this.code}`
  }
}

export interface Stdout {
  /** Hands over a text; it is written when its turn comes. */
  readonly offer: (text: string) => void
  /** Whether everything that was offered has been written. */
  readonly idle: () => boolean
  /** Waits until everything is written; fails where it can't be, or where nothing was taken for so many milliseconds. */
  readonly drained: (patience: number) => Effect.Effect<void, StdoutUnwritable>
  /** Why something couldn't be written, if anything couldn't. */
  readonly problem: () => StdoutUnwritable | undefined
  /** Fails as soon as something can't be written. */
  readonly failure: Effect.Effect<never, StdoutUnwritable>
}

/** Stdout on a descriptor. After its first failure, or once it was given up, nothing more is written. */
export const make = (descriptor: Descriptor): Stdout => {
  const listeners = new Set<() => void>()
  let pending = 0
  let failed: StdoutUnwritable | undefined

  const settle = (error: NodeJS.ErrnoException | null) => {
    pending--
    if (error !== null) failed ??= new StdoutUnwritable({ code: error.code ?? error.name })
    if (pending > 0 && failed === undefined) return
    const told = [...listeners]
    listeners.clear()
    for (const listener of told) listener()
  }

  /** Completes when everything is written or something can't be. */
  const settled = Effect.callback<void>((resume) => {
    const listener = () => resume(Effect.void)
    listeners.add(listener)
    return Effect.sync(() => listeners.delete(listener))
  })

  const outcome = Effect.suspend(() => (failed === undefined ? Effect.void : Effect.fail(failed)))

  const drained = (patience: number): Effect.Effect<void, StdoutUnwritable> =>
    Effect.suspend(() => {
      if (pending === 0 || failed !== undefined) return outcome
      const before = descriptor.taken()
      const stalled = Effect.suspend(() => {
        if (descriptor.taken() === before) failed ??= new StdoutUnwritable({ code: "stalled" })
        return drained(patience)
      })
      return Effect.raceFirst(
        Effect.andThen(settled, outcome),
        Number.isFinite(patience) ? Effect.andThen(Effect.sleep(patience), stalled) : Effect.never
      )
    })

  const failure: Effect.Effect<never, StdoutUnwritable> = Effect.suspend(() =>
    failed === undefined ? Effect.andThen(settled, failure) : Effect.fail(failed)
  )

  return {
    offer: (text) => {
      if (failed !== undefined) return
      pending++
      descriptor.write(text, settle)
    },
    idle: () => pending === 0,
    drained,
    problem: () => failed,
    failure
  }
}
