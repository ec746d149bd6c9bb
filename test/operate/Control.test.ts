/** What the control API answers: a host on the fake network, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { HostStatus, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"
import { Client, inMemory, jsonOf, textOf } from "./support/inMemory.ts"

const pkg = plugin({ ingress: { eventKinds: ["websocket_open", "websocket_text", "note"] } })
const two = enable(pkg, { instance: "two" })
const REF = refOf(pkg)
const path = (ref: string, rest = "") => `/plugins/${encodeURIComponent(ref)}${rest}`

const setup = { plugins: [pkg], enabled: [enable(pkg), two] }

const isStatus = Schema.is(HostStatus.HostStatus)
const decodeStatus = Schema.decodeUnknownSync(HostStatus.HostStatus)

describe("the control API", () => {
  it.effect("answers the status document, and one row of it by its encoded reference", () =>
    Effect.gen(function* () {
      const { ask } = yield* Client
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const status = yield* ask("GET", "/status")
      assert.strictEqual(status.status, 200)
      const document = decodeStatus(jsonOf(status))
      assert.isTrue(isStatus(document))
      assert.deepStrictEqual(document.plugins, (yield* host.status).plugins)
      const row = yield* ask("GET", path(`${REF}#two`))
      assert.deepStrictEqual(jsonOf(row), HostStatus.encode(yield* host.status).plugins[1])
    }).pipe(Effect.provide(inMemory(setup)))
  )

  it.effect("stops, starts, restarts and reconnects", () =>
    Effect.gen(function* () {
      const { ask } = yield* Client
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const act = (what: string) =>
        Effect.gen(function* () {
          const answer = yield* ask("POST", path(REF, `/${what}`))
          assert.deepStrictEqual([answer.status, jsonOf(answer)], [202, {}])
          yield* TestClock.adjust("10 seconds")
          yield* host.idle
        })
      const [{ id } = { id: "" }] = (yield* rowOf(REF)).websocketConnections
      yield* act("stop")
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "stopped")
      yield* act("start")
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
      yield* act("restart")
      const opens = (yield* rowOf(REF)).websocketConnections[0]?.opens
      assert.strictEqual(opens, 3)
      yield* act(`sources/${id}/reconnect`)
      yield* act(`sources/${encodeURIComponent(GATEWAY)}/reconnect`)
      assert.strictEqual((yield* rowOf(REF)).websocketConnections[0]?.opens, 5)
    }).pipe(Effect.provide(inMemory({ plugins: [pkg] })))
  )

  it.effect("delivers what the ingress takes, and says by the host's tag what it doesn't", () =>
    Effect.gen(function* () {
      const { ask } = yield* Client
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      const deliver = (body: unknown, ref = REF) => ask("POST", path(ref, "/deliver"), body)
      const good = yield* deliver({ ingress_name: "gateway", kind: "note", payload: { a: [1, null] } })
      assert.strictEqual(good.status, 202)
      assert.match(textOf(good), /^\{"correlation_id":"[^"]+"\}$/)
      const refused = yield* deliver({ ingress_name: "other", kind: "note", payload: 1 })
      assert.strictEqual(refused.status, 409)
      assert.include(textOf(refused), '"tag":"EventInvalid"')
      const unknown = yield* deliver({ ingress_name: "gateway", kind: "note", payload: 1 }, "project:test.none")
      assert.deepStrictEqual(
        [unknown.status, jsonOf(unknown)],
        [404, { tag: "PluginUnknown", message: "no enabled plugin is called project:test.none" }]
      )
      for (const body of [
        "",
        "{",
        "[]",
        "null",
        { ingress_name: "gateway" },
        { ingress_name: 1, kind: "note", payload: 1 }
      ]) {
        const malformed = yield* deliver(body)
        assert.strictEqual(malformed.status, 400, JSON.stringify(body))
        assert.include(textOf(malformed), '"tag":"RequestMalformed"')
      }
    }).pipe(Effect.provide(inMemory({ plugins: [pkg] })))
  )

  it.effect("says that there is no such plugin, source or path", () =>
    Effect.gen(function* () {
      const { ask } = yield* Client
      const tagAt = (method: "GET" | "POST", where: string) =>
        Effect.map(ask(method, where), (answer) => [answer.status, (jsonOf(answer) as { tag: string }).tag])
      assert.deepStrictEqual(yield* tagAt("GET", path("project:none")), [404, "PluginUnknown"])
      assert.deepStrictEqual(yield* tagAt("POST", path("..", "/stop")), [404, "NotFound"])
      assert.deepStrictEqual(yield* tagAt("POST", path("a/b", "/stop")), [404, "PluginUnknown"])
      assert.deepStrictEqual(yield* tagAt("POST", path(REF, "/sources/ffffffff/reconnect")), [404, "SourceUnknown"])
      assert.deepStrictEqual(yield* tagAt("GET", path("x".repeat(9000))), [404, "NotFound"])
      assert.deepStrictEqual(yield* tagAt("GET", "/metrics"), [404, "NotFound"])
      assert.deepStrictEqual(yield* tagAt("GET", "/"), [404, "NotFound"])
    }).pipe(Effect.provide(inMemory(setup)))
  )

  it.effect("lists diagnostics, the oldest first, of one plugin, one tag, since a time", () =>
    Effect.gen(function* () {
      const { ask } = yield* Client
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(GATEWAY)
      yield* host.idle
      remote.close(1000, "")
      yield* host.idle
      yield* TestClock.adjust("1 minute")
      yield* host.idle
      yield* Effect.ignore(host.deliver(REF, { ingressName: "none", kind: "note", payload: 1 }))
      const list = (query = "") =>
        Effect.map(
          ask("GET", `/diagnostics${query}`),
          (answer) =>
            (jsonOf(answer) as { diagnostics: Array<{ plugin: string; tag: string; at: string }> }).diagnostics
        )
      const all = yield* list()
      assert.deepStrictEqual(
        all.map(({ tag }) => tag),
        ["ConnectionClosed", "EventInvalid"]
      )
      assert.deepStrictEqual(
        all,
        all.toSorted((a, b) => a.at.localeCompare(b.at))
      )
      assert.deepStrictEqual(
        yield* list(`?plugin=${encodeURIComponent(`${REF}#two`)}`),
        all.filter(({ plugin: ref }) => ref === `${REF}#two`)
      )
      assert.deepStrictEqual(
        (yield* list("?tag=EventInvalid")).map(({ plugin: ref }) => ref),
        [REF]
      )
      const [first] = all
      assert.deepStrictEqual(yield* list(`?since=${first?.at}`), all.slice(1))
      assert.deepStrictEqual(yield* list("?since=1969-12-31T23:59:59Z"), all)
      assert.deepStrictEqual(
        yield* list("?since=1970-01-01T01:00:00%2B00:30"),
        all.filter(({ at }) => at > "1970-01-01T00:30:00.000Z")
      )
      for (const since of ["yesterday", "12.5", "2026", "x 2099", "2026-13-01T00:00:00Z", ""]) {
        assert.strictEqual((yield* ask("GET", `/diagnostics?since=${encodeURIComponent(since)}`)).status, 400, since)
      }
    }).pipe(Effect.provide(inMemory({ plugins: [pkg] })))
  )

  it.effect("is ready once the first attempts are over, where not each plugin has failed", () =>
    Effect.gen(function* () {
      const { ask } = yield* Client
      const host = yield* PluginHost.PluginHost
      yield* host.idle
      assert.strictEqual((yield* ask("GET", "/readyz")).status, 503)
      assert.include(textOf(yield* ask("GET", "/readyz")), '"tag":"NotReady"')
      assert.strictEqual((yield* ask("GET", "/healthz")).status, 200)
      yield* host.apply({ enabled: [] })
      assert.strictEqual((yield* ask("GET", "/readyz")).status, 200)
    }).pipe(Effect.provide(inMemory({ plugins: [pkg], enabled: [enable(pkg, { version: "9.9.9" })] })))
  )

  it.effect("describes itself, each path and each tag", () =>
    Effect.gen(function* () {
      const { ask } = yield* Client
      const document = jsonOf(yield* ask("GET", "/openapi.json")) as {
        openapi: string
        paths: Record<string, Record<string, { responses: object }>>
      }
      assert.match(document.openapi, /^3\./)
      assert.sameMembers(Object.keys(document.paths), [
        "/status",
        "/plugins/{ref}",
        "/diagnostics",
        "/events",
        "/metrics",
        "/healthz",
        "/readyz",
        "/plugins/{ref}/start",
        "/plugins/{ref}/stop",
        "/plugins/{ref}/restart",
        "/plugins/{ref}/sources/{id}/reconnect",
        "/plugins/{ref}/deliver"
      ])
      assert.includeMembers(Object.keys(document.paths["/plugins/{ref}/deliver"]?.["post"]?.responses ?? {}), [
        "202",
        "400",
        "401",
        "403",
        "404",
        "409",
        "413",
        "429",
        "503"
      ])
    }).pipe(Effect.provide(inMemory(setup)))
  )

  it.effect("serves files as they are, under the policy of the page", () => {
    const files = new Map([["/", { contentType: "text/html; charset=utf-8", bytes: new TextEncoder().encode("<p>") }]])
    return Effect.gen(function* () {
      const { ask } = yield* Client
      const page = yield* ask("GET", "/")
      assert.deepStrictEqual(
        [page.status, textOf(page), page.headers["content-type"]],
        [200, "<p>", "text/html; charset=utf-8"]
      )
      assert.include(page.headers["content-security-policy"], "frame-ancestors 'none'")
      assert.strictEqual((yield* ask("POST", "/")).status, 405)
    }).pipe(Effect.provide(inMemory({ ...setup, control: { files } })))
  })
})
