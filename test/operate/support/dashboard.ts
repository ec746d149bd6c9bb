/** A host on the fake network whose dashboard is served on loopback. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import { Dashboard } from "mooring/operate"
import { FakeWebSocket } from "mooring/testing"
import type { Page } from "playwright-core"
import type { Setup } from "../../support/host.ts"
import { plugin } from "../../support/plugins.ts"
import { served, where } from "./api.ts"
import { does, holds } from "./browser.ts"

/** A host with its API and its page. */
export const dashboard = (setup: Parameters<typeof served>[0]) =>
  Layer.unwrap(
    Effect.map(Effect.orDie(Dashboard.files), (files) => served({ ...setup, control: { ...setup.control, files } }))
  )

/** The address of the page. */
export const address: Effect.Effect<string, never, HttpServer.HttpServer> = Effect.map(where, (listens) =>
  "port" in listens ? `http://127.0.0.1:${listens.port}/` : ""
)

const PLUGINS = 500
const urlOf = (index: number) => `ws://127.0.0.1:7700/${index}`

/** So many plugins, of which each has a source of its own and says what came last. */
export const many: Setup = {
  plugins: Array.from({ length: PLUGINS }, (_, index) =>
    plugin({
      name: `n${index}`,
      sources: [urlOf(index)],
      handlers: { gateway: { websocket_text: ({ payload }) => Exit.succeed({ status: payload.text }) } }
    })
  ),
  limits: { dialsPerSecond: 10_000, dialsAtOnce: 1000 }
}

/** Adds up what the page itself measures: how long it took to take in what it was told, and to draw it. */
const COLLECT = `globalThis.took = 0
globalThis.observer = new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) took += duration })
observer.observe({ type: "measure" })`

const TAKEN = `for (const { duration } of observer.takeRecords()) took += duration; [took, (took = 0)][0]`

/** Lets something of all of them change so many times: how long the page was busy each time, in milliseconds. */
export const updates = (page: Page, times: number) =>
  Effect.gen(function* () {
    const fake = yield* FakeWebSocket.FakeWebSocket
    const remotes = yield* Effect.forEach(Array.from({ length: PLUGINS }), (_, index) => fake.remote(urlOf(index)))
    yield* does(() => page.evaluate(COLLECT))
    const took: Array<number> = []
    for (let time = 1; time <= times; time++) {
      const said = `said ${time}`
      for (const remote of remotes) remote.sendText(said)
      const notes = `[...document.querySelectorAll(".plugins td.note")].every(({ textContent }) => textContent === "${said}")`
      yield* holds(page, notes)
      took.push(yield* does(() => page.evaluate<number>(TAKEN)))
    }
    return took
  })
