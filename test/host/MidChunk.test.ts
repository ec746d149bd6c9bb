/** Handlers that do whatever a host lets them, in the middle of a chunk that their own source has brought. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { GrantStore, OutputCommand, PluginHost, type IngressEvent, type PluginRuntime } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { either, list, oneOf } from "../support/arbitraries.ts"
import { frameOf, saidIn } from "../support/frames.ts"
import { accountingProblem, onFake, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const OTHER = `${GATEWAY}/other`
const REF = "project:test.plugin"
const NEIGHBOUR = "project:test.neighbour"

/** What a handler does before it answers. */
const DOES = [
  "nothing",
  "stop",
  "restart",
  "revoke",
  "grant",
  "apply",
  "disable",
  "status",
  "deliver",
  "dial",
  "call"
] as const
/** What it answers. */
const ANSWERS = [
  "void",
  "send",
  "send other",
  "close",
  "close other",
  "reconnect",
  "reconnect other",
  "many",
  "sync",
  "yield",
  "sleep",
  "fail",
  "die",
  "throw"
] as const

type Does = (typeof DOES)[number]
type Answers = (typeof ANSWERS)[number]
interface Word {
  readonly does: Does
  readonly answers: Answers
}

const isOf = <A extends string>(all: ReadonlyArray<A>, text: string): A =>
  all.find((one) => one === text) ?? assert.fail(text)
const said = ({ answers, does }: Word): string => `${does}: ${answers}`
const heard = (text: string): Word => {
  const [does = "", answers = ""] = text.split(": ")
  return { does: isOf(DOES, does), answers: isOf(ANSWERS, answers) }
}

const quiet = Arbitrary.all({ does: oneOf<Does>("nothing"), answers: oneOf<Answers>("void", "send", "sync", "yield") })
const wild = Arbitrary.all({ does: oneOf(...DOES), answers: oneOf(...ANSWERS) })

interface Step {
  readonly source: string
  readonly words: ReadonlyArray<Word>
  /** What the server does right behind them. */
  readonly end: "nothing" | "close" | "break off" | "turn" | "wait"
}

const Step = either<Step>(
  Arbitrary.all({
    source: oneOf(GATEWAY, OTHER),
    words: list(either<Word>(quiet, quiet, wild), 1, 6),
    end: oneOf<Step["end"]>("nothing", "nothing", "turn", "turn", "wait", "close", "break off")
  })
)

