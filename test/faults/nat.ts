/** Something in between that keeps a list of connections, a NAT or a firewall, and loses it. New connections pass. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lab from "./support/lab.ts"
import * as Scene from "./support/scene.ts"
import * as Silence from "./support/silence.ts"

const ways = {
  "both ways": { out: true, in: true },
  "on the way out": { out: true, in: false },
  "on the way in": { out: false, in: true }
}

/** In the short form one of them stands for all. */
const inShort = "on the way out"

const SENT = 5

describe(`a connection that is forgotten in between${Lab.skipped}`, Lab.atOnce, () => {
  for (const [name, way] of Object.entries(ways)) {
    const title = `${name} is noticed and opened anew, and what got lost is told`
    it.live.skipIf(Scene.long.skipped && name !== inShort)(
      name === inShort ? title : Scene.long.name(title),
      () =>
        Effect.gen(function* () {
          const { host, lab, server, sources } = yield* Scene.openOver(["/a"])
          yield* Silence.answered(host)
          yield* lab.forget(way)
          const since = Scene.now()
          host.tell({ do: "send", to: sources[0] ?? "", count: SENT, bytes: 500 })
          assert.deepStrictEqual(yield* Silence.noticed(host, since), { what: "silent", unconfirmed: SENT })
          yield* Scene.event(host, { kind: "websocket_open", epoch: 2 }, Scene.RECOVERED_MS)
          const { faults, lost } = yield* Scene.finish(host, server)
          assert.deepStrictEqual(faults, ["KeepaliveTimeout"])
          // On the way in they did arrive: it is their answers that didn't.
          assert.strictEqual(lost, way.out ? SENT : 0)
        }),
      120_000
    )
  }
})
