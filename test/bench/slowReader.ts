/**
 * `node test/bench/slowReader.ts [minutes]`: a reader of events who takes a byte
 * a second, of a host of 500 plugins whose rows change all the time; how much is
 * held for it after ten minutes, or as many as are said.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { PluginHost } from "mooring"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { served, where } from "../operate/support/api.ts"
import { heldFor, many } from "../operate/support/slowReader.ts"

const MINUTES = Number(process.argv[2] ?? 10)
const MINUTE_MS = 60_000

const root = fs.mkdtempSync(path.join(os.tmpdir(), "mooring-"))

const program = Effect.gen(function* () {
  const host = yield* PluginHost.PluginHost
  const end = performance.now() + MINUTES * MINUTE_MS
  let taken = 0
  const bytes = yield* heldFor(yield* where, 1, ([reader]) =>
    Effect.gen(function* () {
      while (performance.now() < end) {
        yield* Effect.sleep(1000)
        for (const { pluginRef } of (yield* host.status).plugins.slice(0, 50)) yield* host.restart(pluginRef)
      }
      taken = reader?.taken() ?? 0
    })
  )
  process.stdout.write(`${JSON.stringify({ minutes: MINUTES, taken, heldKiB: Math.round(bytes / 1024) })}\n`)
})

await Effect.runPromise(
  program.pipe(
    Effect.provide(served({ ...many, listen: { path: path.join(root, "m.sock") } })),
    Effect.provide(Logger.layer([]))
  )
)
fs.rmSync(root, { recursive: true, force: true })
process.exit()
