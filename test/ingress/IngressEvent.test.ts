import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { CommandOutcome } from "../../src/ingress/CommandOutcome.ts"
import * as IngressEvent from "../../src/ingress/IngressEvent.ts"
import { encode, IngressEventWire } from "../../src/ingress/IngressEventWire.ts"

const url = "ws://h/?q"
const origin: IngressEvent.SourceOrigin = {
  key: "run-0",
  source: `websocket:${url}`,
  id: "1b2c3d4e",
  url,
  ingressName: "gateway"
}
const hosts: IngressEvent.Origin = { key: "run-t", source: "host:timer", id: null, url: null, ingressName: "gateway" }
const AT = Date.UTC(2026, 0, 1, 0, 0, 0, 7)
const end = { code: 4000, reason: "bye", clean: true, unconfirmed: 2 }

const outcome: CommandOutcome = {
  commandId: "c",
  correlationId: "k",
  sourceEventId: "k",
  kind: null,
  status: "rejected",
  error: { tag: "CommandMalformed", message: "m" },
  recordedAt: "1970-01-01T00:00:00.000Z"
}

const common = {
  source: origin.source,
  ingress_name: "gateway",
  created_at: "2026-01-01T00:00:00.007Z",
  attempt: 1,
  correlation_id: "run-0.5",
  source_id: "1b2c3d4e",
  sequence: 5,
  epoch: 3,
  frame: 0,
  dropped_before: 0
}
const ofHost = { ...common, source: "host:timer", correlation_id: "run-t.5", source_id: null, epoch: 0 }

const asked = { commandId: "c", requestId: "run-q1", durationMs: 12 }
const told = { command_id: "c", request_id: "run-q1", duration_ms: 12 }

const cases: ReadonlyArray<readonly [IngressEvent.AnyEvent, object]> = [
  [
    new IngressEvent.WebSocketOpen(origin, 5, 3, AT, 2, null),
    { kind: "websocket_open", ...common, payload: { url, attempts: 2, subprotocol: null } }
  ],
  [
    new IngressEvent.WebSocketText(origin, 5, 3, AT, 9, "hi", 2),
    { kind: "websocket_text", ...common, frame: 9, payload: { url, text: "hi" } }
  ],
  [
    new IngressEvent.WebSocketClose(origin, 5, 3, AT, end, false),
    { kind: "websocket_close", ...common, payload: { url, ...end, will_reconnect: false } }
  ],
  [
    new IngressEvent.WebSocketError(origin, 5, 3, AT, { tag: "OpenTimeout", message: "m", phase: "tls" }, true),
    {
      kind: "websocket_error",
      ...common,
      payload: { url, error: { tag: "OpenTimeout", message: "m", phase: "tls" }, will_reconnect: true }
    }
  ],
  [new IngressEvent.Timer(origin, 5, 3, AT, "t"), { kind: "timer", ...common, payload: { url, name: "t" } }],
  [new IngressEvent.Timer(hosts, 5, 0, AT, "t"), { kind: "timer", ...ofHost, payload: { name: "t" } }],
  [
    new IngressEvent.HostResponse(hosts, 5, AT, asked, { answer: { status: 200, headers: { a: "b" }, body: "{}" } }),
    { kind: "host_response", ...ofHost, payload: { ...told, status: 200, headers: { a: "b" }, text: "{}" } }
  ],
  [
    new IngressEvent.HostResponse(hosts, 5, AT, asked, {
      answer: { status: 200, headers: {}, body: new Uint8Array([255, 0]) }
    }),
    { kind: "host_response", ...ofHost, payload: { ...told, status: 200, headers: {}, base64: "/wA=" } }
  ],
  [
    new IngressEvent.HostResponse(hosts, 5, AT, asked, {
      error: { tag: "RequestFailed", message: "m", sent: false, phase: "tcp", code: "ECONNREFUSED" }
    }),
    {
      kind: "host_response",
      ...ofHost,
      payload: {
        ...told,
        error: { tag: "RequestFailed", message: "m", sent: false, phase: "tcp", code: "ECONNREFUSED" }
      }
    }
  ],
  [
    new IngressEvent.CommandResult(hosts, 5, AT, () => outcome),
    {
      kind: "command_result",
      ...ofHost,
      payload: {
        command_id: "c",
        correlation_id: "k",
        source_event_id: "k",
        kind: null,
        status: "rejected",
        error: { tag: "CommandMalformed", message: "m" },
        recorded_at: "1970-01-01T00:00:00.000Z"
      }
    }
  ],
  [new IngressEvent.Delivered(hosts, 5, AT, "order", '{"n":[1]}', 9), { kind: "order", ...ofHost, payload: { n: [1] } }]
]

describe("an event", () => {
  it.each(cases)("on the wire: %#", (event, expected) => {
    assert.deepStrictEqual<unknown>(encode(event), expected)
    // In process the same fields stand on it, and the wire form decodes.
    assert.strictEqual(event.url, event.origin.url)
    assert.strictEqual(event.sourceId, event.origin.id)
    assert.strictEqual(event.frame, Object(expected).frame)
    assert.isTrue(Result.isSuccess(Schema.decodeUnknownResult(IngressEventWire)(encode(event))))
    assert.strictEqual(IngressEvent.isDelivered(event), event.kind === "order")
  })

  it("has no field on the wire that is null but where one may be", () => {
    for (const [event] of cases) {
      const { source_id: _source, payload: _payload, ...rest } = encode(event)
      for (const [key, value] of Object.entries(rest)) assert.isNotNull(value, key)
    }
  })

  it("tells what was lost before it", () => {
    const event = new IngressEvent.WebSocketText(origin, 5, 3, AT, 9, "hi", 2)
    event.droppedBefore = 4
    assert.strictEqual(encode(event).dropped_before, 4)
  })

  it("hands each reader of a delivered payload one of its own", () => {
    const event = new IngressEvent.Delivered(hosts, 1, AT, "order", '{"n":[1]}', 9)
    Object.assign(Object(event.payload), { n: 2 })
    assert.deepStrictEqual(event.payload, { n: [1] })
    assert.strictEqual(event.bytes, 9)
  })
})
