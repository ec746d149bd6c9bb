import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { type IngressEvent, type Limits, OutputCommand, ServicePlugin } from "mooring"
import { FakeRequests, FakeWebSocket } from "mooring/testing"
import { int, list } from "../support/arbitraries.ts"
import { onFake, rowOf, settled } from "../support/host.ts"
import { enable, target } from "../support/plugins.ts"

const API = "https://api.example.com/"
const PLUGINS = ["a", "b", "c", "d"] as const
type Name = (typeof PLUGINS)[number]

const TIMEOUT_MS = 2000

const urlOf = (name: string) => `ws://127.0.0.1:7700/${name}`

/** A plugin that makes so many requests as each text says, all to a place of its own. */
const askerOf = (name: Name, seen: Array<string>) => {
  let asked = 0
  return ServicePlugin.make({
    id: `test.${name}`,
    version: "1.0.0",
    ingresses: { gateway: { sources: [urlOf(name)], eventKinds: ["websocket_text"] } },
    websocket: [target],
    request: [{ scheme: "https", host: "api.example.com", methods: ["GET"], pathPrefixes: ["/"] }],
    handlers: {
      gateway: {
        websocket_text: ({ text }) => {
          if (text === "die") throw new Error("as told")
          const commands = Array.from({ length: Number(text) }, () =>
            OutputCommand.request("GET", `${API}${name}?${++asked}`, {
              commandId: `${name}${asked}`,
              timeoutMs: TIMEOUT_MS
            })
          )
          return Exit.succeed({ commands })
        },
        host_response: ({ answer, commandId, error }: IngressEvent.HostResponse) => {
          seen.push(`${commandId} ${error?.tag ?? answer?.status}`)
          return Exit.void
        }
      }
    }
  })
}

const REQUEST = { scheme: "https", host: "api.example.com", methods: ["GET"], path_prefixes: ["/"] }

interface World {
  readonly fake: FakeRequests.FakeRequests["Service"]
  readonly seen: ReadonlyArray<string>
  readonly ask: (name: Name, requests: number) => Effect.Effect<void>
  /** What was sent, in its order. */
  readonly begun: Effect.Effect<string>
}

/** A host with all of the plugins, and with places for so many requests. */
const hosting = <A, E, R>(limits: Partial<Limits.Values>, use: (world: World) => Effect.Effect<A, E, R>) => {
  const seen: Array<string> = []
  const plugins = PLUGINS.map((name) => askerOf(name, seen))
  const enabled = plugins.map((pkg) => {
    const websocket = [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"] }]
    return enable(pkg, { grants: { permissions: pkg.manifest.permissions, websocket, request: [REQUEST] } })
  })
  return Effect.gen(function* () {
    const sockets = yield* FakeWebSocket.FakeWebSocket
    const fake = yield* FakeRequests.FakeRequests
    yield* settled
    const ask = (name: Name, requests: number) =>
      Effect.gen(function* () {
        ;(yield* sockets.remotes(urlOf(name))).at(-1)?.sendText(`${requests}`)
        yield* settled
      })
    const begun = Effect.map(fake.requests, (sent) =>
      sent.map(({ url }) => url.slice(API.length).replace("?", "")).join(" ")
    )
    return yield* use({ fake, seen, ask, begun })
  }).pipe(Effect.provide(onFake({ plugins, enabled, limits })))
}

const never = (fake: World["fake"], name: Name) => fake.answer(`${API}${name}`, { kind: "never" })

/** Time passes, and what was due has happened. */
const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settled)

