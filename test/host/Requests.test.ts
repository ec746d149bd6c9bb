import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, type Limits, OutputCommand, PluginHost, ServicePlugin } from "mooring"
import { FakeRequests, FakeWebSocket } from "mooring/testing"
import { accountingProblem, onFake, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, target } from "../support/plugins.ts"

export const API = "https://api.example.com/v1/"

type Told = IngressEvent.HostResponse

/** A plugin that asks for what each text says (`METHOD path`), several lines for several at once. */
const asking = (seen: Array<Told>) =>
  ServicePlugin.make({
    id: "test.asking",
    version: "1.0.0",
    ingresses: { gateway: { sources: [GATEWAY], eventKinds: ["websocket_text"] } },
    websocket: [target],
    request: [{ scheme: "https", host: "api.example.com", methods: ["GET", "POST"], pathPrefixes: ["/v1"] }],
    handlers: {
      gateway: {
        websocket_text: (event) => {
          if (event.text === "die") throw new Error("as told")
          const commands = event.text.split("\n").map((line) => {
            const [method = "", path = "", timeout] = line.split(" ")
            return OutputCommand.request(method, `${API}${path}`, {
              commandId: path,
              ...(timeout === undefined ? {} : { timeoutMs: Number(timeout) })
            })
          })
          return Exit.succeed({ commands })
        },
        host_response: (event) => {
          seen.push(event)
          return Exit.void
        }
      }
    }
  })

const REF = "project:test.asking"

