/** An exchange's feed after OKX's: a login that is signed, order books whose updates name the one before them. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createHmac } from "node:crypto"
import { listen, type Server } from "./server.ts"

/** What the exchange knows of its customer; with characters that JSON escapes. */
export const ACCOUNT = { apiKey: "api-key-1", passphrase: 'pass "phrase" \\ 1', key: "the signing key of one account" }

export interface ExchangeServer extends Server {
  /** The key by which it checks signatures. */
  key: string
  /** Whether pings are answered. */
  answers: boolean
  /** Sends an update of a book to who subscribed. */
  readonly update: (instrument: string, bids: Side, asks: Side) => void
  /** One that never arrives. */
  readonly lose: (instrument: string) => void
}

type Side = ReadonlyArray<readonly [price: string, size: string]>

const BOOK = { bids: [["99.5", "1"]], asks: [["100.5", "2"]] } satisfies Record<string, Side>
const MOST_AGE_S = 30

interface Login {
  readonly apiKey: string
  readonly passphrase: string
  readonly timestamp: string
  readonly sign: string
}

export const exchangeServer: Effect.Effect<ExchangeServer, never, Scope.Scope> = Effect.gen(function* () {
  const sequences = new Map<string, number>()
  const next = (instrument: string): { readonly prevSeqId: number; readonly seqId: number } => {
    const prevSeqId = sequences.get(instrument) ?? 10
    sequences.set(instrument, prevSeqId + 3)
    return { prevSeqId, seqId: prevSeqId + 3 }
  }
  const server = yield* listen({
    heard: (it, text) => {
      if (text !== "ping") return false
      it.note("ping")
      if (exchange.answers) it.sendText("pong")
      return true
    },
    connected: (it) => {
      let isLoggedIn = false
      return (message) => {
        const { args, op } = message as { readonly op: string; readonly args: ReadonlyArray<Login & Subscription> }
        if (op === "login") {
          const refusal = refusalOf(args[0], exchange.key)
          it.note(refusal === undefined ? "login" : `refused ${refusal}`)
          isLoggedIn = refusal === undefined
          if (isLoggedIn) return it.send({ event: "login", code: "0", msg: "" })
          it.send({ event: "error", code: refusal, msg: "" })
          return it.close(4001)
        }
        const instruments = args.map(({ instId }) => instId)
        it.note(`${op} ${isLoggedIn ? instruments.join() : "without a login"}`)
        if (op === "subscribe") instruments.forEach((instId) => push("snapshot", instId, BOOK.bids, BOOK.asks))
      }
    }
  })
  const push = (action: string, instId: string, bids: Side, asks: Side) => {
    const { prevSeqId, seqId } = next(instId)
    const data = [{ bids, asks, seqId, prevSeqId: action === "snapshot" ? -1 : prevSeqId }]
    server.send({ arg: { channel: "books", instId }, action, data })
  }
  const exchange: ExchangeServer = {
    ...server,
    key: ACCOUNT.key,
    answers: true,
    update: (instrument, bids, asks) => push("update", instrument, bids, asks),
    lose: (instrument) => void next(instrument)
  }
  return exchange
})

interface Subscription {
  readonly channel: string
  readonly instId: string
}

/** Why a login isn't taken. */
const refusalOf = (login: Login | undefined, key: string): string | undefined => {
  if (login?.apiKey !== ACCOUNT.apiKey) return "60005"
  if (login.passphrase !== ACCOUNT.passphrase) return "60024"
  if (Math.abs(Date.now() / 1000 - Number(login.timestamp)) > MOST_AGE_S) return "60006"
  const text = `${login.timestamp}GET/users/self/verify`
  return createHmac("sha256", key).update(text).digest("base64") === login.sign ? undefined : "60007"
}
