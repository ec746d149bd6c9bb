import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { GrantStore, PluginHost, ResolveAddresses } from "mooring"
import { WsClient } from "mooring/node"
import { execFile } from "node:child_process"
import * as Net from "node:net"
import * as Servers from "../support/servers.ts"
import { client, failureOf } from "./support/direct.ts"
import { errorOf, runHost, the } from "./support/host.ts"
import { forwards, OK, portIn, working } from "./support/proxies.ts"

const CA = Servers.tlsFiles.ca.toString()
const SECRET = "Basic czNjcmV0 \u00e4"

/** A resolver that writes down which names it is asked for. */
const asking = () => {
  const names: Array<string> = []
  const resolve: ResolveAddresses.Resolve = (name) => {
    names.push(name)
    return name === "proxy.test"
      ? Stream.succeed(["127.0.0.1"])
      : Stream.fail(new ResolveAddresses.LookupFailed({ code: "ENOTFOUND" }))
  }
  return { names, resolve }
}

const greets = Servers.gateway((peer) => peer.send("hi"))

/** Waits for what the server says first. */
const opens = (options: WsClient.Options, url: string, settings = {}) =>
  Effect.gen(function* () {
    const { dial } = yield* client(options)
    const opened = yield* dial(url, settings)
    while (opened.told.length === 0) yield* Effect.sleep("1 millis")
    assert.deepStrictEqual(opened.told, ["text hi"])
    return opened
  })