describe("rule 12: the places of a host's requests", () => {
  it.effect("are never all of one plugin's where there are four: the last quarter waits for who has none", () =>
    hosting({ requestsAtOnce: 8, requestsAtOncePerPlugin: 8 }, ({ ask, begun, fake, seen }) =>
      Effect.gen(function* () {
        yield* never(fake, "a")
        yield* ask("a", 12)
        assert.strictEqual(yield* begun, "a1 a2 a3 a4 a5 a6")
        // Another plugin's is made at once, as one of a third's that never ends.
        yield* never(fake, "c")
        yield* ask("b", 1)
        yield* ask("c", 3)
        yield* ask("b", 1)
        assert.deepStrictEqual(seen, ["b1 200", "b2 200"])
        assert.strictEqual(yield* begun, "a1 a2 a3 a4 a5 a6 b1 c1 b2")
      })
    )
  )

  it.effect(
    "that one plugin uses up against a server which never answers are another's after the deadline of one",
    () =>
      hosting({ requestsAtOnce: 3, requestsAtOncePerPlugin: 3 }, ({ ask, begun, fake, seen }) =>
        Effect.gen(function* () {
          yield* never(fake, "a")
          yield* ask("a", 3)
          yield* pass(500)
          yield* ask("a", 9)
          yield* pass(500)
          yield* ask("b", 2)
          assert.strictEqual(yield* begun, "a1 a2 a3")
          yield* pass(TIMEOUT_MS - 1000 - 1)
          assert.strictEqual(yield* begun, "a1 a2 a3")
          // The first of a's that is past its deadline makes room, and of all that wait b's is the next.
          yield* pass(100)
          assert.strictEqual(yield* begun, "a1 a2 a3 b1 a4 b2 a5 a6")
          assert.deepStrictEqual(
            seen.filter((told) => told.startsWith("b")),
            ["b1 200", "b2 200"]
          )
        })
      )
  )

  it.effect(
    "that several plugins use up are within a deadline those of who waits, each before it having one turn",
    () =>
      hosting({ requestsAtOnce: 3, requestsAtOncePerPlugin: 3 }, ({ ask, begun, fake, seen }) =>
        Effect.gen(function* () {
          yield* ask("c", 1)
          yield* never(fake, "a")
          yield* never(fake, "b")
          yield* ask("a", 3)
          yield* pass(50)
          yield* ask("a", 3)
          yield* ask("b", 3)
          yield* pass(50)
          yield* ask("c", 1)
          yield* pass(TIMEOUT_MS - 101)
          assert.strictEqual(yield* begun, "c1 a1 a2 a3")
          // Before its own deadline, which is later than that of who has the place.
          yield* pass(45)
          assert.strictEqual(yield* begun, "c1 a1 a2 a3 b1 c2 a4 b2")
          assert.include(seen, "c2 200")
        })
      )
  )

  it.effect("are given in turns, however many of one plugin's wait", () =>
    hosting({ requestsAtOnce: 1, requestsAtOncePerPlugin: 4 }, ({ ask, begun, fake }) =>
      Effect.gen(function* () {
        for (const name of PLUGINS) yield* fake.answer(`${API}${name}`, { afterMs: 100 })
        yield* ask("a", 6)
        yield* ask("b", 2)
        yield* ask("c", 3)
        yield* pass(150)
        yield* ask("d", 1)
        yield* pass(TIMEOUT_MS)
        assert.strictEqual(yield* begun, "a1 b1 c1 d1 a2 b2 c2 a3 c3 a4 a5 a6")
      })
    )
  )

  it.effect("aren't lost with a plugin that ends while it holds them", () =>
    hosting({ requestsAtOnce: 2, requestsAtOncePerPlugin: 2 }, ({ ask, begun, fake }) =>
      Effect.gen(function* () {
        yield* never(fake, "a")
        yield* ask("a", 4)
        yield* ask("b", 1)
        assert.strictEqual(yield* begun, "a1 a2")
        const sockets = yield* FakeWebSocket.FakeWebSocket
        ;(yield* sockets.remotes(urlOf("a"))).at(-1)?.sendText("die")
        yield* settled
        assert.strictEqual((yield* rowOf("project:test.a")).requests.abandoned, 4)
        assert.strictEqual(yield* begun, "a1 a2 b1")
      })
    )
  )

  const Steps = list(
    Arbitrary.all({
      plugin: int(0, PLUGINS.length - 1),
      requests: int(0, 5),
      afterMs: int(0, 3000),
      waitMs: int(0, 700)
    }),
    1,
    25
  )

  it.effect.prop(
    "never have more than there are in them, of a plugin or of the host, and each begins in its plugin's order",
    { places: int(1, 6), each: int(1, 4), steps: Steps },
    ({ each, places, steps }) =>
      hosting({ requestsAtOnce: places, requestsAtOncePerPlugin: each }, ({ ask, fake, seen }) =>
        Effect.gen(function* () {
          let asked = 0
          for (const { afterMs, plugin, requests, waitMs } of steps) {
            const name = PLUGINS[plugin] ?? "a"
            yield* fake.answer(`${API}${name}`, { afterMs })
            yield* ask(name, requests)
            yield* pass(waitMs)
            const rows = yield* Effect.forEach(PLUGINS, (of) => rowOf(`project:test.${of}`))
            asked = rows.reduce((sum, row) => sum + row.requests.executed, 0)
            const inFlight = rows.map((row) => row.requests.inFlight)
            assert.isAtMost(Math.max(...inFlight), each)
            assert.isAtMost(
              inFlight.reduce((sum, of) => sum + of, 0),
              places
            )
            // Nobody waits where there is room for everybody.
            const free = places - inFlight.reduce((sum, of) => sum + of, 0)
            for (const { requests: of } of rows) {
              if (of.waiting === 0 || of.inFlight >= each) continue
              assert.isTrue(of.inFlight === 0 ? free === 0 : free <= Math.floor(places / 4))
            }
          }
          yield* pass(10 * TIMEOUT_MS)
          assert.strictEqual(yield* fake.underway, 0)
          assert.lengthOf(seen, asked)
          for (const name of PLUGINS) {
            const sent = (yield* fake.requested(`${API}${name}`, 0)).map(({ url }) => Number(url.split("?")[1]))
            assert.deepStrictEqual(
              sent,
              sent.toSorted((one, other) => one - other)
            )
          }
        })
      ),
    { arbitrary: { runs: 40 } }
  )
})
