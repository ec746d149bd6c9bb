import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assertAccounted } from "../integration/support/host.ts"
import { chatApi, type ChatApi, type Instead } from "./support/chatApi.ts"
import { chatServer, type ChatServer } from "./support/chatServer.ts"
import { connectionOf, leavesNothing } from "./support/host.ts"
import { runPackage } from "./support/packageHost.ts"

/** With characters that JSON escapes. */
const TOKEN = 'MTk4"NjIy\\NDgz.Cl2FMQ'

const runFor = (server: ChatServer, api: ChatApi, { perMinute = 120, token = TOKEN } = {}) =>
  runPackage({
    name: "chat-bot",
    instead: [
      ['scheme = "wss"', 'scheme = "ws"'],
      ['scheme = "https"', 'scheme = "http"'],
      ['host = "gateway.chat.example"', `host = "127.0.0.1"\nport = ${new URL(server.urlOf("/")).port}`],
      ['host = "chat.example"', `host = "127.0.0.1"\nport = ${new URL(api.url).port}`]
    ],
    inHost: [
      ["https://chat.example/api", `${api.url}/api`],
      ["requests_per_minute = 120", `requests_per_minute = ${perMinute}`]
    ],
    more: `
[plugins.enabled.sources.gateway]
urls = ["${server.urlOf("/gateway")}"]
reconnect = { initial_ms = 100, max_ms = 100, stable_ms = 0 }
limits = { close_grace_ms = 500 }`,
    secrets: { env: { CHAT_TOKEN: token } }
  })

/** A gateway and an API with the example connected to them, logged in. */
const loggedIn = ({ heartbeatMs = 86_400_000, perMinute = 120 } = {}) =>
  Effect.gen(function* () {
    const server = yield* chatServer(heartbeatMs, TOKEN)
    const api = yield* chatApi(TOKEN, server)
    const running = yield* runFor(server, api, { perMinute })
    yield* server.expect("open /gateway", "identify")
    yield* running.untilReported({ identified: 1 })
    return { server, api, ...running }
  })

describe("the chat bot", () => {
  it.live("ends with its host, and leaves no socket and no timer", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { server, stop, until } = yield* loggedIn()
        server.say("!ping")
        yield* server.expect("posted pong to general")
        yield* stop
        yield* server.expect("close 4000")
        const row = yield* until(({ lifecycle }) => lifecycle === "stopped")
        assert.deepStrictEqual(row.timers, [])
      })
    )
  )
})

/** What a 429 may look like, and the least that is waited then. */
const LIMITS: ReadonlyArray<readonly [name: string, answer: Instead, leastMs: number, isGlobal: boolean]> = [
  [
    "in seconds",
    { status: 429, headers: { "retry-after": "1" }, body: '{"message":"You are being rate limited."}' },
    1000,
    false
  ],
  [
    "with a fraction",
    { status: 429, headers: { "retry-after": "1" }, body: '{"retry_after":0.337,"global":false}' },
    337,
    false
  ],
  ["that doesn't say how long", { status: 429, body: "{}" }, 1000, false],
  [
    "with a page of HTML",
    { status: 429, headers: { "content-type": "text/html" }, body: "<!doctype html><h1>1015</h1>" },
    1000,
    true
  ],
  [
    "for all channels, by its header",
    { status: 429, headers: { "x-ratelimit-global": "true", "retry-after": "0.5" }, body: "" },
    500,
    true
  ],
  ["for all channels, by its body", { status: 429, body: '{"retry_after":0.4,"global":true}' }, 400, true]
]

