/**
 * A real browser without a screen, for pages that are served on loopback. What
 * its console says is wrong, a violation of a page's policy among it, is kept,
 * so that a test can say that there was nothing.
 */
import Chromium from "@sparticuz/chromium"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"

/** Of those that the package proposes, none that turn off what a page is kept from. */
const ARGUMENTS = ["--no-sandbox", "--no-zygote", "--disable-gpu", "--font-render-hinting=none", "--no-pings"]

/** How long what is waited for may take. */
const WAITS_MS = 20_000

const launch = Effect.tryPromise({
  try: async () => chromium.launch({ executablePath: await Chromium.executablePath(), args: ARGUMENTS }),
  catch: (error) => (error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error))
})

/** Whether one can be started here, and if not why. */
export const whyNoBrowser: Promise<string | undefined> = Effect.runPromise(
  Effect.exit(Effect.scoped(Effect.acquireRelease(launch, (browser) => Effect.promise(() => browser.close()))))
).then((exit) => (Exit.isSuccess(exit) ? undefined : `no browser can be started: ${String(Cause.squash(exit.cause))}`))

/** A browser for the life of the scope. */
export const browser: Effect.Effect<Browser, never, Scope.Scope> = Effect.acquireRelease(Effect.orDie(launch), (open) =>
  Effect.promise(() => open.close())
)

/** Does something with a page. */
export const does = <A>(what: () => Promise<A>): Effect.Effect<A> => Effect.promise(what)

export interface Opened {
  readonly page: Page
  /** What the console said is wrong, and every address that was asked for outside of the page's own. */
  readonly wrong: Array<string>
  readonly asked: Array<string>
}

/** What a refusal says to whoever presses a button is a line of the console, too. */
const isExpected = (text: string, expected: ReadonlyArray<string>): boolean =>
  expected.some((part) => text.includes(part))

/** Opens a page and keeps what is wrong with it. */
export const opened = (
  from: Browser,
  url: string,
  options: BrowserContextOptions & { readonly expected?: ReadonlyArray<string>; readonly with?: Page } = {}
): Effect.Effect<Opened> =>
  does(async () => {
    const { expected = [], with: beside, ...rest } = options
    const context = beside?.context() ?? (await from.newContext({ ...rest, locale: "en-GB" }))
    const page = await context.newPage()
    page.setDefaultTimeout(WAITS_MS)
    const wrong: Array<string> = []
    const asked: Array<string> = []
    page.on("console", (message) => {
      const isWrong = message.type() === "error" || message.type() === "warning"
      if (isWrong && !isExpected(message.text(), expected)) wrong.push(message.text())
    })
    page.on("pageerror", (error) => wrong.push(String(error)))
    page.on("request", (request) => {
      asked.push(request.url())
      if (!request.url().startsWith(new URL(url).origin)) wrong.push(`asked for ${request.url()}`)
    })
    await page.goto(url)
    return { page, wrong, asked }
  })

/** Completes once an expression holds in the page. Playwright's own way evaluates it where the page's policy forbids that. */
export const holds = (page: Page, expression: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (!(yield* does(() => page.evaluate<boolean>(expression)))) yield* Effect.sleep("20 millis")
  }).pipe(
    Effect.timeoutOrElse({
      duration: WAITS_MS,
      orElse: () => Effect.die(new Error(`it doesn't hold: ${expression}`))
    })
  )