describe("a dial through a proxy", () => {
  it.live("gives it the target's name, asks for none itself, and goes nowhere else", () =>
    Effect.gen(function* () {
      const { port } = yield* greets
      const { connect, requests, sockets } = yield* working
      const { names, resolve } = asking()
      const opened = yield* opens({ resolve, proxy: { connect } }, `ws://gateway.test:${port}/path?secret=1`)
      assert.deepStrictEqual(requests, [`CONNECT gateway.test:${port} HTTP/1.1\r\nHost: gateway.test:${port}\r\n\r\n`])
      assert.deepStrictEqual(names, [])
      assert.deepStrictEqual(opened.phases, ["proxy", "upgrade"])
      assert.strictEqual(sockets.length, 1)
      // It isn't the server's.
      assert.isNull(opened.socket.remoteAddress)
    })
  )

  it.live("looks the proxy's own name up, and checks no address of it", () =>
    Effect.gen(function* () {
      const { port } = yield* greets
      const { connect, requests } = yield* working
      const { names, resolve } = asking()
      const named = connect.replace("127.0.0.1", "proxy.test")
      yield* opens({ resolve, proxy: { connect: named } }, `ws://gateway.test:${port}/`)
      assert.deepStrictEqual(names, ["proxy.test"])
      assert.strictEqual(requests.length, 1)
    })
  )

  it.live("speaks TLS with the server inside of it, verified", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers.answeringSecurely((socket, request) => {
        socket.write(Buffer.concat([Servers.switching(request), Servers.text("hi")]))
      })
      const { connect, requests } = yield* working
      const options = { proxy: { connect } }
      const opened = yield* opens(options, `wss://gateway.test:${port}/`, { tls: { ca: CA } })
      assert.deepStrictEqual(opened.phases, ["proxy", "tls", "upgrade"])
      assert.isNotNull(opened.socket.peerCertificateExpiresAt)
      assert.match(the(requests[0]), /^CONNECT gateway\.test:/u)
      const { dial } = yield* client(options)
      const failure = yield* failureOf(dial(`wss://other.test:${port}/`, { tls: { ca: CA } }))
      assert.deepInclude(failure, { phase: "tls", code: "ERR_TLS_CERT_ALTNAME_INVALID" })
    })
  )

  it.live("speaks TLS with a proxy of https, and TLS with the server inside of that", () =>
    Effect.gen(function* () {
      const server = yield* Servers.answeringSecurely((socket, request) => {
        socket.write(Buffer.concat([Servers.switching(request), Servers.text("hi")]))
      })
      const plain = yield* greets
      const names: Array<string | false> = []
      const proxy = yield* Servers.answeringSecurely((socket, request) => {
        names.push(socket.servername ?? false)
        forwards(socket, request)
      })
      const { resolve } = asking()
      const options = { ca: CA, resolve, proxy: { connect: `https://127.0.0.1:${proxy.port}` } }
      const secured = yield* opens(options, `wss://gateway.test:${server.port}/`)
      assert.isNotNull(secured.socket.peerCertificateExpiresAt)
      assert.isAbove(secured.socket.bytesRead(), 0)
      const unsecured = yield* opens(options, `ws://gateway.test:${plain.port}/`)
      // The proxy's certificate is not the server's.
      assert.isNull(unsecured.socket.peerCertificateExpiresAt)
      assert.deepStrictEqual(names, [false, false])
      // The proxy's certificate is for another name.
      const { dial } = yield* client({ ...options, proxy: { connect: `https://proxy.test:${proxy.port}` } })
      const failure = yield* failureOf(dial(`ws://gateway.test:${plain.port}/`))
      assert.deepInclude(failure, { _tag: "DialFailed", phase: "proxy", code: "ERR_TLS_CERT_ALTNAME_INVALID" })
    })
  )

  it.live("leaves no socket when the scope of an open connection closes, nor one beneath TLS within TLS", () =>
    Effect.gen(function* () {
      const server = yield* Servers.answeringSecurely((socket, request) => {
        socket.write(Buffer.concat([Servers.switching(request), Servers.text("hi")]))
      })
      const plain = yield* greets
      const { resolve } = asking()
      for (const url of [`wss://gateway.test:${server.port}/`, `ws://gateway.test:${plain.port}/`]) {
        const closed = yield* Deferred.make<void>()
        const proxy = yield* Servers.answeringSecurely((socket, request) => {
          socket.once("close", () => Deferred.doneUnsafe(closed, Exit.void))
          forwards(socket, request)
        })
        const options = { ca: CA, resolve, proxy: { connect: `https://127.0.0.1:${proxy.port}` } }
        yield* Effect.scoped(opens(options, url))
        yield* Deferred.await(closed)
      }
    })
  )

  it.live("shows a proxy that asks for it no certificate of the client's", () =>
    Effect.gen(function* () {
      const { port } = yield* greets
      const shown: Array<object> = []
      const proxy = yield* Servers.answeringSecurely(
        (socket, request) => {
          shown.push(socket.getPeerCertificate())
          forwards(socket, request)
        },
        { ca: CA, requestCert: true, rejectUnauthorized: false }
      )
      const connect = `https://127.0.0.1:${proxy.port}`
      yield* opens({ ca: CA, ...Servers.tlsFiles.client, proxy: { connect } }, `ws://gateway.test:${port}/`)
      assert.deepStrictEqual(shown.map(Object.keys), [[]])
    })
  )

  it.live("takes what came with the answer for the server's", () =>
    Effect.gen(function* () {
      const proxy = yield* Servers.answering((socket) => {
        socket.write(`${OK}HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\n\r\n`)
      })
      const { dial } = yield* client({ proxy: { connect: `http://127.0.0.1:${proxy.port}` } })
      assert.deepInclude(yield* failureOf(dial("ws://gateway.test/")), { _tag: "HandshakeRejected", status: 418 })
    })
  )

  it.live("takes what came with the answer for the server's, also with TLS", () =>
    Effect.gen(function* () {
      const proxy = yield* Servers.answering((socket) => {
        socket.write(`${OK}220 mail.example ESMTP\r\n`)
      })
      const { dial } = yield* client({ proxy: { connect: `http://127.0.0.1:${proxy.port}` } })
      assert.deepInclude(yield* failureOf(dial("wss://gateway.test/")), {
        phase: "tls",
        code: "ERR_SSL_WRONG_VERSION_NUMBER"
      })
    })
  )

  it.live("writes an IPv6 literal in brackets and its port always, and nothing of the target ends a line", () =>
    Effect.gen(function* () {
      const requests: Array<string> = []
      const proxy = yield* Servers.answering((socket, request) => {
        requests.push(request)
        socket.end(Servers.response("502 Bad Gateway"))
      })
      const { dial } = yield* client({ proxy: { connect: `http://127.0.0.1:${proxy.port}` } })
      for (const url of ["ws://[2001:db8::1]/", "ws://192.0.2.1/", "wss://XN--bcher-kva.test./a%20b?x"]) {
        assert.deepInclude(yield* failureOf(dial(url)), { _tag: "DialFailed", phase: "proxy", code: "PROXY_502" })
      }
      assert.deepStrictEqual(
        requests.map((request) => request.split("\r\n")),
        ["[2001:db8::1]:80", "192.0.2.1:80", "xn--bcher-kva.test:443"].map((authority) => [
          `CONNECT ${authority} HTTP/1.1`,
          `Host: ${authority}`,
          "",
          ""
        ])
      )
    })
  )

  it.live("has the proxy's authorization in the request, and in nothing that is told", () =>
    Effect.gen(function* () {
      const requests: Array<string> = []
      const proxy = yield* Servers.answering((socket, request) => {
        requests.push(request)
        socket.end(Servers.response("407 Proxy Authentication Required", `proxy-authenticate: ${SECRET}`))
      })
      const authorization = Redacted.make(SECRET)
      const options = { proxy: { connect: `http://127.0.0.1:${proxy.port}`, authorization } }
      const { until } = yield* runHost({ sources: ["ws://192.0.2.1/"], target: "192.0.2.1", client: options })
      const seen = yield* until(({ events }) => events.length > 0)
      assert.deepInclude(errorOf(seen, "DialFailed"), { phase: "proxy", code: "PROXY_407" })
      assert.deepStrictEqual(seen.events, ["error 0 DialFailed, dials again"])
      assert.include(the(requests[0]), `\r\nProxy-Authorization: ${SECRET}\r\n\r\n`)
      assert.notInclude(JSON.stringify(seen), SECRET.slice(6))
      assert.notInclude(JSON.stringify(options), SECRET.slice(6))
    })
  )
})

