/** A TCP proxy that a test can spoil: what it is handed in one direction, or in both, it can lose without a word. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Servers from "../../support/servers.ts"

export type Way = "out" | "in"

export interface Proxy {
  readonly url: string
  /** Loses what comes from now on: from the host (`out`), from the server (`in`). */
  readonly lose: (...ways: ReadonlyArray<Way>) => void
  /** Takes connections as they should be again; what was lost stays lost. */
  readonly heal: () => void
  /** The host's next bytes are answered with a reset: who was there has forgotten it. */
  readonly forget: () => void
}

export const proxy = (port: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    let lost: ReadonlyArray<Way> = []
    let forgets = false
    const onward = new Set<Net.Socket>()
    yield* Effect.addFinalizer(() => Effect.sync(() => onward.forEach((socket) => socket.destroy())))
    const { url } = yield* Servers.tcp((near) => {
      const far = Net.connect({ host: "127.0.0.1", port })
      onward.add(far)
      let isSpoilt = false
      const pass = (way: Way, to: Net.Socket) => (bytes: Buffer) => {
        if (forgets && way === "out") return void near.resetAndDestroy()
        isSpoilt ||= lost.length > 0
        if (!lost.includes(way)) to.write(bytes)
      }
      // The end is as silent as the rest once something was lost.
      const end = (of: Net.Socket) => () => {
        if (!isSpoilt) of.destroy()
      }
      near.on("data", pass("out", far)).on("close", end(far))
      far.on("data", pass("in", near)).on("close", end(near))
      far.on("error", () => {})
    })
    return {
      url,
      lose: (...ways) => {
        lost = ways
      },
      heal: () => {
        lost = []
        forgets = false
      },
      forget: () => {
        forgets = true
      }
    }
  })
