import { assert, describe, it } from "@effect/vitest"
import type { WebSocketClient } from "mooring"
import { GuardedSocket } from "../../../src/connection/internal/guardedSocket.ts"

const nothing = () => {}

/** What is known of a socket of a client that says this of it. */
const knownOf = (said: { readonly [field: string]: unknown }) => {
  const socket = {
    subprotocol: null,
    remoteAddress: null,
    peerCertificateExpiresAt: null,
    writeQueueSize: () => 0,
    bytesRead: () => 0,
    send: nothing,
    ping: nothing,
    pong: nothing,
    read: nothing,
    close: nothing,
    terminate: nothing,
    ...said
  } as WebSocketClient.Socket
  const { peerCertificateExpiresAt, remoteAddress, subprotocol } = new GuardedSocket(socket, { broke: nothing })
  return { peerCertificateExpiresAt, remoteAddress, subprotocol }
}

describe("a socket of a client that isn't written in TypeScript", () => {
  const unknown = { peerCertificateExpiresAt: null, remoteAddress: null, subprotocol: null }

  it("is known by what the status can show", () => {
    const known = { peerCertificateExpiresAt: 7, remoteAddress: "192.0.2.1", subprotocol: "v1" }
    assert.deepStrictEqual(knownOf(known), known)
  })

  it("is not known by anything else", () => {
    for (const odd of [undefined, 1.5, Number.NaN, {}, [], true, () => "v1", Number.MIN_SAFE_INTEGER, -1]) {
      assert.deepStrictEqual(
        knownOf({ peerCertificateExpiresAt: odd, remoteAddress: odd, subprotocol: odd }),
        unknown,
        String(odd)
      )
    }
    assert.deepStrictEqual(knownOf({ peerCertificateExpiresAt: "2026" }), unknown)
  })
})
