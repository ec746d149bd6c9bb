/**
 * `npm run bench -- page`: how long the dashboard is busy, in a real browser,
 * until what has changed of each of 500 plugins at once has been taken in and
 * drawn, and what the browser itself spends on it. It needs what the tests of the dashboard do.
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import type { Page } from "playwright-core"
import { browser, does, opened } from "../operate/support/browser.ts"
import { address, dashboard, many, updates } from "../operate/support/dashboard.ts"

const WARM = 5
const TIMES = 30

interface Metric {
  readonly name: string
  readonly value: number
}

/** What the browser itself spends on styles and layout from now on, in milliseconds. */
const drawn = (page: Page) =>
  does(async () => {
    const session = await page.context().newCDPSession(page)
    await session.send("Performance.enable")
    const spent = async () => {
      const { metrics } = await session.send("Performance.getMetrics")
      const own = metrics.filter(({ name }: Metric) => name === "LayoutDuration" || name === "RecalcStyleDuration")
      return own.reduce((sum: number, { value }: Metric) => sum + 1000 * value, 0)
    }
    const before = await spent()
    return does(async () => (await spent()) - before)
  })

const measured = Effect.gen(function* () {
  const { page } = yield* opened(yield* browser, yield* address)
  yield* does(() => page.getByText("500 plugins: 500 running").waitFor())
  yield* updates(page, WARM)
  const drawing = yield* drawn(page)
  const took = (yield* updates(page, TIMES)).toSorted((one, other) => one - other)
  const [median, most] = [took[TIMES / 2], took.at(-1)].map((ms) => (ms ?? Number.NaN).toFixed(1))
  const beside = ((yield* drawing) / TIMES).toFixed(1)
  process.stdout.write(
    `an update of 500 plugins: median ${median} ms, at most ${most} ms of ${TIMES} (target: 100 ms),\n` +
      `and ${beside} ms on average of the browser's own for styles and layout\n`
  )
}).pipe(Effect.scoped, Effect.provide(dashboard(many)), Effect.provideService(References.MinimumLogLevel, "Error"))

await Effect.runPromise(measured)
