import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { GrantStore, OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

describe("PluginHost", () => {
  it.effect("hands a text to the handler and its answer to the socket", () => {
    const echo = plugin({
      handlers: {
        gateway: {
          websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, `re: ${event.text}`)] })
        }
      }
    })
    const enabled = [enable(echo)]
    const live = PluginHost.layer({ plugins: [echo], enabled }).pipe(
      Layer.provide(GrantStore.layer(enabled)),
      Layer.provideMerge(FakeWebSocket.layer)
    )
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.sendText("hi")
      yield* host.idle
      console.log(JSON.stringify(yield* host.status, null, 1))
      assert.deepStrictEqual(remote.sent, ["re: hi"])
    }).pipe(Effect.provide(live))
  })
})
