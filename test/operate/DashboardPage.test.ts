/** What the page does with hostile texts, with hundreds of plugins, by keyboard alone, on a phone and in the dark. */
import { assert, beforeEach, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HostStatus, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import { GATEWAY, plugin, refOf } from "../support/plugins.ts"
import { browser, does, holds, opened, whyNoBrowser } from "./support/browser.ts"
import { address, dashboard, many, updates } from "./support/dashboard.ts"

const why = await whyNoBrowser

/** Markup, scripts, what moves a terminal's cursor, and marks that turn the direction. */
const HOSTILE = [
  `<img src="x" onerror="globalThis.acted = 1">`,
  `<script>globalThis.acted = 2</script>`,
  `"><svg/onload=globalThis.acted=3>`,
  `javascript:globalThis.acted=4`,
  "\u001b[2J\u001b]8;;http://elsewhere.invalid\u0007link",
  "\u202egnp.exe\u2066\u200f"
].join(" ")

const BIDIRECTIONAL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u001b\u0007]/u

const pkg = plugin({ handlers: { gateway: { websocket_open: () => Exit.succeed({ status: { HOSTILE } }) } } })
const REF = refOf(pkg)

describe("the page of the dashboard", () => {
  beforeEach(({ skip }) => skip(why !== undefined, why))

  it.live("does nothing that a name, a status or a close reason says", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      const remote = yield* fake.remote(GATEWAY)
      remote.close(4000, HOSTILE.slice(0, 100))
      yield* fake.remote(GATEWAY, 2)
      yield* host.idle
      // No manifest is taken that has such a name: so the document is told with one in place of the real ones.
      const status = JSON.stringify(HostStatus.encode(yield* host.status)).replaceAll(
        REF,
        JSON.stringify(HOSTILE).slice(1, -1)
      )
      const url = yield* address
      const { page, wrong } = yield* opened(yield* browser, "about:blank")
      wrong.length = 0
      yield* does(() =>
        page.route("**/events", (route) =>
          route.fulfill({ contentType: "text/event-stream", body: `event: status\ndata: ${status}\n\n` })
        )
      )
      yield* does(() => page.goto(url))
      yield* does(() => page.getByRole("link", { name: "globalThis.acted = 1" }).first().click())
      yield* does(() => page.getByRole("heading", { name: "globalThis.acted = 1" }).waitFor())
      yield* does(() => page.getByRole("cell", { name: "onerror" }).first().waitFor())
      const [acted, elements, text] = yield* does(() =>
        page.evaluate<[unknown, number, string]>(
          `[globalThis.acted, document.querySelectorAll("#root img, #root script, #root svg, a[href^=javascript]").length, document.documentElement.outerHTML]`
        )
      )
      assert.isUndefined(acted)
      assert.strictEqual(elements, 0)
      assert.notMatch(text, BIDIRECTIONAL)
      assert.deepStrictEqual(
        wrong.filter((each) => !each.startsWith("asked for")),
        []
      )
    }).pipe(Effect.scoped, Effect.provide(dashboard({ plugins: [pkg] })))
  )

  it.live("shows 500 plugins, and what has changed of all of them in far less than a second", () =>
    Effect.gen(function* () {
      const { page, wrong } = yield* opened(yield* browser, yield* address)
      yield* does(() => page.getByText("500 plugins: 500 running").waitFor())
      const took = yield* updates(page, 3)
      assert.isBelow(Math.max(...took), 1000)
      assert.strictEqual(yield* does(() => page.locator(".plugins tbody tr").count()), 500)
      // What isn't well comes first, and in the colours of what it is now.
      const fake = yield* FakeWebSocket.FakeWebSocket
      const last = "ws://127.0.0.1:7700/499"
      yield* fake.answer(last, { kind: "refuse", status: 503 })
      ;(yield* fake.remote(last)).close(1012, "")
      const colour = `getComputedStyle(document.querySelector(".plugins tbody tr .mark")).color`
      yield* does(() => page.locator(".plugins tbody tr").first().getByText("test.n499").waitFor())
      assert.strictEqual(yield* does(() => page.evaluate(colour)), "rgb(138, 90, 0)")
      yield* does(() => page.getByLabel("Show only").fill("n499"))
      yield* does(() => page.getByText("1 of 500 plugins").waitFor())
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped, Effect.provide(dashboard(many)))
  )

  it.live("is used by keyboard alone: what has the focus is seen, and nothing keeps it", () =>
    Effect.gen(function* () {
      const { page, wrong } = yield* opened(yield* browser, yield* address)
      const focused = () =>
        page.evaluate<string>(
          `(({ id, textContent, tagName }) => id || textContent.trim() || tagName)(document.activeElement)`
        )
      const press = (key: string) =>
        does(async () => {
          await page.keyboard.press(key)
          return focused()
        })
      yield* does(() => page.getByRole("link", { name: REF }).waitFor())
      const order: Array<string> = []
      for (let at = ""; at !== REF; order.push(at)) {
        at = yield* press("Tab")
        const outline = yield* does(() => page.evaluate(`getComputedStyle(document.activeElement).outlineStyle`))
        assert.strictEqual(outline, "solid", at)
        assert.isBelow(order.length, 10, order.join(", "))
      }
      assert.deepStrictEqual([order[0], order[1]], ["Skip to the plugins", "filter"])
      yield* press("Enter")
      yield* holds(page, `document.activeElement.id === "details"`)
      assert.strictEqual(yield* press("Tab"), "Start")
      assert.strictEqual(yield* press("Tab"), "Stop")
      assert.strictEqual(yield* press("Enter"), "Stop")
      yield* does(() => page.getByRole("dialog").waitFor())
      yield* press("Escape")
      yield* does(() => page.getByRole("dialog").waitFor({ state: "detached" }))
      assert.strictEqual(yield* does(focused), "Stop")
      const rest: Array<string> = []
      for (let at = ""; at !== "BODY" && at !== "Skip to the plugins"; rest.push(at)) {
        at = yield* press("Tab")
        assert.isBelow(rest.length, 40, rest.join(", "))
      }
      assert.include(rest, "query")
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped, Effect.provide(dashboard({ plugins: [pkg] })))
  )

  it.live("has its landmarks and labels, fits a phone and is dark in the dark", () =>
    Effect.gen(function* () {
      const { page, wrong } = yield* opened(yield* browser, `${yield* address}#plugin=${encodeURIComponent(REF)}`, {
        viewport: { width: 360, height: 740 },
        colorScheme: "dark",
        reducedMotion: "reduce"
      })
      yield* does(() => page.getByText("open, since").waitFor())
      for (const role of ["banner", "main"] as const) {
        assert.strictEqual(yield* does(() => page.getByRole(role).count()), 1, role)
      }
      const [wide, dark, unlabelled] = yield* does(() =>
        page.evaluate<[number, string, number]>(
          `[document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor,
            [...document.querySelectorAll("input")].filter(({ labels }) => labels.length === 0).length]`
        )
      )
      assert.isAtMost(wide, 360)
      assert.strictEqual(dark, "rgb(13, 17, 23)")
      assert.strictEqual(unlabelled, 0)
      assert.strictEqual(yield* does(() => page.getByRole("img", { name: "in the last hour" }).count()), 7)
      yield* does(() => page.getByRole("link", { name: "Close, back to all plugins" }).click())
      yield* does(() => page.getByRole("columnheader", { name: "State" }).waitFor())
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped, Effect.provide(dashboard({ plugins: [pkg] })))
  )

  it.live("explains a tag by the documentation that came with the host", () =>
    Effect.gen(function* () {
      const { page, wrong } = yield* opened(yield* browser, `${yield* address}docs.html?errors.md#queueoverflow`)
      yield* does(() => page.getByRole("heading", { name: "QueueOverflow" }).waitFor())
      yield* holds(page, `document.activeElement.id === "queueoverflow"`)
      yield* does(() => page.getByRole("link", { name: "status" }).first().click())
      yield* does(() => page.getByRole("heading", { level: 1, name: "Status" }).waitFor())
      assert.deepStrictEqual(wrong, [])
    }).pipe(Effect.scoped, Effect.provide(dashboard({ plugins: [pkg] })))
  )
})
