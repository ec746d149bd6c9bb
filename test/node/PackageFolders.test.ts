import { assert, describe, it } from "@effect/vitest"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import * as path from "node:path"
import { Unusable, type File } from "../../src/node/internal/packageFiles.ts"
import * as PackageFolders from "../../src/node/PackageFolders.ts"
import { folder } from "../cli/support/files.ts"
import { ECHO, packageOf, write } from "./support/packages.ts"

const read = (root: string) =>
  Effect.flatMap(PackageFolders.PackageFolders, (folders) => folders.read(root, 60_000)).pipe(
    Effect.provide(PackageFolders.layer)
  )

/** Why a folder can't be read, and what in it. */
const problemOf = (root: string) =>
  Effect.map(Effect.flip(read(root)), ({ file, problem }) => (file === undefined ? problem : `${file}: ${problem}`))

const digestOf = (root: string) => Effect.map(read(root), ({ digest }) => digest)

/** CONTRACT's digest written out once more, by another implementation of SHA-256. */
const expectedDigest = (files: Iterable<readonly [path: string, content: Uint8Array]>): string => {
  const utf8 = new TextEncoder()
  const all = [...files].map(([name, content]) => [utf8.encode(name), content] as const)
  const bytes: Array<number> = [...utf8.encode("yoi-plugin-package-digest-v1"), 0]
  for (const [name, content] of all.toSorted(([one], [other]) => Buffer.compare(one, other))) {
    const length = content.length
    bytes.push(...name, 0, 0, 0, 0, 0, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255)
    bytes.push(...sha256(content))
  }
  return `sha256:${bytesToHex(sha256(Uint8Array.from(bytes)))}`
}

/** Replaces a function of the file system for as long as a test runs. */
const patched = <Name extends "lstat" | "open">(
  name: Name,
  by: (original: (typeof fs.promises)[Name]) => (typeof fs.promises)[Name]
) => {
  const put = (value: (typeof fs.promises)[Name]) => {
    fs.promises[name] = value
    syncBuiltinESMExports()
  }
  return Effect.acquireRelease(
    Effect.sync(() => {
      const original = fs.promises[name]
      put(by(original))
      return original
    }),
    (original) => Effect.sync(() => put(original))
  )
}

/** Does something to a file each time somebody has looked at what it is, before it is opened. */
const afterLook = (file: string, act: () => void) =>
  patched(
    "lstat",
    (original) =>
      Object.assign(async (...args: Parameters<typeof original>) => {
        const found = await original(...args)
        if (String(args[0]).endsWith(file)) act()
        return found
      }) as typeof original
  )

/** Does something to a file each time somebody has asked how large it is, before it is read. */
const afterStat = (act: () => void) =>
  patched("open", (original) => async (...args) => {
    const handle = await original(...args)
    const stat = handle.stat.bind(handle)
    handle.stat = (async () => {
      const found = await stat()
      act()
      return found
    }) as typeof handle.stat
    return handle
  })

const answering = (answers: Map<string, ReadonlyArray<File>>) => (root: string) =>
  new Promise<ReadonlyArray<File>>((resolve) => {
    const files = answers.get(root)
    if (files !== undefined) resolve(files)
  })

const lateOf = (folders: PackageFolders.PackageFolders["Service"], root: string) =>
  Effect.map(Effect.result(folders.read(root, 5000)), (found) =>
    Result.isFailure(found) ? found.failure.problem : found.success.digest
  )

