import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Contents from "../../../src/cli/internal/contents.ts"
import { folderLook } from "../../../src/cli/internal/folderLook.ts"
import { isPassing } from "../../../src/cli/internal/passing.ts"
import { PackageUnreadable } from "../../../src/manifest/ManifestError.ts"
import { folder } from "../support/files.ts"

const SAME_FOR_MS = 200
const LOOK_EVERY_MS = 50

/** A folder of one content, and who follows it: when which content was told. */
const followed = Effect.gen(function* () {
  const disk = { content: "a", look: 0, reads: 0 }
  const told: Array<{ readonly at: number; readonly content: string }> = []
  let now = 0
  const contents = yield* Contents.make({
    look: Effect.sync(() => String(disk.look)),
    read: Effect.sync(() => {
      disk.reads++
      const { content } = disk
      return content === "unreadable"
        ? Result.fail(new PackageUnreadable({ problem: "EACCES" }))
        : Result.succeed({ files: [], digest: content, suspects: [] })
    })
  })
  const keyOf = Result.match({ onFailure: () => "unreadable", onSuccess: ({ digest }: { digest: string }) => digest })
  const following = Effect.forever(
    Effect.map(contents.next, (content) => void told.push({ at: now, content: keyOf(content) }))
  )
  const fiber = yield* Effect.forkScoped(following, { startImmediately: true })
  const pass = (ms: number) =>
    Effect.gen(function* () {
      // So that each is told at a time that is known.
      for (let left = ms; left > 0; left--) {
        now++
        yield* TestClock.adjust(1)
      }
    })
  return { contents, disk, told, pass, now: () => now, stop: Fiber.interrupt(fiber) }
})

const shownOf = (content: Contents.Content) =>
  Result.isSuccess(content) ? content.success.digest : content.failure.message

const Step = Schema.Struct({
  content: Schema.Literals(["a", "b", "c", "unreadable"]),
  // At least one look sees it.
  ms: Schema.Int.check(Schema.isBetween({ minimum: LOOK_EVERY_MS + 1, maximum: 450 }))
})

