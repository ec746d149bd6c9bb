/** The page in a real browser, of a host on the fake network: what it shows live, and what its buttons do. */
import { assert, beforeEach, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { OutputCommand } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { GATEWAY, plugin, refOf } from "../support/plugins.ts"
import { rowOf } from "../support/host.ts"
import { TOKEN } from "./support/api.ts"
import { browser, does, opened, whyNoBrowser } from "./support/browser.ts"
import { address, dashboard } from "./support/dashboard.ts"

const why = await whyNoBrowser

const pkg = plugin({
  handlers: {
    gateway: {
      websocket_text: (event) => {
        const { text } = event.payload
        if (text === "hang") return Effect.never
        if (text === "wait") return Effect.as(Effect.sleep("20 millis"), {})
        if (text !== "deny") return Exit.succeed({})
        return Exit.succeed({ commands: [OutputCommand.send({ ...event, url: "ws://127.0.0.1:7700/other" }, "no")] })
      }
    }
  }
})
const REF = refOf(pkg)
const setup = {
  plugins: [pkg],
  limits: { dispatchDeadlineMs: 300, ingressQueueCapacity: 8, burstPatienceMs: 0, restarts: 100 }
}

describe("the dashboard in a browser", () => {
  beforeEach(({ skip }) => skip(why !== undefined, why))

  it.live("shows a crash, a denial, a burst and a reconnect as they happen", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const { page, wrong } = yield* opened(yield* browser, `${yield* address}#plugin=${encodeURIComponent(REF)}`)
      const remote = yield* fake.remote(GATEWAY)
      const details = page.getByRole("region", { name: REF, exact: true })
      const source = page.getByRole("region", { name: GATEWAY })
      const found = page.getByRole("region", { name: "Diagnostics", exact: true })
      yield* does(() => source.getByText("open, since").waitFor())
      remote.sendText("deny")
      yield* does(() => found.getByRole("link", { name: "CommandUngranted" }).waitFor())
      remote.sendBurst(Array.from({ length: 30 }, () => "wait"))
      yield* does(() => found.getByRole("link", { name: "QueueOverflow" }).waitFor())
      const { queueDrops } = (yield* rowOf(REF)).websocketConnections[0] ?? { queueDrops: 0 }
      assert.isAbove(queueDrops, 10)
      const line = page.getByRole("row", { name: REF }).first()
      yield* does(() => line.getByRole("cell", { name: String(queueDrops), exact: true }).waitFor())
      remote.close(4321, "so it ends")
      yield* does(() => source.getByRole("row", { name: "4321 so it ends" }).waitFor())
      const next = yield* fake.remote(GATEWAY, 2)
      yield* does(() => source.getByText("2, opened 2 times").waitFor())
      next.sendText("hang")
      yield* does(() => details.getByText("the handler was interrupted after 300 ms").first().waitFor())
      yield* does(() => page.getByText("running", { exact: true }).first().waitFor())
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped, Effect.provide(dashboard(setup)))
  )

  it.live("stops, starts, restarts and reconnects once that is confirmed and the token was given", () =>
    Effect.gen(function* () {
      const { page, wrong } = yield* opened(yield* browser, `${yield* address}#plugin=${encodeURIComponent(REF)}`, {
        // The browser's own line about an answer of 401.
        expected: ["401"]
      })
      const dialog = page.getByRole("dialog")
      const press = (name: string) =>
        does(async () => {
          await page.getByRole("button", { name, exact: true }).click()
          await dialog.getByRole("button", { name }).click()
        })
      const told = (text: string) => does(() => page.getByText(text).waitFor())
      yield* does(() => page.getByRole("button", { name: "Stop" }).click())
      yield* does(() => dialog.getByRole("button", { name: "Cancel" }).click())
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
      yield* press("Stop")
      yield* does(() => dialog.getByLabel("Token", { exact: true }).fill("not-the-token"))
      yield* does(() => dialog.getByRole("button", { name: "Use the token" }).click())
      yield* does(() => dialog.getByText("That isn't the token of this host").waitFor())
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "running")
      yield* does(() => dialog.getByLabel("Token", { exact: true }).fill(TOKEN))
      yield* does(() => page.keyboard.press("Enter"))
      yield* told(`Told to stop: ${REF}`)
      yield* does(() => page.locator("dd", { hasText: "stopped" }).first().waitFor())
      assert.strictEqual((yield* rowOf(REF)).lifecycle, "stopped")
      yield* press("Start")
      yield* does(() => page.getByText("2, opened 2 times").waitFor())
      yield* press("Restart")
      yield* does(() => page.getByText("3, opened 3 times").waitFor())
      yield* press("Reconnect")
      yield* does(() => page.getByText("4, opened 4 times").waitFor())
      const kept = yield* does(() =>
        page.evaluate<ReadonlyArray<unknown>>("[localStorage.length, document.cookie, location.search]")
      )
      assert.deepStrictEqual(kept, [0, "", ""])
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped, Effect.provide(dashboard(setup)))
  )
})
