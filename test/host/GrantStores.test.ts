import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { GrantStore, PluginHost } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

class QueryFailed extends Schema.TaggedError<QueryFailed>("QueryFailed")("QueryFailed", { statement: Schema.String }) {
  override get message(): string {
    return `could not run ${this.statement}`
  }
}

const pkg = plugin({})
const neighbour = plugin({ name: "neighbour", sources: [`${GATEWAY}/neighbour`] })
const enabled = [enable(pkg, { config: { room: "lobby-of-paris" } }), enable(neighbour)]

describe("a grant store of the application's own", () => {
  it.effect(
    "rule 10: names its failure in a diagnostic, masked and bounded, and in no log line; it goes on when it can",
    () => {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ cause, message }) =>
        lines.push(`${String(message)} ${String(cause)}`)
      )
      let fails = true
      const good = new Map(enabled.map((each) => [each.id, GrantStore.grantOf(each)]))
      const store = GrantStore.GrantStore.of({
        lookup: (ref) =>
          fails && ref === refOf(pkg)
            ? Effect.fail(new QueryFailed({ statement: `lobby-of-paris\u202e${"x".repeat(5000)}` }))
            : Effect.sync(() => Option.fromUndefinedOr(good.get(ref))),
        changes: Stream.never
      })
      return Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const fake = yield* FakeWebSocket.FakeWebSocket
        yield* host.idle
        const row = yield* rowOf(refOf(pkg))
        assert.deepInclude(row, { lifecycle: "failed", lastDispatchAt: null })
        assert.strictEqual(row.lastError?.tag, "PermissionMissing")
        assert.match(row.lastError?.message ?? "", /grant store/)
        const [denial] = row.diagnostics.filter(({ tag }) => tag === "PermissionMissing")
        const cause = JSON.stringify(denial?.error["cause"])
        assert.match(cause, /QueryFailed/)
        assert.match(cause, /could not run \*\*\*/)
        assert.isBelow(cause.length, 2000)
        for (const text of [JSON.stringify(row), ...lines]) {
          assert.notInclude(text, "lobby-of-paris")
          assert.notInclude(text, "\u202e")
        }
        for (const line of lines) assert.notMatch(line, /could not run|xxxx/)
        // It is its own plugin's alone.
        yield* fake.remote(`${GATEWAY}/neighbour`)
        assert.strictEqual((yield* rowOf(refOf(neighbour))).lifecycle, "running")
        fails = false
        yield* TestClock.adjust(5000)
        yield* fake.remote(GATEWAY)
        yield* host.idle
        assert.strictEqual((yield* rowOf(refOf(pkg))).lifecycle, "running")
      }).pipe(
        Effect.provide(
          TestHost.failingFast(PluginHost.layer({ plugins: [pkg, neighbour], enabled })).pipe(
            Layer.provide(Layer.succeed(GrantStore.GrantStore, store)),
            Layer.provideMerge(FakeWebSocket.layer),
            Layer.provideMerge(Logger.layer([logger]))
          )
        )
      )
    }
  )
})
