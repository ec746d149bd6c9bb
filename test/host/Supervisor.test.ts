/**
 * The whole supervisor against a model: peers, networks, operators, grant
 * stores and clocks do what they like, and the rules hold after each step.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { ConnectionError, GrantStore, type IngressEvent, OutputCommand, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket, type Remote, Standstill } from "mooring/testing"
import { list } from "../support/arbitraries.ts"
import { counted } from "../support/fibers.ts"
import { EVENT_KINDS, frameOf, saidIn } from "../support/frames.ts"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { enable, plugin, refOf } from "../support/plugins.ts"
import { unhandled } from "../support/rejections.ts"

const NAMES = ["one", "two"] as const
const SOURCES = NAMES.map((name) => ["a", "b"].map((path) => `ws://127.0.0.1:7700/${name}/${path}`))
const ALL = SOURCES.flat()
const CAPACITY = 6
const BURST = 9
const SEND_BUFFER = 4096

const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
const source = upTo(ALL.length - 1)
const which = upTo(NAMES.length - 1)

const Command = Schema.Struct({
  kind: Schema.Literals(["send", "send", "send", "close", "reconnect", "timer"]),
  /** Which of the plugin's own sources. */
  to: upTo(1),
  any: Schema.Boolean,
  /** Whether a send has bytes. */
  isBinary: Schema.Boolean
})
type Command = typeof Command.Type

const Text = Schema.Struct({
  how: Schema.Literals(["ok", "ok", "ok", "slow", "slow", "fail", "die", "hang"]),
  commands: Schema.Array(Command).check(Schema.isMaxLength(3))
})

const Step = Schema.Union([
  Schema.Struct({ kind: Schema.Literals(["text", "binary", "burst"]), source, text: Text }),
  Schema.Struct({
    kind: Schema.Literals([
      "close",
      "stop code",
      "break",
      "deaf",
      "stop draining",
      "drain",
      "take one",
      "fail writes",
      "ignore pings",
      "answer pings",
      "ping"
    ]),
    source
  }),
  Schema.Struct({
    kind: Schema.Literal("answer"),
    source,
    how: Schema.Literals(["accept", "503", "401", "never", "net"])
  }),
  Schema.Struct({ kind: Schema.Literals(["stop", "start", "restart", "revoke", "grant", "disable", "enable"]), which }),
  Schema.Struct({ kind: Schema.Literal("reconnect"), source }),
  Schema.Struct({
    kind: Schema.Literals(["wait", "wait", "stand still"]),
    ms: Schema.Literals([1, 50, 400, 1500, 7000, 40_000])
  }),
  Schema.Struct({ kind: Schema.Literal("settle") })
])

/** What a plugin's handlers know, and what they saw that must never be. */
interface World {
  /** A send by its text: for which source, and to which epoch alone it may go; null: to any. */
  readonly sends: Map<string, { readonly url: string; readonly epoch: number | null }>
  /** Ids of the commands of each answered dispatch, in order. */
  readonly answered: Array<ReadonlyArray<string>>
  isRevoked: boolean
  hasHangs: boolean
  /** How often a source had been opened when its plugin was enabled anew, each time: a new row's epochs begin at 1. */
  readonly bases: Map<string, ReadonlyArray<number>>
  readonly wrong: Array<string>
}

const newWorld = (): World => ({
  sends: new Map(),
  answered: [],
  isRevoked: false,
  hasHangs: false,
  bases: new Map(),
  wrong: []
})

/** A plugin that does what each text says. `epochOf` is how often a source has been opened. */
const obedient = (nth: number, world: World, epochOf: (url: string) => number) => {
  const own = SOURCES[nth] ?? []
  let running = 0
  let count = 0
  const commandOf = (event: IngressEvent.IngressEvent, epochs: ReadonlyArray<number>, id: string, command: Command) => {
    const url = own[command.to] ?? ""
    const isOwn = url === event.url
    const options = { commandId: id, ...(command.any ? { epoch: "any" as const } : {}) }
    switch (command.kind) {
      case "close":
        return OutputCommand.close(url, options)
      case "reconnect":
        return OutputCommand.reconnect(url, options)
      case "timer":
        return OutputCommand.setTimer("tick", { afterMs: 300, url }, { commandId: id })
      default: {
        const text = `${id} ${"x".repeat(300)}`
        const epoch = command.any ? null : isOwn ? event.epoch : (epochs[command.to] ?? 0)
        world.sends.set(text, { url, epoch })
        return OutputCommand.send(url, frameOf(text, command.isBinary), options)
      }
    }
  }
  const answer = (event: IngressEvent.IngressEvent): Effect.Effect<PluginRuntime.Output, string> => {
    if (world.isRevoked) world.wrong.push("rule 1: delivered without a grant")
    if (++running > 1) world.wrong.push("rule 5: two dispatches at once")
    const said = saidIn(event)
    const { commands, how } = said === undefined ? { commands: [], how: "ok" } : (JSON.parse(said) as typeof Text.Type)
    const epochs = own.map(epochOf)
    const ids = commands.map(() => `${nth}-${++count}`)
    const over = (isAnswered: boolean) => {
      running--
      if (isAnswered) world.answered.push(ids)
    }
    const output = { commands: commands.map((command, at) => commandOf(event, epochs, ids[at] ?? "", command)) }
    switch (how) {
      case "fail":
        over(false)
        return Exit.fail("no")
      case "ok":
        over(true)
        return Exit.succeed(output)
      default: {
        if (how === "hang") world.hasHangs = true
        const slowly = how === "hang" ? Effect.never : how === "die" ? Effect.die("boom") : Effect.sleep(300)
        return Effect.as(slowly, output).pipe(Effect.onExit((exit) => Effect.sync(() => over(Exit.isSuccess(exit)))))
      }
    }
  }
  const handlers = { websocket_open: answer, websocket_text: answer, websocket_binary: answer, websocket_close: answer }
  return plugin({
    name: NAMES[nth] ?? "",
    sources: own,
    ingress: { stopCodes: [4004], eventKinds: [...EVENT_KINDS] },
    handlers: { gateway: { ...handlers, websocket_error: answer, timer: answer } }
  })
}