describe("PackageFolders", () => {
  it.live("hashes as the contract says: two files", () =>
    Effect.gen(function* () {
      const root = yield* packageOf({ "plugin.toml": "id = 1\n", "plugin.js": "export {}\n" })
      const { digest, files } = yield* read(root)
      assert.strictEqual(digest, "sha256:2279502912827ca4cfeb77ad31a9b217786533c45ec29b67e6c07437704cf654")
      assert.deepStrictEqual(
        files.map((file) => [file.path, Buffer.from(file.bytes).toString()]),
        [
          ["plugin.js", "export {}\n"],
          ["plugin.toml", "id = 1\n"]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("hashes as the contract says: folders, hidden files, line breaks and names beyond ASCII, in byte order", () =>
    Effect.gen(function* () {
      const root = yield* packageOf({
        "a/b": "",
        "a-b": "1",
        a0: "3",
        "\u{1f600}": "5",
        "\uffee": "6",
        é: "4",
        Z: "7",
        ".hidden": "8",
        "line\nbreak": "9"
      })
      const { digest, files } = yield* read(root)
      assert.deepStrictEqual(
        files.map((file) => file.path),
        [".hidden", "Z", "a-b", "a/b", "a0", "line\nbreak", "é", "\uffee", "\u{1f600}"]
      )
      assert.strictEqual(digest, "sha256:766ceee15c051aaa4948928983959c2dd19de465bd444a730d3a325b7688fef7")
    }).pipe(Effect.scoped)
  )

  it.effect.prop(
    "a digest is independent of the order of creation and depends on every byte, name and length",
    {
      names: Schema.UniqueArray(Schema.String.check(Schema.isPattern(/^[a-c.é-]{1,3}(?:~[a-c]{1,2})?$/u))).check(
        Schema.isBetweenLength(2, 6)
      ),
      contents: Schema.Array(Schema.String.check(Schema.isMaxLength(9))).check(Schema.isBetweenLength(6, 6)),
      at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
    },
    ({ at, contents, names }) =>
      Effect.gen(function* () {
        const usable = names.filter((name) => name !== "." && name !== "..")
        if (usable.length === 0) return
        const files = usable.map((name, index) => [name, Buffer.from(contents[index] ?? "")] as const)
        const one = yield* packageOf(Object.fromEntries(files))
        const other = yield* packageOf(Object.fromEntries(files.toReversed()))
        const digest = yield* digestOf(one)
        assert.strictEqual(digest, expectedDigest(files))
        assert.strictEqual(yield* digestOf(other), digest)
        const [name, content] = files[at % files.length] ?? assert.fail("no file")
        const target = path.join(one, name)
        fs.writeFileSync(target, Buffer.concat([content, Buffer.from("x")]))
        assert.notStrictEqual(yield* digestOf(one), digest)
        if (content.length > 0) {
          const changed = Buffer.from(content)
          changed.writeUInt8(changed.readUInt8(at % content.length) ^ 1, at % content.length)
          fs.writeFileSync(target, changed)
          assert.notStrictEqual(yield* digestOf(one), digest)
        }
        fs.writeFileSync(target, content)
        fs.renameSync(target, `${target}z`)
        assert.notStrictEqual(yield* digestOf(one), digest)
        fs.renameSync(`${target}z`, target)
        assert.strictEqual(yield* digestOf(one), digest)
        fs.writeFileSync(path.join(one, "zz"), "")
        assert.notStrictEqual(yield* digestOf(one), digest)
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 60 } }
  )

  it.live("reads a folder through a link to it, and an empty one", () =>
    Effect.gen(function* () {
      const root = yield* folder
      assert.strictEqual(
        yield* digestOf(root),
        "sha256:1d22f437233d2727ae9ddf72c696fb0c435349ba05498b7dbe840c25e790c3f4"
      )
      const link = path.join(yield* folder, "link")
      fs.symlinkSync(root, link)
      write(root, ECHO)
      assert.strictEqual(yield* digestOf(link), yield* digestOf(root))
    }).pipe(Effect.scoped)
  )

  it.live.each<readonly [what: string, make: (root: string) => void, problem: string]>([
    ["a link to a file", (root) => fs.symlinkSync("plugin.js", `${root}/link`), "link: a symbolic link"],
    ["a link to a folder", (root) => fs.symlinkSync(".", `${root}/link`), "link: a symbolic link"],
    ["a link that leads out", (root) => fs.symlinkSync("/etc/passwd", `${root}/link`), "link: a symbolic link"],
    ["a link to nowhere", (root) => fs.symlinkSync("nowhere", `${root}/link`), "link: a symbolic link"],
    ["a pipe", (root) => void execFileSync("mkfifo", [`${root}/pipe`]), "pipe: neither a regular file nor a folder"],
    [
      "a folder of installed packages",
      (root) => write(root, { "lib/node_modules/a/b": "" }),
      "lib/node_modules: it has a node_modules, which belongs to no package"
    ],
    ["a repository", (root) => fs.mkdirSync(`${root}/.git`), ".git: it has a .git, which belongs to no package"],
    [
      "the file of a worktree",
      (root) => write(root, { ".git": "gitdir: x" }),
      ".git: it has a .git, which belongs to no package"
    ],
    [
      "a name that is not UTF-8",
      (root) => {
        fs.mkdirSync(`${root}/lib`)
        fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/lib/`), Buffer.from([0x61, 0xff])]), "")
      },
      "lib: a name that is not UTF-8"
    ],
    [
      "1,001 files and folders",
      (root) => {
        write(root, { "lib/0": "" })
        for (let index = 4; index < 1001; index++) fs.writeFileSync(`${root}/${index}`, "")
      },
      "more than 1000 files and folders"
    ],
    [
      "16 MiB and a byte",
      (root) => write(root, { large: Buffer.alloc(16_777_217 - 40), small: Buffer.alloc(41) }),
      "more than 16777216 bytes"
    ]
  ])("refuses a folder with %s", ([, make, problem]) =>
    Effect.gen(function* () {
      const root = yield* packageOf({ "plugin.js": "", "plugin.toml": "" })
      make(root)
      assert.strictEqual(yield* problemOf(root), problem)
    }).pipe(Effect.scoped)
  )

  it.live("takes exactly 1,000 entries and exactly 16 MiB", () =>
    Effect.gen(function* () {
      const root = yield* packageOf({ "lib/large": Buffer.alloc(16_777_216) })
      for (let index = 2; index < 1000; index++) fs.writeFileSync(`${root}/${index}`, "")
      assert.strictEqual((yield* read(root)).files.length, 999)
    }).pipe(Effect.scoped)
  )

  it.live("refuses what is no folder", () =>
    Effect.gen(function* () {
      const root = yield* packageOf({ file: "" })
      assert.strictEqual(yield* problemOf(`${root}/nothing`), "ENOENT")
      assert.strictEqual(yield* problemOf(`${root}/file`), "ENOTDIR")
      execFileSync("mkfifo", [`${root}/pipe`])
      assert.strictEqual(yield* problemOf(`${root}/pipe`), "ENOTDIR")
      fs.symlinkSync("loop", `${root}/loop`)
      assert.strictEqual(yield* problemOf(`${root}/loop`), "ELOOP")
    }).pipe(Effect.scoped)
  )

  it.live.each<readonly [by: string, swap: (file: string) => void, problem: string]>([
    ["a pipe", (file) => void execFileSync("mkfifo", [file]), "plugin.js: not a regular file any more"],
    ["a link that leads out", (file) => fs.symlinkSync("/etc/passwd", file), "plugin.js: ELOOP"],
    ["a folder", (file) => fs.mkdirSync(file), "plugin.js: not a regular file any more"],
    ["nothing", () => {}, "plugin.js: ENOENT"]
  ])("refuses a file that is swapped before it is opened: by %s", ([, swap, problem]) =>
    Effect.gen(function* () {
      const root = yield* packageOf(ECHO)
      const file = path.join(root, "plugin.js")
      yield* afterLook("plugin.js", () => {
        fs.rmSync(file)
        swap(file)
      })
      assert.strictEqual(yield* problemOf(root), problem)
    }).pipe(Effect.scoped)
  )

  it.live("refuses a file that grows or shrinks while it is read", () =>
    Effect.gen(function* () {
      const root = yield* packageOf({ "plugin.js": "1234" })
      const file = path.join(root, "plugin.js")
      yield* Effect.scoped(
        Effect.andThen(
          afterStat(() => fs.appendFileSync(file, "5")),
          Effect.map(problemOf(root), (problem) => assert.strictEqual(problem, "plugin.js: it grew while it was read"))
        )
      )
      yield* afterStat(() => fs.truncateSync(file, 1))
      assert.strictEqual(yield* problemOf(root), "plugin.js: it shrank while it was read")
    }).pipe(Effect.scoped)
  )

  it.live("hashes the bytes that it hands over, whatever stands there afterwards", () =>
    Effect.gen(function* () {
      const root = yield* packageOf(ECHO)
      const { digest, files } = yield* read(root)
      write(root, { "plugin.js": "malicious()", "plugin.toml": "" })
      assert.strictEqual(expectedDigest(files.map((file) => [file.path, file.bytes])), digest)
      assert.notStrictEqual(yield* digestOf(root), digest)
    }).pipe(Effect.scoped)
  )

  it.live("suspects what desktops and editors leave, and then texts with CRLF, at most five", () =>
    Effect.gen(function* () {
      const root = yield* packageOf({
        ...ECHO,
        "a.js": "1\r\n",
        "b.bin": Buffer.from([0xff, 0x0d, 0x0a]),
        "c.bin": "1\r\n\0",
        "lib/.DS_Store": "\r\n"
      })
      assert.deepStrictEqual((yield* read(root)).suspects, ["lib/.DS_Store", "a.js"])
      write(root, { "Thumbs.db": "", "plugin.js~": "", "lib/.a.js.swp": "", "z.js": "\r\n", "a.swp": "", "x~y": "" })
      assert.deepStrictEqual((yield* read(root)).suspects, [
        "Thumbs.db",
        "lib/.DS_Store",
        "lib/.a.js.swp",
        "plugin.js~",
        "a.js"
      ])
    }).pipe(Effect.scoped)
  )

  describe("with folders that never answer", () => {
    it.effect("gives up when its time is over, and holds up no other", () =>
      Effect.gen(function* () {
        const folders = yield* PackageFolders.make(answering(new Map([["well", []]])))
        const late = yield* Effect.forkChild(lateOf(folders, "dead"))
        yield* TestClock.adjust(4999)
        assert.include(yield* lateOf(folders, "well"), "sha256:")
        assert.isUndefined(late.pollUnsafe())
        yield* TestClock.adjust(100)
        assert.strictEqual(yield* Fiber.join(late), "no answer within 5000 ms")
        // However often it is asked for again, it has one place.
        for (let times = 0; times < 10; times++) {
          assert.strictEqual(yield* lateOf(folders, "dead"), "no answer within 5000 ms")
        }
        assert.include(yield* lateOf(folders, "well"), "sha256:")
      }).pipe(Effect.scoped)
    )

    it.effect("lets those that wait for their turn have their whole time", () =>
      Effect.gen(function* () {
        const answers: Array<() => void> = []
        const folders = yield* PackageFolders.make(() => new Promise((resolve) => answers.push(() => resolve([]))))
        const reads = yield* Effect.forEach(["a", "b", "c", "d"], (root) => Effect.forkChild(lateOf(folders, root)))
        yield* TestClock.adjust(4000)
        assert.strictEqual(answers.length, 3)
        for (const answer of answers.splice(0)) answer()
        yield* Effect.promise(() => new Promise(setImmediate))
        yield* TestClock.adjust(4000)
        assert.strictEqual(answers.length, 1)
        answers[0]?.()
        for (const each of reads) assert.include(yield* Fiber.join(each), "sha256:")
      }).pipe(Effect.scoped)
    )

    it.effect("counts each reading of one folder that several ask for at once", () =>
      Effect.gen(function* () {
        const folders = yield* PackageFolders.make(answering(new Map([["well", []]])))
        const roots = ["dead", "dead", "dead", "well"]
        const reads = yield* Effect.forEach(roots, (root) => Effect.forkChild(lateOf(folders, root)))
        yield* TestClock.adjust(5100)
        assert.deepStrictEqual(yield* Effect.forEach(reads, (each) => Fiber.join(each)), [
          ...Array.from({ length: 3 }, () => "no answer within 5000 ms"),
          "too many other folders don't answer"
        ])
      }).pipe(Effect.scoped)
    )

    it.effect("lets nobody wait for a place that only such have, until one answers", () =>
      Effect.gen(function* () {
        const answers = new Map<string, () => void>()
        const folders = yield* PackageFolders.make(
          (root) =>
            new Promise((resolve) => {
              if (root === "well") resolve([])
              else answers.set(root, () => resolve([]))
            })
        )
        const reads = yield* Effect.forEach(["a", "b", "c", "d"], (root) => Effect.forkChild(lateOf(folders, root)))
        yield* TestClock.adjust(5100)
        const ends = yield* Effect.forEach(reads, (each) => Fiber.join(each))
        assert.deepStrictEqual(ends, [
          ...Array.from({ length: 3 }, () => "no answer within 5000 ms"),
          "too many other folders don't answer"
        ])
        assert.isFalse(answers.has("d"))
        assert.strictEqual(yield* lateOf(folders, "well"), "too many other folders don't answer")
        answers.get("b")?.()
        yield* Effect.promise(() => new Promise(setImmediate))
        assert.include(yield* lateOf(folders, "well"), "sha256:")
      }).pipe(Effect.scoped)
    )

    it.effect("reads one again that has answered at last", () =>
      Effect.gen(function* () {
        let answer: (() => void) | undefined
        let times = 0
        const folders = yield* PackageFolders.make(() =>
          times++ > 0 ? Promise.resolve([]) : new Promise((_, reject) => (answer = () => reject(new Unusable("EIO"))))
        )
        const late = yield* Effect.forkChild(lateOf(folders, "slow"))
        yield* TestClock.adjust(5100)
        assert.strictEqual(yield* Fiber.join(late), "no answer within 5000 ms")
        answer?.()
        yield* Effect.promise(() => new Promise(setImmediate))
        assert.include(yield* lateOf(folders, "slow"), "sha256:")
      }).pipe(Effect.scoped)
    )
  })
})
