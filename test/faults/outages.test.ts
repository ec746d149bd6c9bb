/** A line that is dead for a while. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lab from "./support/lab.ts"
import * as Scene from "./support/scene.ts"

const SOURCE = `ws://${Lab.FAR}/a`

describe.skipIf(Lab.missing !== undefined)(`when the line is dead${Lab.skipped}`, () => {
  it.live("for less than the deadline of a pong nothing ends, and what was sent meanwhile arrives", () =>
    Effect.gen(function* () {
      const lab = yield* Lab.make
      const server = yield* Scene.serve(80, [Lab.FAR], lab.far)
      const limits = { pingIntervalMs: 500, pongDeadlineMs: 6000 }
      const host = yield* Scene.host({ sources: [SOURCE], target: Lab.FAR, limits }, lab.host)
      yield* Scene.event(host, { kind: "websocket_open", epoch: 1 })
      yield* lab.spoilBoth({ isDown: true })
      server.tell({ do: "send", count: 10, bytes: 500 })
      host.tell({ do: "send", to: SOURCE, count: 10, bytes: 500 })
      yield* Effect.sleep(1000)
      yield* lab.heal
      yield* host.until(({ event }) => event?.number === 10 || undefined)
      yield* Scene.arrived(server, "/a", 10)
      yield* Scene.connection(host, (now) => now.state === "open" && now.epoch === 1)
      const { connection, faults, lost } = yield* Scene.finish(host, server)
      assert.deepStrictEqual(faults, [])
      assert.strictEqual(lost, 0)
      assert.deepInclude(connection, { epoch: 1, received_text_frames: 10, sent_text_frames: 10 })
    })
  )
})
