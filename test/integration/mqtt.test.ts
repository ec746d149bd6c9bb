/** A protocol that is binary from its first byte: MQTT over WebSockets, with a broker of the test's own. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { OutputCommand, type IngressEvent } from "mooring"
import type { WebSocket } from "ws"
import * as Servers from "../support/servers.ts"
import { eventually, runHost } from "./support/host.ts"
import * as Mqtt from "./support/mqtt.ts"

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, index) => index)

/** Messages with their ids; the last one's length takes three bytes (MQTT 3.1.1, section 2.2.3). */
const MESSAGES = [
  { id: 1, payload: new Uint8Array() },
  { id: 10, payload: EVERY_BYTE },
  { id: 258, payload: Uint8Array.of(0xc3, 0x28) },
  { id: 65_535, payload: new Uint8Array(20_000).fill(0xff) }
]

/** Publishes everything, in frames that end anywhere. */
const tellAll = (peer: WebSocket, id: number) => {
  const [first, second, third, last] = MESSAGES.map((message) => Mqtt.publish("ship/log", message.payload, message.id))
  peer.send(Buffer.concat([Mqtt.suback(id), first ?? Mqtt.pingresp()]))
  peer.send(Buffer.concat([second ?? Mqtt.pingresp(), third ?? Mqtt.pingresp()]))
  // In the middle of the header, and of the payload.
  for (const [from, to] of [
    [0, 2],
    [2, 2],
    [2, 9_000],
    [9_000, 30_000]
  ] as const)
    peer.send(last?.subarray(from, to) ?? "")
}

/** A broker that greets, takes a subscription, and then publishes. */
const broker = Effect.gen(function* () {
  const seen = { acks: [] as Array<number>, published: new Map<string, Buffer>(), hex: [] as Array<string>, pings: 0 }
  const peers: Array<WebSocket> = []
  const speak = (peer: WebSocket, { body, first }: Mqtt.Packet) => {
    switch (Mqtt.typeOf({ body, first })) {
      case Mqtt.CONNECT:
        return peer.send(Mqtt.connack())
      case Mqtt.SUBSCRIBE:
        return tellAll(peer, Mqtt.idOf({ body, first }))
      case Mqtt.PUBLISH: {
        const { payload, topic } = Mqtt.published({ body, first })
        return void seen.published.set(topic, payload)
      }
      case Mqtt.PUBACK:
        return void seen.acks.push(Mqtt.idOf({ body, first }))
      case Mqtt.PINGREQ:
        seen.pings++
        return peer.send(Mqtt.pingresp())
      default:
        return peer.close(1002)
    }
  }
  const { url } = yield* Servers.gateway(
    (peer) => {
      peers.push(peer)
      const reader = new Mqtt.Reader()
      peer.on("message", (data: Buffer, isBinary) => {
        // MQTT-6.0.0-1: whoever sends anything else is closed.
        if (!isBinary) return peer.close(1003)
        seen.hex.push(data.toString("hex"))
        for (const packet of reader.take(data)) speak(peer, packet)
      })
    },
    { handleProtocols: (offered) => (offered.has("mqtt") ? "mqtt" : false) }
  )
  return { peers, seen, url }
})

/** What a subscriber sends for a packet that an event has brought. */
const answer = (event: IngressEvent.WebSocketBinary) => (packet: Mqtt.Packet) => {
  switch (Mqtt.typeOf(packet)) {
    case Mqtt.CONNACK:
      return [OutputCommand.send(event, Mqtt.subscribe(7, "ship/#"))]
    case Mqtt.PUBLISH: {
      const { id = 0, payload } = Mqtt.published(packet)
      const turned = Mqtt.publish(`echo/${id}`, payload.toReversed())
      return [OutputCommand.send(event, Mqtt.puback(id)), OutputCommand.send(event, turned)]
    }
    default:
      return []
  }
}

/** What a subscriber does with each event: it acknowledges every message, and publishes its payload turned around. */
const subscriber = () => {
  let reader = new Mqtt.Reader()
  return {
    open: (event: IngressEvent.WebSocketOpen) => {
      reader = new Mqtt.Reader()
      const beat = OutputCommand.setTimer("beat", { afterMs: 100, everyMs: 1000, url: event.url })
      return Exit.succeed({ commands: [OutputCommand.send(event, Mqtt.connect("log", 60)), beat] })
    },
    binary: (event: IngressEvent.WebSocketBinary) =>
      Exit.succeed({ commands: reader.take(event.bytes).flatMap(answer(event)) }),
    timer: (event: IngressEvent.Timer) =>
      Exit.succeed({ commands: [OutputCommand.send(event.url ?? "", Mqtt.pingreq())] })
  }
}

describe("MQTT over a WebSocket", () => {
  it.live("is spoken by a plugin, in frames that end anywhere in a packet, and again on a new connection", () =>
    Effect.gen(function* () {
      const { peers, seen, url } = yield* broker
      const reconnect = { initial_ms: 10, max_ms: 20 }
      const { until } = yield* runHost({ sources: [url], subprotocols: ["mqtt"], reconnect, ...subscriber() })
      const hasAll = () => seen.acks.length === MESSAGES.length && seen.published.size === MESSAGES.length
      for (let nth = 1; nth <= 2; nth++) {
        yield* eventually(Effect.sync(hasAll), (all) => all)
        yield* eventually(
          Effect.sync(() => seen.pings),
          (pings) => pings > 0
        )
        assert.deepStrictEqual(
          seen.acks,
          MESSAGES.map(({ id }) => id)
        )
        for (const { id, payload } of MESSAGES) {
          assert.isTrue(seen.published.get(`echo/${id}`)?.equals(payload.toReversed()), `${id}`)
        }
        // As the specification writes them, byte for byte (sections 3.1, 3.8, 3.4 and 3.12).
        assert.deepStrictEqual(seen.hex.slice(0, 2), [
          "100f00044d5154540402003c00036c6f67",
          "820b00070006736869702f2301"
        ])
        assert.include(seen.hex, "4002000a")
        assert.include(seen.hex, "c000")
        if (nth === 2) break
        seen.acks.length = 0
        seen.published.clear()
        seen.hex.length = 0
        seen.pings = 0
        peers[0]?.terminate()
      }
      const { connection } = yield* until(({ plugin }) => plugin.queueDepth === 0)
      assert.deepInclude(connection, { epoch: 2, subprotocol: "mqtt", rejectedBinary: 0, unsupportedBinary: 0 })
      assert.strictEqual(connection.receivedBinaryFrames, connection.enqueuedBinary)
      assert.deepStrictEqual([connection.receivedTextFrames, connection.sentTextFrames], [0, 0])
    })
  )
})
