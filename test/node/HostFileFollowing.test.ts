import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { HostFile } from "mooring/node"
import * as Wire from "../../src/internal/wire.ts"
import { folder } from "../cli/support/files.ts"

const DIGEST = `sha256:${"0".repeat(64)}`

/** A file that enables plugins of these names. */
const enabling = (...names: ReadonlyArray<string>) =>
  `[plugins]\nenabled = [${names
    .map((name) => `\n{ package = "p", id = "project:${name}", version = "1.0.0", digest = "${DIGEST}" },`)
    .join("")}]\n`

/** A look passes: a quarter of a second, and the system's answers to it and to reading the file. */
const passed = Effect.andThen(
  TestClock.adjust(250),
  Effect.promise(async () => {
    for (let turn = 0; turn < 64; turn++) await Fs.promises.stat("/")
  })
)

const pass = (looks: number) => Effect.forEach(Array.from({ length: looks }), () => passed, { discard: true })

/** Follows a file; `told` has the names that it enables, or what is wrong, each time that something was told. */
const following = (file: string) =>
  Effect.gen(function* () {
    const told: Array<ReadonlyArray<string>> = []
    yield* Effect.forkScoped(
      Stream.runForEach(HostFile.follow(file), (found) =>
        Effect.sync(() =>
          told.push(
            Result.isSuccess(found)
              ? found.success.entries.map(({ enablement }) => enablement.id.replace("project:", ""))
              : found.failure.problems.map(({ message }) => message)
          )
        )
      ),
      { startImmediately: true }
    )
    yield* pass(1)
    return told
  })

type Replace = (root: string, content: string) => void

const at = (root: string, ...names: ReadonlyArray<string>) => Path.join(root, ...names)

/** How editors, tools and cluster managers replace a file. */
const WAYS: ReadonlyArray<readonly [way: string, replace: Replace]> = [
  ["written in place", (root, content) => Fs.writeFileSync(at(root, "host.toml"), content)],
  [
    "renamed over",
    (root, content) => {
      Fs.writeFileSync(at(root, ".new"), content)
      Fs.renameSync(at(root, ".new"), at(root, "host.toml"))
    }
  ],
  [
    "as vim does it",
    (root, content) => {
      Fs.renameSync(at(root, "host.toml"), at(root, "host.toml~"))
      Fs.writeFileSync(at(root, "host.toml"), content)
      Fs.unlinkSync(at(root, "host.toml~"))
    }
  ],
  [
    "removed first",
    (root, content) => {
      Fs.unlinkSync(at(root, "host.toml"))
      Fs.writeFileSync(at(root, "host.toml"), content)
    }
  ],
  [
    "behind links, as a ConfigMap",
    (root, content) => {
      const made = Fs.mkdtempSync(at(root, "..data-"))
      Fs.writeFileSync(at(made, "host.toml"), content)
      Fs.symlinkSync(made, at(root, "..next"))
      Fs.renameSync(at(root, "..next"), at(root, "..data"))
      if (!Fs.lstatSync(at(root, "host.toml")).isSymbolicLink()) {
        Fs.unlinkSync(at(root, "host.toml"))
        Fs.symlinkSync("..data/host.toml", at(root, "host.toml"))
      }
    }
  ]
]