describe("a proxy that doesn't do what it is asked", () => {
  for (const [name, answer, code] of [
    ["closes at once", (socket) => socket.end(), "ECONNRESET"],
    ["resets", (socket) => socket.resetAndDestroy(), "ECONNRESET"],
    ["closes in the middle of its answer", (socket) => socket.end("HTTP/1.1 200 OK\r\nX: "), "ECONNRESET"],
    ["speaks another protocol", (socket) => socket.write("SSH-2.0-x\r\n"), "PROXY_NOT_HTTP"],
    ["talks on and on", (socket) => socket.write(`HTTP/1.1 200 OK\r\n${"X: x\r\n".repeat(20_000)}`), "PROXY_TOO_LONG"],
    ["refuses", (socket) => socket.write(Servers.response("403 Forbidden")), "PROXY_403"],
    ["leads elsewhere", (socket) => socket.write(Servers.response("302 Found", "location: http://x/")), "PROXY_302"]
  ] as const satisfies ReadonlyArray<readonly [string, (socket: Net.Socket) => void, string]>) {
    it.live(`and ${name} fails the dial as ${code} and leaves no socket`, () =>
      Effect.gen(function* () {
        const proxy = yield* Servers.answering(answer)
        const { dial } = yield* client({ proxy: { connect: `http://127.0.0.1:${proxy.port}` } })
        const failure = yield* failureOf(Effect.scoped(dial("ws://gateway.test/")))
        assert.deepInclude(failure, { _tag: "DialFailed", phase: "proxy", code, url: "ws://gateway.test/" })
        while (proxy.open() > 0) yield* Effect.sleep("1 millis")
      })
    )
  }

  it.live("and drips its answer opens nevertheless, if there is time", () =>
    Effect.gen(function* () {
      const { port } = yield* greets
      const proxy = yield* Servers.answering((socket, request) => {
        const onward = Net.connect({ host: "127.0.0.1", port: portIn(request) })
        socket.on("close", () => onward.destroy())
        let at = 0
        const drip = () => {
          if (at === OK.length) return void socket.pipe(onward).pipe(socket)
          socket.write(OK.charAt(at++), () => setImmediate(drip))
        }
        drip()
      })
      yield* opens({ proxy: { connect: `http://127.0.0.1:${proxy.port}` } }, `ws://gateway.test:${port}/`)
    })
  )

  it.live("that isn't there, or has no address, is a failure of the proxy", () =>
    Effect.gen(function* () {
      const port = yield* Servers.closedPort
      const { resolve } = asking()
      for (const [connect, code] of [
        [`http://127.0.0.1:${port}`, "ECONNREFUSED"],
        [`http://proxy.test:${port}`, "ECONNREFUSED"],
        ["http://nowhere.test:3128", "ENOTFOUND"]
      ] as const) {
        const { dial } = yield* client({ resolve, proxy: { connect } })
        assert.deepInclude(yield* failureOf(dial("ws://127.0.0.1:1/")), { _tag: "DialFailed", phase: "proxy", code })
      }
    })
  )

  it.live("and never answers keeps a host waiting for the proxy, and is given up", () =>
    Effect.gen(function* () {
      const proxy = yield* Servers.tcp(() => {})
      const { until } = yield* runHost({
        sources: ["ws://192.0.2.1/"],
        target: "192.0.2.1",
        client: { proxy: { connect: `http://127.0.0.1:${proxy.port}` } },
        limits: { openDeadlineMs: 200 }
      })
      const seen = yield* until(({ events }) => events.length > 0)
      assert.deepInclude(errorOf(seen, "OpenTimeout"), { phase: "proxy", deadline_ms: 200 })
      while (proxy.open() > 0) yield* Effect.sleep("1 millis")
    })
  )

  it.live("and is given up while it is asked is left alone", () =>
    Effect.gen(function* () {
      const proxy = yield* Servers.tcp(() => {})
      const { dial } = yield* client({ proxy: { connect: `http://127.0.0.1:${proxy.port}` } })
      const fiber = yield* Effect.forkChild(Effect.scoped(dial("ws://gateway.test/")))
      while (proxy.sockets.length === 0) yield* Effect.sleep("1 millis")
      yield* Fiber.interrupt(fiber)
      while (proxy.open() > 0) yield* Effect.sleep("1 millis")
    })
  )

  for (const [name, proxy] of [
    ["is unusable outright", "unusable"],
    ["has no URL", { connect: "proxy.test:3128" }],
    ["has a password in its URL", { connect: "http://user:secret@127.0.0.1:3128" }],
    ["has an authorization of two lines", { connect: "http://127.0.0.1:3128", authorization: Redacted.make("a\r\nb") }]
  ] as const) {
    it.live(`and ${name} lets nothing be dialled around it`, () =>
      Effect.gen(function* () {
        const server = yield* greets
        const { dial, service } = yield* client({ proxy })
        const failure = yield* failureOf(dial(server.url))
        assert.deepInclude(failure, { _tag: "DialFailed", phase: "proxy", code: "PROXY_UNUSABLE" })
        assert.strictEqual(server.sockets.length, 0)
        assert.isTrue(service.proxied)
      })
    )
  }
})

