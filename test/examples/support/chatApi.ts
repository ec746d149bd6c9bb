/** The HTTP side of a chat, after Discord's: messages are posted to channels, and one that was posted already isn't again. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type { Server } from "./server.ts"

/** What a request is answered with in place of being done; `end`: the connection is cut. */
export type Instead =
  | { readonly status: number; readonly headers?: Http.OutgoingHttpHeaders; readonly body?: string }
  | "end"

export interface ChatApi {
  readonly url: string
  /** The next requests are answered so, one after the other. */
  readonly instead: (...answers: ReadonlyArray<Instead>) => void
  /** When each request arrived, in milliseconds. */
  readonly times: ReadonlyArray<number>
}

const PATH = /^\/api\/v10\/channels\/([^/]+)\/messages$/

/** Listens until the scope closes, and notes in the journal of a server what is posted. */
export const chatApi = (token: string, journal: Pick<Server, "note">): Effect.Effect<ChatApi, never, Scope.Scope> =>
  Effect.gen(function* () {
    const answers: Array<Instead> = []
    const times: Array<number> = []
    const known = new Set<string>()

    const said = note(journal)
    const answer = (request: Http.IncomingMessage, body: string): Instead => {
      const [, channel] = PATH.exec(request.url ?? "") ?? []
      const { authorization } = request.headers
      if (request.method !== "POST" || channel === undefined) return said("odd", 404, "no such thing")
      if (authorization !== `Bot ${token}`) return said("unauthorized", 401, "who are you?")
      const instead = answers.shift()
      const { content, nonce } = JSON.parse(body) as { readonly content: string; readonly nonce: string }
      if (instead !== undefined) {
        journal.note(`${instead === "end" ? "cut" : instead.status} for ${nonce}`)
        return instead
      }
      if (known.has(nonce)) return said(`knows ${nonce}`, 200, "{}")
      known.add(nonce)
      return said(`posted ${content} to ${channel}`, 200, JSON.stringify({ id: nonce, content }))
    }
    const server = Http.createServer((request, response) => {
      times.push(Date.now())
      let body = ""
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
      request.on("end", () => {
        const made = answer(request, body)
        if (made === "end") request.socket.destroy()
        else response.writeHead(made.status, { "content-type": "application/json", ...made.headers }).end(made.body)
      })
    })
    const port = yield* Effect.acquireRelease(listening(server), () => closed(server))
    return { url: `http://127.0.0.1:${port}`, times, instead: (...more) => void answers.push(...more) }
  })

/** An answer that is told. */
const note =
  (journal: Pick<Server, "note">) =>
  (line: string, status: number, body: string): Instead => {
    journal.note(line)
    return { status, body }
  }

const listening = (server: Http.Server) =>
  Effect.callback<number>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const closed = (server: Http.Server) =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })
