import { assert, describe, it } from "@effect/vitest"
import type { HostStatus } from "mooring"
import { tellChanges } from "../../../src/cli/internal/rowChanges.ts"

type Row = HostStatus.PluginStatus
type Result = Row["outputCommandResults"][number]

const AT = "2026-01-01T00:00:00.000Z"

const result = (nth: number): Result => ({
  commandId: `e:${nth % 2}`,
  correlationId: "c",
  sourceEventId: `e${Math.floor(nth / 2)}`,
  kind: "websocket_send",
  status: "executed",
  recordedAt: AT
})

const results = (from: number, to: number) => Array.from({ length: to - from }, (_, nth) => result(from + nth))

/** As much of a row as is looked at. */
const row = (more: Partial<Row>): Row =>
  ({
    pluginRef: "project:a",
    lifecycle: "running",
    lastError: null,
    retryAt: null,
    restarts: 0,
    outputCommandResults: [],
    websocketConnections: [],
    ...more
  }) as unknown as Row

const connection = (more: object) =>
  ({
    id: "9f2c01ab",
    ingressName: "gateway",
    url: "ws://a/b",
    state: "open",
    epoch: 1,
    lastClose: null,
    lastError: null,
    nextAttemptAt: null,
    stopReason: null,
    ...more
  }) as unknown as Row["websocketConnections"][number]

const told = (before: Row | undefined, now: Row | undefined) => {
  const lines: Array<string> = []
  const seen: Array<string> = []
  tellChanges(before, now, {
    say: (kind, text) => lines.push(`${kind} ${text}`),
    result: ({ commandId, sourceEventId }) => seen.push(`${sourceEventId} ${commandId}`)
  })
  return { lines, results: seen }
}

const error = { tag: "StartFailed", message: "it", at: AT }

describe("what has changed in a row", () => {
  it("is each result once, in order, also where those before have left", () => {
    for (const [before, now, expected] of [
      [results(0, 0), results(0, 5), results(0, 5)],
      [results(0, 5), results(0, 5), []],
      [results(0, 5), results(3, 9), results(5, 9)],
      [results(0, 5), results(20, 24), results(20, 24)]
    ] as const) {
      const { results: seen } = told(row({ outputCommandResults: before }), row({ outputCommandResults: now }))
      assert.deepStrictEqual(
        seen,
        expected.map(({ commandId, sourceEventId }) => `${sourceEventId} ${commandId}`)
      )
    }
  })

  it("is what became of the plugin, and which one it is", () => {
    assert.deepStrictEqual(told(undefined, row({})).lines, ["plugin project:a is running"])
    assert.deepStrictEqual(told(row({}), row({})).lines, [])
    assert.deepStrictEqual(told(row({ lifecycle: "starting" }), row({ lifecycle: "ready" })).lines, [])
    assert.deepStrictEqual(told(row({}), row({ lifecycle: "restarting", lastError: error })).lines, [
      "plugin project:a is started again after a crash (StartFailed)"
    ])
    assert.deepStrictEqual(told(row({}), row({ lifecycle: "failed", lastError: error, retryAt: AT })).lines, [
      `plugin project:a has failed (StartFailed); another start at ${AT}, or once it has changed`
    ])
    assert.deepStrictEqual(told(row({ lifecycle: "failed" }), row({ restarts: 2 })).lines, [
      "plugin project:a is running, restarts: 2"
    ])
    assert.deepStrictEqual(told(row({}), row({ pluginRef: "project:b" })).lines, [
      "plugin project:a is enabled no more",
      "plugin project:b is running"
    ])
    assert.deepStrictEqual(told(row({}), undefined).lines, ["plugin project:a is enabled no more"])
    assert.deepStrictEqual(told(undefined, undefined).lines, [])
  })

  it("is where its connections are, without what is on its way", () => {
    const with_ = (more: object) => row({ websocketConnections: [connection(more)] })
    const name = "source gateway 9f2c01ab ws://a/b"
    const open = with_({})
    assert.deepStrictEqual(told(row({}), open).lines, [`${name} is open, epoch 1`])
    assert.deepStrictEqual(told(open, open).lines, [])
    assert.deepStrictEqual(told(open, with_({ epoch: 2 })).lines, [`${name} is open, epoch 2`])
    for (const state of ["connecting", "closing", "closed"]) {
      assert.deepStrictEqual(told(open, with_({ state })).lines, [])
    }
    assert.deepStrictEqual(told(open, with_({ state: "stopped", stopReason: "service" })).lines, [])
    assert.deepStrictEqual(told(open, with_({ state: "stopped", stopReason: "grant", lastError: error })).lines, [
      `${name} is stopped: grant: StartFailed`
    ])
    const lastClose = { code: 4000, reason: "foreign", clean: true, at: AT }
    assert.deepStrictEqual(told(open, with_({ state: "waiting", nextAttemptAt: AT, lastClose })).lines, [
      `${name} is dialled again at ${AT} (close code 4000)`
    ])
  })
})
