import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { RequestClient } from "mooring"
import { FakeRequests } from "mooring/testing"
import { outgoing, type Settings } from "../requests/support/outgoing.ts"

const URL = "https://api.test/v1"
const OK = { status: 200, headers: [], body: new Uint8Array() }

const send = (url: string, settings: Settings = {}) =>
  Effect.flatMap(outgoing(url, settings), (request) =>
    RequestClient.RequestClient.use((client) => client.send(request))
  )

const it_ = <A, E>(name: string, test: Effect.Effect<A, E, FakeRequests.FakeRequests | Scope.Scope>) =>
  it.effect(name, () => Effect.provide(test, FakeRequests.layer))

describe("the fake of requests", () => {
  it_(
    "answers 200 without a body until it is told otherwise, and keeps what was sent",
    Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      const body = new TextEncoder().encode("né")
      assert.deepStrictEqual(yield* send(`${URL}?q=1`, { method: "POST", body, headers: [["a", "b"]] }), OK)
      const [sent] = yield* fake.requests
      const url = `${URL}?q=1`
      assert.deepStrictEqual(sent, {
        owner: "project:test.plugin",
        method: "POST",
        url,
        headers: [["a", "b"]],
        text: "né",
        body
      })
    })
  )

  it_(
    "answers in the order of what it is given, the last for ever, whatever the query",
    Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      yield* fake.answer(URL, { status: 429, headers: [["Retry-After", "1"]] }, ({ method }) => ({ body: method }))
      assert.deepStrictEqual(yield* send(`${URL}?first`), { ...OK, status: 429, headers: [["retry-after", "1"]] })
      for (const query of ["", "?second", "?third"]) {
        assert.strictEqual(new TextDecoder().decode((yield* send(`${URL}${query}`)).body), "GET")
      }
      assert.deepStrictEqual(yield* send("https://api.test/v2"), OK)
    })
  )

  for (const [phase, sent] of [
    ["dns", false],
    ["tls", false],
    ["request", true],
    ["body", true]
  ] as const) {
    it_(
      `fails in the phase ${phase}, ${sent ? "after" : "before"} a byte was sent`,
      Effect.gen(function* () {
        const fake = yield* FakeRequests.FakeRequests
        let told = 0
        yield* fake.answer(URL, { kind: "fail", phase, code: "ECONNRESET" })
        const failure = yield* Effect.flip(send(`${URL}?q`, { onSent: () => told++ }))
        assert.deepInclude(failure, { _tag: "RequestFailed", url: URL, phase, code: "ECONNRESET", sent })
        assert.strictEqual(told, sent ? 1 : 0)
      })
    )
  }

  it_(
    "takes the time that it is told to, by the clock of the test",
    Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      yield* fake.answer(URL, { afterMs: 3_000 })
      const fiber = yield* Effect.forkChild(send(URL))
      yield* fake.requested(URL, 1)
      yield* TestClock.adjust(2_900)
      assert.isUndefined(fiber.pollUnsafe())
      assert.strictEqual(yield* fake.underway, 1)
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(yield* Fiber.join(fiber), OK)
      assert.strictEqual(yield* fake.underway, 0)
    })
  )

  it_(
    "never answers, until the deadline",
    Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      yield* fake.answer(URL, { kind: "never" })
      const fiber = yield* Effect.forkChild(Effect.flip(send(URL, { deadlineMs: 5_000 })))
      yield* fake.requested(URL, 1)
      yield* TestClock.adjust(5_100)
      const timeout = { phase: "headers", deadlineMs: 5_000, sent: true } as const
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "RequestTimeout", url: URL, ...timeout })
    })
  )

  it_(
    "bounds the body as a client does",
    Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      yield* fake.answer(URL, { body: "12345", headers: [["x-secret", "of the server"]] })
      assert.strictEqual((yield* send(URL, { maxBytes: 5 })).body.length, 5)
      const failure = yield* Effect.flip(send(URL, { maxBytes: 4 }))
      assert.deepInclude(failure, { _tag: "ResponseTooLarge", status: 200, limit: 4, sent: true })
      assert.deepStrictEqual(failure._tag === "ResponseTooLarge" && failure.headers, [["x-secret", "of the server"]])
    })
  )

  it_(
    "ends what is revoked and nothing else, and counts what is given up",
    Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      const client = yield* RequestClient.RequestClient
      yield* fake.answer(URL, { kind: "never" })
      const begun = (settings: Settings) => Effect.forkChild(Effect.flip(send(URL, settings)))
      const revoked = yield* begun({ method: "POST" })
      const kept = yield* begun({})
      const other = yield* begun({ method: "POST", owner: "another" })
      yield* fake.requested(URL, 3)
      yield* client.release("project:test.plugin", ({ method }) => method === "GET")
      assert.deepInclude(yield* Fiber.join(revoked), { _tag: "GrantRevoked", url: URL })
      assert.strictEqual(yield* fake.underway, 2)
      yield* Fiber.interruptAll([kept, other])
      yield* fake.abandoned(2)
      assert.strictEqual(yield* fake.underway, 0)
    })
  )
})

it.effect("a host without a client fails each request, and sends nothing", () =>
  Effect.gen(function* () {
    const failure = yield* Effect.flip(send(URL))
    assert.deepInclude(failure, { _tag: "RequestFailed", phase: "request", code: "NO_CLIENT", sent: false })
  })
)
