/** A line on which long packets vanish and nobody is told (RFC 8899, section 1.1): the upgrade fits, what follows doesn't. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lab from "./support/lab.ts"
import * as Scene from "./support/scene.ts"
import * as Silence from "./support/silence.ts"

const MTU = 500
const BYTES = 5000

const recovers = (host: Scene.HostProgram) =>
  Scene.event(host, { kind: "websocket_open", epoch: 2 }, Scene.RECOVERED_MS)

describe(`where long packets vanish${Lab.skipped}`, Lab.atOnce, () => {
  it.live.skipIf(Scene.long.skipped)(
    Scene.long.name("on the way in, the server that can't be heard is noticed"),
    () =>
      Effect.gen(function* () {
        const { host, lab, server } = yield* Scene.openOver(["/a"])
        yield* lab.spoil({ in: { mtu: MTU } })
        const since = Scene.now()
        server.tell({ do: "send", count: 1, bytes: BYTES })
        assert.strictEqual((yield* Silence.noticed(host, since)).what, "silent")
        yield* lab.heal
        yield* recovers(host)
        const { faults } = yield* Scene.finish(host, server)
        assert.deepStrictEqual(faults, ["KeepaliveTimeout"])
      }),
    120_000
  )

  it.live.skipIf(Scene.long.skipped)(
    Scene.long.name("on the way out, it is noticed, and what was sent is told as unconfirmed"),
    () =>
      Effect.gen(function* () {
        const { host, lab, server, sources } = yield* Scene.openOver(["/a"])
        yield* Silence.answered(host)
        yield* lab.spoil({ out: { mtu: MTU } })
        const since = Scene.now()
        host.tell({ do: "send", to: sources[0] ?? "", count: 3, bytes: BYTES })
        assert.strictEqual((yield* Silence.noticed(host, since)).unconfirmed, 3)
        yield* lab.heal
        yield* recovers(host)
        const { connection, faults, lost } = yield* Scene.finish(host, server)
        assert.deepStrictEqual(faults, ["KeepaliveTimeout"])
        assert.strictEqual(lost, 3)
        assert.strictEqual(connection.unconfirmed_at_ends, 3)
      }),
    120_000
  )

  it.live(
    "on the way out, it is noticed although the server talks on",
    () =>
      Effect.gen(function* () {
        const { host, lab, server, sources } = yield* Scene.openOver(["/a"])
        server.tell({ do: "chatter", everyMs: 100 })
        yield* Silence.answered(host)
        yield* lab.spoil({ out: { mtu: MTU } })
        const since = Scene.now()
        host.tell({ do: "send", to: sources[0] ?? "", count: 3, bytes: BYTES })
        // Three intervals, then, and not one deadline.
        const { what } = yield* Silence.noticed(host, since, Scene.NOTICED_MS + 3 * Scene.limits.pingIntervalMs)
        assert.strictEqual(what, "unanswered")
        yield* lab.heal
        yield* recovers(host)
        const { faults, lost } = yield* Scene.finish(host, server)
        assert.deepStrictEqual(faults, ["KeepaliveTimeout"])
        assert.strictEqual(lost, 3)
      }),
    180_000
  )
})
