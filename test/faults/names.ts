/** Name servers that are silent, late, terse or of two minds, asked by a host that knows them from /etc/resolv.conf. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Dns from "../support/dns.ts"
import * as Lab from "./support/lab.ts"
import * as Scene from "./support/scene.ts"

const NAME = "hub.test"
const SOURCE = `ws://${NAME}/a`

interface Answers {
  readonly four: Dns.Answer
  readonly six?: Dns.Answer
  readonly fourOverTcp?: Dns.Answer
}

const answersOf = ({ four, fourOverTcp, six = { addresses: [] } }: Answers) => ({
  [`A ${NAME}`]: four,
  [`AAAA ${NAME}`]: six,
  ...(fourOverTcp === undefined ? {} : { [`tcp A ${NAME}`]: fourOverTcp })
})

const HERE = { addresses: [Lab.FAR] }

/** A host whose one source has a name, and how its name server answers. */
const named = (answers: Answers, setup: { readonly openDeadlineMs?: number } = {}) =>
  Effect.gen(function* () {
    const lab = yield* Lab.make
    const names = yield* Scene.nameServer(Lab.RESOLVER, lab.far, answersOf(answers))
    const server = yield* Scene.serve(80, ["0.0.0.0", Lab.FAR6], lab.far)
    const where = yield* lab.resolving(Lab.RESOLVER)
    const limits = { ...Scene.limits, ...setup }
    const host = yield* Scene.host({ sources: [SOURCE], target: NAME, limits }, where)
    return { lab, host, server, names: { ...names, answer: (next: Answers) => names.answer(answersOf(next)) } }
  })

const opens = (host: Scene.HostProgram, epoch = 1) =>
  Scene.event(host, { kind: "websocket_open", epoch }, Scene.RECOVERED_MS)

const fails = (host: Scene.HostProgram) => Scene.event(host, { kind: "websocket_error", epoch: 0 }, Scene.NOTICED_MS)

describe(`a name server${Lab.skipped}`, Lab.atOnce, () => {
  it.live.skipIf(Scene.long.skipped)(
    Scene.long.name("that is silent fails the dial in its phase, and once it answers the source opens"),
    () =>
      Effect.gen(function* () {
        const { host, names, server } = yield* named({ four: "silent", six: "silent" })
        assert.include((yield* fails(host)).what, "OpenTimeout dns")
        yield* names.answer({ four: HERE })
        yield* opens(host)
        const { endedMs } = yield* Scene.finish(host, server)
        assert.isBelow(endedMs, 5000)
      }),
    60_000
  )

  it.live("that is silent doesn't hold up the end of the process", () =>
    Effect.gen(function* () {
      const { host, names, server } = yield* named({ four: "silent", six: "silent" }, { openDeadlineMs: 60_000 })
      yield* Scene.eventually(() => names.asked().length > 0)
      const { endedMs } = yield* Scene.finish(host, server)
      assert.isBelow(endedMs, 4000)
    })
  )

  it.live.skipIf(Scene.long.skipped)(
    Scene.long.name("that is later than a dial's deadline serves the next dial"),
    () =>
      Effect.gen(function* () {
        const openDeadlineMs = Scene.isLong ? 3000 : 1000
        const afterMs = 4 * openDeadlineMs
        const answers = { four: { ...HERE, afterMs }, six: { addresses: [], afterMs } }
        const { host, server } = yield* named(answers, { openDeadlineMs })
        assert.include((yield* fails(host)).what, "OpenTimeout dns")
        yield* opens(host)
        yield* Scene.finish(host, server)
      }),
    60_000
  )

  it.live("whose answer is cut short is asked again over TCP", () =>
    Effect.gen(function* () {
      const { host, names, server } = yield* named({ four: "truncated", fourOverTcp: HERE })
      yield* opens(host)
      yield* Scene.eventually(() => names.asked().includes(`tcp A ${NAME}`))
      yield* Scene.finish(host, server)
    })
  )

  it.live.skipIf(Scene.long.skipped)(
    Scene.long.name("whose answer is cut short, and which says nothing over TCP, fails the dial in its phase"),
    () =>
      Effect.gen(function* () {
        const { host, names, server } = yield* named({ four: "truncated", fourOverTcp: "silent" })
        assert.match((yield* fails(host)).what ?? "", /^(OpenTimeout|DialFailed) dns/)
        yield* names.answer({ four: HERE })
        yield* opens(host)
        yield* Scene.finish(host, server)
      }),
    60_000
  )

  for (const [name, answers, remote] of [
    ["AAAA", { four: HERE, six: "silent" }, Lab.FAR],
    ["A", { four: "silent", six: { addresses: [Lab.FAR6] } }, Lab.FAR6]
  ] as const) {
    it.live.skipIf(Scene.long.skipped)(
      Scene.long.name(`that is silent about ${name} alone doesn't delay the dial`),
      () =>
        Effect.gen(function* () {
          const { host, server } = yield* named(answers)
          yield* opens(host)
          const { remote_address: address } = yield* Scene.connection(host, ({ state }) => state === "open")
          assert.strictEqual(address, remote)
          const { endedMs, faults } = yield* Scene.finish(host, server)
          assert.deepStrictEqual(faults, [])
          assert.isBelow(endedMs, 4000)
        })
    )
  }

  it.live(
    "that changes its mind is asked again at each dial",
    () =>
      Effect.gen(function* () {
        const { host, lab, names, server } = yield* named({ four: HERE })
        yield* opens(host)
        yield* lab.sh(lab.far, `ip addr add ${Lab.OTHER_FAR}/24 dev line`)
        // Of several, one that isn't there: it is raced, and costs nothing but a moment.
        yield* names.answer({ four: { addresses: ["10.201.0.77", Lab.OTHER_FAR] } })
        server.tell({ do: "hangUp", count: 1 })
        yield* opens(host, 2)
        const { remote_address: address } = yield* Scene.connection(host, ({ state }) => state === "open")
        assert.strictEqual(address, Lab.OTHER_FAR)
        // What it says now may not be dialled at all; nothing is.
        yield* names.answer({ four: { addresses: [Lab.FAR, "169.254.169.254"] } })
        server.tell({ do: "hangUp", count: 1 })
        const denied = yield* Scene.connection(host, ({ stop_reason: reason }) => reason === "address")
        assert.strictEqual(denied.last_error?.tag, "AddressDenied")
        const { faults, plugin } = yield* Scene.finish(host, server)
        assert.deepStrictEqual(faults, ["ConnectionClosed", "ConnectionClosed", "AddressDenied"])
        assert.strictEqual(plugin.websocket_connections[0]?.opens, 2)
      }),
    60_000
  )
})
