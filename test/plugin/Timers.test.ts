import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, opened, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const REF = "project:test.plugin"

type Told = readonly [name: string, at: number, source: string, epoch: number]

/** A plugin that does what a text says in JSON (a list of commands), and notes the timers that fire. */
const driven = (told: Array<Told>, seen: Array<IngressEvent.IngressEvent> = []) => {
  const note = (event: IngressEvent.IngressEvent) => {
    seen.push(event)
    if (event.kind === "timer") told.push([event.name, event.at, event.source, event.epoch])
    return Exit.void
  }
  return plugin({
    handlers: {
      gateway: {
        websocket_open: note,
        websocket_close: note,
        websocket_text: (event) => {
          note(event)
          if (event.text === "slow") return Effect.sleep(900)
          if (event.text === "die") return Effect.die("boom")
          if (event.text === "timer after a while") {
            return Effect.as(Effect.sleep(500), { commands: [OutputCommand.setTimer("late", { afterMs: 100 })] })
          }
          return Exit.succeed({ commands: JSON.parse(event.text) as ReadonlyArray<OutputCommand.Command> })
        },
        timer: note
      }
    }
  })
}

const say = (...commands: ReadonlyArray<OutputCommand.Command>) => JSON.stringify(commands)

const start = opened(GATEWAY)

const statuses = Effect.map(rowOf(REF), (row) =>
  row.outputCommandResults.map(({ error, status }) => error?.tag ?? status)
)

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const set = (name: string) => OutputCommand.setTimer(name, { afterMs: 100 })

const sorted = (events: ReadonlyArray<readonly [string, number]>) =>
  events.toSorted(([a, at], [b, then]) => at - then || a.localeCompare(b))