const LIMITS = {
  ingressQueueCapacity: CAPACITY,
  burstPatienceMs: 100,
  sendBufferBytes: SEND_BUFFER,
  sendTextBytes: SEND_BUFFER,
  sendStallMs: 5000,
  pingIntervalMs: 4000,
  pongDeadlineMs: 2000,
  commandResultsKept: 10_000,
  stoppedRetryMs: 20_000,
  failedRetryMs: 20_000
}
const QUICK = { reconnect: { initial_ms: 10, max_ms: 200, stable_ms: 0 } }

const ANSWERS: { readonly [how: string]: FakeWebSocket.Answer } = {
  accept: { kind: "accept" },
  "503": { kind: "refuse", status: 503, retryAfterMs: 500 },
  "401": { kind: "refuse", status: 401 },
  never: { kind: "never" },
  net: { kind: "fail", error: new ConnectionError.DialFailed({ url: "ws://x/", phase: "tcp", code: "ENETUNREACH" }) }
}

const speak = (remote: Remote.Remote, kind: string): void => {
  switch (kind) {
    case "close":
      return remote.close(4000, "bye")
    case "stop code":
      return remote.close(4004)
    case "break":
      return remote.breakOff()
    case "deaf":
      return remote.ignoreClose()
    case "stop draining":
      return remote.stopDraining()
    case "drain":
      return remote.drain()
    case "take one":
      return remote.takeTexts(1)
    case "fail writes":
      return remote.failWrites()
    case "ignore pings":
      return remote.ignorePings()
    case "answer pings":
      return remote.answerPings()
    default:
      return remote.ping()
  }
}

