import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ConnectionError, type WebSocketClient } from "mooring"
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Sockets from "../../src/node/internal/sockets.ts"
import { upgrade } from "../../src/node/internal/upgrade.ts"
import { Turn } from "../../src/node/internal/wsSocket.ts"
import { authorityOf, subject } from "../support/grants.ts"

const URL = "ws://127.0.0.1:7700/"
const websocket = [{ scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/"] }] as const

const nothing = new Proxy({} as WebSocketClient.SocketEvents, {
  get: () => () => assert.fail("something was told of a socket that never opened")
})
const options: WebSocketClient.ConnectOptions = {
  headers: {},
  tls: undefined,
  compression: false,
  fastPath: true,
  maxMessageBytes: 1024,
  maxMessageFragments: 16,
  lookups: { take: Effect.succeed((lookup) => lookup) },
  entered: () => {}
}

describe("the sockets of a dial", () => {
  it.live("that end before TLS or the upgrade is begun are told as if they had ended in it", () =>
    Effect.gen(function* () {
      const ended = new Net.Socket().destroy()
      const peer = { display: URL, name: "gateway.test", phase: "tls" } as const
      const tls = yield* Effect.flip(Sockets.secure(new Set(), peer, Tls.createSecureContext(), ended))
      assert.deepInclude(tls, { _tag: "DialFailed", phase: "tls", code: "ECONNRESET" })
      const authority = yield* authorityOf(subject({ websocket }), { websocket })
      const target = Result.getOrThrow(authority.authorize("gateway", URL))
      const rejected = yield* Effect.flip(
        upgrade(ended, {
          target,
          options,
          events: nothing,
          turn: new Turn(),
          fastPath: true,
          remoteAddress: null,
          opened: () => assert.fail("it opened")
        })
      )
      assert.deepInclude(rejected, { _tag: "HandshakeRejected", status: null })
    })
  )

  it.live("are never asked of a resolver: what is no address fails", () =>
    Effect.gen(function* () {
      const sockets: Sockets.Sockets = new Set()
      for (const address of ["localhost", "127.1", "", "[::1]", "0x7f.1"]) {
        const failure = yield* Effect.flip(Sockets.connect(sockets, { display: URL, port: 1, phase: "tcp" }, address))
        assert.deepInclude(failure, { _tag: "DialFailed", phase: "tcp", code: "EINVAL" })
      }
      assert.strictEqual(sockets.size, 0)
    })
  )

  it("are all destroyed but the one that is kept", () => {
    const [one, two, three] = [new Net.Socket(), new Net.Socket(), new Net.Socket()]
    const sockets: Sockets.Sockets = new Set([one, two, three])
    Sockets.keepOnly(sockets, two)
    assert.deepStrictEqual(
      [one, two, three].map(({ destroyed }) => destroyed),
      [true, false, true]
    )
    Sockets.destroy(sockets)
    assert.isTrue(two.destroyed)
  })

  for (const [codes, said] of [
    [[], undefined],
    [["ECONNREFUSED"], "ECONNREFUSED"],
    [["ENETUNREACH", "ECONNREFUSED"], "ECONNREFUSED"],
    [["EHOSTUNREACH", "ENETUNREACH"], "EHOSTUNREACH"],
    [["EADDRNOTAVAIL", "ENETDOWN", "ETIMEDOUT", "ECONNREFUSED"], "ETIMEDOUT"],
    [["EAFNOSUPPORT", "EMFILE"], "EMFILE"],
    [["EINVAL", "ENETUNREACH"], "EINVAL"]
  ] as const) {
    it(`fail with ${said ?? "nothing"} of ${codes.join(", ")}`, () => {
      const failures = codes.map((code) => new ConnectionError.DialFailed({ url: URL, phase: "tcp", code }))
      assert.strictEqual(Sockets.furthest(failures)?.code, said)
    })
  }
})
