import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Secrets } from "mooring"
import { SystemSecrets } from "mooring/node"

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "secrets-"))),
  (made) => Effect.sync(() => Fs.rmSync(made, { recursive: true }))
)

/** What is found: the value, or the problem. */
const look = (from: Secrets.Request["from"], options: SystemSecrets.Options) =>
  Effect.gen(function* () {
    const { lookup } = yield* Secrets.Secrets
    const found = yield* Effect.result(lookup({ pluginRef: "project:a", path: "secrets.key", from }))
    if (Result.isSuccess(found)) return Redacted.value(found.success)
    return found.failure instanceof Secrets.SecretUnavailable ? found.failure.problem : assert.fail("another failure")
  }).pipe(Effect.provide(SystemSecrets.layer(options)))

describe("SystemSecrets", () => {
  it.effect("reads variables of the environment, and none that isn't its own", () =>
    Effect.gen(function* () {
      const env = { KEY: "value", EMPTY: "", NONE: undefined }
      assert.strictEqual(yield* look({ env: "KEY" }, { env }), "value")
      assert.strictEqual(yield* look({ env: "EMPTY" }, { env }), "")
      for (const name of ["NONE", "OTHER", "toString", "__proto__"]) {
        assert.strictEqual(yield* look({ env: name }, { env }), "Expected a variable that is set")
      }
      assert.strictEqual(yield* look({ env: "PATH" }, {}), process.env["PATH"])
    })
  )

  it.effect("reads files from their folder or by an absolute path, through links, with all that is in them", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const inside = (name: string) => Path.join(made, name)
      const content = "\ufeffsecret \u00e4\u{1f600}\r\n\n"
      Fs.writeFileSync(inside("key"), content)
      Fs.symlinkSync("key", inside("link"))
      Fs.mkdirSync(inside("sub"))
      for (const file of ["key", "./key", "link", "sub/../key", inside("key")]) {
        assert.strictEqual(yield* look({ file }, { folder: made }), content, file)
      }
    })
  )

  it.live("is held up by no pipe, device, giant or folder, and says what is wrong", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const inside = (name: string) => Path.join(made, name)
      execFileSync("mkfifo", [inside("fifo")])
      Fs.writeFileSync(inside("large"), "x".repeat(1_048_577))
      Fs.writeFileSync(inside("most"), "x".repeat(1_048_576))
      Fs.writeFileSync(inside("latin"), Buffer.from([0x61, 0xe4, 0x62]))
      Fs.symlinkSync("loop", inside("loop"))
      const problems = yield* Effect.forEach(["fifo", "large", "latin", "loop", "none", ".", "/dev/zero"], (file) =>
        look({ file }, { folder: made })
      )
      assert.deepStrictEqual(problems, [
        "Expected a file that can be read: it is not a regular file",
        "Expected a file that can be read: it is larger than 1048576 bytes",
        "Expected a file of UTF-8",
        "Expected a file that can be read: ELOOP",
        "Expected a file that can be read: ENOENT",
        "Expected a file that can be read: it is not a regular file",
        "Expected a file that can be read: it is not a regular file"
      ])
      assert.strictEqual((yield* look({ file: "most" }, { folder: made })).length, 1_048_576)
    })
  )

  it.effect("reads a file that has no size", () =>
    Effect.gen(function* () {
      if (!Fs.existsSync("/proc/self/status")) return
      assert.include(yield* look({ file: "/proc/self/status" }, {}), "Pid:")
    })
  )

  it.effect("tells of a file that has become another and stayed so for half a second, however it was replaced", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const inside = (name: string) => Path.join(made, name)
      Fs.mkdirSync(inside("one"))
      Fs.mkdirSync(inside("two"))
      Fs.writeFileSync(inside("one/key"), "first")
      Fs.writeFileSync(inside("two/key"), "other")
      Fs.symlinkSync("one", inside("data"))
      let told = 0
      yield* Effect.gen(function* () {
        const { changes, lookup } = yield* Secrets.Secrets
        const ask = (file: string) => lookup({ pluginRef: "project:a", path: "secrets.key", from: { file } })
        yield* ask("data/key")
        yield* Effect.exit(ask("none"))
        const following = yield* Effect.forkScoped(
          Stream.runForEach(changes, () => Effect.sync(() => told++)),
          { startImmediately: true }
        )
        yield* pass(8)
        assert.strictEqual(told, 0)
        // As a mounted secret is changed: the link leads to another folder.
        Fs.symlinkSync("two", inside("next"))
        Fs.renameSync(inside("next"), inside("data"))
        yield* pass(2)
        assert.strictEqual(told, 0)
        yield* pass(6)
        assert.strictEqual(told, 1)
        Fs.writeFileSync(inside("none"), "is there now")
        yield* pass(8)
        assert.strictEqual(told, 2)
        Fs.rmSync(inside("none"))
        // One that is written again and again holds up no other.
        for (let time = 0; time < 12; time++) {
          Fs.writeFileSync(inside("two/key"), `${time}`)
          yield* pass(1)
        }
        assert.strictEqual(told, 3)
        yield* pass(8)
        assert.strictEqual(told, 4)
        yield* Fiber.interrupt(following)
      }).pipe(Effect.provide(SystemSecrets.layer({ folder: made })))
    })
  )
})

/** A look passes: a quarter of a second, and the system's answers. */
const passed = Effect.andThen(
  TestClock.adjust(250),
  Effect.promise(async () => {
    // Each file is looked at by one call of the system's.
    for (let turn = 0; turn < 16; turn++) await Fs.promises.stat("/")
  })
)

const pass = (times: number) => Effect.forEach(Array.from({ length: times }), () => passed, { discard: true })
