import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { WebSocketClient } from "mooring"
import { X509Certificate } from "node:crypto"
import * as Tls from "node:tls"
import * as Servers from "../support/servers.ts"
import { client, failureOf } from "./support/direct.ts"
import { errorOf, runHost, the } from "./support/host.ts"

const { client: shown, expired, future, other, selfSigned, server } = Servers.tlsFiles
const CA = Servers.tlsFiles.ca.toString()
const OTHER_CA = Servers.tlsFiles.otherCa.toString()
const CERTIFICATE = { cert: shown.cert.toString(), key: Redacted.make(shown.key.toString()) }

const accepts = (socket: Tls.TLSSocket, request: string) => {
  socket.write(Servers.switching(request))
}

/** A server that shows this certificate. */
const showing = (cert: Buffer, options: Tls.TlsOptions = {}) =>
  Servers.answeringSecurely(accepts, { cert, key: server.key, ...options })

const at = ({ port }: Servers.Server, name = "gateway.test") => `wss://${name}:${port}/`

const refused = (url: string, tls: WebSocketClient.TlsSettings | undefined, code: string | RegExp) =>
  Effect.gen(function* () {
    const { dial } = yield* client()
    const failure = yield* failureOf(dial(url, { tls }))
    assert.deepInclude(failure, { _tag: "DialFailed", phase: "tls" })
    if (failure._tag === "DialFailed")
      assert.match(failure.code, typeof code === "string" ? new RegExp(`^${code}$`) : code)
    return failure
  })

