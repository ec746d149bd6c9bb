/**
 * Follows the changes of a port of the application's: whatever its stream does,
 * somebody goes on listening.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Log from "./log.ts"
import * as Ports from "./ports.ts"

const FOLLOW_AGAIN_MS = 1000

/** Does something whenever a port says that answers may have changed, and whenever it stops saying so. */
export const follow = (
  port: { readonly changes: Stream.Stream<unknown, unknown> },
  name: string,
  changed: Effect.Effect<void>
): Effect.Effect<never> => {
  // Once for each time that it was well before.
  let isWell = true
  const tell = (how: "ended" | "failed") => {
    const told = isWell
      ? Log.written(Effect.logWarning(`the changes of the ${name} ${how}: they are followed anew`))
      : Effect.void
    isWell = false
    return told
  }
  const heard = Effect.suspend(() => {
    isWell = true
    return changed
  })
  return Stream.runForEach(
    Ports.streamFrom(() => port.changes),
    () => heard
  ).pipe(
    // What a failure says is foreign text, which no log has.
    Effect.matchCauseEffect({ onSuccess: () => tell("ended"), onFailure: () => tell("failed") }),
    Effect.andThen(Effect.sleep(FOLLOW_AGAIN_MS)),
    Effect.andThen(changed),
    Effect.forever
  )
}
