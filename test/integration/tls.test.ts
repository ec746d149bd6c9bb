import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { X509Certificate } from "node:crypto"
import * as Net from "node:net"
import type { TLSSocket } from "node:tls"
import * as Servers from "../support/servers.ts"
import { assertSeen, errorOf, runHost, type Setup, the } from "./support/host.ts"

const { ca, client } = Servers.tlsFiles
const HERE = () => Stream.succeed(["127.0.0.1"])

const accepts = (socket: TLSSocket, request: string) => {
  socket.write(Buffer.concat([Servers.switching(request), Servers.text("hi")]))
}

const opens = (setup: Setup) =>
  Effect.gen(function* () {
    const { until } = yield* runHost(setup)
    const seen = yield* until(({ events }) => events.length === 2)
    assertSeen(seen, { state: "open", epoch: 1, events: ["open 1", "text 1.1 hi"], diagnostics: [] })
    assert.strictEqual(seen.connection.remoteAddress, "127.0.0.1")
    const { validToDate } = new X509Certificate(Servers.tlsFiles.server.cert)
    assert.strictEqual(seen.connection.peerCertificateExpiresAt, validToDate.toISOString())
  })

const fails = (setup: Setup, tag: string, fields: object) =>
  Effect.gen(function* () {
    const { until } = yield* runHost(setup)
    const seen = yield* until(({ events }) => events.length > 0)
    assert.deepInclude(errorOf(seen, tag), { _tag: tag, url: the(setup.sources[0]), ...fields })
  })

const named = (port: number, name = "gateway.test") => ({
  sources: [`wss://${name}:${port}/`],
  target: name,
  grant: { private_addresses: true },
  client: { ca, resolve: HERE }
})

describe("a dial with TLS", () => {
  it.live("opens where the authority is the client's, and asks for the name", () =>
    Effect.gen(function* () {
      const names: Array<string | false> = []
      const { port } = yield* Servers.answeringSecurely((socket, request) => {
        names.push(socket.servername ?? false)
        assert.match(request, new RegExp(`^host: gateway\\.test:${port}\\r$`, "im"))
        accepts(socket, request)
      })
      yield* opens(named(port))
      assert.deepStrictEqual(names, ["gateway.test"])
    })
  )

  it.live("opens at a literal that the certificate names, without asking for a name", () =>
    Effect.gen(function* () {
      const names: Array<string | false> = []
      const { port } = yield* Servers.answeringSecurely((socket, request) => {
        names.push(socket.servername ?? false)
        accepts(socket, request)
      })
      yield* opens({ sources: [`wss://127.0.0.1:${port}/`], client: { ca } })
      assert.deepStrictEqual(names, [false])
    })
  )

  it.live("shows the client's certificate to a server that asks for it", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const server = yield* Servers.answeringSecurely(
        (socket, request) => {
          shown.push(String(socket.getPeerCertificate().subject.CN))
          accepts(socket, request)
        },
        { ca, requestCert: true }
      )
      yield* opens({ ...named(server.port), client: { ca, resolve: HERE, ...client } })
      assert.deepStrictEqual(shown, ["client"])
    })
  )

  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    it.live(`fails in TLS where a server of ${maxVersion} wants a certificate and gets none`, () =>
      Effect.gen(function* () {
        const { port } = yield* Servers.answeringSecurely(accepts, {
          ca,
          requestCert: true,
          rejectUnauthorized: true,
          maxVersion
        })
        yield* fails(named(port), "DialFailed", { phase: "tls" })
      })
    )
  }

  it.live("fails in TLS at another name, at an unknown authority, and where the handshake is broken off", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers.answeringSecurely(accepts)
      yield* fails(named(port, "other.test"), "DialFailed", { phase: "tls", code: "ERR_TLS_CERT_ALTNAME_INVALID" })
      const unknown = { ...named(port), client: { resolve: HERE } }
      yield* fails(unknown, "DialFailed", { phase: "tls", code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" })
      const ends = yield* Servers.tcp((socket) => socket.once("data", () => socket.end()))
      yield* fails(named(ends.port), "DialFailed", { phase: "tls", code: "ECONNRESET" })
      const resets = yield* Servers.tcp((socket) => socket.once("data", () => socket.resetAndDestroy()))
      yield* fails(named(resets.port), "DialFailed", { phase: "tls", code: "ECONNRESET" })
      const speaks = yield* Servers.tcp((socket) => socket.write("220 mail.example ESMTP\r\n"))
      yield* fails(named(speaks.port), "DialFailed", { phase: "tls" })
    })
  )

  for (const [name, answer] of [
    ["by FIN", (socket) => socket.end()],
    ["by closing the socket under it", (socket) => socket.destroy()],
    ["after half of an answer", (socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\nupgra")]
  ] as const satisfies ReadonlyArray<readonly [string, (socket: TLSSocket) => void]>) {
    it.live(`to a server that hangs up ${name} after the handshake is rejected without a status`, () =>
      Effect.gen(function* () {
        const { port } = yield* Servers.answeringSecurely(answer)
        yield* fails(named(port), "HandshakeRejected", { status: null })
      })
    )
  }

  it.live("leaves no socket behind that it doesn't use", () =>
    Effect.gen(function* () {
      const { port, sockets } = yield* Servers.answeringSecurely(accepts)
      yield* Effect.scoped(opens(named(port)))
      const ended = sockets.map((socket) => new Promise((done) => socket.once("close", done)))
      yield* Effect.promise(() => Promise.all(sockets.map((socket, index) => (socket.destroyed ? null : ended[index]))))
      assert.isAbove(sockets.length, 0)
      assert.isTrue(sockets.every((socket) => socket instanceof Net.Socket && socket.destroyed))
    })
  )
})
