/** A JSON-RPC 2.0 server with subscriptions, which answers as its test says. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { listen, type Server } from "./server.ts"

type Manner = "result" | "error" | "silence"

export interface RpcServer extends Server {
  /** How requests of a method are answered from now on; with a result unless told otherwise. */
  readonly answer: (method: string, manner: Manner) => void
  /** Tells of a change to the newest connection. Ids of subscriptions are numbers from 1 that are never used again. */
  readonly notify: (subscription: number, result: number) => void
  /** The id of the newest subscription. */
  readonly newest: () => number
}

export const rpcServer: Effect.Effect<RpcServer, never, Scope.Scope> = Effect.gen(function* () {
  const manners = new Map<string, Manner>()
  let subscriptions = 0
  let snapshots = 0
  const server = yield* listen({
    connected: (it) => {
      const used = new Set<unknown>()
      return ({ id, jsonrpc, method, params }) => {
        const isRequest = jsonrpc === "2.0" && typeof id === "string" && Array.isArray(params) && !used.has(id)
        used.add(id)
        it.note(isRequest ? String(method) : "no request of JSON-RPC 2.0 with an id of its own")
        const manner = manners.get(String(method)) ?? "result"
        if (manner === "silence") return
        const error = { code: -32_005, message: "try again later" }
        if (manner === "error") it.send({ jsonrpc: "2.0", id, error })
        else if (method === "feed_subscribe") it.send({ jsonrpc: "2.0", id, result: ++subscriptions })
        else if (method === "feed_snapshot") it.send({ jsonrpc: "2.0", id, result: { number: ++snapshots } })
        else it.send({ jsonrpc: "2.0", id, error: { code: -32_601, message: "method not found" } })
      }
    }
  })
  return {
    ...server,
    answer: (method, manner) => manners.set(method, manner),
    notify: (subscription, result) =>
      server.send({ jsonrpc: "2.0", method: "feed_changed", params: { subscription, result } }),
    newest: () => subscriptions
  }
})