/** A host with a plugin that does as it is told and a neighbour on the same server, and what they did. */
const hosted = () => {
  const seen: Array<IngressEvent.Frame> = []
  const neighbours: Array<string> = []
  const count = { open: 0, most: 0, commands: 0, version: 0 }
  const made: { look?: () => void; act?: (does: Does) => void } = {}
  const look = () => made.look?.()

  const commands = (answers: Answers, event: IngressEvent.Frame): PluginRuntime.Output["commands"] => {
    const other = event.url === GATEWAY ? OTHER : GATEWAY
    switch (answers) {
      case "send":
        return [OutputCommand.send(event, `${event.epoch}`)]
      case "send other":
        return [OutputCommand.send(other, "any")]
      case "close":
        return [OutputCommand.close(event)]
      case "close other":
        return [OutputCommand.close(other)]
      case "reconnect":
        return [OutputCommand.reconnect(event)]
      case "reconnect other":
        return [OutputCommand.reconnect(other)]
      case "many":
        return [
          OutputCommand.send(event, `${event.epoch}`),
          OutputCommand.reconnect(event),
          OutputCommand.send(event, "never"),
          OutputCommand.close(event),
          OutputCommand.send(event, "never")
        ]
      default:
        return []
    }
  }

  const answer = (answers: Answers, event: IngressEvent.Frame) => {
    switch (answers) {
      case "void":
        return Exit.void
      case "sync":
        return Effect.sync(look)
      case "yield":
        return Effect.andThen(Effect.yieldNow, Effect.sync(look))
      case "sleep":
        return Effect.sleep(20)
      case "fail":
        return Exit.fail("no")
      case "die":
        return Exit.die("boom")
      case "throw":
        throw new Error("boom")
      default: {
        const all = commands(answers, event) ?? []
        count.commands += all.length
        return Exit.succeed({ commands: all })
      }
    }
  }

  const handle = (event: IngressEvent.Frame) => {
    count.open++
    count.most = Math.max(count.most, count.open)
    seen.push(event)
    try {
      look()
      const { answers, does } = heard(saidIn(event) ?? "")
      made.act?.(does)
      look()
      const answered = answer(answers, event)
      if (Exit.isExit(answered)) return answered
      // What isn't wanted any more by then never runs.
      return Effect.suspend(() => {
        count.most = Math.max(count.most, ++count.open)
        return Effect.ensuring(
          answered,
          Effect.sync(() => count.open--)
        )
      })
    } finally {
      count.open--
    }
  }

  const pkg = plugin({
    sources: [GATEWAY, OTHER],
    ingress: {
      sources: [GATEWAY, OTHER],
      eventKinds: ["websocket_open", "websocket_text", "websocket_binary", "wish"]
    },
    handlers: {
      gateway: {
        websocket_text: handle,
        websocket_binary: handle
      }
    }
  })
  const neighbour = plugin({
    name: "neighbour",
    handlers: {
      gateway: {
        websocket_text: (event) => {
          neighbours.push(event.text)
          look()
          return Exit.void
        }
      }
    }
  })
  const both = [enable(pkg), enable(neighbour)]
  const grant = GrantStore.grantOf(enable(pkg))

  const begin = Effect.gen(function* () {
    const context = yield* Effect.context<PluginHost.PluginHost | GrantStore.GrantEditor>()
    const host = Context.get(context, PluginHost.PluginHost)
    const grants = Context.get(context, GrantStore.GrantEditor)
    const fork = Effect.runForkWith(context)
    const problems: Array<string> = []
    made.look = () => {
      const { plugins } = Effect.runSync(host.status)
      for (const row of plugins) {
        const problem = accountingProblem(row)
        if (problem !== undefined) problems.push(problem)
      }
    }
    const effects: { readonly [does in Does]: Effect.Effect<unknown, unknown> } = {
      nothing: Effect.void,
      stop: host.stop(REF),
      restart: host.restart(REF),
      revoke: grants.revoke(REF),
      grant: grants.set(REF, grant),
      apply: Effect.suspend(() =>
        host.apply({ enabled: [enable(pkg, { config: { version: ++count.version } }), enable(neighbour)] })
      ),
      disable: host.apply({ enabled: [enable(neighbour)] }),
      status: host.status,
      deliver: host.deliver(REF, { ingressName: "gateway", kind: "wish", payload: 1 }),
      dial: host.reconnect(REF, GATEWAY),
      call: Effect.sync(look)
    }
    made.act = (does) => {
      fork(effects[does])
    }
    /** As the operator has it, whatever the plugin did. */
    const mend = Effect.gen(function* () {
      yield* grants.set(REF, grant)
      yield* host.apply({ enabled: both })
      yield* Effect.ignore(host.start(REF))
    })
    return { host, look, mend, problems }
  })
  return { begin, count, neighbours, packages: [pkg, neighbour], seen, ref: refOf(pkg) }
}

describe("a handler in the middle of a chunk", () => {
  it.effect.prop(
    "rules 1, 2, 5, 7, 8 and 12: may do anything, and all is counted, nothing goes astray, and no neighbour is touched",
    { steps: list(Step, 1, 12) },
    ({ steps }) => {
      const { begin, count, neighbours, packages, seen } = hosted()
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const { host, look, mend, problems } = yield* begin
        yield* host.idle
        const ofNeighbour = (yield* fake.remotes(GATEWAY)).find((_, nth) => nth === 1) ?? assert.fail()
        const ofPlugin = (url: string) =>
          Effect.map(fake.remotes(url), (all) => all.filter((remote) => remote !== ofNeighbour).at(-1))
        let told = 0
        for (const { end, source, words } of steps) {
          const remote = yield* ofPlugin(source)
          remote?.sendBurst(words.map((word, nth) => frameOf(said(word), nth % 2 === 1)))
          look()
          ofNeighbour.sendText(`${told++}`)
          look()
          if (end === "close") remote?.close(4000)
          if (end === "break off") remote?.breakOff()
          look()
          if (end === "turn") yield* settled
          if (end === "wait") {
            yield* TestClock.adjust(5000)
            yield* mend
            yield* settled
          }
          look()
        }
        yield* TestClock.adjust(60_000)
        yield* settled
        look()
        assert.deepStrictEqual(problems, [])
        assert.isAtMost(count.most, 1)
        assert.deepStrictEqual(
          neighbours,
          Array.from({ length: told }, (_, nth) => `${nth}`)
        )
        // Each text of an epoch once, in order, and none for another epoch.
        const keys = seen.map(({ correlationId }) => correlationId)
        assert.strictEqual(new Set(keys).size, keys.length)
        for (const url of [GATEWAY, OTHER]) {
          const all = (yield* fake.remotes(url)).filter((remote) => remote !== ofNeighbour)
          for (const { sent } of all) assert.notInclude(sent, "never")
        }
        const row = (yield* host.status).plugins.find(({ pluginRef }) => pluginRef === NEIGHBOUR)
        assert.deepInclude(row, { lifecycle: "running", restarts: 0 })
      }).pipe(Effect.provide(onFake({ plugins: packages })))
    },
    { arbitrary: { runs: 60 }, timeout: 60_000 }
  )
})
