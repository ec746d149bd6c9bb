/** A file on a disk that doesn't answer any more, which no test can have: the system's call is in the place of one. */
import * as Fs from "node:fs"
import type * as FsPromises from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import { Secrets } from "mooring"
import { SystemSecrets } from "mooring/node"

const disk = vi.hoisted(() => ({ isSilent: false, asked: 0 }))

vi.mock("node:fs/promises", async (original) => {
  const actual = await original<typeof FsPromises>()
  return {
    ...actual,
    stat: (path: string, options: { bigint: true }) => {
      if (!disk.isSilent || !path.endsWith("silent")) return actual.stat(path, options)
      disk.asked++
      return new Promise(() => {})
    }
  }
})

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "silent-"))),
  (made) => Effect.sync(() => Fs.rmSync(made, { recursive: true }))
)

/** A look passes: a quarter of a second, and the system's answers. */
const passed = Effect.andThen(
  TestClock.adjust(250),
  Effect.promise(async () => {
    for (let turn = 0; turn < 16; turn++) await Fs.promises.stat("/")
  })
)

describe("a file that is silent", () => {
  it.effect("holds up no other, and no more than one thread", () =>
    Effect.gen(function* () {
      const made = yield* folder
      for (const file of ["silent", "key"]) Fs.writeFileSync(Path.join(made, file), "first")
      let told = 0
      yield* Effect.gen(function* () {
        const { changes, lookup } = yield* Secrets.Secrets
        for (const file of ["silent", "key"]) {
          yield* lookup({ pluginRef: "project:a", path: "secrets.key", from: { file } })
        }
        yield* Effect.forkScoped(
          Stream.runForEach(changes, () => Effect.sync(() => told++)),
          { startImmediately: true }
        )
        disk.isSilent = true
        Fs.writeFileSync(Path.join(made, "key"), "second")
        for (let look = 0; look < 16; look++) yield* passed
        assert.strictEqual(told, 1)
        assert.strictEqual(disk.asked, 1)
      }).pipe(Effect.provide(SystemSecrets.layer({ folder: made })))
    })
  )
})
