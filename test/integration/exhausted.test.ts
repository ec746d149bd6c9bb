/** What a host says that the system answers nothing any more: real files, real sockets, a process of its own. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { gateway } from "../support/servers.ts"

const SCRIPT = fileURLToPath(new URL("support/exhausted.mjs", import.meta.url))
const FILES = 64

it.live("a host without file descriptors still tells its status, and which dials failed for that", () =>
  Effect.gen(function* () {
    const { port } = yield* gateway(() => {})
    const command = `ulimit -n ${FILES}; exec "${process.execPath}" "${SCRIPT}" ${port}`
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn("sh", ["-c", command], {
          stdio: ["ignore", "pipe", "pipe"],
          env: { ...process.env, NODE_NO_WARNINGS: "1" }
        })
      ),
      (running) => Effect.sync(() => running.kill("SIGKILL"))
    )
    const [output, errors] = yield* Effect.promise(() => Promise.all([text(child.stdout), text(child.stderr)]))
    assert.strictEqual(errors, "")
    const { codes, rss, states } = JSON.parse(output)
    assert.strictEqual(states.length, 100)
    assert.isTrue(states.includes("open"))
    assert.isTrue(codes.includes("EMFILE"), String(codes))
    assert.isTrue(rss === null || rss > 0)
  }).pipe(Effect.scoped)
)
