/** What keeps this process alive, of the kinds that a host uses. */
import * as Effect from "effect/Effect"

/** How much there is; not looked at from a timer, which would count itself. */
export const resources = Effect.andThen(
  Effect.yieldNow,
  Effect.sync(() => {
    const counts = { TCPSocketWrap: 0, Timeout: 0, Immediate: 0 }
    for (const kind of process.getActiveResourcesInfo()) if (kind in counts) counts[kind as keyof typeof counts]++
    return counts
  })
)

/** The same once what others have under way, such as the test runner, has ended. */
export const atRest = Effect.gen(function* () {
  const least = yield* resources
  for (let look = 0; look < 20; look++) {
    yield* Effect.sleep("5 millis")
    const { Immediate, TCPSocketWrap, Timeout } = yield* resources
    least.Immediate = Math.min(least.Immediate, Immediate)
    least.TCPSocketWrap = Math.min(least.TCPSocketWrap, TCPSocketWrap)
    least.Timeout = Math.min(least.Timeout, Timeout)
  }
  return least
})
