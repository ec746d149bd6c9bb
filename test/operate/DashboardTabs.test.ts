/** Many tabs of one browser, behind a proxy under a path: one stream, none that is hidden, and a stream that is lost. */
import { assert, beforeEach, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FakeWebSocket } from "mooring/testing"
import type { Page } from "playwright-core"
import { rowOf } from "../support/host.ts"
import { GATEWAY, plugin, refOf } from "../support/plugins.ts"
import { TOKEN, where } from "./support/api.ts"
import { browser, does, opened, whyNoBrowser } from "./support/browser.ts"
import { dashboard } from "./support/dashboard.ts"
import { pathProxy } from "./support/pathProxy.ts"

const why = await whyNoBrowser
const pkg = plugin({})
const REF = refOf(pkg)
/** Ten tabs on a machine that is busy. */
const SLOWEST_MS = 60_000

const PATH = "/ops/mooring/"

const proxied = Effect.flatMap(where, (listens) => pathProxy(PATH, "port" in listens ? listens.port : 0))

/** Says to a page whether somebody sees it, as a browser does. */
const seen = (page: Page, state: "visible" | "hidden") =>
  does(() =>
    page.evaluate(
      `Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "${state}" });` +
        `document.dispatchEvent(new Event("visibilitychange"))`
    )
  )

/** Waits for what the test's own process has to see. */
const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Effect.sleep("20 millis"), until(holds))))

describe("the dashboard in many tabs", () => {
  beforeEach(({ skip }) => skip(why !== undefined, why))

  it.live(
    "reads one stream for ten tabs, shows each what changes, lets each act, and none for those that are hidden",
    () =>
      Effect.gen(function* () {
        const proxy = yield* proxied
        const open = yield* browser
        const fake = yield* FakeWebSocket.FakeWebSocket
        const url = `${proxy.url}#plugin=${encodeURIComponent(REF)}`
        const first = yield* opened(open, url, { expected: ["401"] })
        const more = yield* Effect.forEach(Array.from({ length: 9 }), () =>
          opened(open, url, { with: first.page, expected: ["401"] })
        )
        const tabs = [first, ...more]
        const says = (text: string) =>
          Effect.forEach(tabs, ({ page }) => does(() => page.getByText(text).first().waitFor()))
        yield* says("1, opened 1 times")
        yield* says("Live")
        assert.deepStrictEqual(proxy.streams(), { open: 1, ever: 1 })
        const [remote] = yield* fake.remotes(GATEWAY)
        remote?.close(4001, "again")
        yield* says("2, opened 2 times")
        for (const { page } of [first, ...more.slice(-1)]) {
          const opens = (yield* rowOf(REF)).websocketConnections[0]?.opens ?? 0
          yield* does(async () => {
            await page.getByRole("button", { name: "Restart" }).click()
            await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click()
            // Each tab has a session of its own.
            await page.getByLabel("Token", { exact: true }).fill(TOKEN)
            await page.getByRole("button", { name: "Use the token" }).click()
          })
          yield* says(`${opens + 1}, opened ${opens + 1} times`)
        }
        assert.deepStrictEqual(proxy.streams(), { open: 1, ever: 1 })
        yield* seen(first.page, "hidden")
        yield* until(() => proxy.streams().ever === 2 && proxy.streams().open === 1)
        yield* Effect.forEach(more, ({ page }) => seen(page, "hidden"))
        yield* until(() => proxy.streams().open === 0)
        remote?.close(4002, "")
        yield* seen(first.page, "visible")
        yield* until(() => proxy.streams().open === 1)
        yield* does(() => first.page.getByText("Live").waitFor())
        assert.deepStrictEqual(
          tabs.flatMap(({ wrong }) => wrong),
          []
        )
        assert.deepStrictEqual(
          tabs.flatMap(({ asked }) => asked).filter((address) => !address.startsWith(proxy.url)),
          []
        )
      }).pipe(Effect.scoped, Effect.provide(dashboard({ plugins: [pkg] }))),
    SLOWEST_MS
  )

  it.live("says that what it shows is old where the stream is lost, and follows again", () =>
    Effect.gen(function* () {
      const proxy = yield* proxied
      const { page, wrong } = yield* opened(yield* browser, proxy.url, { expected: ["ERR_"] })
      yield* does(() => page.getByText("Live").waitFor())
      proxy.cut()
      yield* does(() => page.getByText("what is shown is old").waitFor())
      yield* does(() => page.getByText("Live").waitFor())
      assert.deepStrictEqual(proxy.streams(), { open: 1, ever: 2 })
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped, Effect.provide(dashboard({ plugins: [pkg] })))
  )

  it.live("asks for the token where reading needs it, too, and keeps it in the tab", () =>
    Effect.gen(function* () {
      const proxy = yield* proxied
      const { asked, page, wrong } = yield* opened(yield* browser, proxy.url, { expected: ["401"] })
      yield* does(() => page.getByRole("dialog").getByLabel("Token", { exact: true }).waitFor())
      yield* does(() => page.keyboard.press("Escape"))
      yield* does(() => page.getByText("The token is needed").waitFor())
      assert.strictEqual(yield* does(() => page.getByText(REF).count()), 0)
      yield* does(() => page.getByRole("button", { name: "Give the token" }).click())
      yield* does(() => page.getByLabel("Token", { exact: true }).fill(TOKEN))
      yield* does(() => page.keyboard.press("Enter"))
      yield* does(() => page.getByRole("link", { name: REF }).waitFor())
      yield* does(() => page.reload())
      yield* does(() => page.getByRole("link", { name: REF }).waitFor())
      // Another tab is shown what this one reads, and reads nothing by itself until this one is gone.
      const other = yield* opened(yield* browser, proxy.url, { with: page, expected: ["401"] })
      const { ever } = proxy.streams()
      yield* does(() => other.page.getByRole("link", { name: REF }).waitFor())
      assert.deepStrictEqual(proxy.streams(), { open: 1, ever })
      yield* does(() => page.close())
      yield* does(() => other.page.getByRole("dialog").getByLabel("Token", { exact: true }).fill(TOKEN))
      yield* does(() => other.page.keyboard.press("Enter"))
      yield* until(() => proxy.streams().open === 1)
      yield* does(() => other.page.getByText("Live").waitFor())
      assert.isFalse([...asked, ...other.asked].some((address) => address.includes(TOKEN)))
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped, Effect.provide(dashboard({ plugins: [pkg], listen: { host: "0.0.0.0", port: 0 } })))
  )
})
