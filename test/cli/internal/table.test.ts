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

const withConnections = (
  status: HostStatus.HostStatus,
  ...changes: ReadonlyArray<Partial<HostStatus.ConnectionStatus>>
): HostStatus.HostStatus => ({
  ...status,
  plugins: status.plugins.map((plugin) => ({
    ...plugin,
    websocketConnections: changes.flatMap((change) =>
      plugin.websocketConnections.map((connection) => ({ ...connection, ...change }))
    )
  }))
})

describe("the table", () => {
  it.effect("tells sources apart that differ by their query alone", () =>
    Effect.gen(function* () {
      const status = withConnections(yield* full, { id: "9f2c01ab" }, { id: "0ab1c2d3" })
      const rows = table(status, 300)
      assert.lengthOf(rows, 4)
      assert.include(rows[2], "9f2c01ab")
      assert.include(rows[3], "0ab1c2d3")
    })
  )

  it.effect("shows no character of outside that does something to a terminal", () =>
    Effect.gen(function* () {
      const status = yield* full
      const hostile = "a\u001b[2J\u0007\r\n\t\u009b\u202e\u2028\ud800b"
      const [first] = status.plugins
      const plugins = [
        {
          ...first,
          pluginRef: hostile,
          lastError: { tag: "t", message: hostile, at: "" },
          websocketConnections: [{ ...first?.websocketConnections[0], url: hostile, ingressName: hostile }]
        },
        { ...first, websocketConnections: [], lastError: { tag: "t", message: hostile, at: "" } }
      ] as HostStatus.HostStatus["plugins"]
      for (const line of table({ ...status, plugins }, 300)) {
        assert.notMatch(line, /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202e]/u)
      }
    })
  )

  it.effect.prop(
    "is nowhere wider than asked, whatever is in it",
    { width: int(1, 200), status: Status },
    ({ status, width }) =>
      Effect.sync(() => {
        for (const line of table(status, width)) assert.isAtMost(widthOf(line), width)
      })
  )

  it.effect("keeps its columns below each other where texts are wide or narrow", () =>
    Effect.gen(function* () {
      const status = withConnections(yield* full, { url: "ws://\u4f60\u597d/\u{1f600}" }, { url: "ws://e\u0301" })
      const [, heading = "", ...rows] = table(status, 300)
      const at = widthOf(heading.slice(0, heading.indexOf("STATE")))
      for (const row of rows) assert.strictEqual(widthOf(row.slice(0, row.indexOf("connecting"))), at, row)
    })
  )

  it.effect("narrows the sources and then the plugins before it cuts off a count", () =>
    Effect.gen(function* () {
      const url = "ws://gateway.example.com:7700/some/long/path"
      const status = withConnections(yield* full, { url })
      assert.include(table(status, 400).join("\n"), url)
      const narrow = table(status, 125)
      assert.notInclude(narrow.join("\n"), url)
      assert.match(narrow[1] ?? "", /SENT/)
      assert.match(narrow[2] ?? "", /ws:\/\/\S*\u2026/)
    })
  )

  it.effect("bounds a long text, so that it leaves room for the others", () =>
    Effect.gen(function* () {
      const status = withConnections(yield* full, { url: `ws://${"x".repeat(100_000)}` })
      assert.isTrue(table(status, 1_000_000).every((line) => line.length < 500))
    })
  )

  it.effect("shows a dash for what the system doesn't tell", () =>
    Effect.gen(function* () {
      const status = yield* full
      for (const rssBytes of [null, Number.NaN]) {
        const [head] = table({ ...status, host: { ...status.host, rssBytes } } as HostStatus.HostStatus, 300)
        assert.include(head, "  \u2013 MiB  ")
      }
      assert.notInclude(table({ ...status, plugins: [] }, 300).join("\n"), "NaN")
    })
  )

  it.effect("says why a source is down, else what the plugin reports, else how the connection ended", () =>
    Effect.gen(function* () {
      const status = yield* full
      const lastError = { tag: "t", message: "why it is down", at: "" }
      const lastClose = { code: 4000, reason: "", clean: true, at: "" }
      const note = (change: Partial<HostStatus.ConnectionStatus>, plugin: Partial<HostStatus.PluginStatus>) => {
        const changed = withConnections(status, { stopReason: null, lastError, lastClose, ...change })
        return table({ ...changed, plugins: changed.plugins.map((row) => ({ ...row, ...plugin })) }, 300)[2]
      }
      const quiet = { lastError: null, reportedStatus: null }
      assert.include(note({ state: "waiting" }, quiet), "why it is down")
      assert.include(note({ state: "stopped", stopReason: "grant" }, quiet), "why it is down")
      assert.include(note({ state: "stopped", stopReason: "grant" }, quiet), "stopped (grant)")
      assert.include(note({ state: "stopped", stopReason: "service" }, quiet), "last closed with code 4000")
      assert.include(note({ state: "open" }, quiet), "last closed with code 4000")
      assert.include(note({ state: "waiting", lastError: null }, quiet), "last closed with code 4000")
      assert.include(note({ state: "open" }, { lastError: null, reportedStatus: { seen: 1 } }), '{"seen":1}')
      assert.include(note({ state: "open" }, { lastError, reportedStatus: { seen: 1 } }), "why it is down")
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
