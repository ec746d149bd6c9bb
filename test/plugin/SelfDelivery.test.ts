import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, PluginHost, SelfDelivery, ServicePlugin } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, target } from "../support/plugins.ts"

const REF = "project:test.plugin"

const declared = {
  id: "test.plugin",
  version: "1.0.0",
  ingresses: { gateway: { sources: [GATEWAY], eventKinds: ["websocket_text", "answered"] } },
  websocket: [target]
} as const

const answered = (payload: string) => ({ ingressName: "gateway", kind: "answered", payload })

const note = <A>(list: Array<A>, value: A): Exit.Exit<void> => {
  list.push(value)
  return Exit.void
}

/** Says in a text what became of a delivery. */
const outcome = (delivered: Effect.Effect<string, { readonly _tag: string }>) =>
  Effect.map(Effect.result(delivered), (result) => (Result.isSuccess(result) ? "enqueued" : result.failure._tag))

describe("SelfDelivery", () => {
  it.effect("lets a handler, and a fiber that it began, hand the plugin an event like any delivered one", () => {
    const seen: Array<IngressEvent.Delivered> = []
    const pkg = ServicePlugin.make({
      ...declared,
      handlers: () =>
        Effect.gen(function* () {
          const self = yield* SelfDelivery.SelfDelivery
          const scope = yield* Effect.scope
          return {
            gateway: {
              websocket_text: () =>
                Effect.gen(function* () {
                  yield* Effect.flatMap(SelfDelivery.SelfDelivery, ({ deliver }) => deliver(answered("at once")))
                  const later = Effect.andThen(Effect.sleep(3000), self.deliver(answered("later")))
                  yield* Effect.forkIn(later, scope)
                }),
              answered: (event: IngressEvent.Delivered) => note(seen, event)
            }
          }
        })
    })
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("ask")
      yield* host.idle
      yield* TestClock.adjust(3000)
      yield* host.idle
      assert.deepStrictEqual(
        seen.map(({ payload, sequence, source }) => [payload, sequence, source]),
        [
          ["at once", 1, "host:deliver"],
          ["later", 2, "host:deliver"]
        ]
      )
      const row = yield* rowOf(REF)
      assert.deepInclude(row.dispatchCounters, { enqueued: 3, dispatched: 3 })
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("is there in a layer, beside the plugin's own services, in its status and in its stop", () => {
    class Inbox extends Context.Service<Inbox, { readonly put: (text: string) => Effect.Effect<string> }>()("Inbox") {}
    const told: Array<string> = []
    const payloads: Array<unknown> = []
    const layer = Layer.effect(
      Inbox,
      Effect.map(SelfDelivery.SelfDelivery, ({ deliver }) => ({ put: (text) => outcome(deliver(answered(text))) }))
    )
    const put = (text: string) =>
      Effect.flatMap(Inbox, (inbox) => Effect.map(inbox.put(text), (how) => void told.push(`${text} ${how}`)))
    const own = (text: string) =>
      Effect.flatMap(SelfDelivery.SelfDelivery, ({ deliver }) =>
        Effect.map(outcome(deliver(answered(text))), (how) => void told.push(`${text} ${how}`))
      )
    const pkg = ServicePlugin.make({
      ...declared,
      layer,
      handlers: () =>
        Effect.as(put("start"), {
          gateway: {
            websocket_text: () => put("handler"),
            answered: (event: IngressEvent.Delivered) => note(payloads, event.payload)
          }
        }),
      status: Effect.as(own("status"), null),
      stop: Effect.andThen(put("stop"), own("stop"))
    })
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("ask")
      yield* host.idle
      yield* host.stop(REF)
      yield* host.idle
      yield* settled
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "stopped", lastError: null })
      assert.deepStrictEqual(told, [
        "start ServiceUnavailable",
        "status enqueued",
        "handler enqueued",
        "stop ServiceStopped",
        "stop ServiceStopped"
      ])
      assert.deepStrictEqual(payloads, ["status", "handler"])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("checks like any: the kind, the ingress, the payload, the grant", () => {
    const told: Array<string> = []
    const queue = Effect.runSync(Queue.unbounded<Parameters<SelfDelivery.SelfDelivery["Service"]["deliver"]>[0]>())
    const pkg = ServicePlugin.make({
      ...declared,
      handlers: () =>
        Effect.gen(function* () {
          const { deliver } = yield* SelfDelivery.SelfDelivery
          const next = Effect.flatMap(Queue.take(queue), (delivery) => outcome(deliver(delivery)))
          yield* Effect.forkScoped(Effect.forever(Effect.map(next, (how) => void told.push(how))))
          return {}
        })
    })
    const enabled = enable(pkg)
    return Effect.gen(function* () {
      const grants = yield* GrantStore.GrantEditor
      yield* opened(GATEWAY)
      const cyclic: { self?: unknown } = {}
      cyclic.self = cyclic
      const attempts = [
        answered("well"),
        { ...answered("x"), kind: "other" },
        { ...answered("x"), kind: "websocket_text" },
        { ...answered("x"), ingressName: "elsewhere" },
        { ...answered("x"), payload: "x".repeat(2_000_000) },
        { ...answered("x"), payload: cyclic },
        { ...answered("x"), payload: JSON.parse(`${"[".repeat(101)}${"]".repeat(101)}`) as unknown },
        { ...answered("x"), payload: { later: Promise.resolve(1) } },
        { ...answered("x"), payload: undefined }
      ]
      for (const attempt of attempts) {
        Queue.offerUnsafe(queue, attempt)
        yield* settled
      }
      const permissions = enabled.grants.permissions.filter(({ kind }) => kind !== "ingress")
      yield* grants.replace([{ ...enabled, grants: { ...enabled.grants, permissions } }])
      yield* settled
      Queue.offerUnsafe(queue, answered("ungranted"))
      yield* settled
      const invalid = "EventInvalid"
      const expected = ["enqueued", ...Array.from({ length: 8 }, () => invalid), "PermissionMissing"]
      assert.deepStrictEqual(told, expected)
    }).pipe(Effect.provide(onFake({ plugins: [pkg], enabled: [enabled] })))
  })

  it.effect("ends with its instance: what an earlier one left behind delivers nothing to the next", () => {
    const kept: Array<SelfDelivery.SelfDelivery["Service"]> = []
    const pkg = ServicePlugin.make({
      ...declared,
      handlers: () =>
        Effect.map(SelfDelivery.SelfDelivery, (self) => {
          kept.push(self)
          return { gateway: { websocket_text: () => Exit.die("boom") } }
        })
    })
    const deliverBy = (index: number) => outcome(kept[index]?.deliver(answered("x")) ?? Effect.die("no such instance"))
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const { host, remote } = yield* opened(GATEWAY)
      assert.strictEqual(yield* deliverBy(0), "enqueued")
      remote.sendText("die")
      yield* host.idle
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "restarting")
      assert.strictEqual(yield* deliverBy(0), "ServiceStopped")
      yield* TestClock.adjust(100)
      yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      assert.strictEqual(yield* deliverBy(0), "ServiceStopped")
      assert.strictEqual(yield* deliverBy(1), "enqueued")
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepInclude(row.dispatchCounters, { enqueued: 3, failed: 1 })
      assert.isUndefined(accountingProblem(row))
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 12: a plugin that feeds itself without end keeps no other from its events", () => {
    let fed = 0
    const heard: Array<string> = []
    const feeder = ServicePlugin.make({
      ...declared,
      handlers: {
        gateway: {
          websocket_text: () => Effect.flatMap(SelfDelivery.SelfDelivery, ({ deliver }) => deliver(answered("go"))),
          answered: () => {
            fed++
            if (fed > 20_000) return Exit.void
            return Effect.flatMap(SelfDelivery.SelfDelivery, ({ deliver }) => deliver(answered("go")))
          }
        }
      } as {}
    })
    const other = ServicePlugin.make({
      ...declared,
      id: "test.other",
      handlers: { gateway: { websocket_text: (event) => note(heard, event.text) } }
    })
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const [first, second] = [yield* fake.remote(GATEWAY), yield* fake.remote(GATEWAY, 2)]
      yield* host.idle
      first.sendText("go")
      second.sendText("hello")
      while (heard.length === 0) yield* Effect.yieldNow
      assert.isBelow(fed, 20_000)
      yield* host.idle
    }).pipe(Effect.provide(onFake({ plugins: [feeder, other] })))
  })
})
