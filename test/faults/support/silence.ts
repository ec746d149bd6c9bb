/** What a host does once it hears nothing more. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { connection, event, type HostProgram, NOTICED_MS, WAIT_MS } from "./scene.ts"

/**
 * Waits until the plugin is told that its connection died of silence, and hands over what was silent. The fault began
 * at `since`.
 */
export const noticed = (program: HostProgram, since: number, withinMs = NOTICED_MS) =>
  Effect.gen(function* () {
    const error = yield* event(program, { kind: "websocket_error", epoch: 1 }, withinMs + WAIT_MS)
    const [tag, what] = error.what?.split(" ") ?? []
    assert.strictEqual(tag, "KeepaliveTimeout")
    assert.isTrue(error.willReconnect)
    assert.isBelow(error.at - since, withinMs)
    const close = yield* event(program, { kind: "websocket_close", epoch: 1 })
    assert.deepInclude(close, { what: "1006", willReconnect: true })
    return { what, unconfirmed: close.unconfirmed ?? 0 }
  })

/** Waits until a ping of the host was answered at this time of the wall's clock or later. */
export const answered = (program: HostProgram, since = 0) =>
  connection(program, ({ last_pong_at: at }) => at !== null && Date.parse(at) >= since)
