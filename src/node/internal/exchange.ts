/**
 * One request and its answer over a connected socket, by `undici`. Whatever
 * becomes of it there is one end, in a turn of its own: never from within the
 * parser, which can't be entered twice.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Socket } from "node:net"
import { VERSION } from "../../internal/version.ts"
import type { Progress } from "../../requests/Progress.ts"
import type { Failure, Outgoing } from "../../requests/RequestClient.ts"
import type { Headers } from "../../requests/RequestError.ts"
import { Answer } from "./answer.ts"
import { answerCode, NOT_HTTP } from "./answerErrors.ts"
import { ACCEPTED } from "./contentCodings.ts"
import { isTls } from "./errorCode.ts"
import { originOf } from "./requestConnection.ts"
import * as Undici from "./undici.ts"
import { Broken, DEFECT, ENDED, Wire } from "./wire.ts"

/** An answer that is whole, and how long its connection may wait for a next request: 0 where it can't have one. */
export interface Exchanged {
  readonly answer: Answer
  readonly keepMs: number
}

const LOWEST_STATUS = 200
const USER_AGENT = "user-agent"

/** Writes the request and reads its answer. The socket is nobody's else meanwhile; who interrupts it has to destroy it. */
export const exchange = (socket: Socket, outgoing: Outgoing, progress: Progress): Effect.Effect<Exchanged, Failure> =>
  Effect.callback((resume) => {
    progress.entered("request")
    const running = new Exchange(socket, outgoing, progress, resume)
    running.begin()
    return Effect.sync(() => running.end())
  })

class Exchange {
  readonly #outgoing: Outgoing
  readonly #progress: Progress
  readonly #resume: (exit: Exit.Exit<Exchanged, Failure>) => void
  readonly #wire: Wire
  readonly #client: Undici.Client
  #answer: Answer | undefined = undefined
  #isOver = false

  constructor(
    socket: Socket,
    outgoing: Outgoing,
    progress: Progress,
    resume: (exit: Exit.Exit<Exchanged, Failure>) => void
  ) {
    this.#outgoing = outgoing
    this.#progress = progress
    this.#resume = resume
    this.#wire = new Wire(socket, {
      handed: progress.handed,
      written: () => {
        if (progress.phase === "request") progress.entered("headers")
      },
      thrown: () => this.#fail(DEFECT)
    })
    this.#client = Undici.make(
      originOf(outgoing.url),
      connector(this.#wire, () => this.#fail(DEFECT))
    )
    this.#client.on("error", () => this.#fail(DEFECT))
  }

  begin(): void {
    const { body, request, url } = this.#outgoing
    const { pathname, search } = new URL(url)
    const headers = headersOf(this.#outgoing).flat()
    const content = body === null ? null : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    this.#client.dispatch(
      { path: `${pathname}${search}`, method: request.method, headers, body: content },
      this.#handler
    )
  }

  /** Lets go of the socket. Whether a next request may have it. */
  end(): boolean {
    this.#isOver = true
    const isClean = this.#wire.detach()
    this.#client.destroy(null, () => {})
    return isClean
  }

  readonly #handler: Undici.Handler = {
    onRequestStart: () => {},
    onResponseStart: ({ rawHeaders }, status) => {
      if (this.#isOver) return
      if (status < LOWEST_STATUS) return this.#fail(NOT_HTTP)
      this.#progress.entered("body")
      const head = { status, headers: pairsOf(rawHeaders), outgoing: this.#outgoing, progress: this.#progress }
      this.#answer = new Answer(head)
      this.#refuse(this.#answer.refused)
    },
    onResponseData: (_controller, piece) => this.#refuse(this.#isOver ? undefined : this.#answer?.take(piece)),
    onResponseEnd: () => {
      const answer = this.#answer
      if (answer === undefined) this.#fail(DEFECT)
      else this.#over((isClean) => Exit.succeed({ answer, keepMs: isClean ? Math.max(0, answer.keepMs) : 0 }))
    },
    onResponseError: (_controller, error) => this.#fail(answerCode(error, this.#answer !== undefined))
  }

  #refuse(failure: Failure | undefined): void {
    if (failure !== undefined) this.#over(() => Exit.fail(failure))
  }

  #fail(code: string): void {
    const isBefore = this.#answer === undefined
    this.#over(() => Exit.fail(this.#progress.failed(code, isBefore && isTls(code) ? "tls" : undefined)))
  }

  #over(exit: (isClean: boolean) => Exit.Exit<Exchanged, Failure>): void {
    if (this.#isOver) return
    this.#isOver = true
    // The library goes on for a while in this turn, and what it does then belongs to this exchange still.
    queueMicrotask(() => this.#resume(exit(this.end())))
  }
}

/** Gives the one connection that there is, in a turn of its own as the library wants it, and no other. */
const connector = (wire: Wire, thrown: () => void): Parameters<typeof Undici.make>[1] => {
  let isGiven = false
  return (_options, done) => {
    const again = isGiven
    isGiven = true
    queueMicrotask(() => {
      try {
        if (again) done(new Broken(ENDED), null)
        else done(null, wire)
      } catch {
        thrown()
      }
    })
  }
}

const headersOf = ({ headers }: Outgoing): Headers => [
  ["accept-encoding", ACCEPTED],
  ...(headers.some(([name]) => name.toLowerCase() === USER_AGENT) ? [] : [[USER_AGENT, `mooring/${VERSION}`] as const]),
  ...headers
]

/** What came as name, value, name, value. */
const pairsOf = (
  raw: ReadonlyArray<Buffer | string> | Readonly<Record<string, unknown>> | null | undefined
): Headers => {
  const texts = Array.isArray(raw) ? raw.map((part: Buffer | string) => Buffer.from(part).toString("latin1")) : []
  return texts.flatMap((name, at) =>
    at % 2 === 0 ? [[name.toLowerCase(), (texts[at + 1] ?? "").trim()] as const] : []
  )
}
