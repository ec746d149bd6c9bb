/** What an open, idle connection keeps, counted in a process of its own. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import * as Servers from "../support/servers.ts"

const SCRIPT = fileURLToPath(new URL("support/idle.mjs", import.meta.url))
const CONNECTIONS = 300
// Of the live heap, of each: what it was when this was written, of which `ws` and Node take 3 KiB.
const HEAP_BYTES = 11_400
const MOST_HEAP_BYTES = 1.25 * HEAP_BYTES
// Of a whole host, and of the dial that was the last one.
const FIBERS = 30

describe("an open, idle connection", () => {
  it.live("keeps no fiber, and of the heap no more than a quarter above what it kept when this was written", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers.answering((socket, request) => void socket.write(Servers.switching(request)))
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, ["--expose-gc", SCRIPT, `${port}`, `${CONNECTIONS}`], {
            stdio: ["ignore", "pipe", "pipe"],
            env: { ...process.env, NODE_NO_WARNINGS: "1" }
          })
        ),
        (running) => Effect.sync(() => running.kill("SIGKILL"))
      )
      const [output, errors] = yield* Effect.promise(() => Promise.all([text(child.stdout), text(child.stderr)]))
      assert.strictEqual(errors.slice(0, 500), "")
      const { fibers, heapBytes } = JSON.parse(output) as { readonly fibers: number; readonly heapBytes: number }
      assert.isAtLeast(fibers, 1)
      assert.isAtMost(fibers, FIBERS)
      assert.isAtMost(heapBytes / CONNECTIONS, MOST_HEAP_BYTES)
    }).pipe(Effect.scoped)
  )
})
