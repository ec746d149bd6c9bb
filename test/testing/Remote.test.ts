import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { ConnectionError, type IngressEvent } from "mooring"
import { TestHost } from "mooring/testing"
import { opened } from "../support/host.ts"
import { GATEWAY, plugin } from "../support/plugins.ts"

describe("the server's end", () => {
  for (const [name, cause, tag] of [
    ["for a cause", new ConnectionError.ProtocolViolation({ url: GATEWAY, problem: "test" }), "ProtocolViolation"],
    ["for none", undefined, "ConnectionClosed"]
  ] as const) {
    it.effect(`breaks the connection off ${name}, after what came before`, () => {
      const told: Array<string> = []
      const tell = (event: IngressEvent.IngressEvent) => {
        told.push(event.kind === "websocket_error" ? event.error.tag : event.kind)
        return Exit.void
      }
      const listener = plugin({
        handlers: { gateway: { websocket_text: tell, websocket_error: tell, websocket_close: tell } }
      })
      return Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        remote.sendText("before")
        remote.breakOff(cause)
        remote.sendText("after")
        yield* host.idle
        assert.deepStrictEqual(told, ["websocket_text", tag, "websocket_close"])
      }).pipe(Effect.provide(TestHost.layer({ plugins: [listener] })))
    })
  }
})
