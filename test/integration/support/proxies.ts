/** Proxies that are asked for a way by CONNECT. */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import * as Servers from "../../support/servers.ts"
import { the } from "./host.ts"

export const OK = "HTTP/1.1 200 OK\r\n\r\n"

const authorityIn = (request: string) => the(/^CONNECT (\S+) HTTP\/1\.1\r\n/u.exec(request)?.[1])
export const portIn = (request: string) => Number(the(/:(\d+)$/u.exec(authorityIn(request))?.[1]))

/** Goes on to the port that it is asked for, on loopback. */
export const forwards = (socket: Net.Socket, request: string): void => {
  const onward = Net.connect({ host: "127.0.0.1", port: portIn(request) }, () => {
    socket.write(OK)
    socket.pipe(onward).pipe(socket)
  })
  onward.on("error", () => socket.destroy())
  socket.on("close", () => onward.destroy())
}

/** A proxy that works, and what it was asked. */
export const working = Effect.gen(function* () {
  const requests: Array<string> = []
  const server = yield* Servers.answering((socket, request) => {
    requests.push(request)
    forwards(socket, request)
  })
  return { requests, connect: `http://127.0.0.1:${server.port}`, sockets: server.sockets }
})
