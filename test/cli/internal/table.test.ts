import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { HostStatus } from "mooring"
import { HostStatus as Status } from "../../../src/host/HostStatus.ts"
import { clean, cut, pad, widthOf } from "../../../src/cli/internal/cells.ts"
import { table } from "../../../src/cli/internal/table.ts"
import { document } from "../../../src/cli/schema.ts"
import { fullest } from "../support/fullest.ts"
import * as Schema from "effect/Schema"
import { int } from "../../support/arbitraries.ts"

const decode = Schema.decodeUnknownEffect(Status)

/** A status with everything in it, whatever there is. */
const full: Effect.Effect<HostStatus.HostStatus, Schema.SchemaError> = Effect.suspend(() =>
  decode(fullest({ ...document("status") })[0])
)

type Change = Partial<HostStatus.ConnectionStatus>

const QUIET = { lastError: null, lastClose: null, stopReason: null, state: "open", flow: "flowing" } as const

/** A status of plugins, each with these connections; what isn't said is as it should be. */
const withPlugins = (
  status: HostStatus.HostStatus,
  ...plugins: ReadonlyArray<Partial<HostStatus.PluginStatus> & { readonly connections?: ReadonlyArray<Change> }>
): HostStatus.HostStatus => {
  const [plugin] = status.plugins
  const [connection] = plugin?.websocketConnections ?? []
  if (plugin === undefined || connection === undefined) throw new Error("the status is empty")
  const config = { ...status.host.config, state: "applied", problems: [] } as const
  return {
    ...status,
    host: { ...status.host, config },
    plugins: plugins.map(({ connections = [{}], ...change }) => ({
      ...plugin,
      lifecycle: "running",
      lastError: null,
      reportedStatus: null,
      ...change,
      websocketConnections: connections.map((each) => ({ ...connection, ...QUIET, ...each }))
    }))
  }
}

const withConnections = (status: HostStatus.HostStatus, ...connections: ReadonlyArray<Change>) =>
  withPlugins(status, { connections })

const error = (tag: string, message: string, at = "2026-01-01T00:00:00.000Z") => ({ tag, message, at })

