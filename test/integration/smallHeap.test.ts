/** What waits in queues against the heap of a real process. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"

const SCRIPT = fileURLToPath(new URL("support/smallHeap.mjs", import.meta.url))
const HEAP_MIB = 64

it.live.each(["ascii", "wide"])(
  "a heap of 64 MiB survives 16 sources of a plugin that takes nothing: %s texts",
  (form) =>
    Effect.gen(function* () {
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, [`--max-old-space-size=${HEAP_MIB}`, SCRIPT, form], {
            stdio: ["ignore", "pipe", "pipe"],
            env: { ...process.env, NODE_NO_WARNINGS: "1" }
          })
        ),
        (running) => Effect.sync(() => running.kill("SIGKILL"))
      )
      const [output, errors] = yield* Effect.promise(() => Promise.all([text(child.stdout), text(child.stderr)]))
      assert.strictEqual(errors.slice(0, 500), "")
      const { counters, lifecycle, queueBytes } = JSON.parse(output)
      assert.strictEqual(lifecycle, "running")
      assert.isAbove(counters.evicted, 0)
      assert.isAtMost(queueBytes, (HEAP_MIB / 4) * 1024 * 1024)
    }).pipe(Effect.scoped),
  // On a busy machine the collector may once fall behind what 16 sockets bring in one turn.
  { retry: 1 }
)
