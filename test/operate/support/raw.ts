/** Talks to a server as no HTTP client would: bytes out, bytes in. */
import * as Effect from "effect/Effect"
import * as Net from "node:net"

/** Where a server listens. */
export type Where = { readonly port: number; readonly host?: string } | { readonly path: string }

export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

const parse = (text: string): Answer | undefined => {
  const [head = "", ...rest] = text.split("\r\n\r\n")
  const [line = "", ...fields] = head.split("\r\n")
  const status = /^HTTP\/1\.1 (\d{3})/u.exec(line)?.[1]
  if (status === undefined) return undefined
  const headers = fields.map((field): [string, string] => {
    const at = field.indexOf(":")
    return [field.slice(0, at).toLowerCase(), field.slice(at + 1).trim()]
  })
  return { status: Number(status), headers: new Map(headers), body: rest.join("\r\n\r\n") }
}

/** Sends bytes and reads until the other side closes; all that came. */
export const exchange = (where: Where, bytes: string | Buffer): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = Net.connect(where)
    let text = ""
    socket.setEncoding("latin1")
    socket.on("data", (chunk: string) => {
      text += chunk
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(text)))
    socket.write(bytes)
    return Effect.sync(() => socket.destroy())
  })

/**
 * Sends bytes and reads until the other side closes, or has answered and has had the time of another exchange to
 * answer more; all that came.
 */
export const untilAnswered = (where: Where, bytes: string | Buffer): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = Net.connect(where)
    let text = ""
    const done = () => {
      socket.destroy()
      resume(Effect.succeed(text))
    }
    socket.setEncoding("latin1")
    socket.once("data", () => {
      // What stood behind it on this connection came before what is asked for now by another one.
      const after = Net.connect(where, () =>
        after.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      )
      after.resume()
      after.on("error", () => {})
      after.on("close", done)
    })
    socket.on("data", (chunk: string) => {
      text += chunk
    })
    socket.on("error", () => {})
    socket.on("close", done)
    socket.write(bytes, "latin1")
    return Effect.sync(() => socket.destroy())
  })

/** One request as it is written, after which the connection is closed. */
export const request = (
  where: Where,
  line: string,
  headers: ReadonlyArray<string> = ["Host: localhost"],
  body = ""
): Effect.Effect<Answer> =>
  Effect.gen(function* () {
    const text = yield* exchange(
      where,
      `${[`${line} HTTP/1.1`, ...headers, "Connection: close"].join("\r\n")}\r\n\r\n${body}`
    )
    return parse(text) ?? (yield* Effect.die(new Error(`no answer: ${JSON.stringify(text)}`)))
  })

/** All answers in what came. */
export const statusesIn = (text: string): ReadonlyArray<number> =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/gu)].map(([, status]) => Number(status))

/** The tag of an answer that says no. */
export const tagOf = ({ body, headers }: Answer): string => {
  const json: unknown = headers.get("transfer-encoding") === undefined ? JSON.parse(body || "{}") : {}
  return typeof json === "object" && json !== null && "tag" in json && typeof json.tag === "string" ? json.tag : ""
}
