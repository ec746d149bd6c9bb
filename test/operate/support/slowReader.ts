/** A host of many plugins whose events somebody reads who takes a byte a second. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Net from "node:net"
import { heapUsed } from "../../support/memory.ts"
import { enable, plugin } from "../../support/plugins.ts"
import type { Where } from "./raw.ts"

const PLUGINS = 500

/** As much as a plugin may say of itself, or nearly. */
const WORDS = Array.from({ length: 9 }, (_, index) => `${index} ${"x".repeat(400)}`)

const wordy = plugin({
  handlers: { gateway: { websocket_open: () => Exit.succeed({ status: WORDS }) } }
})

/** Some megabytes of status: more than the system's buffers of a unix socket hold. */
export const many = {
  plugins: [wordy],
  enabled: Array.from({ length: PLUGINS }, (_, index) => enable(wordy, { instance: `n${index}` })),
  limits: { connectionsPerHost: 2 * PLUGINS }
}

/** Bytes that are reachable now, those of buffers included. */
const held = (): number => {
  const heap = heapUsed()
  return heap + process.memoryUsage().external
}

interface Reader {
  /** How many bytes it has taken. */
  readonly taken: () => number
}

/** Reads a byte a second for as long as the scope is open, and begins anew where it is closed. */
const slowReader = (where: Where) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      let taken = 0
      let socket = Net.connect(where)
      const begin = () => {
        socket.pause()
        socket.on("error", () => {})
        socket.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
      }
      begin()
      const timer = setInterval(() => {
        if (socket.destroyed || socket.readableEnded) {
          socket = Net.connect(where)
          begin()
        }
        if (socket.read(1) !== null) taken++
      }, 1000)
      return {
        reader: { taken: () => taken } satisfies Reader,
        end: () => {
          clearInterval(timer)
          socket.destroy()
        }
      }
    }),
    ({ end }) => Effect.sync(end)
  ).pipe(Effect.map(({ reader }) => reader))

/** How many bytes were held for each of some such readers, at the end of what goes on meanwhile. */
export const heldFor = <E>(
  to: Where,
  count: number,
  meanwhile: (readers: ReadonlyArray<Reader>) => Effect.Effect<void, E>
): Effect.Effect<number, E> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const readers = yield* Scope.provide(
      Effect.forEach(Array.from({ length: count }), () => slowReader(to)),
      scope
    )
    yield* meanwhile(readers)
    const withThem = held()
    yield* Scope.close(scope, Exit.void)
    // Whatever else there is now was there before; what was held is let go once the server has seen them go.
    let without = withThem
    for (let look = 0; look < 15; look++) {
      yield* Effect.sleep(100)
      without = Math.min(without, held())
    }
    return (withThem - without) / count
  })