describe("the whole supervisor", () => {
  it.effect.prop(
    "rules 1, 2, 3, 7, 8 and 9: hold whatever peers, networks, operators, grant stores and clocks do",
    { steps: list(Arbitrary.schema(Step), 1, 40) },
    ({ steps }) =>
      counted((running) =>
        Effect.gen(function* () {
          const worlds = NAMES.map(newWorld)
          let network: FakeWebSocket.FakeWebSocket["Service"] | undefined
          const opened = (url: string) => (network === undefined ? 0 : Effect.runSync(network.remotes(url)).length)
          /** How often a source has been opened since its plugin was enabled. */
          const epochOf = (world: World) => (url: string) => opened(url) - (world.bases.get(url)?.at(-1) ?? 0)
          const packages = worlds.map((world, nth) => obedient(nth, world, epochOf(world)))
          const enabled = packages.map((pkg) => enable(pkg, { sources: { gateway: QUICK } }))
          const refs = packages.map(refOf)
          let on = enabled.map(() => true)

          const scope = yield* Scope.make()
          const before = running()
          const context = yield* Layer.buildWithScope(onFake({ plugins: packages, enabled, limits: LIMITS }), scope)
          const fake = Context.get(context, FakeWebSocket.FakeWebSocket)
          const host = Context.get(context, PluginHost.PluginHost)
          const grants = Context.get(context, GrantStore.GrantEditor)

          network = fake

          const check = Effect.gen(function* () {
            for (const [nth, world] of worlds.entries()) {
              assert.deepStrictEqual(world.wrong, [])
              if (on[nth] !== true) continue
              const row = yield* rowOf(refs[nth] ?? "")
              assert.isUndefined(accountingProblem(row), "rule 2")
              if (!world.hasHangs) assert.strictEqual(row.dispatchCounters.timedOut, 0, "rule 6: nothing hung")
              for (const connection of row.websocketConnections) {
                assert.isAtMost(connection.queueDepth, CAPACITY + BURST + 4, "rule 3")
                assert.isAtMost(connection.bufferedBytes, SEND_BUFFER, "rule 3")
                assert.isAtMost(connection.unconfirmedFrames, connection.sentTextFrames + connection.sentBinaryFrames)
              }
              // Those of answered dispatches, one each, in their order; the host may not have heard of the last yet.
              const ids = row.outputCommandResults.map(({ commandId }) => commandId)
              const tails = [world.answered, world.answered.slice(0, -1)].map((answered) => {
                const all = answered.flat()
                return all.slice(all.length - ids.length).join()
              })
              assert.include(tails, ids.join(), "rule 7")
            }
            for (const [nth, urls] of SOURCES.entries()) {
              const world = worlds[nth] ?? newWorld()
              const sent = new Set<string>()
              for (const url of urls) {
                const remotes = yield* fake.remotes(url)
                for (const [index, remote] of remotes.entries()) {
                  for (const frame of remote.sentFrames) {
                    const text = Buffer.from(frame).toString()
                    const send = world.sends.get(text) ?? { url: "nobody's", epoch: null }
                    assert.strictEqual(send.url, url, "rule 8: to the connection that it is for")
                    if (sent.has(text)) assert.fail("rule 7: sent twice")
                    sent.add(text)
                    if (send.epoch === null) continue
                    const epochs = [0, ...(world.bases.get(url) ?? [])].map((base) => index + 1 - base)
                    assert.include(epochs, send.epoch, "rule 8: to the epoch that it is for")
                  }
                }
              }
            }
          })

          const step = Effect.fnUntraced(function* (action: typeof Step.Type) {
            const url = "source" in action ? (ALL[action.source] ?? "") : ""
            const remote = url === "" ? undefined : (yield* fake.remotes(url)).at(-1)
            const nth = "which" in action ? action.which : "source" in action ? Math.floor(action.source / 2) : 0
            const [ref, world, enablement] = [refs[nth] ?? "", worlds[nth], enabled[nth]]
            if (world === undefined || enablement === undefined) return
            switch (action.kind) {
              case "text":
              case "binary":
                remote?.sendBurst([frameOf(JSON.stringify(action.text), action.kind === "binary")])
                break
              case "burst":
                remote?.sendBurst(
                  Array.from({ length: BURST }, (_, at) => frameOf(JSON.stringify(action.text), at % 2 === 1))
                )
                break
              case "answer":
                yield* fake.answer(url, ANSWERS[action.how] ?? { kind: "accept" })
                break
              case "wait":
                yield* TestClock.adjust(action.ms)
                break
              case "stand still":
                yield* Standstill.cause(action.ms)
                break
              case "settle":
                yield* settled
                break
              case "stop":
              case "start":
              case "restart":
                yield* Effect.ignore(host[action.kind](ref))
                break
              case "reconnect":
                yield* Effect.ignore(host.reconnect(ref, url))
                break
              case "revoke":
                yield* grants.revoke(ref)
                yield* settled
                world.isRevoked = true
                break
              case "grant":
                world.isRevoked = false
                yield* grants.set(ref, GrantStore.grantOf(enablement))
                break
              case "disable":
              case "enable": {
                if (on[nth] === (action.kind === "enable")) break
                if (action.kind === "enable") {
                  for (const own of SOURCES[nth] ?? []) {
                    world.bases.set(own, [...(world.bases.get(own) ?? []), (yield* fake.remotes(own)).length])
                  }
                }
                on = on.map((is, at) => (at === nth ? action.kind === "enable" : is))
                yield* host.apply({ enabled: enabled.filter((_, at) => on[at] === true) })
                break
              }
              default:
                if (remote !== undefined) speak(remote, action.kind)
            }
            // No dial, no send and no event without a grant, from when the revocation is known.
            const dialsBefore = (yield* fake.dials).length
            if (worlds.every(({ isRevoked }) => isRevoked)) {
              yield* TestClock.adjust(20)
              assert.strictEqual((yield* fake.dials).length, dialsBefore, "rule 1: dialled without a grant")
            }
          })

          const run = Effect.gen(function* () {
            yield* settled
            for (const action of steps) {
              yield* step(action)
              yield* check
            }
          }).pipe(Effect.provide(context))

          const rejections = yield* unhandled(
            Effect.gen(function* () {
              const exit = yield* Effect.exit(run)
              const closing = yield* Effect.forkChild(Scope.close(scope, exit))
              for (let turns = 0; turns < 40 && closing.pollUnsafe() === undefined; turns++) {
                yield* TestClock.adjust("1 second")
                yield* settled
              }
              yield* exit
              assert.isDefined(closing.pollUnsafe(), "rule 9: the host has ended")
            })
          )
          assert.deepStrictEqual(rejections, [])
          for (const url of ALL) {
            for (const remote of yield* fake.remotes(url)) assert.isFalse(remote.isOpen, "rule 9: no socket is left")
          }
          yield* settled
          assert.isAtMost(running() - before, 1, "rule 9: no fiber is left")
        })
      ),
    { arbitrary: { runs: 300 }, timeout: 180_000 }
  )
})
