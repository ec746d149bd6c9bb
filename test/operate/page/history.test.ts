/** The last hour in the browser's memory, without a browser. */
import { assert, describe, it } from "@effect/vitest"
import { HostStatus, PluginHost } from "mooring"
import * as Effect from "effect/Effect"
import { after, NOTHING, type Row } from "../../../src/operate/page/document.ts"
import { History, LIFECYCLES, OF_PLUGIN, OF_SOURCE, sourceKey } from "../../../src/operate/page/history.ts"
import { SLOT_MS, SLOTS } from "../../../src/operate/page/track.ts"
import { onFake } from "../../support/host.ts"
import { plugin } from "../../support/plugins.ts"

const BEGAN = 1_000_000 * SLOT_MS
const pkg = plugin({})

/** A row as a host says it. */
const real = Effect.gen(function* () {
  const host = yield* PluginHost.PluginHost
  yield* host.idle
  const [row] = HostStatus.encode(yield* host.status).plugins
  if (row === undefined) return yield* Effect.die(new Error("no row"))
  return row
}).pipe(Effect.provide(onFake({ plugins: [pkg] })))

type Change = Partial<Row["websocket_connections"][number]>

const withSource = (row: Row, change: Change): Row => ({
  ...row,
  websocket_connections: row.websocket_connections.map((connection) => ({ ...connection, ...change }))
})

const rowsOf = (...rows: ReadonlyArray<Row>) => new Map(rows.map((row) => [row.plugin_ref, row]))

const keyOf = ({ plugin_ref, websocket_connections: [source] }: Row) => sourceKey(plugin_ref, source?.id ?? "")

/** An event as it stands in the stream. */
const told = (name: string, data: unknown) => ({ name, data: JSON.stringify(data) })

describe("the history of the dashboard", () => {
  it.effect("has a value for each slot: rates, what was dropped, states, starts and crashes", () =>
    Effect.gen(function* () {
      const row = yield* real
      const history = new History(BEGAN)
      history.see(row)
      const busy = withSource(row, { received_text_frames: 50, queue_drops: 3 })
      assert.isFalse(history.record(rowsOf(busy), BEGAN + SLOT_MS - 1))
      assert.isTrue(history.record(rowsOf(busy), BEGAN + SLOT_MS))
      const source = history.track(keyOf(row))
      assert.strictEqual(source?.newest(OF_SOURCE.received, history.slot), 10)
      assert.strictEqual(source?.newest(OF_SOURCE.dropped, history.slot), 3)
      // It crashed and runs again within one slot.
      history.see({ ...busy, lifecycle: "restarting", restarts: 1 })
      const again = { ...busy, restarts: 1 }
      history.see(again)
      history.record(rowsOf(again), BEGAN + 2 * SLOT_MS)
      const own = history.track(row.plugin_ref)
      assert.deepStrictEqual(
        [OF_PLUGIN.lifecycle, OF_PLUGIN.starts, OF_PLUGIN.crashes].map((column) => own?.newest(column, history.slot)),
        [LIFECYCLES.indexOf("running"), 1, 1]
      )
      assert.deepStrictEqual(source?.hour(OF_SOURCE.received, history.slot).slice(-3), [null, 10, 0])
    })
  )

  it.effect("is an hour, with a gap where nobody looked, and forgets what is gone", () =>
    Effect.gen(function* () {
      const row = yield* real
      const history = new History(BEGAN)
      const record = (slot: number, received: number) =>
        history.record(rowsOf(withSource(row, { received_text_frames: received })), BEGAN + slot * SLOT_MS)
      for (let slot = 1; slot <= SLOTS + 10; slot++) record(slot, 5 * slot)
      record(SLOTS + 20, 1_000_000)
      record(SLOTS + 21, 1_000_010)
      const hour = history.track(keyOf(row))?.hour(OF_SOURCE.received, history.slot) ?? []
      assert.strictEqual(hour.length, SLOTS)
      assert.deepStrictEqual(hour.slice(-12), [1, ...Array.from({ length: 10 }, () => null), 2])
      assert.strictEqual(hour[0], 1)
      history.record(new Map(), BEGAN + (SLOTS + 22) * SLOT_MS)
      assert.isUndefined(history.track(keyOf(row)))
    })
  )

  it.effect("takes over from another tab what it doesn't know, and keeps what it does", () =>
    Effect.gen(function* () {
      const row = yield* real
      const [old, young] = [new History(BEGAN), new History(BEGAN + 10 * SLOT_MS)]
      for (let slot = 1; slot <= 12; slot++) {
        old.record(rowsOf(withSource(row, { received_text_frames: 5 * slot })), BEGAN + slot * SLOT_MS)
      }
      young.see(row)
      young.record(rowsOf(withSource(row, { received_text_frames: 500 })), BEGAN + 11 * SLOT_MS)
      young.adopt(structuredClone(old.copy))
      const hour = young.track(keyOf(row))?.hour(OF_SOURCE.received, 1_000_012)
      assert.deepStrictEqual(hour?.slice(-13), [null, null, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100, 1])
    })
  )

  it.effect("keeps the rows that events say nothing of the same objects", () =>
    Effect.gen(function* () {
      const row = yield* real
      const other = { ...row, plugin_ref: "project:other" }
      const whole = after(NOTHING, [
        told("status", { schema: 1, host: {}, plugins: [row, other, { ...row, restarts: 9 }] })
      ])
      assert.deepStrictEqual([...whole.rows.values()], [row, other])
      const changed = after(whole, [told("plugin", { ...other, restarts: 1 }), told("", null), told("unknown", 1)])
      assert.strictEqual(changed.rows.get(row.plugin_ref), whole.rows.get(row.plugin_ref))
      assert.strictEqual(changed.rows.get("project:other")?.restarts, 1)
      assert.deepStrictEqual(
        [...after(changed, [told("removed", { plugin_ref: "project:other" })]).rows.keys()],
        [row.plugin_ref]
      )
    })
  )
})
