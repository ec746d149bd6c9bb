/**
 * `npm run bench -- page`: how long the dashboard is busy, in a real browser,
 * until what has changed of each of 500 plugins at once has been taken in and
 * drawn. It needs what the tests of the dashboard do.
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { browser, does, opened } from "../operate/support/browser.ts"
import { address, dashboard, many, updates } from "../operate/support/dashboard.ts"

const WARM = 5
const TIMES = 30

const measured = Effect.gen(function* () {
  const { page } = yield* opened(yield* browser, yield* address)
  yield* does(() => page.getByText("500 plugins: 500 running").waitFor())
  yield* updates(page, WARM)
  const took = (yield* updates(page, TIMES)).toSorted((one, other) => one - other)
  const [median, most] = [took[TIMES / 2], took.at(-1)].map((ms) => (ms ?? Number.NaN).toFixed(1))
  process.stdout.write(
    `an update of 500 plugins: median ${median} ms, at most ${most} ms of ${TIMES} (target: 100 ms)\n`
  )
}).pipe(Effect.scoped, Effect.provide(dashboard(many)), Effect.provideService(References.MinimumLogLevel, "Error"))

await Effect.runPromise(measured)