const grants = (change: object = {}) => {
  const pkg = asking([])
  const [request] = pkg.manifest.request
  return {
    permissions: pkg.manifest.permissions,
    websocket: [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"] }],
    request: [
      { scheme: request?.scheme, host: request?.host, methods: request?.methods, path_prefixes: ["/v1"], ...change }
    ]
  }
}

const talking = <A, E>(
  use: (at: {
    readonly seen: ReadonlyArray<Told>
    readonly say: (text: string) => Effect.Effect<void>
    readonly fake: FakeRequests.FakeRequests["Service"]
    readonly host: PluginHost.PluginHost["Service"]
  }) => Effect.Effect<
    A,
    E,
    PluginHost.PluginHost | GrantStore.GrantEditor | FakeRequests.FakeRequests | FakeWebSocket.FakeWebSocket
  >,
  { granted, limits }: { readonly limits?: Partial<Limits.Values>; readonly granted?: object } = {}
) => {
  const seen: Array<Told> = []
  const pkg = asking(seen)
  return Effect.gen(function* () {
    const sockets = yield* FakeWebSocket.FakeWebSocket
    const host = yield* PluginHost.PluginHost
    yield* sockets.remote(GATEWAY)
    const say = (text: string) =>
      Effect.gen(function* () {
        ;(yield* sockets.remotes(GATEWAY)).at(-1)?.sendText(text)
        yield* settled
      })
    return yield* use({ seen, say, fake: yield* FakeRequests.FakeRequests, host })
  }).pipe(
    Effect.provide(
      onFake({ plugins: [pkg], enabled: [enable(pkg, { grants: grants(granted) })], ...(limits ? { limits } : {}) })
    )
  )
}

const tags = (seen: ReadonlyArray<Told>) =>
  seen.map(({ answer, commandId, error }) => `${commandId} ${error?.tag ?? answer?.status}`)

describe("the requests of a plugin", () => {
  it.effect("are answered by one event each, in the ingress that asked, whatever kinds it lists", () =>
    talking(({ fake, host, say, seen }) =>
      Effect.gen(function* () {
        yield* fake.answer(`${API}one`, {
          status: 201,
          headers: [
            ["Content-Type", "text/plain"],
            ["X-A", "1"],
            ["x-a", "2"],
            ["Set-Cookie", "session=secret; HttpOnly"],
            ["Set-Cookie", "id=7"]
          ],
          body: "caf\u00e9",
          afterMs: 250
        })
        yield* say("POST one")
        yield* TestClock.adjust(250)
        yield* host.idle
        const [event] = seen
        assert.deepInclude(event, { kind: "host_response", source: "host:response", epoch: 0, frame: 0, sequence: 1 })
        assert.strictEqual(event?.ingressName, "gateway")
        assert.isNull(event?.sourceId)
        assert.deepStrictEqual(event?.payload, {
          commandId: "one",
          requestId: event?.requestId ?? "",
          durationMs: 250,
          status: 201,
          headers: { "content-type": "text/plain", "x-a": "1, 2", "set-cookie": "session, id" },
          text: "caf\u00e9"
        })
        const row = yield* rowOf(REF)
        assert.deepStrictEqual(row.requests, {
          executed: 1,
          answered: 1,
          failed: 0,
          waiting: 0,
          inFlight: 0,
          abandoned: 0
        })
        assert.strictEqual(row.queueBytes, 0)
        assert.isUndefined(accountingProblem(row))
        assert.deepStrictEqual(
          (yield* fake.requests).map(({ method, text, url }) => [method, url, text]),
          [["POST", `${API}one`, null]]
        )
      })
    )
  )

  it.effect("begin in the order of the commands, so many at once", () =>
    talking(
      ({ fake, say, seen }) =>
        Effect.gen(function* () {
          for (const path of ["a", "b", "c", "d", "e"]) yield* fake.answer(`${API}${path}`, { afterMs: 1000 })
          yield* say(["a", "b", "c", "d", "e"].map((path) => `GET ${path}`).join("\n"))
          const begun = Effect.map(fake.requests, (sent) => sent.map(({ url }) => url.slice(API.length)).join(""))
          assert.strictEqual(yield* begun, "ab")
          assert.deepInclude((yield* rowOf(REF)).requests, { executed: 5, waiting: 3, inFlight: 2 })
          yield* TestClock.adjust(1000)
          yield* settled
          assert.strictEqual(yield* begun, "abcd")
          assert.deepStrictEqual(tags(seen), ["a 200", "b 200"])
          yield* TestClock.adjust(2000)
          yield* settled
          assert.deepStrictEqual(tags(seen), ["a 200", "b 200", "c 200", "d 200", "e 200"])
        }),
      { limits: { requestsAtOncePerPlugin: 2 } }
    )
  )

  it.effect("have one deadline from the command on, whether they wait or run", () =>
    talking(
      ({ fake, say, seen }) =>
        Effect.gen(function* () {
          yield* fake.answer(`${API}never`, { kind: "never" })
          yield* say("GET never 1000\nGET waits 400\nGET next 3000")
          yield* TestClock.adjust(500)
          yield* settled
          assert.deepStrictEqual(tags(seen), ["waits RequestTimeout"])
          assert.deepInclude(seen[0]?.error, { phase: "dns", sent: false })
          yield* TestClock.adjust(600)
          yield* settled
          assert.deepStrictEqual(tags(seen), ["waits RequestTimeout", "never RequestTimeout", "next 200"])
          assert.deepInclude(seen[1]?.error, { phase: "headers", sent: true })
          const row = yield* rowOf(REF)
          assert.deepStrictEqual(row.requests, {
            executed: 3,
            answered: 1,
            failed: 2,
            waiting: 0,
            inFlight: 0,
            abandoned: 0
          })
          assert.strictEqual(row.diagnosticCounts["RequestTimeout"], 2)
          assert.deepInclude(
            row.diagnostics.find(({ tag }) => tag === "RequestTimeout"),
            { stage: "request", severity: "warning" }
          )
          assert.isNull(row.lastError)
        }),
      { limits: { requestsAtOncePerPlugin: 1 } }
    )
  )

  it.effect("end as GrantRevoked at once, waiting or running, where the grant goes", () =>
    talking(
      ({ fake, host, say, seen }) =>
        Effect.gen(function* () {
          const editor = yield* GrantStore.GrantEditor
          yield* fake.answer(`${API}never`, { kind: "never" })
          yield* say("GET never\nGET waits")
          yield* editor.set(REF, {
            ...GrantStore.grantOf(enable(asking([]), { grants: grants({ methods: ["POST"] }) }))
          })
          yield* host.idle
          assert.deepStrictEqual(tags(seen), ["never GrantRevoked", "waits GrantRevoked"])
          assert.deepStrictEqual(
            seen.map(({ error }) => error?.sent),
            [true, false]
          )
          yield* fake.abandoned(1)
          assert.strictEqual(yield* fake.underway, 0)
          yield* say("GET more\nPOST more")
          assert.deepStrictEqual(
            (yield* rowOf(REF)).outputCommandResults.slice(-2).map(({ error, status }) => error?.tag ?? status),
            ["CommandUngranted", "executed"]
          )
        }),
      { limits: { requestsAtOncePerPlugin: 1 } }
    )
  )

  it.effect("go on where the grant changes and still covers them", () =>
    talking(
      ({ fake, host, say, seen }) =>
        Effect.gen(function* () {
          const editor = yield* GrantStore.GrantEditor
          yield* fake.answer(`${API}slow`, { afterMs: 1000 })
          yield* say("GET slow\nGET waits")
          yield* editor.set(REF, {
            ...GrantStore.grantOf(enable(asking([]), { grants: grants({ methods: ["GET"] }) }))
          })
          yield* TestClock.adjust("100 millis")
          assert.strictEqual(yield* fake.underway, 1)
          yield* TestClock.adjust("2 seconds")
          yield* host.idle
          assert.deepStrictEqual(tags(seen), ["slow 200", "waits 200"])
        }),
      { limits: { requestsAtOncePerPlugin: 1 } }
    )
  )

  it.effect("are judged by what their turn allowed: what was granted when they were asked for says nothing of it", () =>
    talking(
      ({ fake, say, seen }) =>
        Effect.gen(function* () {
          const editor = yield* GrantStore.GrantEditor
          const change = (request: object) =>
            Effect.andThen(
              editor.set(REF, GrantStore.grantOf(enable(asking([]), { grants: grants(request) }))),
              settled
            )
          yield* fake.answer(`${API}slow`, { afterMs: 1000 })
          yield* fake.answer(`${API}never`, { kind: "never" })
          yield* say("GET slow\nGET never")
          yield* change({ private_addresses: true })
          yield* TestClock.adjust("1 second")
          yield* settled
          assert.deepStrictEqual(tags(seen), ["slow 200"])
          assert.strictEqual(yield* fake.underway, 1)
          yield* change({ private_addresses: false })
          assert.deepStrictEqual(tags(seen), ["slow 200", "never GrantRevoked"])
          yield* fake.abandoned(1)
          assert.strictEqual(yield* fake.underway, 0)
        }),
      { limits: { requestsAtOncePerPlugin: 1 } }
    )
  )

  it.effect("end with their instance: nobody is told, and nothing runs on", () =>
    talking(
      ({ fake, host, say, seen }) =>
        Effect.gen(function* () {
          yield* fake.answer(`${API}never`, { kind: "never" })
          yield* say("GET never\nGET waits")
          yield* say("die")
          yield* fake.abandoned(1)
          const { requests } = yield* rowOf(REF)
          assert.deepStrictEqual(requests, {
            executed: 2,
            answered: 0,
            failed: 0,
            waiting: 0,
            inFlight: 0,
            abandoned: 2
          })
          yield* TestClock.adjust("1 minute")
          yield* host.idle
          assert.deepStrictEqual(seen, [])
          assert.strictEqual(yield* fake.underway, 0)
          yield* say("GET again")
          yield* host.idle
          assert.deepStrictEqual(tags(seen), ["again 200"])
        }),
      { limits: { requestsAtOncePerPlugin: 1 } }
    )
  )

  it.effect("are too many where as many wait, and may be asked for again once one is over", () =>
    talking(
      ({ fake, host, say, seen }) =>
        Effect.gen(function* () {
          yield* fake.answer(`${API}slow`, { afterMs: 300 })
          yield* say("GET slow\nGET slow\nGET slow\nGET slow")
          const results = (yield* rowOf(REF)).outputCommandResults
          assert.deepStrictEqual(
            results.map(({ error, status }) => error?.tag ?? status),
            ["executed", "executed", "executed", "RequestsTooMany"]
          )
          // None was over yet: all that is known is when one must be.
          assert.strictEqual(results.at(-1)?.error?.retryAfterMs, 15_000)
          yield* TestClock.adjust(300)
          yield* settled
          yield* say("GET slow\nGET slow")
          assert.deepInclude((yield* rowOf(REF)).outputCommandResults.at(-1)?.error, {
            tag: "RequestsTooMany",
            retryAfterMs: 300
          })
          yield* TestClock.adjust(2000)
          yield* host.idle
          assert.lengthOf(seen, 4)
        }),
      { limits: { requestsAtOncePerPlugin: 1, requestsWaitingPerPlugin: 2 } }
    )
  )

  it.effect("have no body where the queues have no room for it, and headers where they have", () =>
    talking(
      ({ fake, host, say, seen }) =>
        Effect.gen(function* () {
          const headers = [["x-a", "b".repeat(100)]] as const
          yield* fake.answer(`${API}fits`, { body: "x".repeat(900), headers })
          yield* fake.answer(`${API}large`, { body: "x".repeat(1000), headers })
          yield* fake.answer(`${API}larger`, { body: "x".repeat(1000), headers: [["x-a", "b".repeat(1100)]] })
          yield* say("GET fits\nGET large\nGET larger")
          yield* host.idle
          assert.deepStrictEqual(tags(seen), ["fits 200", "large ResponseTooLarge", "larger ResponseTooLarge"])
          assert.deepInclude(seen[1]?.error, { status: 200, sent: true, headers: { "x-a": "b".repeat(100) } })
          assert.deepInclude(seen[2]?.error, { status: 200, headers: {} })
          // 1000 bytes are no body of more than 1024: it is the queue that has no room for them and the headers.
          assert.include(seen[1]?.error?.message, "takes more than the 1024 bytes that the queues had room for")
          assert.strictEqual((yield* rowOf(REF)).queueBytes, 0)
        }),
      { limits: { ingressQueueBytes: 1024, maxMessageBytes: 512, requestsAtOncePerPlugin: 1 } }
    )
  )
})