describe("the content of a folder", () => {
  it.effect.prop(
    "is told once it is another and has stayed so, whatever is written in between, and in the end",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(12)) },
    ({ steps }) =>
      Effect.gen(function* () {
        const { disk, now, pass, stop, told } = yield* followed
        yield* TestClock.adjust(0)
        assert.deepStrictEqual(told, [{ at: 0, content: "a" }])
        /** From when on there was which content. */
        const history = [{ from: 0, content: "a" }]
        for (const { content, ms } of steps) {
          disk.content = content
          disk.look++
          // The same bytes again are no change, and make nobody wait.
          if (history.at(-1)?.content !== content) history.push({ from: now(), content })
          yield* pass(ms)
        }
        yield* pass(SAME_FOR_MS + 3 * LOOK_EVERY_MS)
        yield* stop
        assert.strictEqual(told.at(-1)?.content, disk.content)
        for (const [index, { at, content }] of told.entries()) {
          if (index > 0) assert.notStrictEqual(told[index - 1]?.content, content)
          const was = history.findLast(({ from }, nth) => from < at || nth === 0)
          assert.strictEqual(was?.content, content)
          if (index > 0) assert.isAtLeast(at - (was?.from ?? 0), SAME_FOR_MS)
        }
        // What stayed long enough was told in time, unless it had been told.
        for (const [index, { content, from }] of history.entries()) {
          const until = history[index + 1]?.from ?? now()
          const latest = from + SAME_FOR_MS + 2 * LOOK_EVERY_MS
          const before = told.findLast(({ at }) => at <= from)
          if (until <= latest || before?.content === content) continue
          assert.isTrue(told.some((each) => each.content === content && each.at > from && each.at <= latest))
        }
      }).pipe(Effect.scoped)
  )

  it.effect("is not read while the folder looks the same", () =>
    Effect.gen(function* () {
      const { disk, pass } = yield* followed
      yield* pass(1000)
      const { reads } = disk
      yield* pass(5000)
      assert.strictEqual(disk.reads, reads)
    }).pipe(Effect.scoped)
  )

  it.effect("is told though it was written again within the same tick of the file system's clock", () =>
    Effect.gen(function* () {
      const { disk, pass, told } = yield* followed
      yield* pass(1000)
      disk.look++
      yield* pass(LOOK_EVERY_MS)
      // It was read as it was, and now is another that looks the same.
      disk.content = "b"
      yield* pass(SAME_FOR_MS + SAME_FOR_MS + 2 * LOOK_EVERY_MS)
      assert.deepStrictEqual(told.at(-1)?.content, "b")
    }).pipe(Effect.scoped)
  )

  it.effect("is no change where whoever asks has made it himself, and is one where it becomes what it was", () =>
    Effect.gen(function* () {
      const { contents, disk, pass, told } = yield* followed
      contents.know("b")
      disk.content = "b"
      disk.look++
      yield* pass(1000)
      assert.strictEqual(told.length, 1)
      disk.content = "a"
      disk.look++
      yield* pass(1000)
      assert.deepStrictEqual(
        told.map(({ content }) => content),
        ["a", "a"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("is that it doesn't answer once a look has taken as long as a start may, and what it is once it does", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const looks: Array<(look: string) => void> = []
      const silent = Contents.patient(
        {
          look: () => new Promise((resolve) => looks.push(resolve)),
          read: Effect.succeed(Result.succeed({ files: [], digest: "a", suspects: [] }))
        },
        5000
      )
      const contents = yield* Contents.make(silent)
      yield* Effect.forkScoped(
        Effect.forever(Effect.map(contents.next, (content) => void told.push(shownOf(content)))),
        {
          startImmediately: true
        }
      )
      yield* TestClock.adjust(4999)
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(told, ["the package can't be read: no answer within 5000 ms"])
      yield* TestClock.adjust(60_000)
      assert.deepStrictEqual([told.length, looks.length], [1, 1])
      const answer = Effect.gen(function* () {
        for (const resolve of looks.splice(0)) resolve("x")
        yield* Effect.promise(() => Promise.resolve())
        yield* TestClock.adjust(LOOK_EVERY_MS)
      })
      for (let look = 0; look < 8; look++) yield* answer
      assert.deepStrictEqual(told.slice(1), ["a"])
      // And so it is where it falls silent later.
      yield* TestClock.adjust(LOOK_EVERY_MS + 5000 + SAME_FOR_MS + LOOK_EVERY_MS * 3)
      assert.strictEqual(told.at(-1), "the package can't be read: no answer within 5000 ms")
      assert.strictEqual(looks.length, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("is told of though something touches the folder all the time", () =>
    Effect.gen(function* () {
      const { disk, pass, told } = yield* followed
      disk.content = "b"
      for (let nth = 0; nth < 10; nth++) {
        disk.look++
        yield* pass(LOOK_EVERY_MS)
      }
      assert.strictEqual(told.at(-1)?.content, "b")
    }).pipe(Effect.scoped)
  )
})

describe("the look of a folder", () => {
  it.live("is another one after each way to change a file, and the same after what passes", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const [file, inner] = [path.join(root, "a"), path.join(root, "b/c")]
      fs.writeFileSync(file, "1")
      fs.mkdirSync(path.dirname(inner))
      const look = Effect.promise(() => folderLook(root))
      const ways: ReadonlyArray<() => void> = [
        () => fs.writeFileSync(file, "22"),
        () => fs.renameSync(file, `${file}2`),
        () => fs.writeFileSync(inner, ""),
        () => fs.chmodSync(inner, 0o600),
        () => fs.renameSync(inner, `${inner}2`),
        () => fs.symlinkSync("nowhere", path.join(root, "link")),
        () => fs.rmSync(path.join(root, "b"), { recursive: true }),
        () => fs.renameSync(root, `${root}.away`),
        () => fs.renameSync(`${root}.away`, root)
      ]
      for (const way of ways) {
        const before = yield* look
        way()
        assert.notStrictEqual(yield* look, before)
        assert.strictEqual(yield* look, yield* look)
      }
      const before = yield* look
      fs.mkdirSync(path.join(root, "c"))
      const with_ = yield* look
      fs.writeFileSync(path.join(root, "c/.x.swp"), "")
      assert.strictEqual(yield* look, with_)
      fs.rmSync(path.join(root, "c"), { recursive: true })
      // Of the folder itself its time counts, of those in it nothing does.
      assert.strictEqual((yield* look).split("\n").length, before.split("\n").length)
    }).pipe(Effect.scoped)
  )
})

describe("what passes", () => {
  it.for([
    ".plugin.js.swp",
    ".plugin.js.swo",
    ".swp",
    "plugin.js~",
    ".#plugin.js",
    "#plugin.js#",
    ".DS_Store",
    "Thumbs.db",
    ".plugin.js.kate-swp",
    ".~lock.a.csv#",
    "a\n~"
  ])("has a name like %j", (name) => assert.isTrue(isPassing(name)))

  it.for([
    "plugin.js",
    ".gitattributes",
    "plugin.swp",
    "a~b",
    "#x",
    "x#",
    ".swatch",
    ".env",
    "4913",
    ".x.swap",
    "thumbs"
  ])("has no name like %j", (name) => assert.isFalse(isPassing(name)))
})