describe("HostFile.follow", () => {
  it.effect.each(WAYS)(
    "tells what a file says at once, and once for each time that it is replaced: %s",
    ([, replace]) =>
      Effect.gen(function* () {
        const root = yield* folder
        Fs.writeFileSync(at(root, "host.toml"), enabling("a"))
        const told = yield* following(at(root, "host.toml"))
        assert.deepStrictEqual(told, [["a"]])
        // The second time is what many watchers miss.
        for (const name of ["b", "c", "d"]) {
          replace(root, enabling(name))
          yield* pass(2)
          assert.notDeepEqual(told.at(-1), [name])
          yield* pass(4)
          assert.deepStrictEqual(told.at(-1), [name])
        }
        yield* pass(8)
        assert.deepStrictEqual(told, [["a"], ["b"], ["c"], ["d"]])
      })
  )

  it.effect("tells nothing of a file that is touched, or written again as it is", () =>
    Effect.gen(function* () {
      const root = yield* folder
      Fs.writeFileSync(at(root, "host.toml"), enabling("a"))
      const told = yield* following(at(root, "host.toml"))
      for (const [, replace] of WAYS) {
        replace(root, enabling("a"))
        yield* pass(5)
      }
      Fs.utimesSync(at(root, "host.toml"), 1, 1)
      yield* pass(5)
      assert.deepStrictEqual(told, [["a"]])
    })
  )

  it.effect("waits for who writes piece by piece, and tells of no piece", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const file = at(root, "host.toml")
      Fs.writeFileSync(file, enabling("a", "b"))
      const told = yield* following(file)
      const content = enabling("a", "b", "c")
      Fs.writeFileSync(file, "")
      for (let end = 0; end < content.length; end += 20) {
        Fs.appendFileSync(file, content.slice(end, end + 20))
        yield* pass(1)
      }
      assert.deepStrictEqual(told, [["a", "b"]])
      yield* pass(4)
      assert.deepStrictEqual(told, [
        ["a", "b"],
        ["a", "b", "c"]
      ])
    })
  )

  it.effect("tells of no prefix of a file, wherever it stood for less than half a second", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const file = at(root, "host.toml")
      Fs.writeFileSync(file, enabling("a", "b"))
      const told = yield* following(file)
      const content = enabling("c")
      for (let end = 0; end <= content.length; end++) {
        Fs.writeFileSync(file, content.slice(0, end))
        yield* pass(1)
      }
      assert.deepStrictEqual(told, [["a", "b"]])
      yield* pass(3)
      assert.deepStrictEqual(told, [["a", "b"], ["c"]])
    })
  )

  it.effect("makes one of 20 saves in 2 seconds", () =>
    Effect.gen(function* () {
      const root = yield* folder
      Fs.writeFileSync(at(root, "host.toml"), enabling("a"))
      const told = yield* following(at(root, "host.toml"))
      for (let save = 0; save < 20; save++) {
        WAYS[save % 4]?.[1](root, enabling(`save-${save}`))
        if (save % 3 === 2) yield* pass(1)
      }
      yield* pass(6)
      assert.deepStrictEqual(told, [["a"], ["save-19"]])
    })
  )

  it.effect("tells that a file is of no use, each time that it is another one, and what it says once it is again", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const file = at(root, "host.toml")
      const told = yield* following(file)
      Fs.writeFileSync(file, enabling("a"))
      yield* pass(5)
      Fs.writeFileSync(file, "[plugins")
      yield* pass(5)
      Fs.unlinkSync(file)
      yield* pass(5)
      Fs.writeFileSync(file, enabling("a"))
      yield* pass(5)
      const missing = "Expected a file that can be read: ENOENT"
      assert.deepStrictEqual(
        told.map((each) => each[0]?.replace(/TOML:.*/, "TOML")),
        [missing, "a", "Expected TOML", missing, "a"]
      )
    })
  )

  it.live("says of a file that is in no folder any more that a mount shows the old one", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const file = at(root, "host.toml")
      Fs.writeFileSync(file, enabling("a"))
      const fd = yield* Effect.acquireRelease(
        Effect.sync(() => Fs.openSync(file, "r")),
        (opened) => Effect.sync(() => Fs.closeSync(opened))
      )
      const shown = `/proc/self/fd/${fd}`
      assert.deepStrictEqual((yield* HostFile.read(shown)).problems, [])
      Fs.unlinkSync(file)
      const { entries, problems } = yield* HostFile.read(shown)
      assert.strictEqual(entries.length, 1)
      assert.match(
        problems.map(Wire.formatProblem).join(),
        /^\/proc\/self\/fd\/\d+: Expected a file that is in a folder still: /
      )
    })
  )
})
