import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { type IngressEvent, Limits, type PluginRuntime } from "mooring"
import { LastStart, observed } from "../../../src/cli/internal/observed.ts"
import { plugin } from "../../support/plugins.ts"

const START: PluginRuntime.Start = {
  key: "k",
  limits: Limits.defaults,
  config: {},
  reason: "crash",
  state: 7,
  secrets: {},
  deliver: () => Result.succeed(""),
  keys: { names: [], valueOf: () => undefined, listen: () => () => {} }
}

/** Who watches a package that starts as the test says. */
const watched = (instance: PluginRuntime.Instance | PluginRuntime.BatchingInstance) => {
  const seen: Array<string> = []
  const last = new LastStart({
    event: ({ sequence }) => seen.push(`event ${sequence}`),
    output: (output) => seen.push(`output ${JSON.stringify(output)}`)
  })
  const pkg = { ...plugin({}), runtime: { keepsStartDeadline: true, start: () => Effect.succeed(instance) } }
  return { last, seen, pkg: observed(pkg, last) }
}

// Nothing else of an event is looked at.
const event = (sequence: number) => ({ sequence }) as unknown as IngressEvent.AnyEvent

describe("a package that is watched", () => {
  it.effect("tells its starts, events and answers one at a time, and is what it was otherwise", () =>
    Effect.gen(function* () {
      const answers: Array<Effect.Effect<PluginRuntime.Output | void, string>> = [
        Exit.succeed({ state: 8, status: "s" }),
        Exit.void,
        Exit.fail("no"),
        Exit.succeed({ accepted: false, state: 9 })
      ]
      const handle = () => answers.shift() ?? Exit.void
      const { last, pkg, seen } = watched({ handle, stop: Effect.void, initial: { status: "began" } })
      assert.isTrue(pkg.runtime.keepsStartDeadline)
      const instance = yield* pkg.runtime.start(START)
      assert.deepStrictEqual([last.start, last.state], [START, 7])
      const exits: Array<unknown> = []
      for (const nth of [1, 2, 3, 4]) exits.push(yield* Effect.exit(instance.handle?.(event(nth)) ?? Effect.void))
      assert.deepStrictEqual(exits, [
        Exit.succeed({ state: 8, status: "s" }),
        Exit.void,
        Exit.fail("no"),
        Exit.succeed({ accepted: false, state: 9 })
      ])
      assert.deepStrictEqual(seen, [
        'output {"status":"began"}',
        "event 1",
        'output {"state":8,"status":"s"}',
        "event 2",
        "event 3",
        "event 4",
        'output {"accepted":false,"state":9}'
      ])
      assert.strictEqual(last.state, 8)
    }).pipe(Effect.scoped)
  )

  it.effect("tells of a batch each event as it begins, also what a recall finds begun, and nothing of the others", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      let inner: PluginRuntime.Told | undefined
      const lent = {
        recall: () => inner?.begun(),
        interrupt: () => void told.push("interrupt")
      }
      const dispatch = (_: unknown, by: PluginRuntime.Told) => {
        inner = by
        return lent
      }
      const { last, pkg, seen } = watched({ batches: { mostEvents: 5, mostBytes: 1000, dispatch }, stop: Effect.void })
      const { batches } = yield* pkg.runtime.start(START)
      if (batches === undefined) return assert.fail("it takes batches")
      assert.deepStrictEqual([batches.mostEvents, batches.mostBytes], [5, 1000])
      const batch = batches.dispatch([event(1), event(2), event(3)], {
        begun: () => told.push("begun"),
        done: (exit) => told.push(`done ${exit._tag}`),
        ended: (ms) => told.push(`ended ${ms}`)
      })
      inner?.begun()
      inner?.done(Exit.succeed({ state: 1 }))
      batch.recall()
      batch.interrupt()
      inner?.done(Exit.fail("no"))
      inner?.ended(3)
      assert.deepStrictEqual(seen, ["event 1", 'output {"state":1}', "event 2"])
      assert.deepStrictEqual(told, ["begun", "done Success", "begun", "interrupt", "done Failure", "ended 3"])
      assert.strictEqual(last.state, 1)
    }).pipe(Effect.scoped)
  )
})