describe("the TLS of a source", () => {
  for (const [name, cert, ca, code] of [
    ["that it signed itself", selfSigned, CA, "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["that has expired", expired, OTHER_CA, "CERT_HAS_EXPIRED"],
    ["that isn't valid yet", future, OTHER_CA, "CERT_NOT_YET_VALID"],
    ["of an authority that isn't the source's", other, CA, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["of an authority that nobody knows", other, undefined, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]
  ] as const) {
    it.live(`refuses a server with a certificate ${name}`, () =>
      Effect.gen(function* () {
        const url = at(yield* showing(cert))
        yield* refused(url, ca === undefined ? undefined : { ca }, code)
      })
    )
  }

  it.live("has its own authorities, which another source doesn't", () =>
    Effect.gen(function* () {
      const ours = at(yield* showing(server.cert))
      const theirs = at(yield* showing(other))
      const { dial } = yield* client()
      const opened = yield* dial(ours, { tls: { ca: CA } })
      assert.deepStrictEqual(opened.phases, ["tcp", "tls", "upgrade"])
      assert.isAbove(opened.socket.bytesRead(), 0)
      assert.strictEqual(opened.socket.peerCertificateExpiresAt, new X509Certificate(server.cert).validToDate.getTime())
      yield* dial(theirs, { tls: { ca: OTHER_CA } })
      assert.deepInclude(yield* failureOf(dial(theirs, { tls: { ca: CA } })), { phase: "tls" })
      assert.deepInclude(yield* failureOf(dial(ours)), { phase: "tls" })
      // Several in one file.
      yield* dial(theirs, { tls: { ca: `# ours\n${CA}\n# another\n${OTHER_CA}` } })
    })
  )

  it.live("is verified whatever the environment says", () =>
    Effect.gen(function* () {
      const url = at(yield* showing(selfSigned))
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
        }),
        () => Effect.sync(() => delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"])
      )
      yield* refused(url, undefined, "DEPTH_ZERO_SELF_SIGNED_CERT")
    })
  )

  it.live("asks for its server name and takes that one only", () =>
    Effect.gen(function* () {
      const names: Array<string> = []
      const listening = yield* showing(other, {
        SNICallback: (name, done) => {
          names.push(name)
          done(null)
        }
      })
      const { dial } = yield* client()
      const tls = { ca: OTHER_CA, serverName: "hub.test" }
      yield* dial(at(listening, "elsewhere.test"), { tls })
      yield* dial(at(listening, "127.0.0.1"), { tls })
      assert.deepStrictEqual(names, ["hub.test", "hub.test"])
      for (const serverName of ["elsewhere.test", "127.0.0.2"]) {
        const failure = yield* failureOf(dial(at(listening), { tls: { ...tls, serverName } }))
        assert.deepInclude(failure, { phase: "tls", code: "ERR_TLS_CERT_ALTNAME_INVALID" })
      }
    })
  )

  it.live("takes a certificate for an address, asking for no name", () =>
    Effect.gen(function* () {
      const listening = yield* showing(other, { SNICallback: () => assert.fail("it was asked for a name") })
      const { dial } = yield* client()
      yield* dial(at(listening, "127.0.0.1"), { tls: { ca: OTHER_CA } })
      // In whichever spelling it is written.
      yield* dial(at(listening), { tls: { ca: OTHER_CA, serverName: "0:0::1" } })
    })
  )

  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    it.live(`shows its certificate to a server of ${maxVersion} that wants one, and none that it wasn't given`, () =>
      Effect.gen(function* () {
        const wants = { ca: CA, requestCert: true, rejectUnauthorized: true, maxVersion }
        const seen: Array<string> = []
        const listening = yield* Servers.answeringSecurely((socket, request) => {
          seen.push(String(socket.getPeerCertificate().subject.CN))
          accepts(socket, request)
        }, wants)
        const { dial } = yield* client()
        yield* dial(at(listening), { tls: { ca: CA, ...CERTIFICATE } })
        assert.deepStrictEqual(seen, ["client"])
        yield* refused(at(listening), { ca: CA }, /^ERR_SSL_|^ECONNRESET$/)
        assert.deepStrictEqual(seen, ["client"])
        // The client's is for sources that have none.
        yield* (yield* client(shown)).dial(at(listening), { tls: { ca: CA } })
        assert.deepStrictEqual(seen, ["client", "client"])
      })
    )
  }

  it.live("speaks to no server that knows older versions only", () =>
    Effect.gen(function* () {
      const ciphers = "DEFAULT@SECLEVEL=0"
      const listening = yield* showing(server.cert, { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers })
      yield* refused(at(listening), { ca: CA }, /^ERR_SSL_|^EPROTO$/)
      // Who may, can.
      const older = yield* Effect.callback<string | null>((resume) => {
        const settings = { ca: CA, servername: "gateway.test", minVersion: "TLSv1", ciphers } as const
        const socket = Tls.connect({ port: listening.port, host: "127.0.0.1", ...settings }, () => {
          resume(Effect.succeed(socket.getProtocol()))
          socket.destroy()
        })
      })
      assert.strictEqual(older, "TLSv1.1")
    })
  )

  it.live("is TLS 1.3 where the client says so", () =>
    Effect.gen(function* () {
      const listening = yield* showing(server.cert, { maxVersion: "TLSv1.2" })
      const { dial } = yield* client({ minVersion: "TLSv1.3" })
      const failure = yield* failureOf(dial(at(listening), { tls: { ca: CA } }))
      assert.deepInclude(failure, { _tag: "DialFailed", phase: "tls" })
      yield* (yield* client()).dial(at(listening), { tls: { ca: CA } })
    })
  )

  const CUT = CA.slice(0, CA.length / 2)
  for (const [name, tls, code] of [
    ["an authority that is no PEM", { ca: "SECRET" }, "ERR_OSSL_PEM_NO_START_LINE"],
    ["an empty authority", { ca: "" }, "ERR_OSSL_PEM_NO_START_LINE"],
    ["an authority that is cut", { ca: CUT }, /^ERR_OSSL_/],
    ["a second authority that is cut", { ca: `${CA}${CUT}` }, /^ERR_OSSL_/],
    ["a key for an authority", { ca: shown.key.toString() }, /^ERR_OSSL_/],
    ["a certificate that is no PEM", { ...CERTIFICATE, cert: "SECRET" }, "ERR_OSSL_PEM_NO_START_LINE"],
    ["a key that is no PEM", { ...CERTIFICATE, key: Redacted.make("SECRET") }, /^ERR_OSSL_/],
    ["the key of another certificate", { cert: server.cert.toString(), key: CERTIFICATE.key }, /^ERR_OSSL_/],
    ["a certificate without a key", { cert: CERTIFICATE.cert }, "ENOKEY"],
    ["a key without a certificate", { key: CERTIFICATE.key }, "ENOCERT"]
  ] as const) {
    it.live(`with ${name} fails before anything is dialled, and says nothing of it`, () =>
      Effect.gen(function* () {
        const listening = yield* showing(server.cert)
        const failure = yield* refused(at(listening), tls, code)
        assert.strictEqual(listening.sockets.length, 0)
        assert.notMatch(JSON.stringify(failure) + failure.message, /SECRET|BEGIN/)
      })
    )
  }

  it.live("keeps a host waiting for TLS, and says so, where the server is silent", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers.tcp(() => {})
      const { until } = yield* runHost({
        sources: [`wss://gateway.test:${port}/`],
        target: "gateway.test",
        grant: { private_addresses: true },
        client: { resolve: () => Stream.succeed(["127.0.0.1"]) },
        limits: { openDeadlineMs: 200 }
      })
      const seen = yield* until(({ events }) => events.length > 0)
      assert.deepInclude(errorOf(seen, "OpenTimeout"), { phase: "tls", deadline_ms: 200 })
      assert.strictEqual(the(seen.events[0]), "error 0 OpenTimeout, dials again")
    })
  )
})