describe("Timers", () => {
  it.effect("fire once after their time, or again and again", () => {
    const told: Array<Told> = []
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      remote.sendText(
        say(
          OutputCommand.setTimer("once", { afterMs: 100 }),
          OutputCommand.setTimer("beat", { afterMs: 500, everyMs: 1000, url: GATEWAY })
        )
      )
      yield* host.idle
      const { timers } = yield* rowOf(REF)
      assert.deepStrictEqual(
        timers.map(({ everyMs, name, nextAt, url }) => [name, url, everyMs, Date.parse(nextAt ?? "")]),
        [
          ["once", null, null, 100],
          ["beat", GATEWAY, 1000, 500]
        ]
      )
      yield* TestClock.adjust(99)
      yield* host.idle
      assert.deepStrictEqual(told, [])
      for (let step = 0; step < 30; step++) {
        yield* TestClock.adjust(100)
        yield* host.idle
      }
      assert.deepStrictEqual(
        told.map(([name, at, source, epoch]) => [name, Math.floor(at / 100) * 100, source, epoch]),
        [
          ["once", 100, "host:timer", 0],
          ["beat", 500, `websocket:${GATEWAY}`, 1],
          ["beat", 1500, `websocket:${GATEWAY}`, 1],
          ["beat", 2500, `websocket:${GATEWAY}`, 1]
        ]
      )
    }).pipe(Effect.provide(onFake({ plugins: [driven(told)] })))
  })

  it.effect("are replaced by one of the same name and cleared, with what still waits", () => {
    const told: Array<Told> = []
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      remote.sendText(say(OutputCommand.setTimer("a", { afterMs: 100 }), OutputCommand.setTimer("b", { afterMs: 100 })))
      remote.sendText(say(OutputCommand.setTimer("a", { afterMs: 300 }), OutputCommand.clearTimer("b")))
      yield* host.idle
      yield* TestClock.adjust(200)
      yield* host.idle
      assert.deepStrictEqual(told, [])
      // Both events wait behind a slow handler, and are taken back.
      remote.sendText(
        say(
          OutputCommand.setTimer("own", { afterMs: 100 }),
          OutputCommand.setTimer("bound", { afterMs: 100, url: GATEWAY })
        )
      )
      remote.sendText("slow")
      remote.sendText(
        say(OutputCommand.clearTimer("own"), OutputCommand.clearTimer("bound"), OutputCommand.clearTimer("a"))
      )
      yield* settled
      yield* TestClock.adjust(100)
      yield* settled
      assert.strictEqual((yield* rowOf(REF)).queueDepth, 4)
      yield* TestClock.adjust(900)
      yield* host.idle
      const row = yield* rowOf(REF)
      assert.deepStrictEqual(told, [])
      assert.isUndefined(accountingProblem(row))
      assert.deepInclude(row.dispatchCounters, { discarded: 3 })
      assert.deepStrictEqual(row.timers, [])
    }).pipe(Effect.provide(onFake({ plugins: [driven(told)] })))
  })

  it.effect("of a connection wait in its order, and end with its epoch", () => {
    const told: Array<Told> = []
    const seen: Array<IngressEvent.IngressEvent> = []
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(say(OutputCommand.setTimer("beat", { afterMs: 1000, everyMs: 1000, url: GATEWAY })))
      remote.sendText("slow")
      yield* settled
      remote.sendText(say())
      yield* TestClock.adjust(999)
      yield* host.idle
      remote.sendText("slow")
      yield* settled
      yield* TestClock.adjust(1)
      yield* settled
      remote.breakOff()
      yield* settled
      yield* TestClock.adjust(5000)
      const second = yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      yield* TestClock.adjust(5000)
      yield* host.idle
      assert.deepStrictEqual(
        seen.map(({ epoch, kind, sequence }) => `${kind} ${epoch} ${sequence}`),
        [
          "websocket_open 1 1",
          "websocket_text 1 2",
          "websocket_text 1 3",
          "websocket_text 1 4",
          "websocket_text 1 5",
          "timer 1 6",
          "websocket_close 1 8",
          "websocket_open 2 9"
        ]
      )
      assert.deepStrictEqual((yield* rowOf(REF)).timers, [])
      assert.isTrue(second.isOpen)
    }).pipe(Effect.provide(onFake({ plugins: [driven(told, seen)] })))
  })

  it.effect("set while the connection isn't open end with the next open", () => {
    const told: Array<Told> = []
    const pkg = plugin({
      handlers: {
        gateway: {
          websocket_close: (event) =>
            Exit.succeed({
              commands: [
                OutputCommand.setTimer("soon", { afterMs: 100, url: event.url }),
                OutputCommand.setTimer("late", { afterMs: 2000, url: event.url })
              ]
            }),
          timer: (event) => {
            told.push([event.name, event.at, event.source, event.epoch])
            return Exit.void
          }
        }
      }
    })
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.close(4000)
      yield* host.idle
      assert.deepStrictEqual(yield* statuses, ["executed", "executed"])
      yield* TestClock.adjust(100)
      yield* host.idle
      assert.deepStrictEqual(
        told.map(([name, , , epoch]) => [name, epoch]),
        [["soon", 1]]
      )
      yield* TestClock.adjust(900)
      yield* fake.remote(GATEWAY, 2)
      yield* TestClock.adjust(5000)
      yield* host.idle
      assert.lengthOf(told, 1)
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 3: at most one event of a name waits, however often it fires", () => {
    const told: Array<Told> = []
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      remote.sendText(
        say(
          OutputCommand.setTimer("own", { afterMs: 100, everyMs: 1000 }),
          OutputCommand.setTimer("bound", { afterMs: 100, everyMs: 1000, url: GATEWAY })
        )
      )
      for (let text = 0; text < 10; text++) remote.sendText("slow")
      yield* settled
      for (let tenth = 0; tenth < 40; tenth++) {
        yield* TestClock.adjust(100)
        yield* settled
        const waiting = (yield* rowOf(REF)).timers.filter(({ nextAt }) => nextAt !== null)
        assert.isAtMost(waiting.length, 2)
      }
      // It fired at 100, 1,100, 2,100 and 3,100 behind ten slow texts.
      assert.strictEqual(told.filter(([name]) => name === "bound").length, 0)
      assert.strictEqual((yield* rowOf(REF)).dispatchCounters.enqueued, 12 + told.length + 1)
      yield* TestClock.adjust(5050)
      yield* host.idle
      assert.strictEqual(told.filter(([name]) => name === "bound").length, 1)
    }).pipe(Effect.provide(onFake({ plugins: [driven(told)] })))
  })

  it.effect("rule 3: are bounded in number, waiting ones included", () => {
    const told: Array<Told> = []
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      remote.sendText(say(set("a"), set("b"), set("a"), set("c")))
      yield* host.idle
      assert.deepStrictEqual(yield* statuses, ["executed", "executed", "executed", "TimerLimit"])
      remote.sendText("slow")
      remote.sendText(say())
      remote.sendText(say(set("c")))
      yield* settled
      yield* TestClock.adjust(100)
      yield* settled
      assert.deepStrictEqual(
        (yield* rowOf(REF)).timers.map(({ name, nextAt }) => [name, nextAt]),
        [
          ["b", null],
          ["a", null]
        ]
      )
      yield* TestClock.adjust(800)
      yield* host.idle
      // Queues take turns: one of the two was handed over between the texts, so there is room.
      assert.strictEqual((yield* statuses).at(-1), "executed")
    }).pipe(Effect.provide(onFake({ plugins: [driven(told)], limits: { timersPerPlugin: 2 } })))
  })

  it.effect("rule 9: end with the instance, and leave nothing that fires in the next one", () => {
    const told: Array<Told> = []
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      remote.sendText(
        say(
          OutputCommand.setTimer("own", { afterMs: 1000, everyMs: 1000 }),
          OutputCommand.setTimer("bound", { afterMs: 1000, everyMs: 1000, url: GATEWAY })
        )
      )
      remote.sendText("die")
      yield* host.idle
      assert.deepStrictEqual((yield* rowOf(REF)).timers, [])
      yield* TestClock.adjust(100)
      yield* fake.remote(GATEWAY, 2)
      yield* TestClock.adjust("1 minute")
      yield* host.idle
      assert.deepStrictEqual(told, [])
    }).pipe(Effect.provide(onFake({ plugins: [driven(told)] })))
  })

  it.effect("rule 1: are refused and end where their ingress or source isn't granted any more", () => {
    const told: Array<Told> = []
    const pkg = driven(told)
    const granted = GrantStore.grantOf(enable(pkg))
    return Effect.gen(function* () {
      const { host, remote } = yield* start
      const grants = yield* GrantStore.GrantEditor
      remote.sendText(
        say(
          OutputCommand.setTimer("own", { afterMs: 1000, everyMs: 1000 }),
          OutputCommand.setTimer("bound", { afterMs: 1000, everyMs: 1000, url: GATEWAY })
        )
      )
      yield* host.idle
      yield* grants.set(REF, { ...granted, websocket: [] })
      yield* host.idle
      assert.deepStrictEqual(
        (yield* rowOf(REF)).timers.map(({ name }) => name),
        ["own"]
      )
      yield* TestClock.adjust(1000)
      yield* host.idle
      assert.deepStrictEqual(
        told.map(([name]) => name),
        ["own"]
      )
      const permissions = granted.permissions.filter(({ kind }) => kind !== "ingress")
      yield* grants.set(REF, { ...granted, permissions })
      yield* host.idle
      assert.deepInclude(yield* rowOf(REF), { lifecycle: "running", timers: [] })
      yield* TestClock.adjust("1 minute")
      yield* host.idle
      assert.lengthOf(told, 1)
      // An answer that was under way when the permission went.
      yield* grants.set(REF, granted)
      const second = yield* (yield* FakeWebSocket.FakeWebSocket).remote(GATEWAY, 2)
      second.sendText("timer after a while")
      yield* settled
      yield* grants.set(REF, { ...granted, permissions })
      yield* TestClock.adjust(500)
      yield* host.idle
      assert.strictEqual((yield* statuses).at(-1), "CommandUngranted")
      assert.deepStrictEqual((yield* rowOf(REF)).timers, [])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("rule 1: of a source fire no more once its target isn't granted, open or waiting", () => {
    const told: Array<Told> = []
    const pkg = plugin({
      handlers: {
        gateway: {
          websocket_open: (event) =>
            Exit.succeed({ commands: [OutputCommand.setTimer("open", { afterMs: 200, url: event.url })] }),
          websocket_close: (event) =>
            Exit.succeed({
              commands: [OutputCommand.setTimer("waiting", { afterMs: 100, everyMs: 1000, url: event.url })]
            }),
          timer: (event) => {
            told.push([event.name, event.at, event.source, event.epoch])
            return Exit.void
          }
        }
      }
    })
    const granted = GrantStore.grantOf(enable(pkg))
    return Effect.gen(function* () {
      const { fake, host, remote } = yield* start
      const grants = yield* GrantStore.GrantEditor
      remote.ignoreClose()
      yield* grants.set(REF, { ...granted, websocket: [] })
      yield* settled
      yield* TestClock.adjust(300)
      yield* settled
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust(1000)
      yield* host.idle
      yield* grants.set(REF, granted)
      const second = yield* fake.remote(GATEWAY, 2)
      yield* fake.answer(GATEWAY, { kind: "refuse", status: 503, retryAfterMs: 60_000 })
      second.breakOff()
      yield* host.idle
      yield* TestClock.adjust(3000)
      yield* host.idle
      const before = told.length
      assert.isAbove(before, 0)
      yield* grants.set(REF, { ...granted, websocket: [] })
      yield* TestClock.adjust(10_000)
      yield* host.idle
      assert.lengthOf(told, before)
      assert.deepStrictEqual((yield* rowOf(REF)).timers, [])
    }).pipe(Effect.provide(onFake({ plugins: [pkg] })))
  })

  it.effect("10,000 events of 100 plugins come in time and are all accounted for", () => {
    const told: Array<Told> = []
    const plugins = Array.from({ length: 100 }, (_, n) =>
      plugin({
        name: `p${n}`,
        sources: [`ws://127.0.0.1:7700/${n}`],
        handlers: {
          gateway: {
            websocket_open: (event) =>
              Exit.succeed({
                commands: [
                  OutputCommand.setTimer("own", { afterMs: 1000, everyMs: 1000 }),
                  OutputCommand.setTimer("bound", { afterMs: 1500, everyMs: 1000, url: event.url })
                ]
              }),
            timer: (event) => {
              told.push([event.name, event.at, event.source, event.epoch])
              return Exit.void
            }
          }
        }
      })
    )
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      // All of them are open before the clock moves, so that their timers fire together.
      yield* host.idle
      yield* TestClock.adjust(1)
      yield* host.idle
      for (let half = 0; half < 101; half++) {
        yield* TestClock.adjust(500)
        yield* host.idle
      }
      assert.lengthOf(told, 10_000)
      const byTime = new Map<number, number>()
      for (const [, at] of told) byTime.set(at, (byTime.get(at) ?? 0) + 1)
      assert.isTrue([...byTime.values()].every((count) => count === 100))
      for (const pkg of plugins) {
        const row = yield* rowOf(refOf(pkg))
        assert.isUndefined(accountingProblem(row))
        assert.strictEqual(row.dispatchCounters.dispatched, 101)
      }
    }).pipe(Effect.provide(onFake({ plugins, limits: { dialsPerSecond: 1000 } })))
  })

  const Name = Schema.Literals(["a", "b", "c"])
  const Step = Schema.Union([
    Schema.Struct({
      do: Schema.Literal("set"),
      name: Name,
      afterMs: between(100, 3000),
      everyMs: Schema.optionalKey(Schema.Literals([1000, 1700]))
    }),
    Schema.Struct({ do: Schema.Literal("clear"), name: Name }),
    Schema.Struct({ do: Schema.Literal("wait"), ms: between(1, 2500) })
  ])

  it.effect.prop(
    "fire exactly when a reference says, whatever is set, cleared and waited for",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(25)) },
    ({ steps }) => {
      const told: Array<Told> = []
      return Effect.gen(function* () {
        const { host, remote } = yield* start
        const expected: Array<readonly [string, number]> = []
        const reference = new Map<string, { at: number; readonly every: number | undefined }>()
        let now = 0
        for (const step of steps) {
          if (step.do === "wait") {
            // Millisecond by millisecond would be the same; the next due time is enough.
            const until = now + step.ms
            while (now < until) {
              const due = Math.min(until, ...[...reference.values()].map(({ at }) => at))
              yield* TestClock.adjust(due - now)
              yield* host.idle
              now = due
              for (const [name, timer] of reference) {
                if (timer.at !== now) continue
                expected.push([name, now])
                if (timer.every === undefined) reference.delete(name)
                else timer.at += timer.every
              }
            }
          } else {
            const command =
              step.do === "set" ? OutputCommand.setTimer(step.name, step) : OutputCommand.clearTimer(step.name)
            remote.sendText(say(command))
            yield* host.idle
            if (step.do === "set") reference.set(step.name, { at: now + step.afterMs, every: step.everyMs })
            else reference.delete(step.name)
          }
        }
        assert.deepStrictEqual(sorted(told.map(([name, at]) => [name, at])), sorted(expected))
        assert.isUndefined(accountingProblem(yield* rowOf(REF)))
      }).pipe(Effect.provide(onFake({ plugins: [driven(told)] })))
    },
    { arbitrary: { runs: 100 }, timeout: 60_000 }
  )
})
