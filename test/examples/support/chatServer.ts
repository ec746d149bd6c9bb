/** A chat gateway after Discord's: sessions that outlive connections, and what was missed is sent again at a resume. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { listen, type Server } from "./server.ts"

/** Shorter than what the host masks. */
export const TOKEN = "tok:1"

export interface ChatServer extends Server {
  /** A message in the chat: it goes to the newest session, at once or when that is resumed. */
  readonly say: (content: string, channel?: string) => void
  /** Whether heartbeats are acknowledged. */
  acknowledges: boolean
  /** Whether the resume URL is served. */
  resumes: boolean
  /** Forgets every session. */
  readonly forget: () => void
}

interface Dispatch {
  readonly op: 0
  readonly s: number
  readonly t: string
  readonly d: unknown
}

interface ChatSession {
  readonly id: string
  readonly dispatches: Array<Dispatch>
}

const AUTHENTICATION_FAILED = 4004
const ALREADY_AUTHENTICATED = 4005

export const chatServer = (heartbeatMs = 60_000, token = TOKEN): Effect.Effect<ChatServer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sessions = new Map<string, ChatSession>()
    let newest: ChatSession | undefined
    let begun = 0
    let said = 0
    const server = yield* listen({
      accepts: (path) => chat.resumes || path !== "/resume",
      connected: (it) => {
        let mine: ChatSession | undefined
        it.send({ op: 10, d: { heartbeat_interval: heartbeatMs } })
        return ({ d, op, t }) => {
          if (op === 1) return heartbeat(d)
          if (op === 0) return it.note(`says ${contentOf(d)} (${t})`)
          if (mine !== undefined) return it.close(ALREADY_AUTHENTICATED)
          if (fieldOf(d, "token") !== token) return it.close(AUTHENTICATION_FAILED)
          mine = op === 6 ? resume(d) : identify()
        }
      }
    })

    const heartbeat = (seq: unknown) => {
      server.note(`heartbeat ${seq}`)
      if (chat.acknowledges) server.send({ op: 11 })
    }

    const identify = (): ChatSession => {
      server.note("identify")
      newest = { id: `session-${++begun}`, dispatches: [] }
      sessions.set(newest.id, newest)
      dispatch(newest, "READY", { session_id: newest.id, resume_gateway_url: server.urlOf("/resume") })
      return newest
    }

    const resume = (d: unknown): ChatSession | undefined => {
      const seq = Number(fieldOf(d, "seq"))
      const id = String(fieldOf(d, "session_id"))
      const session = sessions.get(id)
      server.note(`resume ${id} ${seq}`)
      if (session === undefined) server.send({ op: 9, d: false })
      else {
        for (const missed of session.dispatches.filter(({ s }) => s > seq)) server.send(missed)
        dispatch(session, "RESUMED", {})
      }
      return session
    }

    const dispatch = ({ dispatches }: ChatSession, t: string, d: unknown) => {
      const it: Dispatch = { op: 0, s: dispatches.length + 1, t, d }
      dispatches.push(it)
      if (server.isConnected()) server.send(it)
    }

    const chat: ChatServer = {
      ...server,
      acknowledges: true,
      resumes: true,
      say: (content, channel = "general") => {
        if (newest === undefined) return
        const id = `${++said}`
        dispatch(newest, "MESSAGE_CREATE", { id, channel_id: channel, content })
      },
      forget: () => sessions.clear()
    }
    return chat
  })

const fieldOf = (d: unknown, field: string): unknown =>
  typeof d === "object" && d !== null ? new Map<string, unknown>(Object.entries(d)).get(field) : undefined

const contentOf = (d: unknown): string => `${fieldOf(d, "content")} in ${fieldOf(d, "channel_id")}`
