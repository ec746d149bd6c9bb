/** What is left of a plugin's requests when it ends while they wait and run: nothing, here and at their server. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { GrantStore } from "mooring"
import type * as Net from "node:net"
import { counted } from "../support/fibers.ts"
import { atRest, resources } from "../support/resources.ts"
import * as Servers from "../support/servers.ts"
import { askingHost, type AskingHost, type Asker, type Asked } from "./support/askingHost.ts"
import { eventually } from "./support/host.ts"
import { HERE, serving, whole } from "./support/requesting.ts"

const ALLOWED = { host: "*", private_addresses: true } as const
/** As many as a plugin has under way at once, and as many as wait then. */
const RUNNING = 4
const WAITING = 3

type Ends = (on: AskingHost, asker: Asker) => Effect.Effect<unknown, unknown>

const ENDS: ReadonlyArray<readonly [how: string, ends: Ends]> = [
  ["it is stopped", ({ host }, { ref }) => host.stop(ref)],
  ["it is restarted", ({ host }, { ref }) => host.restart(ref)],
  ["it is disabled", ({ enabled, host }) => host.apply({ enabled: [enabled("project:test.b")] })],
  ["it loses its grant", ({ editor }, { ref }) => editor.revoke(ref)],
  [
    "it loses the permission of its service",
    ({ editor, enabled }, { ref }) => {
      const grant = GrantStore.grantOf(enabled(ref))
      const permissions = grant.permissions.filter(({ kind }) => kind !== "service")
      return editor.set(ref, { ...grant, permissions })
    }
  ]
]

/** A server that never answers, with requests under way and waiting, and one that did, whose connection waits. */
const busy = (asker: Asker) =>
  Effect.gen(function* () {
    const held: Array<Net.Socket> = []
    const silent = yield* serving(({ socket }) => void held.push(socket))
    const quick = yield* serving(({ socket }) => socket.write(whole("x")))
    assert.strictEqual((yield* asker.answer("GET", `http://quick.test:${quick.port}/`)).answer?.status, 200)
    const slow: Asked = ["GET", `http://slow.test:${silent.port}/`]
    yield* asker.ask(...Array.from({ length: RUNNING + WAITING }, () => slow))
    yield* eventually(
      Effect.sync(() => held.length),
      (length) => length === RUNNING
    )
    assert.deepInclude((yield* asker.row).requests, { inFlight: RUNNING, waiting: WAITING })
    assert.strictEqual(quick.open(), 1)
    return [...silent.sockets, ...quick.sockets]
  })

describe("of a plugin's requests nothing is left", () => {
  for (const [how, ends] of ENDS) {
    it.live(`when ${how}: nobody is told, and the server sees its connections end`, () =>
      counted((running) =>
        Effect.gen(function* () {
          const hosted = yield* askingHost({ a: [ALLOWED], b: [ALLOWED] }, HERE)
          const asker = hosted.asker("a")
          // Another plugin's connection has waited longer, and goes on waiting.
          const other = yield* serving(({ socket }) => socket.write(whole("x")))
          assert.strictEqual(
            (yield* hosted.asker("b").answer("GET", `http://b.test:${other.port}/`)).answer?.status,
            200
          )
          const before = running()
          const sockets = yield* busy(asker)
          yield* ends(hosted, asker)
          yield* Servers.closed(sockets)
          assert.strictEqual(other.open(), 1)
          if (how !== "it is disabled") {
            const { dispatchCounters, queueBytes, queueDepth, requests } = yield* asker.row
            assert.deepInclude(requests, { executed: 1 + RUNNING + WAITING, answered: 1 })
            // Without a grant they failed as revoked, and those answers were discarded with the instance.
            assert.strictEqual(requests.failed + requests.abandoned, RUNNING + WAITING)
            assert.strictEqual(dispatchCounters.discarded, requests.failed)
            assert.deepInclude(requests, { waiting: 0, inFlight: 0 })
            assert.deepStrictEqual([queueDepth, queueBytes, dispatchCounters.inFlight], [0, 0, 0])
          }
          yield* eventually(Effect.sync(running), (now) => now <= before)
          assert.lengthOf(asker.seen, 1)
        })
      )
    )
  }

  it.live("when the host's scope is closed: no fiber, no timer, no socket", () =>
    counted((running) =>
      Effect.gen(function* () {
        const before = running()
        const sockets = yield* Effect.scoped(
          Effect.gen(function* () {
            const least = yield* atRest
            const hosted = yield* askingHost({ a: [ALLOWED] }, HERE)
            const ended = yield* busy(hosted.asker("a"))
            yield* hosted.close
            yield* Servers.closed(ended)
            yield* eventually(resources, ({ Timeout }) => Timeout <= least.Timeout)
            assert.lengthOf(hosted.asker("a").seen, 1)
            return ended
          })
        )
        assert.isTrue(sockets.every(({ destroyed }) => destroyed))
        yield* eventually(Effect.sync(running), (now) => now <= before)
      })
    )
  )
})
