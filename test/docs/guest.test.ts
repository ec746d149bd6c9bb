/** The sandboxed plugins that stand in the documents under a name, run as packages. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { FakeRequests, TestPackage } from "mooring/testing"
import { packageOf } from "../node/support/packages.ts"
import { opened, rowOf, settled } from "../support/host.ts"
import { GATEWAY } from "../support/plugins.ts"
import { blocksOf, read } from "./markdown.ts"

const URL = "https://api.example.com/v1/notes"
const REF = "project:example.notes"

const codeOf = (file: string, name: string) => {
  const block = blocksOf(file, read(file)).find(({ words }) => words.includes(`file=${name}`))
  return block?.text ?? assert.fail(`${file} has no ${name}`)
}

const MANIFEST = `schema_version = 1
id = "example.notes"
name = "Notes"
version = "0.1.0"
surfaces = ["service", "ingress"]
permissions = [
  { kind = "surface", surface = "service" },
  { kind = "service", name = "notes" },
  { kind = "surface", surface = "ingress" },
  { kind = "ingress", name = "gateway" },
  { kind = "host_api", api = "websocket" },
  { kind = "host_api", api = "request" },
]
runtime = { kind = "javascript", entry = "plugin.js" }
services = [{ name = "notes", lifecycle = "host-managed" }]
ingresses = [{ name = "gateway", sources = ["${GATEWAY}"], event_kinds = ["websocket_text", "command_result"] }]
websocket = [{ scheme = "ws", host = "127.0.0.1", port = 7700, path_prefixes = ["/gateway"] }]
request = [{ scheme = "https", host = "api.example.com", methods = ["POST"], path_prefixes = ["/v1"] }]
`

const grantsOf = (requestsPerMinute: number): TestPackage.Options["grants"] => ({
  permissions: [
    { kind: "surface", surface: "service" },
    { kind: "service", name: "notes" },
    { kind: "surface", surface: "ingress" },
    { kind: "ingress", name: "gateway" },
    { kind: "host_api", api: "websocket" },
    { kind: "host_api", api: "request" }
  ],
  websocket: [{ scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/gateway"] }],
  request: [{ scheme: "https", host: "api.example.com", methods: ["POST"], pathPrefixes: ["/v1"], requestsPerMinute }]
})

/** The plugin a minute after these notes came. */
const noting = (
  answers: readonly [FakeRequests.Answering, ...ReadonlyArray<FakeRequests.Answering>],
  notes: ReadonlyArray<string>,
  requestsPerMinute = 600
) =>
  Effect.gen(function* () {
    const folder = yield* packageOf({ "plugin.toml": MANIFEST, "plugin.js": codeOf("docs/plugins.md", "notes.js") })
    return yield* Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      yield* fake.answer(URL, ...answers)
      const { remote } = yield* opened(GATEWAY)
      for (const note of notes) remote.sendText(note)
      yield* settled
      for (let second = 0; second < 60; second++) {
        yield* TestClock.adjust(1000)
        yield* settled
      }
      const sent = (yield* fake.requests).map(({ text }) => text)
      return { sent, row: yield* rowOf(REF) }
    }).pipe(Effect.provide(TestPackage.layer(folder, { grants: grantsOf(requestsPerMinute) })))
  }).pipe(Effect.scoped)

describe("the plugin in docs/plugins.md that asks again", () => {
  it.effect("asks again where nothing was sent, and where the server says when", () =>
    Effect.gen(function* () {
      const { row, sent } = yield* noting(
        [
          { kind: "fail", phase: "tcp", code: "ECONNREFUSED" },
          { status: 429, headers: [["retry-after", "2"]] },
          { status: 429, headers: [["retry-after", "Thu, 26 Nov 2026 12:00:00 GMT"]] },
          { status: 204 }
        ],
        ["one", "two"]
      )
      assert.deepStrictEqual(sent, ["one", "one", "one", "one", "two"])
      assert.deepInclude(row.requests, { executed: 5, answered: 4, failed: 1 })
      assert.deepInclude(row.dispatchCounters, { failed: 0, timedOut: 0, discarded: 0 })
    })
  )

  it.effect("doesn't where it may have been taken", () =>
    Effect.gen(function* () {
      const { row, sent } = yield* noting(
        [{ kind: "fail", phase: "headers", code: "ECONNRESET" }, { kind: "never" }, { status: 500 }, { status: 204 }],
        ["one", "two", "three", "four"]
      )
      assert.deepStrictEqual(sent, ["one", "two", "three", "four"])
      assert.deepInclude(row.requests, { executed: 4, answered: 2, failed: 2 })
    })
  )

  it.effect("waits for as long as it is told where its rate is used up, is refused no note twice and loses none", () =>
    Effect.gen(function* () {
      const notes = Array.from({ length: 20 }, (_, nth) => `${nth}`)
      const { row, sent } = yield* noting([{ status: 204 }], notes, 6)
      // At first those of a minute, then one in ten seconds.
      assert.deepStrictEqual(sent, notes.slice(0, 12))
      assert.strictEqual(row.requests.answered, sent.length)
      assert.strictEqual(row.diagnosticCounts["RequestRateLimited"], 6)
    })
  )
})
