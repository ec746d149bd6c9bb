import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { GrantStore, OutputCommand, PluginHost, type PluginRuntime, type ServicePlugin } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const declared: ServicePlugin.IngressDeclaration = {
  urgent: ["!", '{"op":11'],
  autoReplies: [
    { text: "ping", reply: "pong" },
    { text: "\u{e9}", reply: "\u{1f600}" },
    { text: "", reply: "" }
  ]
}

/** Notes texts with their frame and what was lost before; `say x` sends x, `close` closes. The open waits for `after`. */
const noting = (
  seen: Array<string>,
  ingress = declared,
  after: Effect.Effect<void> = Effect.void
): PluginRuntime.PluginPackage =>
  plugin({
    ingress,
    handlers: {
      gateway: {
        websocket_open: () => Effect.asVoid(after),
        websocket_text: (event) => {
          seen.push(`${event.text} ${event.frame}${event.droppedBefore > 0 ? ` after ${event.droppedBefore}` : ""}`)
          if (event.text === "close") return Exit.succeed({ commands: [OutputCommand.close(event)] })
          const said = /^say (.*)$/.exec(event.text)?.[1]
          return said === undefined ? Exit.void : Exit.succeed({ commands: [OutputCommand.send(event, said)] })
        },
        websocket_close: () => {
          seen.push("closed")
          return Exit.void
        }
      }
    }
  })

const REF = refOf(noting([]))

/** What the connection of the plugin has counted; what isn't accounted for is a failure. */
const counted = Effect.map(rowOf(REF), (row) => {
  assert.isUndefined(accountingProblem(row))
  const [{ autoReplied, enqueuedText, ignoredText, rejectedText, sentTextFrames } = assert.fail("no connection")] =
    row.websocketConnections
  return { autoReplied, enqueuedText, ignoredText, rejectedText, sentTextFrames }
})

const none = { autoReplied: 0, enqueuedText: 0, ignoredText: 0, rejectedText: 0, sentTextFrames: 0 }

/** A plugin that is busy with its open until it is told to go on. */
const busy = (seen: Array<string>, limits = {}) => {
  const goOn = Deferred.makeUnsafe<void>()
  const start = Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    const host = yield* PluginHost.PluginHost
    const remote = yield* fake.remote(GATEWAY)
    yield* settled
    return { host, remote, goOn: Effect.andThen(Deferred.succeed(goOn, undefined), host.idle) }
  })
  return { start, layer: onFake({ plugins: [noting(seen, declared, Deferred.await(goOn))], limits }) }
}

