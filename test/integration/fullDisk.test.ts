/** A program of somebody who embeds a host, on a disk that is full: what its log can't say must not end it. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gateway } from "../support/servers.ts"

const SCRIPT = fileURLToPath(new URL("support/fullDisk.mjs", import.meta.url))
const ROUNDS = 20

/** Runs the program with both of its streams on a full disk until it has answered so often, and how it ended. */
const run = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    let answered = 0
    let child: ChildProcess | undefined
    const { port } = yield* gateway((peer) => {
      peer.on("message", () => {
        if (++answered < ROUNDS) peer.send(String(answered))
        else child?.kill("SIGTERM")
      })
    })
    const full = yield* Effect.acquireRelease(
      Effect.sync(() => openSync("/dev/full", "w")),
      (fd) => Effect.sync(() => closeSync(fd))
    )
    const running = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [SCRIPT, `ws://127.0.0.1:${port}/`, ...args], { stdio: ["ignore", full, full] })
      ),
      (process) => Effect.sync(() => process.kill("SIGKILL"))
    )
    child = running
    const code = yield* Effect.callback<number | null>((resume) => {
      running.on("close", (ended) => resume(Effect.succeed(ended)))
    })
    return { answered, code }
  }).pipe(Effect.scoped)

it.live("a program with one listener goes on where its log can't be written, and ends in order", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* run("guard"), { answered: ROUNDS, code: 130 })
  })
)

it.live("a program without it doesn't: Node ends it", () =>
  Effect.gen(function* () {
    const { answered, code } = yield* run()
    assert.isBelow(answered, ROUNDS)
    assert.strictEqual(code, 1)
  })
)
