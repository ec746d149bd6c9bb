/**
 * Writing to the terminal: a line at a time, and no faster than it is read.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Writes a text and waits until the system has taken it. A reader that has gone away gets nothing more. */
export const write = (stream: NodeJS.WriteStream, text: string): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (!stream.writable) {
      resume(Effect.void)
      return
    }
    stream.write(text, () => resume(Effect.void))
  })

/** Completes when whoever reads the stream has gone away. */
export const closed = (stream: NodeJS.WriteStream): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const gone = Promise.withResolvers<void>()
        const onError = () => gone.resolve()
        stream.on("error", onError)
        return { gone: gone.promise, onError }
      }),
      ({ onError }) =>
        Effect.sync(() => {
          // What is still buffered may fail later, and that is no defect.
          stream.off("error", onError)
          stream.on("error", () => {})
        })
    ),
    ({ gone }) => Effect.promise(() => gone)
  )
