import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { type Enablement, GrantStore, OutputCommand } from "mooring"
import { onFake, opened, rowOf } from "../support/host.ts"
import { heapUsed } from "../support/memory.ts"
import { enable, GATEWAY, plugin, refOf, target } from "../support/plugins.ts"

const echo = plugin({
  handlers: {
    gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] }) }
  }
})
const REF = refOf(echo)

type Targets = Enablement.Enablement["grants"]["websocket"]

/** Everything granted, but with these targets. */
const granted = (...websocket: Targets): Enablement.Enablement => {
  const enabled = enable(echo)
  return { ...enabled, grants: { ...enabled.grants, websocket } }
}

const WIDE = { ...target, pathPrefixes: ["/"], sendsPerMinute: 3 }

const editing = Effect.map(GrantStore.GrantEditor, (grants) => ({
  set: (...targets: Targets) => grants.set(REF, GrantStore.grantOf(granted(...targets))),
  revoke: grants.revoke(REF)
}))

describe("the rate of a grant", () => {
  it.effect("rule 3: goes on where its paths or the rate are edited, and where it was gone for a while", () =>
    Effect.gen(function* () {
      const { fake, host, remote } = yield* opened(GATEWAY)
      const { revoke, set } = yield* editing
      const sent = (count: number) =>
        Effect.gen(function* () {
          for (let n = 0; n < count; n++) remote.sendText("x")
          yield* host.idle
          return remote.sent.length
        })
      assert.strictEqual(yield* sent(5), 3)
      yield* set({ ...WIDE, pathPrefixes: ["/gateway"] })
      assert.strictEqual(yield* sent(1), 3)
      yield* revoke
      yield* host.idle
      yield* set({ ...WIDE, host: "elsewhere" }, WIDE)
      const second = yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      second.sendText("x")
      yield* host.idle
      assert.lengthOf(second.sent, 0)
      yield* set({ ...WIDE, sendsPerMinute: 6 })
      for (let n = 0; n < 2; n++) second.sendText("x")
      yield* host.idle
      assert.lengthOf(second.sent, 2)
      yield* set({ ...WIDE, sendsPerMinute: 4 })
      second.sendText("x")
      yield* host.idle
      yield* TestClock.adjust("15 seconds")
      for (let n = 0; n < 2; n++) second.sendText("x")
      yield* host.idle
      assert.lengthOf(second.sent, 3)
      assert.strictEqual((yield* rowOf(REF)).diagnosticCounts["SendRateLimited"], 6)
    }).pipe(Effect.provide(onFake({ plugins: [echo], enabled: [granted(WIDE)] })))
  )

  it.effect(
    "rule 3: is forgotten with its target, however often the grant is edited",
    () =>
      Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        const { set } = yield* editing
        const edited = (from: number, to: number) =>
          Effect.gen(function* () {
            for (let edit = from; edit < to; edit++) {
              yield* set({ ...WIDE, sendsPerMinute: 100_000 }, { ...WIDE, host: `h${edit}` })
              remote.sendText("x")
            }
            yield* host.idle
            // The fake network keeps what was sent.
            remote.sent.length = 0
            return heapUsed()
          })
        const before = yield* edited(0, 2000)
        assert.isBelow((yield* edited(2000, 12_000)) - before, 500_000)
      }).pipe(Effect.provide(onFake({ plugins: [echo], enabled: [granted(WIDE)] }))),
    60_000
  )
})
