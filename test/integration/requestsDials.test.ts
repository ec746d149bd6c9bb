/** Where a request goes: to checked addresses, to a server that proves who it is, and through the proxy. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { RequestClient, ResolveAddresses } from "mooring"
import { Clients } from "mooring/node"
import { outgoing } from "../requests/support/outgoing.ts"
import * as Servers from "../support/servers.ts"
import { working } from "./support/proxies.ts"
import { client, serving, servingSecurely, textOf, whole } from "./support/requesting.ts"

const { client: shown, expired, other, selfSigned, server: known } = Servers.tlsFiles
const CA = Servers.tlsFiles.ca.toString()
const OTHER_CA = Servers.tlsFiles.otherCa.toString()
const PUBLIC = "93.184.216.34"

const answers = serving(({ socket }) => socket.write(whole("x")))

const resolving =
  (...found: ReadonlyArray<string>): ResolveAddresses.Resolve =>
  () =>
    Stream.succeed(found)

describe("rule 1: a request to a name", () => {
  it.live("goes to a private address for whom that is granted, and for nobody else while that connection waits", () =>
    Effect.gen(function* () {
      const server = yield* answers
      const { send } = yield* client()
      const url = `http://api.test:${server.port}/`
      assert.strictEqual((yield* send(url, { owner: "a" })).status, 200)
      const denied = yield* Effect.flip(send(url, { owner: "b", privateAddresses: false }))
      assert.deepInclude(denied, { _tag: "AddressDenied", url, address: "127.0.0.1" })
      assert.strictEqual((yield* send(url, { owner: "a" })).status, 200)
      assert.strictEqual(server.sockets.length, 1)
    })
  )

  for (const address of [
    "127.0.0.1",
    "10.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "169.254.169.254",
    "fd00:ec2::254",
    "0.0.0.0",
    "64:ff9b::7f00:1"
  ]) {
    it.live(`that has the address ${address} is denied, beside a public one too`, () =>
      Effect.gen(function* () {
        const server = yield* answers
        for (const found of [[address], [PUBLIC, address], [address, PUBLIC]]) {
          const { send } = yield* client({ resolve: resolving(...found) })
          let sent = 0
          const asks = send(`http://api.test:${server.port}/`, { privateAddresses: false, onSent: () => sent++ })
          assert.deepInclude(yield* Effect.flip(asks), { _tag: "AddressDenied", address })
          assert.strictEqual(sent, 0)
        }
        assert.strictEqual(server.sockets.length, 0)
      })
    )
  }

  it.live("that changes its answer is judged by each answer", () =>
    Effect.gen(function* () {
      const server = yield* answers
      let asked = 0
      const { send } = yield* client({
        ownAddresses: () => [],
        resolve: () => Stream.succeed([["127.0.0.1"], ["169.254.169.254"]][asked++ % 2] ?? [])
      })
      const url = `http://api.test:${server.port}/`
      assert.strictEqual((yield* send(url, { owner: "a" })).status, 200)
      // Another connection is another dial.
      const denied = yield* Effect.flip(send(url, { owner: "b" }))
      assert.deepInclude(denied, { _tag: "AddressDenied", address: "169.254.169.254" })
      assert.strictEqual(server.sockets.length, 1)
    })
  )

  it.live("whose denied address comes late ends what is under way over it, and what waits", () =>
    Effect.gen(function* () {
      const server = yield* serving(({ nth, socket }) => (nth === 1 ? undefined : socket.write(whole("x"))))
      for (const [deadlineMs, path] of [
        [10_000, "slow"],
        [10_000, "idle"]
      ] as const) {
        const late = Effect.as(Effect.sleep("200 millis"), ["169.254.169.254"])
        const resolve = () => Stream.concat(Stream.succeed(["127.0.0.1"]), Stream.fromEffect(late))
        const { send } = yield* client({ resolve })
        const exit = yield* Effect.exit(send(`http://api.test:${server.port}/${path}`, { deadlineMs }))
        if (path === "slow") assert.deepInclude(yield* Effect.flip(exit), { _tag: "AddressDenied" })
        else assert.isTrue(Exit.isSuccess(exit))
        yield* Servers.closed(server.sockets)
      }
    })
  )

  for (const [name, resolve, end] of [
    ["that isn't there", () => Stream.fail(new ResolveAddresses.LookupFailed({ code: "ENOTFOUND" })), "ENOTFOUND"],
    ["that has no addresses", () => Stream.empty, "ENOTFOUND"],
    ["that nobody answers for", () => Stream.never, "timeout"]
  ] as ReadonlyArray<readonly [string, ResolveAddresses.Resolve, string]>) {
    it.live(`${name} was sent nowhere`, () =>
      Effect.gen(function* () {
        const { send } = yield* client({ resolve })
        const failure = yield* Effect.flip(send("http://api.test/", { deadlineMs: 150 }))
        assert.deepInclude(failure, { phase: "dns", sent: false } as object)
        if (failure._tag === "RequestFailed") assert.strictEqual(failure.code, end)
        else assert.strictEqual(`${failure._tag} ${end}`, "RequestTimeout timeout")
      })
    )
  }

  it.live("tries each of its addresses within one deadline", () =>
    Effect.gen(function* () {
      const server = yield* answers
      // Nobody listens there: 127.0.0.2 is loopback as well.
      const { send } = yield* client({ resolve: resolving("127.0.0.2", "127.0.0.1") })
      assert.strictEqual((yield* send(`http://api.test:${server.port}/`)).status, 200)
    })
  )

  it.live("that nobody listens at is refused", () =>
    Effect.gen(function* () {
      const port = yield* Servers.closedPort
      const { send } = yield* client()
      const failure = yield* Effect.flip(send(`http://127.0.0.1:${port}/`))
      assert.deepInclude(failure, { _tag: "RequestFailed", phase: "tcp", code: "ECONNREFUSED", sent: false })
    })
  )

  it.live("needs a request that Grants made", () =>
    Effect.gen(function* () {
      const server = yield* answers
      const context = yield* Layer.build(Clients.layer)
      const { send } = Context.get(context, RequestClient.RequestClient)
      const asked = yield* outgoing(server.http)
      const forged = Object.create(asked.request) as typeof asked.request
      const exit = yield* Effect.exit(send({ ...asked, request: forged }))
      assert.isTrue(Exit.hasDies(exit))
      assert.strictEqual(server.sockets.length, 0)
    })
  )

  it.live("whose URL became another server's is none", () =>
    Effect.gen(function* () {
      const server = yield* answers
      const context = yield* Layer.build(Clients.layer)
      const { send } = Context.get(context, RequestClient.RequestClient)
      const asked = yield* outgoing(server.http)
      for (const url of [
        `http://127.0.0.2:${server.port}/`,
        "http://127.0.0.1:1/",
        `https://127.0.0.1:${server.port}/`
      ]) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(send({ ...asked, url }))))
      }
      assert.strictEqual(server.sockets.length, 0)
    })
  )
})

describe("a server of https", () => {
  for (const [name, cert, tls, code] of [
    ["that signed itself", selfSigned, { ca: CA }, "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["that has expired", expired, { ca: OTHER_CA }, "CERT_HAS_EXPIRED"],
    ["of an authority that isn't the target's", other, { ca: CA }, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["of an authority that nobody knows", other, undefined, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["for another name", known.cert, { ca: CA, serverName: "elsewhere.test" }, "ERR_TLS_CERT_ALTNAME_INVALID"]
  ] as const) {
    it.live(`with a certificate ${name} is sent nothing`, () =>
      Effect.gen(function* () {
        const server = yield* servingSecurely((read) => read.socket.write(whole("x")), { cert, key: known.key })
        const { send } = yield* client()
        let sent = 0
        const asks = send(`https://gateway.test:${server.port}/`, { tls, onSent: () => sent++ })
        assert.deepInclude(yield* Effect.flip(asks), { _tag: "RequestFailed", phase: "tls", code, sent: false })
        assert.strictEqual(sent, 0)
      })
    )
  }

  it.live("is shown the target's certificate, and says in TLS where it wants one", () =>
    Effect.gen(function* () {
      const wants = { ca: CA, requestCert: true, rejectUnauthorized: true }
      const server = yield* servingSecurely((read) => read.socket.write(whole("x")), wants)
      const { send } = yield* client()
      const url = `https://gateway.test:${server.port}/`
      const certificate = { cert: shown.cert.toString(), key: Redacted.make(shown.key.toString()) }
      assert.strictEqual((yield* send(url, { tls: { ca: CA, ...certificate } })).status, 200)
      const failure = yield* Effect.flip(send(url, { tls: { ca: CA } }))
      assert.deepInclude(failure, { _tag: "RequestFailed" })
      assert.match(
        failure._tag === "RequestFailed" ? `${failure.phase} ${failure.code}` : "",
        /^tls ERR_SSL_|ECONNRESET$/
      )
    })
  )

  it.live("isn't asked with settings that are of no use", () =>
    Effect.gen(function* () {
      const server = yield* servingSecurely((read) => read.socket.write(whole("x")))
      const { send } = yield* client()
      const asks = send(`https://gateway.test:${server.port}/`, { tls: { ca: "SECRET" } })
      const failure = yield* Effect.flip(asks)
      assert.deepInclude(failure, { phase: "tls", code: "ERR_OSSL_PEM_NO_START_LINE", sent: false } as object)
      assert.notMatch(JSON.stringify(failure) + failure.message, /SECRET/)
      assert.strictEqual(server.sockets.length, 0)
    })
  )
})

describe("through a proxy", () => {
  it.live("goes every request, of http too, by CONNECT and with its name", () =>
    Effect.gen(function* () {
      const plain = yield* answers
      const secure = yield* servingSecurely((read) => read.socket.write(whole("y")))
      const { connect, requests, sockets } = yield* working
      const { send } = yield* client({ proxy: { connect }, resolve: () => Stream.die("nobody is asked") })
      assert.strictEqual(textOf(yield* send(`http://gateway.test:${plain.port}/`)), "x")
      const asks = send(`https://gateway.test:${secure.port}/`, { tls: { ca: CA } })
      assert.strictEqual(textOf(yield* asks), "y")
      assert.deepStrictEqual(
        requests.map((request) => request.split("\r\n", 1)[0]),
        [plain.port, secure.port].map((port) => `CONNECT gateway.test:${port} HTTP/1.1`)
      )
      assert.strictEqual(sockets.length, 2)
    })
  )

  for (const [name, answer, code] of [
    ["that refuses", "HTTP/1.1 403 Forbidden\r\n\r\n", "PROXY_403"],
    ["that wants credentials", "HTTP/1.1 407 Who\r\nproxy-authenticate: Basic\r\n\r\n", "PROXY_407"],
    ["that is none", "SSH-2.0-OpenSSH\r\n", "PROXY_NOT_HTTP"]
  ] as const) {
    it.live(`${name} nothing is sent`, () =>
      Effect.gen(function* () {
        const proxy = yield* Servers.answering((socket) => void socket.end(answer))
        const { send } = yield* client({ proxy: { connect: `http://127.0.0.1:${proxy.port}` } })
        const failure = yield* Effect.flip(send("http://api.test/"))
        assert.deepInclude(failure, { _tag: "RequestFailed", phase: "proxy", code, sent: false })
      })
    )
  }

  it.live("that can't be used, or is silent, there is no way around it", () =>
    Effect.gen(function* () {
      const server = yield* answers
      const unusable = yield* client({ proxy: "unusable" })
      const refused = yield* Effect.flip(unusable.send(server.http))
      assert.deepInclude(refused, { phase: "proxy", code: "PROXY_UNUSABLE", sent: false } as object)
      const proxy = yield* Servers.tcp(() => {})
      const silent = yield* client({ proxy: { connect: `http://127.0.0.1:${proxy.port}` } })
      const timeout = yield* Effect.flip(silent.send(server.http, { deadlineMs: 150 }))
      assert.deepInclude(timeout, { _tag: "RequestTimeout", phase: "proxy", sent: false })
      yield* Servers.closed(proxy.sockets)
      assert.strictEqual(server.sockets.length, 0)
    })
  )
})

it.live("both clients of a host share a lookup", () =>
  Effect.gen(function* () {
    const server = yield* answers
    const names: Array<string> = []
    const resolve: ResolveAddresses.Resolve = (name) => {
      names.push(name)
      return Stream.fromEffect(Effect.as(Effect.sleep("50 millis"), ["127.0.0.1"]))
    }
    const context = yield* Layer.build(Clients.layerOptions({ resolve }))
    const { send } = Context.get(context, RequestClient.RequestClient)
    const asked = yield* outgoing(`http://api.test:${server.port}/`)
    const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(send(asked)))
    for (const fiber of fibers) assert.strictEqual((yield* Fiber.join(fiber)).status, 200)
    assert.deepStrictEqual(names, ["api.test"])
  })
)
