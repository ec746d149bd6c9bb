/** What a text costs, counted in a process of its own: whoever makes the hot path slow makes something for each text. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import type { Socket } from "node:net"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import * as Servers from "../support/servers.ts"

const SCRIPT = fileURLToPath(new URL("support/hotPath.mjs", import.meta.url))
// So large that 20,000 texts need no collection, and what the heap has grown by is what was made for them.
const YOUNG_MIB = 256
// Of each, of which the text itself takes 144.
const HEAP_BYTES = 270
const CHUNK = Buffer.concat(Array.from({ length: 500 }, () => Servers.text("x".repeat(128))))

/** Sends texts for as long as somebody takes them. */
const flood = (socket: Socket): void => {
  if (socket.destroyed) return
  if (socket.write(CHUNK)) setImmediate(() => flood(socket))
  else socket.once("drain", () => flood(socket))
}

interface Made {
  readonly [what: string]: number
}

const counted = (connections: number, handler: "exit" | "sync", watched: "metrics" | "nobody" = "nobody") =>
  Effect.gen(function* () {
    const { port } = yield* Servers.answering((socket, request) => {
      socket.write(Servers.switching(request))
      flood(socket)
    })
    const args = [`--min-semi-space-size=${YOUNG_MIB}`, `--max-semi-space-size=${YOUNG_MIB}`, SCRIPT, port, connections]
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [...args, handler, watched].map(String), {
          stdio: ["ignore", "pipe", "pipe"],
          env: { ...process.env, NODE_NO_WARNINGS: "1" }
        })
      ),
      (running) => Effect.sync(() => running.kill("SIGKILL"))
    )
    const [output, errors] = yield* Effect.promise(() => Promise.all([text(child.stdout), text(child.stderr)]))
    assert.strictEqual(errors.slice(0, 500), "")
    return JSON.parse(output) as Made
  }).pipe(Effect.scoped)

describe("a text at full speed", () => {
  for (const connections of [1, 16]) {
    for (const handler of ["exit", "sync"] as const) {
      it.live(`costs no fiber, timer, promise or task (${connections} connections, ${handler})`, () =>
        Effect.gen(function* () {
          const { collections: _, heapBytes: __, texts = 0, ...made } = yield* counted(connections, handler)
          assert.strictEqual(texts, 20_000)
          // What there is belongs to the turns of the event loop, each of which brings hundreds.
          for (const [what, count] of Object.entries(made)) assert.isAtMost(count, texts / 20, what)
          assert.containsAllKeys(made, ["fibers", "task", "Immediate", "PROMISE", "Timeout"])
        })
      )
    }
  }

  it.live("costs the same while somebody collects metrics", () =>
    Effect.gen(function* () {
      const { collections, heapBytes = 0, texts = 0, ...made } = yield* counted(1, "exit", "metrics")
      assert.strictEqual(texts, 20_000)
      assert.strictEqual(collections, 0)
      assert.isAtMost(heapBytes / texts, 2 * HEAP_BYTES)
      for (const [what, count] of Object.entries(made)) assert.isAtMost(count, texts / 20, what)
    })
  )

  it.live("takes of the heap no more than twice of what it took when this was written", () =>
    Effect.gen(function* () {
      const { collections, heapBytes = 0, texts = 1 } = yield* counted(1, "exit")
      assert.strictEqual(collections, 0)
      assert.isAtMost(heapBytes / texts, 2 * HEAP_BYTES)
    })
  )
})
