/**
 * The keys that somebody presses at a terminal, each as it is pressed; the
 * terminal is as it was found at the end, whatever ends the program, and while
 * it is suspended.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const CTRL_C = "\u0003"
const CTRL_Z = "\u001a"

/** Completes once `q` or Ctrl-C is pressed; never where there is no terminal to press it at. */
export const quit: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function* () {
  const { stdin } = process
  if (!stdin.isTTY) return yield* Effect.never
  const asFound = () => void stdin.setRawMode(false)
  const raw = () => void stdin.setRawMode(true)
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      process.on("exit", asFound)
      process.on("SIGCONT", raw)
      raw()
      stdin.setEncoding("utf8")
      stdin.resume()
    }),
    () =>
      Effect.sync(() => {
        process.off("exit", asFound)
        process.off("SIGCONT", raw)
        asFound()
        stdin.pause()
      })
  )
  yield* Effect.callback<void>((resume) => {
    const take = (keys: string) => {
      if (keys.includes("q") || keys.includes(CTRL_C)) resume(Effect.void)
      if (!keys.includes(CTRL_Z)) return
      asFound()
      process.kill(process.pid, "SIGTSTP")
    }
    // A terminal that is gone presses nothing any more.
    const gone = () => resume(Effect.void)
    stdin.on("data", take)
    stdin.on("end", gone)
    stdin.on("error", gone)
    return Effect.sync(() => {
      stdin.off("data", take)
      stdin.off("end", gone)
      stdin.off("error", gone)
    })
  })
})
