/** A proxy that has a host's page and API under a path, and counts who follows the events through it. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"

export interface PathProxy {
  readonly url: string
  /** How many streams are open now, and how many there were. */
  readonly streams: () => { readonly open: number; readonly ever: number }
  /** Ends all connections to it. */
  readonly cut: () => void
}

const listening = (server: Http.Server) =>
  Effect.callback<number>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/** Passes on what is asked for under the path, without it; everything else is nowhere. */
export const pathProxy = (path: string, port: number): Effect.Effect<PathProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    let open = 0
    let ever = 0
    const server = Http.createServer((request, response) => {
      const { headers, method, url = "" } = request
      if (!url.startsWith(path)) return void response.writeHead(404).end()
      if (url === `${path}events`) {
        open++
        ever++
        response.once("close", () => open--)
      }
      const onward = Http.request(
        { host: "127.0.0.1", port, method, headers, path: url.slice(path.length - 1) },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(response)
        }
      )
      onward.on("error", () => response.destroy())
      response.once("close", () => onward.destroy())
      request.pipe(onward)
    })
    const own = yield* Effect.acquireRelease(listening(server), () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
    )
    return {
      url: `http://127.0.0.1:${own}${path}`,
      streams: () => ({ open, ever }),
      cut: () => server.closeAllConnections()
    }
  })
