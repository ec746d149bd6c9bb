/** Requests by the client alone, without a host around it, against servers that are written by hand. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { RequestClient } from "mooring"
import { UndiciClient } from "mooring/node"
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import { outgoing, type Settings } from "../../requests/support/outgoing.ts"
import * as Servers from "../../support/servers.ts"

/** Whatever is asked for is here. */
export const HERE = () => Stream.succeed(["127.0.0.1"])

export interface Client {
  readonly send: (
    url: string,
    settings?: Settings
  ) => Effect.Effect<RequestClient.Response, RequestClient.Failure, Scope.Scope>
  readonly release: RequestClient.RequestClient["release"]
  /** Closes the client's scope, as the host's end does. */
  readonly close: Effect.Effect<void>
}

/** A client of its own. Nothing that it does may become an error of the process. */
export const client = (options: UndiciClient.Options = {}): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.gen(function* () {
    yield* uncaught
    const scope = yield* Scope.fork(yield* Effect.scope)
    const layer = UndiciClient.layerOptions({ resolve: HERE, ...options })
    const context = yield* Layer.buildWithScope(layer, scope)
    const { release, send } = Context.get(context, RequestClient.RequestClient)
    return {
      send: (url, settings) => Effect.flatMap(outgoing(url, settings), send),
      release,
      close: Scope.close(scope, Exit.void)
    }
  })

/** Fails a test in which something was thrown that nobody caught. */
const uncaught = Effect.acquireRelease(
  Effect.sync(() => {
    const thrown: Array<unknown> = []
    const listener = (error: unknown) => void thrown.push(error)
    process.on("uncaughtException", listener).on("unhandledRejection", listener)
    return { thrown, listener }
  }),
  ({ listener, thrown }) =>
    Effect.promise(async () => {
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      process.off("uncaughtException", listener).off("unhandledRejection", listener)
      assert.deepStrictEqual(thrown, [])
    })
)

/** A request as a server read it. */
export interface Read {
  readonly head: string
  readonly body: Buffer
  readonly socket: Net.Socket
  /** Which request of the server it is, from 1, and which of its connections it came over. */
  readonly nth: number
  readonly connection: number
}

/** Reads whole requests from a connection, one after the other. */
const reading = (socket: Net.Socket, connection: number, count: () => number, answer: (read: Read) => void): void => {
  let read = Buffer.alloc(0)
  socket.on("data", (chunk) => {
    read = Buffer.concat([read, chunk])
    for (let whole = wholeOf(read); whole !== undefined; whole = wholeOf(read)) {
      read = read.subarray(whole.length)
      answer({ head: whole.head, body: whole.body, socket, nth: count(), connection })
    }
  })
}

/** A server that reads whole requests, several over a connection, and whose answers are written by hand. */
export const serving = (
  answer: (read: Read) => void
): Effect.Effect<Servers.Server & { readonly http: string }, never, Scope.Scope> =>
  Effect.suspend(() => {
    let nth = 0
    const count = () => ++nth
    return Effect.map(
      Servers.tcp((socket, connection) => reading(socket, connection, count, answer)),
      (server) => ({ ...server, http: `http://127.0.0.1:${server.port}/` })
    )
  })

/** The same over TLS. */
export const servingSecurely = (
  answer: (read: Read) => void,
  options: Tls.TlsOptions = {}
): Effect.Effect<Servers.Server, never, Scope.Scope> =>
  Effect.suspend(() => {
    let nth = 0
    const count = () => ++nth
    return Servers.tls((socket, connection) => reading(socket, connection, count, answer), options)
  })

const END = "\r\n\r\n"

const wholeOf = (read: Buffer) => {
  const end = read.indexOf(END)
  if (end === -1) return undefined
  const head = read.toString("latin1", 0, end)
  const length = end + END.length + Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0)
  return read.length < length ? undefined : { head, body: read.subarray(end + END.length, length), length }
}

/** A response as bytes; what it says of its length is what the headers say. */
export const response = (status: string, headers: ReadonlyArray<string>, body: string | Buffer = ""): Buffer =>
  Buffer.concat([Buffer.from([`HTTP/1.1 ${status}`, ...headers, "", ""].join("\r\n"), "latin1"), Buffer.from(body)])

/** A response of a body whose length it says. */
export const whole = (body: string | Buffer = "", status = "200 OK", ...headers: ReadonlyArray<string>): Buffer =>
  response(status, [`content-length: ${Buffer.byteLength(body)}`, ...headers], body)

export const textOf = ({ body }: RequestClient.Response): string => Buffer.from(body).toString()
