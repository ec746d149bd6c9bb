/** A WebSocket server on loopback that speaks JSON, and a journal of what happens at it, which tests wait for. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { WebSocket, WebSocketServer } from "ws"

/** What one connection of the server does. */
export interface Session {
  readonly path: string
  readonly received: (message: { readonly [key: string]: unknown }) => void
}

export interface Server {
  /** With a path, beginning with a slash. */
  readonly urlOf: (path: string) => string
  /** Appends to the journal. */
  readonly note: (line: string) => void
  /** Waits for the next lines of the journal, which must be these. */
  readonly expect: (...lines: ReadonlyArray<string>) => Effect.Effect<void>
  /** How many lines of the journal nobody has waited for yet. */
  readonly unexpected: () => number
  /** The newest connection: what is sent goes there. */
  readonly sendText: (text: string) => void
  readonly send: (message: object) => void
  readonly close: (code: number) => void
  /** Cuts it off, as a process that is killed does. */
  readonly destroy: () => void
  readonly isConnected: () => boolean
}

const WITHIN = "8 seconds"

/**
 * Listens until the scope closes. `connected` is told of each connection, and says what becomes of its messages; a path
 * for which `accepts` doesn't hold is answered with a 503.
 */
export const listen = (options: {
  readonly connected: (server: Server, path: string) => Session["received"]
  readonly accepts?: (path: string) => boolean
  /** Takes texts that are no JSON; without it they end the test like anything else that goes wrong. */
  readonly heard?: (server: Server, text: string) => boolean
}): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const journal = yield* Queue.unbounded<string>()
    const server = yield* Effect.acquireRelease(bound(options.accepts ?? (() => true)), closed)
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    let newest: WebSocket | undefined
    const self: Server = {
      urlOf: (path) => `ws://127.0.0.1:${port}${path}`,
      note: (line) => Queue.offerUnsafe(journal, line),
      expect: (...lines) => expected(journal, lines),
      unexpected: () => Queue.sizeUnsafe(journal),
      sendText: (text) => newest?.send(text),
      send: (message) => newest?.send(JSON.stringify(message)),
      close: (code) => newest?.close(code),
      destroy: () => newest?.terminate(),
      isConnected: () => newest?.readyState === WebSocket.OPEN
    }
    server.on("connection", (peer, request) => {
      const path = request.url ?? ""
      newest = peer
      self.note(`open ${path}`)
      const received = options.connected(self, path)
      peer.on("error", () => {})
      peer.on("message", (data) => {
        if (options.heard?.(self, String(data)) !== true) received(JSON.parse(String(data)))
      })
      peer.on("close", (code) => self.note(`close ${code}`))
    })
    return self
  })

const bound = (accepts: (path: string) => boolean) =>
  Effect.callback<WebSocketServer>((resume) => {
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      verifyClient: ({ req }, verified) => verified(accepts(req.url ?? ""), 503)
    })
    server.once("listening", () => resume(Effect.succeed(server)))
  })

const closed = (server: WebSocketServer) =>
  Effect.callback<void>((resume) => {
    for (const peer of server.clients) peer.terminate()
    server.close(() => resume(Effect.void))
  })

/** Fails with what came instead, also where nothing more came. */
const expected = (journal: Queue.Queue<string>, lines: ReadonlyArray<string>) =>
  Effect.suspend(() => {
    const came: Array<string> = []
    return Effect.forEach(lines, () => Effect.map(Queue.take(journal), (line) => came.push(line)), {
      discard: true
    }).pipe(
      Effect.timeoutOption(WITHIN),
      Effect.map(() => assert.deepStrictEqual(came, [...lines]))
    )
  })
