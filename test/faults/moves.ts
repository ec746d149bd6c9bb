/** Addresses that change under open connections. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Lab from "./support/lab.ts"
import * as Scene from "./support/scene.ts"
import * as Silence from "./support/silence.ts"

const NAME = "hub.test"
const addressed = (address: string) => ({
  [`A ${NAME}`]: { addresses: [address] },
  [`AAAA ${NAME}`]: { addresses: [] }
})

describe(`an address that changes${Lab.skipped}`, Lab.atOnce, () => {
  it.live(
    "on the server's side is noticed, and its name leads to the new one",
    () =>
      Effect.gen(function* () {
        const lab = yield* Lab.make
        const names = yield* Scene.nameServer(Lab.RESOLVER, lab.far, addressed(Lab.FAR))
        const server = yield* Scene.serve(80, ["0.0.0.0"], lab.far)
        const sources = [`ws://${NAME}/a`]
        const where = yield* lab.resolving(Lab.RESOLVER)
        const host = yield* Scene.host({ sources, target: NAME, limits: Scene.limits }, where)
        yield* Scene.event(host, { kind: "websocket_open", epoch: 1 })
        yield* Silence.answered(host)
        yield* lab.sh(lab.far, `ip addr del ${Lab.FAR}/24 dev line; ip addr add ${Lab.OTHER_FAR}/24 dev line`)
        yield* names.answer(addressed(Lab.OTHER_FAR))
        const since = Scene.now()
        host.tell({ do: "send", to: sources[0] ?? "", count: 2, bytes: 500 })
        assert.strictEqual((yield* Silence.noticed(host, since)).unconfirmed, 2)
        yield* Scene.event(host, { kind: "websocket_open", epoch: 2 }, Scene.RECOVERED_MS)
        const { remote_address: remote } = yield* Scene.connection(host, ({ state }) => state === "open")
        assert.strictEqual(remote, Lab.OTHER_FAR)
        const { faults, lost } = yield* Scene.finish(host, server)
        assert.deepStrictEqual(faults, ["KeepaliveTimeout"])
        assert.strictEqual(lost, 2)
      }),
    120_000
  )

  it.live.skipIf(Scene.long.skipped)(
    Scene.long.name("on the host's side is noticed, and dialled from the new one"),
    () =>
      Effect.gen(function* () {
        const { host, lab, server, sources } = yield* Scene.openOver(["/a"])
        yield* Silence.answered(host)
        yield* lab.unplug
        yield* lab.plug(Lab.OTHER_HOST)
        const since = Scene.now()
        host.tell({ do: "send", to: sources[0] ?? "", count: 2, bytes: 500 })
        assert.strictEqual((yield* Silence.noticed(host, since)).unconfirmed, 2)
        yield* Scene.event(host, { kind: "websocket_open", epoch: 2 }, Scene.RECOVERED_MS)
        assert.strictEqual(server.said.findLast(({ opened }) => opened !== undefined)?.from, Lab.OTHER_HOST)
        const { faults, lost } = yield* Scene.finish(host, server)
        assert.deepStrictEqual(faults, ["KeepaliveTimeout"])
        assert.strictEqual(lost, 2)
      }),
    120_000
  )
})
