/** The order of the dashboard, what it says aloud and what it finds, without a browser. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HostStatus, PluginHost } from "mooring"
import { after, NOTHING, type Row } from "../../../src/operate/page/document.ts"
import { News } from "../../../src/operate/page/news.ts"
import { search } from "../../../src/operate/page/search.ts"
import { Summaries } from "../../../src/operate/page/summary.ts"
import { rowsOf } from "../../../src/cli/internal/rows.ts"
import { onFake } from "../../support/host.ts"
import { plugin } from "../../support/plugins.ts"

const real = Effect.gen(function* () {
  const host = yield* PluginHost.PluginHost
  yield* host.idle
  return HostStatus.encode(yield* host.status)
}).pipe(Effect.provide(onFake({ plugins: [plugin({})] })))

const errorAt = (at: string, tag = "StartFailed") => ({ tag, message: `${tag}: it doesn't`, at })

type Connection = Row["websocket_connections"][number]

/** One of each kind, those that are well first. */
const kinds = (row: Row, at: string): ReadonlyArray<Row> => {
  const named = (ref: string, change: Partial<Row>, connection: Partial<Connection> = {}): Row => ({
    ...row,
    plugin_ref: `project:${ref}`,
    ...change,
    websocket_connections: row.websocket_connections.map((each) => ({ ...each, ...connection }))
  })
  return [
    named("fine", {}),
    named("stopped", { lifecycle: "stopped" }, { state: "stopped", stop_reason: "service" }),
    named("asked", {}, { state: "stopped", stop_reason: "plugin" }),
    named("past", { last_error: errorAt(at, "DispatchTimeout") }),
    named("sliding", {}, { flow: "sliding" }),
    named("waiting", {}, { state: "waiting", last_error: errorAt(at, "DialFailed") }),
    named("denied", {}, { state: "stopped", stop_reason: "grant" }),
    named("restarting", { lifecycle: "restarting", last_error: errorAt(at) }),
    named("failed", { lifecycle: "failed", last_error: errorAt(at) })
  ]
}

const diagnostic = (tag: string, second: number) => ({
  at: `2026-01-01T00:00:0${second}.000Z`,
  stage: "dial" as const,
  tag,
  severity: "warning" as const,
  message: `${tag} at Night`,
  error: { _tag: tag },
  count: 1
})

describe("the lines of the dashboard", () => {
  it.effect("stand in the order of mooring top", () =>
    Effect.gen(function* () {
      const status = yield* real
      const [row] = status.plugins
      const plugins = row === undefined ? [] : kinds(row, status.host.at)
      const own = new Summaries().inOrder(plugins, Date.parse(status.host.at))
      const decoded = decode({ ...status, plugins })
      assert.deepStrictEqual(
        own.map(({ ref, trouble }) => [ref, trouble]),
        rowsOf(decoded).map(({ plugin: ref, trouble }) => [ref, trouble])
      )
      assert.strictEqual(own[0]?.ref, "project:failed")
      assert.strictEqual(own[0]?.note, "StartFailed: it doesn't")
    })
  )

  it.effect(
    "are the same objects for as long as nothing of them has changed, and are told again when it was long ago",
    () =>
      Effect.gen(function* () {
        const status = yield* real
        const [row] = status.plugins
        const plugins = row === undefined ? [] : kinds(row, status.host.at)
        const summaries = new Summaries()
        const at = Date.parse(status.host.at)
        const [before, now, later] = [at, at + 1000, at + 61_000].map((time) => summaries.inOrder(plugins, time))
        assert.isTrue(before?.every((each, index) => each === now?.[index]))
        assert.strictEqual(later?.find(({ ref }) => ref === "project:past")?.trouble, 0)
      })
  )

  it.effect("are said aloud where they get worse and where they are well again, in one sentence", () =>
    Effect.gen(function* () {
      const status = yield* real
      const [row] = status.plugins
      const plugins = row === undefined ? [] : kinds(row, status.host.at)
      const news = new News()
      const of = (rows: ReadonlyArray<Row>) => news.since(new Summaries().inOrder(rows, Date.parse(status.host.at)))
      assert.match(
        of(plugins),
        /^Not well: project:failed: failed, StartFailed: it doesn't; [^;]+; [^;]+; and 2 more\.$/
      )
      assert.strictEqual(of(plugins), "")
      assert.match(
        of(plugins.map((each) => ({ ...each, lifecycle: "stopped" as const }))),
        /^Well again: .+ and 2 more\.$/
      )
    })
  )

  it.effect("find diagnostics by each of the words, the newest first", () =>
    Effect.gen(function* () {
      const status = yield* real
      const [row] = status.plugins
      const told =
        row === undefined ? [] : [{ ...row, diagnostics: [diagnostic("OpenTimeout", 1), diagnostic("DialFailed", 3)] }]
      const host = { ...status.host, diagnostics: [diagnostic("ReloadRejected", 2)] }
      const document = after(NOTHING, [{ name: "status", data: JSON.stringify({ ...status, host, plugins: told }) }])
      const tags = (text: string) => search(document, text).found.map(({ diagnostic: { tag } }) => tag)
      assert.deepStrictEqual(tags(""), ["DialFailed", "ReloadRejected", "OpenTimeout"])
      assert.deepStrictEqual(tags(" night  TEST.plugin "), ["DialFailed", "OpenTimeout"])
      assert.deepStrictEqual(tags("host night"), ["ReloadRejected"])
      assert.deepStrictEqual(tags("nothing"), [])
    })
  )
})

const decode = Schema.decodeUnknownSync(HostStatus.HostStatus)
