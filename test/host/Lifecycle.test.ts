import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, OutputCommand, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket, type Remote } from "mooring/testing"
import { counted } from "../support/fibers.ts"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { enable, plugin, refOf } from "../support/plugins.ts"

const WILD = ["ws://127.0.0.1:7700/a", "ws://127.0.0.1:7700/b"]
const CALM = "ws://127.0.0.1:7700/calm"

const Behaviour = Schema.Literals([
  "ok",
  "slow",
  "fail",
  "refuse",
  "bad",
  "die",
  "throw",
  "hang",
  "late",
  "stubborn",
  "interrupt",
  "close",
  "reconnect",
  "timer",
  "own-timer",
  "clear"
])
const SourceIndex = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: WILD.length - 1 }))
const Action = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("text"), source: SourceIndex, behaviour: Behaviour }),
  Schema.Struct({ kind: Schema.Literal("burst"), source: SourceIndex, behaviour: Schema.Literals(["ok", "slow"]) }),
  Schema.Struct({ kind: Schema.Literals(["end", "break", "redial"]), source: SourceIndex }),
  Schema.Struct({ kind: Schema.Literal("wait"), ms: Schema.Literals([1, 50, 100, 400, 1000, 6000, 60_000]) }),
  Schema.Struct({
    kind: Schema.Literals([
      "stop",
      "start",
      "restart",
      "revoke",
      "grant",
      "deliver",
      "settle",
      "disable",
      "enable",
      "reconfigure",
      "fewer sources",
      "lose to a neighbour",
      "lose"
    ])
  })
])

/** What must never happen, counted by the plugin itself. */
interface Book {
  instances: number
  mostInstances: number
  dispatches: number
  mostDispatches: number
  /** Events that a handler was given while nothing was granted. */
  unauthorized: number
  isRevoked: boolean
}

const FORBIDDEN = "of a dispatch that was interrupted"

/** A plugin that does what each text says. Whatever it sends over a connection names the text that it answers. */
const wild = (book: Book): PluginRuntime.PluginPackage => {
  const reply = (event: IngressEvent.AnyEvent, text: string): OutputCommand.Command =>
    OutputCommand.send({ url: event.url ?? WILD[0] ?? "", ingressName: "gateway" }, text)
  const counting = (effect: Effect.Effect<PluginRuntime.Output, string>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        book.mostDispatches = Math.max(book.mostDispatches, ++book.dispatches)
      }),
      () => effect,
      () => Effect.sync(() => book.dispatches--)
    )
  const late = { commands: [OutputCommand.send(WILD[0] ?? "", FORBIDDEN, { epoch: "any" })], state: FORBIDDEN }
  const answer = (event: IngressEvent.AnyEvent): Effect.Effect<PluginRuntime.Output, string> => {
    if (book.isRevoked) book.unauthorized++
    // Whatever is handled beside something that still runs.
    book.mostDispatches = Math.max(book.mostDispatches, book.dispatches + 1)
    if (event.kind !== "websocket_text" || !("text" in event)) return Exit.succeed({})
    const url = event.url
    const [about = "", behaviour] = event.text.split(" ")
    switch (behaviour) {
      case "slow":
        return counting(Effect.as(Effect.sleep(300), { commands: [reply(event, about)], state: about }))
      case "fail":
        return counting(Effect.fail("no"))
      case "refuse":
        return Exit.succeed({ accepted: false, commands: [reply(event, FORBIDDEN)] })
      case "bad":
        return Exit.succeed({ status: "x".repeat(5000), commands: [reply(event, FORBIDDEN)] })
      case "die":
        return counting(Effect.die(new Error("died")))
      case "throw":
        throw new Error("thrown")
      case "hang":
        return counting(Effect.never)
      case "late":
        return counting(Effect.as(Effect.sleep(1500), late))
      case "stubborn":
        return counting(Effect.uninterruptible(Effect.as(Effect.sleep(3000), late)))
      case "interrupt":
        return counting(Effect.interrupt)
      case "close":
        return Exit.succeed({ commands: [OutputCommand.close(url, { code: 4000 })] })
      case "reconnect":
        return Exit.succeed({ commands: [OutputCommand.reconnect(event, { code: 4001 })] })
      case "timer":
        return Exit.succeed({ commands: [OutputCommand.setTimer("bound", { afterMs: 100, everyMs: 1000, url })] })
      case "own-timer":
        return Exit.succeed({ commands: [OutputCommand.setTimer("own", { afterMs: 100, everyMs: 1000 })] })
      case "clear":
        return Exit.succeed({ commands: [OutputCommand.clearTimer("bound"), OutputCommand.clearTimer("own")] })
      default:
        return Exit.succeed({ commands: [reply(event, about)] })
    }
  }
  const pkg = plugin({
    name: "wild",
    sources: WILD,
    ingress: {
      eventKinds: ["websocket_open", "websocket_text", "websocket_close", "websocket_error", "command_result", "order"]
    },
    handlers: () =>
      Effect.gen(function* () {
        book.mostInstances = Math.max(book.mostInstances, ++book.instances)
        yield* Effect.addFinalizer(() => Effect.sync(() => book.instances--))
        return {
          gateway: {
            websocket_open: answer,
            websocket_text: answer,
            websocket_close: answer,
            websocket_error: answer,
            timer: answer,
            command_result: answer,
            order: answer
          }
        }
      })
  })
  return pkg
}