describe.concurrent("the chat bot", () => {
  it.live(
    "logs in with a secret that it doesn't see, and answers over HTTP with another header that it doesn't see",
    () =>
      Effect.gen(function* () {
        const { seen, server, untilReported } = yield* loggedIn()
        server.say("hello")
        server.say("!ping")
        server.say("!ping", "random")
        yield* server.expect("posted pong to general", "posted pong to random")
        const row = yield* untilReported({ posted: 2, waiting: 0 })
        assert.deepStrictEqual(row.diagnosticCounts, {})
        assertAccounted(row)
        const shown = JSON.stringify(yield* seen)
        for (const secret of [TOKEN, JSON.stringify(TOKEN).slice(1, -1)]) assert.notInclude(shown, secret)
      })
  )

  it.live("sends heartbeats with the sequence, and dials anew when one isn't acknowledged", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* loggedIn({ heartbeatMs: 1000 })
      yield* server.expect("heartbeat 1", "heartbeat 1")
      server.say("hello")
      yield* server.expect("heartbeat 2")
      server.acknowledges = false
      yield* server.expect("heartbeat 2", "close 4000", "open /resume", "resume session-1 2")
      yield* untilReported({ resumed: 1 })
    })
  )

  for (const [how, end, journal] of [
    ["closes with a code", (server) => server.close(1012), "close 1012"],
    ["is cut off", (server) => server.destroy(), "close 1006"]
  ] satisfies ReadonlyArray<[string, (server: ChatServer) => void, string]>) {
    it.live(`resumes where the gateway ${how}, and answers what was said meanwhile`, () =>
      Effect.gen(function* () {
        const { server, untilReported } = yield* loggedIn()
        end(server)
        server.say("!ping")
        yield* server.expect(journal, "open /resume", "resume session-1 1", "posted pong to general")
        yield* untilReported({ resumed: 1, posted: 1 })
      })
    )
  }

  it.live("resumes where the gateway asks for it", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* loggedIn()
      server.send({ op: 7, d: null })
      yield* server.expect("close 4000", "open /resume", "resume session-1 1")
      server.say("!ping")
      yield* server.expect("posted pong to general")
      yield* untilReported({ resumed: 1, posted: 1 })
    })
  )

  it.live("logs in anew where its session is no more", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* loggedIn()
      server.forget()
      server.destroy()
      yield* server.expect(
        "close 1006",
        "open /resume",
        "resume session-1 1",
        "close 4000",
        "open /gateway",
        "identify"
      )
      yield* untilReported({ identified: 2, resumed: 0 })
    })
  )

  it.live("isn't dialled again where its token isn't taken", () =>
    Effect.gen(function* () {
      const server = yield* chatServer(60_000, TOKEN)
      const api = yield* chatApi(TOKEN, server)
      const { until } = yield* runFor(server, api, { token: "a token of yesterday" })
      yield* server.expect("open /gateway", "close 4004")
      yield* until((row) => connectionOf(row).stopReason === "close_code")
    })
  )

  for (const [name, answer, leastMs, isGlobal] of LIMITS) {
    it.live(`survives a rate limit ${name}`, () =>
      Effect.gen(function* () {
        const { api, server, untilReported } = yield* loggedIn()
        api.instead(answer)
        server.say("!ping")
        yield* server.expect("429 for 1")
        server.say("!ping", "random")
        const both = ["posted pong to general", "posted pong to random"]
        yield* server.expect(...(isGlobal ? both : both.toReversed()))
        yield* untilReported({ posted: 2, limited: 1, given_up: 0, waiting: 0 })
        const [first = 0, ...others] = api.times
        const again = (isGlobal ? others.at(0) : others.at(-1)) ?? 0
        assert.isAtLeast(again - first, leastMs - 20)
      })
    )
  }

  it.live("posts a message once, though the connection is cut and the server fails", () =>
    Effect.gen(function* () {
      const { api, server, untilReported } = yield* loggedIn()
      api.instead({ status: 502, body: "<h1>Bad Gateway</h1>" }, "end")
      server.say("!ping")
      yield* server.expect("502 for 1", "cut for 1", "posted pong to general")
      yield* untilReported({ posted: 1, given_up: 0, waiting: 0 })
    })
  )

  it.live("gives a message up that is refused for good", () =>
    Effect.gen(function* () {
      const { api, server, untilReported } = yield* loggedIn()
      api.instead({ status: 403, body: '{"message":"Missing Permissions"}' })
      server.say("!ping")
      server.say("!ping", "random")
      yield* server.expect("403 for 1", "posted pong to random")
      yield* untilReported({ posted: 1, given_up: 1, waiting: 0 })
    })
  )

  it.live("waits where the host itself takes no more requests", () =>
    Effect.gen(function* () {
      const { server, until, untilReported } = yield* loggedIn({ perMinute: 60 })
      // More at once would be more than it keeps.
      for (const [count, posted] of [
        [40, 40],
        [22, 62]
      ] as const) {
        for (let said = 0; said < count; said++) server.say("!ping")
        yield* untilReported({ posted, given_up: 0, waiting: 0 })
      }
      yield* until((row) => (row.diagnosticCounts["RequestRateLimited"] ?? 0) > 0)
    })
  )
})
