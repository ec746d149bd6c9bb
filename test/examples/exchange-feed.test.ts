import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assertAccounted } from "../integration/support/host.ts"
import { ACCOUNT, exchangeServer, type ExchangeServer } from "./support/exchangeServer.ts"
import { connectionOf, leavesNothing } from "./support/host.ts"
import { runPackage } from "./support/packageHost.ts"

const BOTH = "BTC-USDT,ETH-USDT"

const runFor = (server: ExchangeServer, key = ACCOUNT.key) =>
  runPackage({
    name: "exchange-feed",
    instead: [
      ['scheme = "wss"', 'scheme = "ws"'],
      ['host = "ws.exchange.example"', `host = "127.0.0.1"\nport = ${new URL(server.urlOf("/")).port}`]
    ],
    // The shortest that the host's timers know.
    inHost: [["config = {", "config = { ping_every_ms = 1000,"]],
    more: `
[plugins.enabled.sources.feed]
urls = ["${server.urlOf("/ws/v5/private")}"]
reconnect = { initial_ms = 100, max_ms = 100, stable_ms = 0 }
limits = { close_grace_ms = 500 }`,
    secrets: {
      env: { EXCHANGE_API_KEY: ACCOUNT.apiKey, EXCHANGE_PASSPHRASE: ACCOUNT.passphrase },
      files: { "/run/secrets/exchange_key": `${key}\n` }
    }
  })

/** A server with the example connected to it, logged in and subscribed. */
const subscribed = Effect.gen(function* () {
  const server = yield* exchangeServer
  const running = yield* runFor(server)
  yield* server.expect("open /ws/v5/private", "login", `subscribe ${BOTH}`)
  const book = { seq: 13, bid: 99.5, ask: 100.5 }
  yield* running.untilReported({ phase: "subscribed", books: [book, book] })
  return { server, ...running }
})

describe("the exchange feed", () => {
  it.live("ends with its host, and leaves no socket and no timer", () =>
    leavesNothing(
      Effect.gen(function* () {
        const { server, stop, until } = yield* subscribed
        yield* stop
        yield* server.expect("close 1001")
        const row = yield* until(({ lifecycle }) => lifecycle === "stopped")
        assert.deepStrictEqual(row.timers, [])
      })
    )
  )
})

describe.concurrent("the exchange feed", () => {
  it.live("logs in with a signature, subscribes, and keeps the books", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* subscribed
      server.update("BTC-USDT", [["99.7", "3"]], [["100.5", "0"]])
      server.update("BTC-USDT", [], [["100.1", "5"]])
      const row = yield* untilReported({
        phase: "subscribed",
        logins: 1,
        gaps: 0,
        books: [
          { seq: 19, bid: 99.7, ask: 100.1 },
          { seq: 13, bid: 99.5, ask: 100.5 }
        ]
      })
      assert.deepStrictEqual(row.diagnosticCounts, {})
      assertAccounted(row)
    })
  )

  it.live("notices a gap, and subscribes anew to that book alone", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* subscribed
      server.lose("ETH-USDT")
      server.update("ETH-USDT", [["99.9", "1"]], [])
      // What still comes of the old subscription is of no use.
      server.update("ETH-USDT", [["99.8", "1"]], [])
      yield* server.expect("unsubscribe ETH-USDT", "subscribe ETH-USDT")
      const book = { seq: 13, bid: 99.5, ask: 100.5 }
      yield* untilReported({ gaps: 1, books: [book, { ...book, seq: 25 }] })
      server.update("ETH-USDT", [["99.6", "1"]], [])
      yield* untilReported({ gaps: 1, books: [book, { seq: 28, bid: 99.6, ask: 100.5 }] })
    })
  )

  for (const [how, end, journal] of [
    ["closes with a code", (server) => server.close(1012), "close 1012"],
    ["is cut off", (server) => server.destroy(), "close 1006"]
  ] satisfies ReadonlyArray<[string, (server: ExchangeServer) => void, string]>) {
    it.live(`logs in anew when the server ${how}, again and again`, () =>
      Effect.gen(function* () {
        const { server, untilReported } = yield* subscribed
        for (const logins of [2, 3]) {
          end(server)
          yield* server.expect(journal, "open /ws/v5/private", "login", `subscribe ${BOTH}`)
          yield* untilReported({ phase: "subscribed", logins, gaps: 0 })
        }
      })
    )
  }

  it.live("dials anew when its pings aren't answered", () =>
    Effect.gen(function* () {
      const { server, untilReported } = yield* subscribed
      yield* server.expect("ping", "ping")
      server.answers = false
      yield* server.expect("ping", "close 1001", "open /ws/v5/private", "login", `subscribe ${BOTH}`)
      yield* untilReported({ phase: "subscribed", logins: 2 })
    })
  )

  it.live("says that its signature isn't taken, is dialled again, and nothing of a secret is shown", () =>
    Effect.gen(function* () {
      const server = yield* exchangeServer
      const { seen, until, untilReported } = yield* runFor(server, "the key of somebody else")
      yield* server.expect("open /ws/v5/private", "refused 60007", "close 4001")
      yield* untilReported({ phase: "disconnected", logins: 0, books: [null, null] })
      yield* server.expect("open /ws/v5/private", "refused 60007")
      yield* until((row) => connectionOf(row).lastClose?.code === 4001)
      const shown = JSON.stringify(yield* seen)
      for (const secret of [ACCOUNT.apiKey, "phrase", "the key of somebody else"]) assert.notInclude(shown, secret)
      // It is right now.
      server.key = "the key of somebody else"
      yield* untilReported({ phase: "subscribed", logins: 1 })
    })
  )
})