describe("the status of a host", () => {
  for (const [name, options, expected] of [
    ["with a proxy", { proxy: { connect: "http://127.0.0.1:3128" } }, true],
    ["with one that can't be used", { proxy: "unusable" }, true],
    ["without one", {}, false]
  ] as const) {
    it.live(`${name} says ${expected}`, () =>
      Effect.gen(function* () {
        const { host } = yield* Effect.flatMap(PluginHost.PluginHost, ({ status }) => status)
        assert.strictEqual(host.proxy, expected)
      }).pipe(
        Effect.provide(
          PluginHost.layer({ plugins: [], enabled: [] }).pipe(
            Layer.provide([GrantStore.layer([]), WsClient.layerOptions(options)])
          )
        )
      )
    )
  }
})

describe("without a proxy", () => {
  it.live("the environment's is not asked, also where Node is told to", () =>
    Effect.gen(function* () {
      const { connect, sockets } = yield* working
      const server = yield* Servers.answering((socket) => socket.end(Servers.response("418 Teapot")))
      const env = { ...process.env, NODE_USE_ENV_PROXY: "1", HTTP_PROXY: connect, http_proxy: connect }
      const dialler = new URL("support/dialler.ts", import.meta.url).pathname
      const output = yield* Effect.callback<string>((resume) => {
        execFile(process.execPath, [dialler, "127.0.0.1:1", server.url], { env }, (_, out) =>
          resume(Effect.succeed(out))
        )
      })
      assert.match(output, /HTTP status 418/u)
      assert.strictEqual(server.sockets.length, 1)
      assert.strictEqual(sockets.length, 0)
    })
  )

  it.live("the environment's is not asked, whichever names it has", () =>
    Effect.gen(function* () {
      const { port } = yield* greets
      const { connect, sockets } = yield* working
      const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY"]
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          for (const name of names) process.env[name] = process.env[name.toLowerCase()] = connect
        }),
        () =>
          Effect.sync(() => {
            for (const name of names.flatMap((upper) => [upper, upper.toLowerCase()])) {
              delete process.env[name]
            }
          })
      )
      const opened = yield* opens({}, `ws://gateway.test:${port}/`)
      assert.strictEqual(opened.socket.remoteAddress, "127.0.0.1")
      assert.strictEqual(sockets.length, 0)
    })
  )
})
