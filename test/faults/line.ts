/** A line that loses, delays, reorders and cuts. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lab from "./support/lab.ts"
import * as Scene from "./support/scene.ts"

const SOURCE = `ws://${Lab.FAR}/a`
const PORT = 80

describe(`over a line between namespaces${Lab.skipped}`, Lab.atOnce, () => {
  it.live("what both sides send arrives, in order, though packets are lost, late and overtaken", () =>
    Effect.gen(function* () {
      const lab = yield* Lab.make
      const server = yield* Scene.serve(PORT, [Lab.FAR], lab.far)
      const host = yield* Scene.host({ sources: [SOURCE], target: Lab.FAR }, lab.host)
      yield* Scene.event(host, { kind: "websocket_open", epoch: 1 })
      yield* lab.spoilBoth({ loss: 0.05, delayMs: 5, jitterMs: 10 })
      server.tell({ do: "send", count: 100, bytes: 500 })
      host.tell({ do: "send", to: SOURCE, count: 100, bytes: 500 })
      yield* host.until(({ event }) => event?.number === 100 || undefined, 20_000)
      yield* Scene.arrived(server, "/a", 100, 20_000)
      const counts = yield* lab.counts
      assert.isAbove(counts.out.lost + counts.in.lost, 0)
      const { connection, faults, lost } = yield* Scene.finish(host, server)
      assert.strictEqual(lost, 0)
      assert.deepStrictEqual(faults, [])
      assert.deepInclude(connection, { epoch: 1, received_text_frames: 100, sent_text_frames: 100 })
    })
  )
})