/** The same, whose instances can be lost, are asked for their status, and take a while to stop. */
const withLosses = (pkg: PluginRuntime.PluginPackage, book: Book) => {
  let lose: Deferred.Deferred<PluginRuntime.Loss> | undefined
  const lossy: PluginRuntime.PluginPackage = {
    ...pkg,
    runtime: {
      start: (start) =>
        Effect.gen(function* () {
          if (book.isRevoked) book.unauthorized++
          const instance = yield* pkg.runtime.start(start)
          const lost = yield* Deferred.make<PluginRuntime.Loss>()
          lose = lost
          return { ...instance, lost: Deferred.await(lost), status: Effect.succeed(1), stop: Effect.sleep(700) }
        })
    }
  }
  const loseIt = (how: PluginRuntime.Loss) =>
    Effect.suspend(() => (lose === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(lose, how))))
  return { lossy, loseIt }
}

const calm = (heard: Array<string>) =>
  plugin({
    name: "calm",
    sources: [CALM],
    handlers: {
      gateway: {
        websocket_text: (event) => {
          heard.push(event.text)
          return Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
        }
      }
    }
  })

describe("a host whose plugins do anything, and whose operator does anything", () => {
  it.effect.prop(
    "rules 1, 2, 5, 6, 8, 9 and 12 hold at every step, and nothing is left after the close",
    { actions: Schema.Array(Action).check(Schema.isMinLength(12), Schema.isMaxLength(60)) },
    ({ actions }) =>
      counted((running) =>
        Effect.gen(function* () {
          const before = running()
          const book: Book = {
            instances: 0,
            mostInstances: 0,
            dispatches: 0,
            mostDispatches: 0,
            unauthorized: 0,
            isRevoked: false
          }
          const heard: Array<string> = []
          const { loseIt, lossy: pkg } = withLosses(wild(book), book)
          const other = calm(heard)
          const quick = { reconnect: { initial_ms: 10, max_ms: 50, stable_ms: 0 } }
          const settings = { sources: { gateway: quick } }
          let wanted = enable(pkg, settings)
          const neighbour = enable(other)
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(
            onFake({
              plugins: [pkg, other],
              enabled: [wanted, neighbour],
              limits: { ingressQueueCapacity: 6, burstPatienceMs: 100 }
            }),
            scope
          )
          const remotes: Array<Remote.Remote> = []
          let sent = 0
          let ticks = 0
          let revokedAt: { readonly sent: ReadonlyMap<Remote.Remote, number>; readonly dials: number } | undefined

          yield* Effect.gen(function* () {
            const fake = yield* FakeWebSocket.FakeWebSocket
            const host = yield* PluginHost.PluginHost
            const grants = yield* GrantStore.GrantEditor
            const still = yield* fake.remote(CALM)
            yield* settled

            const dials = Effect.map(fake.dials, (all) => all.filter(({ url }) => url !== CALM).length)
            const check = Effect.gen(function* () {
              if (revokedAt !== undefined) assert.strictEqual(yield* dials, revokedAt.dials, "rule 1: no dial")
              const { plugins } = yield* host.status
              for (const row of plugins) assert.isUndefined(accountingProblem(row, "may slide"), "rule 2")
              assert.isAtMost(book.mostInstances, 1, "rule 6: never two instances")
              assert.isAtMost(book.mostDispatches, 1, "rule 5: one dispatch at a time")
              assert.strictEqual(book.unauthorized, 0, "rule 1: nothing is delivered that isn't granted")
              for (const url of WILD) {
                for (const [index, remote] of (yield* fake.remotes(url)).entries()) {
                  if (!remotes.includes(remote)) remotes.push(remote)
                  assert.notInclude(remote.sent, FORBIDDEN, "rule 6: what was interrupted executes nothing")
                  for (const text of remote.sent) {
                    assert.isTrue(text.startsWith(`${url}#${index}:`), "rule 8: never to the wrong session")
                  }
                  const allowed = revokedAt?.sent.get(remote)
                  if (allowed !== undefined) assert.isAtMost(remote.sent.length, allowed, "rule 1: no send")
                }
              }
            })

            for (const action of actions) {
              const url = "source" in action ? (WILD[action.source] ?? "") : ""
              const all = yield* fake.remotes(url)
              const remote = all.at(-1)
              const text = (behaviour: string) => `${url}#${all.length - 1}:${sent++} ${behaviour}`
              still.sendText(String(ticks++))
              switch (action.kind) {
                case "text":
                  remote?.sendText(text(action.behaviour))
                  break
                case "burst":
                  remote?.sendBurst(Array.from({ length: 9 }, () => text(action.behaviour)))
                  break
                case "end":
                  remote?.close(4000, "bye")
                  break
                case "break":
                  remote?.breakOff()
                  break
                case "redial":
                  yield* Effect.ignore(host.reconnect(refOf(pkg), url))
                  break
                case "wait":
                  yield* TestClock.adjust(action.ms)
                  break
                case "stop":
                  yield* Effect.ignore(host.stop(refOf(pkg)))
                  break
                case "start":
                  yield* Effect.ignore(host.start(refOf(pkg)))
                  break
                case "restart":
                  yield* Effect.ignore(host.restart(refOf(pkg)))
                  break
                case "deliver":
                  yield* Effect.ignore(
                    host.deliver(refOf(pkg), { ingressName: "gateway", kind: "order", payload: { sent } })
                  )
                  break
                case "revoke":
                  yield* grants.revoke(refOf(pkg))
                  yield* settled
                  yield* check
                  book.isRevoked = true
                  revokedAt = { sent: new Map(remotes.map((one) => [one, one.sent.length])), dials: yield* dials }
                  break
                case "grant":
                  book.isRevoked = false
                  revokedAt = undefined
                  yield* grants.set(refOf(pkg), GrantStore.grantOf(wanted))
                  break
                case "disable":
                  yield* host.apply({ enabled: [neighbour] })
                  break
                case "enable":
                  yield* host.apply({ enabled: [wanted, neighbour] })
                  break
                case "reconfigure":
                  wanted = enable(pkg, { ...settings, config: { version: sent } })
                  yield* host.apply({ enabled: [neighbour, wanted] })
                  break
                case "lose":
                  yield* loseIt("crash")
                  break
                case "lose to a neighbour":
                  yield* loseIt("neighbour")
                  break
                case "fewer sources":
                  wanted = enable(pkg, { sources: { gateway: { ...quick, urls: WILD.slice(0, 1) } } })
                  yield* host.apply({ enabled: [wanted, neighbour] })
                  break
                case "settle":
                  yield* settled
                  for (const row of (yield* host.status).plugins) {
                    const rests = ["stopped", "failed"].includes(row.lifecycle) || row.retryAt !== null
                    if (rests)
                      assert.strictEqual(row.queueDepth, 0, "rule 2: nothing waits for a service that doesn't run")
                  }
                  break
              }
              yield* check
            }
            // Whatever happened: once it is granted, enabled and started, it runs.
            book.isRevoked = false
            revokedAt = undefined
            yield* grants.set(refOf(pkg), GrantStore.grantOf(wanted))
            yield* host.apply({ enabled: [wanted, neighbour] })
            yield* host.start(refOf(pkg))
            for (let second = 0; second < 60; second++) {
              yield* settled
              yield* TestClock.adjust(1000)
            }
            yield* check
            assert.strictEqual((yield* rowOf(refOf(pkg))).lifecycle, "running", "it is started again")
            const untouched = yield* rowOf(refOf(other))
            assert.deepInclude(untouched, { lifecycle: "running", restarts: 0, diagnosticCounts: {} }, "rule 12")
            assert.deepStrictEqual(
              heard,
              Array.from({ length: ticks }, (_, tick) => String(tick)),
              "rule 12"
            )
            assert.deepStrictEqual(still.sent, heard, "rule 12")
            remotes.push(still)
          }).pipe(Effect.provideContext(context))

          const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
          for (let second = 0; second < 20; second++) {
            yield* settled
            yield* TestClock.adjust(1000)
          }
          yield* settled
          assert.isDefined(closing.pollUnsafe(), "rule 9: a host closes in bounded time")
          assert.deepStrictEqual(
            remotes.filter(({ isOpen }) => isOpen),
            [],
            "rule 9: no socket"
          )
          assert.deepStrictEqual([book.instances, book.dispatches], [0, 0], "rule 9: nothing of a plugin")
          assert.strictEqual(running(), before, "rule 9: no fiber, and so no timer")
        })
      ),
    { arbitrary: { runs: 600 }, timeout: 180_000 }
  )
})