describe("urgent texts", () => {
  it.effect(
    "are handed over before what waits of their source, at most eight in a row, and never after its close",
    () => {
      const seen: Array<string> = []
      const { layer, start } = busy(seen)
      return Effect.gen(function* () {
        const { goOn, remote } = yield* start
        const urgent = Array.from({ length: 10 }, (_, n) => `!${n}`)
        remote.sendBurst(["a", "b", ...urgent, '{"op":11,"d":1}', '{"op": 11}', "say !"])
        remote.breakOff()
        yield* goOn
        assert.deepStrictEqual(seen, [
          ...urgent.slice(0, 8).map((text, n) => `${text} ${n + 3}`),
          "a 1",
          "!8 11",
          "!9 12",
          '{"op":11,"d":1} 13',
          "b 2",
          '{"op": 11} 14',
          "say ! 15",
          "closed"
        ])
        assert.isUndefined(accountingProblem(yield* rowOf(REF)))
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect(
    "rule 4: outlive others in a full queue, and every lost one is told once, by the first event behind it",
    () => {
      const seen: Array<string> = []
      const { layer, start } = busy(seen, { ingressQueueCapacity: 3, burstPatienceMs: 0 })
      return Effect.gen(function* () {
        const { goOn, remote } = yield* start
        for (const text of ["a", "!b", "c", "d", "!e", "f"]) remote.sendText(text)
        yield* goOn
        // Of a, !b, c, d goes a; of !b, c, d, !e goes c; of !b, d, !e, f goes d.
        assert.deepStrictEqual(seen, ["!b 2 after 1", "!e 5 after 2", "f 6"])
        const row = yield* rowOf(REF)
        assert.isUndefined(accountingProblem(row))
        assert.deepInclude(row.websocketConnections[0], { queueDrops: 3, queueCapacity: 3 })
      }).pipe(Effect.provide(layer))
    }
  )
})

describe("automatic replies", () => {
  it.effect("are sent in the turn in which the text is read, and the text is no event and has no number", () => {
    const seen: Array<string> = []
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendBurst(["a", "ping", "\u{e9}", "", "b"])
      assert.deepStrictEqual(remote.sent, ["pong", "\u{1f600}", ""])
      yield* host.idle
      assert.deepStrictEqual(seen, ["a 1", "b 2"])
      assert.deepStrictEqual(yield* counted, { ...none, autoReplied: 3, enqueuedText: 2, sentTextFrames: 3 })
    }).pipe(Effect.provide(onFake({ plugins: [noting(seen)] })))
  })

  it.effect("are for exactly these texts, byte for byte", () => {
    const seen: Array<string> = []
    const others = ["Ping", "ping ", " ping", "pin", "ping\0", "ping\n", "\u{feff}ping", "e\u{301}", "ping\u{ad}"]
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      for (const text of others) remote.sendText(text)
      yield* host.idle
      assert.deepStrictEqual(remote.sent, [])
      assert.deepStrictEqual(
        seen,
        others.map((text, n) => `${text} ${n + 1}`)
      )
    }).pipe(Effect.provide(onFake({ plugins: [noting(seen)] })))
  })

  it.effect("overtake a backlog, which is why they are there", () => {
    const seen: Array<string> = []
    const { layer, start } = busy(seen)
    return Effect.gen(function* () {
      const { goOn, remote } = yield* start
      remote.sendBurst([...Array.from({ length: 500 }, (_, n) => String(n)), "ping"])
      assert.deepStrictEqual(remote.sent, ["pong"])
      yield* goOn
      assert.lengthOf(seen, 500)
    }).pipe(Effect.provide(layer))
  })

  it.effect("are charged to the grant's rate like any send; where it has no room the text is an event", () => {
    const seen: Array<string> = []
    const pkg = noting(seen)
    const websocket = [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"], sends_per_minute: 2 }]
    const enabled = [enable(pkg, { grants: { permissions: pkg.manifest.permissions, websocket } })]
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      for (const text of ["ping", "say x", "ping", "say y", "ping"]) {
        remote.sendText(text)
        yield* host.idle
      }
      assert.deepStrictEqual(remote.sent, ["pong", "x"])
      assert.deepStrictEqual(seen, ["say x 1", "ping 2", "say y 3", "ping 4"])
      assert.deepStrictEqual(yield* counted, { ...none, autoReplied: 1, enqueuedText: 4, sentTextFrames: 2 })
      yield* TestClock.adjust(30_000)
      remote.sendText("ping")
      assert.deepStrictEqual(remote.sent, ["pong", "x", "pong"])
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled })))
  })

  it.effect("are charged to the buffer like any send; where it has no room the text is an event", () => {
    const seen: Array<string> = []
    const ingress = { autoReplies: [{ text: "ping", reply: "p".repeat(1000) }] }
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.stopDraining()
      for (let n = 0; n < 5; n++) remote.sendText("ping")
      yield* host.idle
      assert.lengthOf(remote.sent, 2)
      assert.deepStrictEqual(seen, ["ping 1", "ping 2", "ping 3"])
      assert.deepStrictEqual(yield* counted, { ...none, autoReplied: 2, enqueuedText: 3, sentTextFrames: 2 })
      remote.drain()
      remote.sendText("ping")
      assert.lengthOf(remote.sent, 3)
    }).pipe(
      Effect.provide(
        onFake({ plugins: [noting(seen, ingress)], limits: { sendBufferBytes: 2500, sendTextBytes: 1024 } })
      )
    )
  })

  it.effect("are sent whatever kinds the ingress lists; where there is no room the text is ignored", () => {
    const seen: Array<string> = []
    const ingress = { ...declared, eventKinds: ["websocket_open"] }
    const pkg = plugin({ ingress })
    const websocket = [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"], sends_per_minute: 1 }]
    const enabled = [enable(pkg, { grants: { permissions: pkg.manifest.permissions, websocket } })]
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendBurst(["ping", "ping", "a"])
      yield* host.idle
      assert.deepStrictEqual(remote.sent, ["pong"])
      assert.deepStrictEqual(seen, [])
      assert.deepStrictEqual(yield* counted, { ...none, autoReplied: 1, ignoredText: 2, sentTextFrames: 1 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled })))
  })

  it.effect("rule 1: aren't sent once the grant is gone", () => {
    const seen: Array<string> = []
    const pkg = noting(seen)
    return Effect.gen(function* () {
      const grants = yield* GrantStore.GrantEditor
      const { host, remote } = yield* opened(GATEWAY)
      remote.ignoreClose()
      yield* grants.revoke(REF)
      yield* settled
      remote.sendText("ping")
      assert.deepStrictEqual(remote.sent, [])
      yield* TestClock.adjust(500)
      yield* host.idle
      assert.deepStrictEqual(yield* counted, { ...none, rejectedText: 1 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("aren't sent while the service doesn't run, though its connection is open: the text waits for it", () => {
    const seen: Array<string> = []
    const lost = [Deferred.makeUnsafe<PluginRuntime.Loss>(), Deferred.makeUnsafe<PluginRuntime.Loss>()]
    let starts = 0
    const pkg: PluginRuntime.PluginPackage = {
      ...noting(seen),
      runtime: {
        start: () =>
          Effect.gen(function* () {
            const loss = lost[starts++] ?? (yield* Effect.die("too many starts"))
            if (starts === 2) yield* Effect.sleep(100)
            return {
              handle: (event) => Exit.succeed(void seen.push(event.kind)),
              stop: Effect.void,
              lost: Deferred.await(loss)
            }
          })
      }
    }
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      yield* Deferred.succeed(lost[0] ?? assert.fail(), "neighbour")
      yield* settled
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "starting")
      remote.sendText("ping")
      assert.deepStrictEqual(remote.sent, [])
      yield* TestClock.adjust(100)
      yield* host.idle
      remote.sendText("ping")
      assert.deepStrictEqual(remote.sent, ["pong"])
      yield* host.idle
      assert.deepStrictEqual(seen, ["websocket_open", "websocket_text"])
      assert.deepStrictEqual(yield* counted, { ...none, autoReplied: 1, enqueuedText: 1, sentTextFrames: 1 })
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })
})
