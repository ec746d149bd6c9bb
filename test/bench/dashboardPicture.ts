/**
 * Takes docs/images/dashboard.png and dashboard-phone.png: the dashboard of a
 * host on the fake network, of which one plugin fails, one crashed, one drops
 * events and one isn't granted its source. `npm run picture`.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import { FakeWebSocket } from "mooring/testing"
import type { Page } from "playwright-core"
import { fileURLToPath } from "node:url"
import { browser, does, opened } from "../operate/support/browser.ts"
import { address, dashboard } from "../operate/support/dashboard.ts"
import { enable, plugin, refOf } from "../support/plugins.ts"

const SECONDS = 90

const imageOf = (name: string) => fileURLToPath(new URL(`../../docs/images/${name}.png`, import.meta.url))

const urlOf = (name: string) => `ws://127.0.0.1:7700/${name}`

const shot = (page: Page, name: string) => does(() => page.screenshot({ path: imageOf(name) }))

/** A plugin that answers at once, takes its time or never returns, as it is told. */
const acting = (name: string) =>
  plugin({
    name,
    sources: [urlOf(name)],
    handlers: {
      gateway: {
        websocket_open: () => Exit.succeed({ status: { joined: `#${name}` } }),
        websocket_text: ({ payload: { text } }) => {
          if (text === "hang") return Effect.never
          return text === "slow" ? Effect.as(Effect.sleep("60 millis"), {}) : Exit.succeed({})
        }
      }
    }
  })

const [chat, feed, devices, other, broken] = [
  acting("chat"),
  acting("feed"),
  acting("devices"),
  acting("archive"),
  plugin({ name: "billing", sources: [urlOf("billing")], websocket: [] })
]

const setup = {
  plugins: [chat, feed, devices, other, broken],
  enabled: [
    ...[chat, feed, devices, broken].map((pkg) => enable(pkg)),
    enable(other, { grants: { permissions: [], websocket: [] } })
  ],
  limits: { ingressQueueCapacity: 16, burstPatienceMs: 0, dispatchDeadlineMs: 500 }
}

/** A minute and a half of a life that has something to show. */
const lives = Effect.gen(function* () {
  const fake = yield* FakeWebSocket.FakeWebSocket
  for (let second = 0; second < SECONDS; second++) {
    const [last] = (yield* fake.remotes(urlOf("feed"))).slice(-1)
    const busy = Math.round(6 + 5 * Math.sin(second / 7))
    last?.sendBurst(Array.from({ length: busy }, () => "tick"))
    if (second % 40 === 30) last?.sendBurst(Array.from({ length: 60 }, () => "slow"))
    if (second === 55) last?.close(4000, "the feed is restarted")
    if (second === 75) last?.sendText("hang")
    yield* Effect.sleep("1 second")
  }
  const [last] = (yield* fake.remotes(urlOf("devices"))).slice(-1)
  yield* fake.answer(urlOf("devices"), { kind: "refuse", status: 503 })
  last?.close(1012, "service restart")
  yield* Effect.sleep("6 seconds")
})

const pictured = Effect.gen(function* () {
  const url = `${yield* address}#plugin=${encodeURIComponent(refOf(feed))}`
  const from = yield* browser
  const { page } = yield* opened(from, url, { viewport: { width: 1240, height: 1080 } })
  yield* does(() => page.getByText("Live").waitFor())
  yield* lives
  yield* shot(page, "dashboard")
  const { page: phone } = yield* opened(from, yield* address, {
    viewport: { width: 390, height: 720 },
    colorScheme: "dark"
  })
  yield* does(() => phone.getByText("Live").waitFor())
  yield* shot(phone, "dashboard-phone")
}).pipe(Effect.scoped, Effect.provide(dashboard(setup)), Effect.provideService(References.MinimumLogLevel, "Error"))

await Effect.runPromise(pictured)