/** Without colours, whose codes are two or three characters and a frame. */
const plain = (line: string) => line.replace(/\u001b\[\d+m/g, "")

describe("the table", () => {
  it.effect("has the columns that matter at 80 columns, and what is wrong in whole lines below", () =>
    Effect.gen(function* () {
      const status = withPlugins(
        yield* full,
        { pluginRef: "project:example.echo", connections: [{ receivedTextFrames: 1234, receivedBinaryFrames: 0 }] },
        {
          pluginRef: "project:example.feed",
          connections: [{ state: "waiting", lastError: error("DialFailed", "nobody listens at feed.example.com:443") }]
        }
      )
      const [head = "", heading = "", ...rows] = table(status, { columns: 79, rows: 24 })
      assert.match(head, /^mooring \S+ {2}2 plugins: 2 running {2}up /)
      assert.match(heading, /^PLUGIN +STATE +RECEIVED +WAITING +DROPPED +SENT +NOTE$/)
      assert.match(rows[0] ?? "", /^example\.feed +waiting +0 +0 +0 +0 +DialFailed: no\S*\u2026$/)
      assert.match(rows[1] ?? "", /^example\.echo +flowing +1234 +0 +0 +0 +example$/)
      assert.deepStrictEqual(rows.slice(2), ["example.feed  DialFailed: nobody listens at feed.example.com:443"])
    })
  )

  it.effect("tells sources apart that differ by their query alone", () =>
    Effect.gen(function* () {
      const status = withConnections(yield* full, { id: "9f2c01ab" }, { id: "0ab1c2d3" })
      const rows = table(status, { columns: 300 })
      assert.lengthOf(rows, 4)
      assert.include(rows[2], "9f2c01ab")
      assert.include(rows[3], "0ab1c2d3")
    })
  )

  it.effect("has trouble first: failed, down, passing, past, and then the order of the plugins", () =>
    Effect.gen(function* () {
      const status = yield* full
      const { at } = status.host
      const named = (name: string, change: Parameters<typeof withPlugins>[1]) => ({
        pluginRef: `user:${name}`,
        ...change
      })
      const shown = table(
        withPlugins(
          status,
          named("well", {}),
          named("past", { lastError: error("GuestError", "what", at) }),
          named("old", { lastError: error("GuestError", "what", "2025-01-01T00:00:00.000Z") }),
          named("sliding", { connections: [{ flow: "sliding" }] }),
          named("waiting", { connections: [{}, { state: "waiting", lastError: error("DialFailed", "what") }] }),
          named("denied", { connections: [{ state: "stopped", stopReason: "grant" }] }),
          named("asked", { connections: [{ state: "stopped", stopReason: "plugin" }] }),
          named("restarting", { lifecycle: "restarting" }),
          named("failed", { lifecycle: "failed", lastError: error("StartFailed", "what"), connections: [] }),
          named("ended", { lifecycle: "stopped", connections: [{ state: "stopped", stopReason: "service" }] })
        ),
        { columns: 300 }
      )
      const cells = shown.slice(2).map((line) => line.split(/ +/).slice(0, 2).join(" "))
      assert.deepStrictEqual(cells, [
        "user:failed failed",
        "user:denied stopped",
        "user:restarting restarting",
        "user:sliding sliding",
        "user:waiting waiting",
        "user:past flowing",
        "user:well flowing",
        "user:old flowing",
        "user:waiting flowing",
        "user:asked stopped",
        "user:ended stopped"
      ])
    })
  )

  it.effect("says how many more there are than fit, and leaves room for the log", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 500 }, (_, number) => ({ pluginRef: `project:plugin-${number}` }))
      const status = withPlugins(yield* full, ...names)
      const shown = table(status, { columns: 79, rows: 24 })
      assert.lengthOf(shown, 19)
      assert.strictEqual(shown.at(-1), "\u2026 and 484 more")
      assert.lengthOf(table(status, { columns: 79 }), 502)
      for (const rows of [1, 2, 3, 4, 5]) assert.isAtMost(table(status, { columns: 79, rows }).length, rows)
      assert.lengthOf(table(withPlugins(status, ...names.slice(0, 17)), { columns: 79, rows: 24 }), 19)
    })
  )

  it.effect(
    "shows no character of outside that does something to a terminal, and foreign text in its last column alone",
    () =>
      Effect.gen(function* () {
        const hostile = "a\u001b[2J\u0007\r\n\t\u009b\u202e\u2028\ud800\u4f60\u0301b"
        const status = withPlugins(
          yield* full,
          {
            pluginRef: hostile,
            lastError: error(hostile, hostile),
            reportedStatus: { [hostile]: hostile },
            connections: [
              { url: hostile, ingressName: hostile, lastError: error(hostile, hostile), state: "waiting" },
              { url: hostile }
            ]
          },
          { pluginRef: "project:well" },
          { pluginRef: "project:gone", connections: [], lifecycle: "failed", lastError: error("t", hostile) }
        )
        for (const columns of [79, 300]) {
          const [, heading = "", ...rows] = table(status, { columns, isColoured: true }).map(plain)
          const at = heading.indexOf("NOTE")
          for (const row of rows) {
            assert.notMatch(row, /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202e]/u)
            if (/^\S+ +(?:flowing|waiting|failed) /.test(row)) assert.match(row.slice(0, at), /^[ -~\u2013\u2026]*$/)
          }
        }
      })
  )

  it.effect.prop(
    "is nowhere wider nor higher than there is room, whatever is in it, with and without colours",
    { columns: int(0, 200), rows: int(1, 60), status: Status },
    ({ columns, rows, status }) =>
      Effect.sync(() => {
        const lines = table(status, { columns, rows })
        assert.isAtMost(lines.length, rows)
        for (const line of lines) assert.isAtMost(widthOf(line), columns)
        assert.deepStrictEqual(table(status, { columns, rows, isColoured: true }).map(plain), lines)
      })
  )

  it.effect("gives up counts before names, the least telling first, and never the state", () =>
    Effect.gen(function* () {
      const status = withPlugins(yield* full, { pluginRef: "project:example.quite-a-long-name#one" })
      const headings = (columns: number) => table(status, { columns })[1]?.split(/ +/).slice(1, -1).join(" ")
      assert.strictEqual(headings(79), "STATE RECEIVED WAITING DROPPED SENT")
      assert.strictEqual(headings(77), "STATE RECEIVED WAITING DROPPED")
      assert.strictEqual(headings(69), "STATE WAITING DROPPED")
      assert.strictEqual(headings(59), "STATE DROPPED")
      assert.strictEqual(headings(45), "STATE")
      assert.match(table(status, { columns: 79 })[2] ?? "", /^\u2026\S+-name#one +flowing/)
      assert.include(table(status, { columns: 200 })[2], "project:example.quite-a-long-name#one")
    })
  )

  it.effect("leaves out where plugins are from only while that tells none apart", () =>
    Effect.gen(function* () {
      const status = yield* full
      const firsts = (...refs: ReadonlyArray<string>) =>
        table(withPlugins(status, ...refs.map((pluginRef) => ({ pluginRef }))), { columns: 79 })
          .slice(2)
          .map((line) => line.split(" ")[0])
      assert.deepStrictEqual(firsts("project:a", "user:b"), ["a", "b"])
      assert.deepStrictEqual(firsts("project:a", "user:a"), ["project:a", "user:a"])
    })
  )

  it.effect("writes large counts in few characters, and a dash for what the system doesn't tell", () =>
    Effect.gen(function* () {
      const status = yield* full
      const cell = (queueDepth: number) =>
        table(withConnections(status, { queueDepth }), { columns: 79 })[2]?.split(/ +/)[3]
      for (const [value, text] of [
        [0, "0"],
        [9_999_999, "9999999"],
        [12_345_678, "12.3M"],
        [999_400_000, "999M"],
        [999_999_999, "1.0G"],
        [Number.MAX_SAFE_INTEGER, "9.0P"]
      ] as const) {
        assert.strictEqual(cell(value), text)
      }
      for (const rssBytes of [null, Number.NaN]) {
        const [head] = table({ ...status, host: { ...status.host, rssBytes } } as HostStatus.HostStatus, {
          columns: 300
        })
        assert.include(head, "  \u2013 MiB  ")
      }
      assert.notInclude(table({ ...status, plugins: [] }, { columns: 300 }).join("\n"), "NaN")
    })
  )

  it.effect("says for how long the host has run", () =>
    Effect.gen(function* () {
      const status = withPlugins(yield* full, {})
      const up = (seconds: number) =>
        / {2}up (.+?) {2}/.exec(
          table({ ...status, host: { ...status.host, uptimeMs: seconds * 1000 } }, { columns: 300 })[0] ?? ""
        )?.[1]
      assert.deepStrictEqual([0, 59, 60, 3599, 3600, 172_799, 172_800, 180_000].map(up), [
        "0 s",
        "59 s",
        "1 min 0 s",
        "59 min 59 s",
        "1 h 0 min",
        "47 h 59 min",
        "2 d 0 h",
        "2 d 2 h"
      ])
    })
  )

  it.effect("counts texts and binary messages together", () =>
    Effect.gen(function* () {
      const counts = { receivedTextFrames: 2, receivedBinaryFrames: 3, sentTextFrames: 7, sentBinaryFrames: 11 }
      const status = withConnections(yield* full, { ...counts, queueDepth: 1, queueDrops: 4 })
      assert.match(table(status, { columns: 79 })[2] ?? "", /flowing +5 +1 +4 +18 /)
    })
  )

  it.effect("has states and what is wrong in red or yellow, what flows in green and what has ended in neither", () =>
    Effect.gen(function* () {
      const status = yield* full
      const colours = (change: Parameters<typeof withPlugins>[1]) =>
        [
          ...(table(withPlugins(status, change), { columns: 200, isColoured: true })[2] ?? "").matchAll(
            /\u001b\[(\d+)m/g
          )
        ]
          .map(([, code]) => Number(code))
          .filter((code) => code !== 0)
      const lastError = error("GuestError", "what", status.host.at)
      const [red, green, yellow, dim] = [31, 32, 33, 2]
      assert.deepStrictEqual(colours({}), [green, dim])
      assert.deepStrictEqual(colours({ lastError }), [green, yellow])
      assert.deepStrictEqual(colours({ lifecycle: "failed", lastError }), [red, red])
      assert.deepStrictEqual(colours({ lifecycle: "restarting", lastError }), [red, red])
      assert.deepStrictEqual(colours({ lifecycle: "starting" }), [yellow, dim])
      assert.deepStrictEqual(
        colours({ lifecycle: "stopped", connections: [{ state: "stopped", stopReason: "service" }] }),
        [dim, dim]
      )
      assert.deepStrictEqual(colours({ connections: [{ flow: "paused" }] }), [yellow, dim])
      assert.deepStrictEqual(colours({ connections: [{ flow: "sliding" }] }), [yellow, yellow])
      assert.deepStrictEqual(colours({ connections: [{ state: "waiting" }] }), [yellow, yellow])
      assert.deepStrictEqual(colours({ connections: [{ state: "stopped", stopReason: "grant" }] }), [red, red])
      assert.deepStrictEqual(colours({ connections: [{ state: "connecting" }] }), [yellow, dim])
      assert.deepStrictEqual(colours({ connections: [{ state: "closed" }] }), [dim, dim])
    })
  )

  it.effect("tells what is wrong with a plugin once, and of its other sources where they lead", () =>
    Effect.gen(function* () {
      const lastError = error("InstanceLost", "what")
      const connections = [{ id: "aaaaaaaa" }, { id: "bbbbbbbb", url: "ws://other/" }]
      const rows = table(withPlugins(yield* full, { lifecycle: "restarting", lastError, connections }), {
        columns: 200
      })
      assert.match(rows[2] ?? "", /restarting .* InstanceLost: what$/)
      assert.match(rows[3] ?? "", /restarting .* bbbbbbbb {2}ws:\/\/other\/$/)
    })
  )

  it.effect("says what is wrong with the host file, at its head and below", () =>
    Effect.gen(function* () {
      const status = withPlugins(yield* full, {})
      const problems = [{ path: "limits.x", message: "Expected\u001b none", file: "host.toml", line: 2, column: 1 }]
      const config = { ...status.host.config, state: "partly", problems } as const
      const shown = table({ ...status, host: { ...status.host, config } }, { columns: 120 })
      assert.include(shown[0], "host file partly, 1 problem")
      assert.strictEqual(shown.at(-1), "host file  host.toml:2:1: limits.x: Expected\ufffd none")
    })
  )

  it.effect(
    "says why a source is down, else what the plugin reports, how the connection ended and where it leads",
    () =>
      Effect.gen(function* () {
        const status = yield* full
        const lastError = error("DialFailed", "why it is down")
        const lastClose = { code: 4000, reason: "", clean: true, at: "" }
        const note = (change: Change, plugin: Partial<HostStatus.PluginStatus> = {}) =>
          table(withPlugins(status, { ...plugin, connections: [{ lastError, lastClose, ...change }] }), {
            columns: 300
          })[2]
        assert.include(note({ state: "waiting" }), "DialFailed: why it is down")
        assert.include(note({ state: "stopped", stopReason: "grant" }), "DialFailed: why it is down")
        assert.include(note({ state: "stopped", stopReason: "grant", lastError: null }), "stopped: grant")
        assert.include(note({ state: "stopped", stopReason: "service" }), "last closed with 4000")
        assert.include(note({ state: "stopped", stopReason: "plugin" }), "stopped by the plugin")
        assert.include(note({}), "last closed with 4000  example")
        assert.include(note({}, { reportedStatus: { seen: 1 } }), '{"seen":1}  last closed with 4000')
        const own = error("GuestError", "GuestError: what", status.host.at)
        assert.include(note({}, { lastError: own, reportedStatus: { seen: 1 } }), "  GuestError: what")
        assert.notInclude(note({}, { lastError: own }), "GuestError: GuestError")
      })
  )
})

