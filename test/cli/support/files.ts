/** Files, pipes and full pipes, for as long as a test runs. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"

/** A folder of the test's own. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "mooring-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true }))
)

/** A file that is opened for as long as the test runs. */
export const opened = (name: string, flags: number) =>
  Effect.acquireRelease(
    Effect.sync(() => fs.openSync(name, flags)),
    (fd) => Effect.sync(() => fs.closeSync(fd))
  )

const named = Effect.gen(function* () {
  const name = path.join(yield* folder, "pipe")
  execFileSync("mkfifo", [name])
  return name
})

const reading = (name: string) => opened(name, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)

/** A pipe with a name: both its ends. */
export const pipe = Effect.gen(function* () {
  const name = yield* named
  const read = yield* reading(name)
  const write = yield* opened(name, fs.constants.O_WRONLY)
  return { name, read, write }
})

/** The writing end of a pipe that nobody reads any more. */
export const deadPipe = Effect.gen(function* () {
  const name = yield* named
  return yield* Effect.scopedWith((scope) =>
    Effect.andThen(Scope.provide(reading(name), scope), opened(name, fs.constants.O_WRONLY))
  )
})

/** The writing end of a pipe that is full and that nobody reads. */
export const fullPipe = Effect.gen(function* () {
  const { name, write } = yield* pipe
  const filling = yield* opened(name, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK)
  try {
    for (;;) fs.writeSync(filling, new Uint8Array(4096))
  } catch {
    return { name, write }
  }
})