describe("a cell", () => {
  it("is as wide as it looks", () => {
    const widths = {
      abc: 3,
      "\u4f60\u597d": 4,
      "e\u0301": 1,
      "\u{1f600}": 2,
      "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}": 2,
      "": 0
    }
    for (const [text, width] of Object.entries(widths)) assert.strictEqual(widthOf(text), width, text)
  })

  it("is cut between characters, and says so", () => {
    assert.strictEqual(cut("abcdef", 6), "abcdef")
    assert.strictEqual(cut("abcdefg", 6), "abcde\u2026")
    assert.strictEqual(cut("\u4f60\u597d\u4f60", 6), "\u4f60\u597d\u4f60")
    assert.strictEqual(cut("\u4f60\u597d\u4f60", 5), "\u4f60\u597d\u2026")
    assert.strictEqual(cut("\u4f60\u597d\u4f60", 4), "\u4f60\u2026")
    assert.strictEqual(cut("ae\u0301\u0301b\u0301c", 4), "ae\u0301\u0301b\u0301c")
    assert.strictEqual(cut("abc", 1), "\u2026")
    assert.strictEqual(cut("abc", 0), "")
    assert.strictEqual(cut(`a${"\u0301".repeat(1000)}`, 2).length, 129)
  })

  it("is filled up on either side", () => {
    assert.strictEqual(pad("\u4f60", 4, "left"), "  \u4f60")
    assert.strictEqual(pad("\u4f60", 4, "right"), "\u4f60  ")
    assert.strictEqual(pad("abcde", 4, "right"), "abcde")
  })

  it("has a mark for each character that would do something", () => {
    assert.strictEqual(clean("a\u001bb\u0000c\u{1f600}\u00e9 \u4f60"), "a\ufffdb\ufffdc\u{1f600}\u00e9 \u4f60")
  })
})
