/** `mooring new` as somebody types it for the first time. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { folder } from "./support/files.ts"
import { mooring } from "./support/program.ts"
import { running } from "./support/running.ts"

/** The commands that it says to type next: each an indented line. */
const commandsIn = (stdout: string) =>
  stdout.split("\n").flatMap((line) => (line.startsWith("  mooring ") ? [line.slice("  mooring ".length)] : []))

/** The arguments that a shell makes of a command. */
const typed = (command: string) =>
  String(execFileSync("bash", ["-c", `printf '%s\\0' ${command}`]))
    .split("\0")
    .slice(0, -1)

const made = (given: ReadonlyArray<string>, cwd: string) => mooring(["new", ...given], { cwd })

const BY_NAME: ReadonlyArray<readonly [given: string, isTypeScript: boolean, id: string]> = [
  ["My Bot", false, "my-bot"],
  ["\u00dcn\u00efcode", true, "n-code"],
  ["-x", false, "x"],
  [".", true, "in-here"],
  ["it's $(touch pwned)\n", false, "it-s---touch-pwned--"],
  ["deep/er/Echo/", false, "echo"]
]

describe("mooring new", () => {
  it.live.each(BY_NAME)(
    "%j: what it says to type next works in a shell, and the plugin runs",
    ([given, isTypeScript, id]) =>
      Effect.gen(function* () {
        const above = yield* folder
        const cwd = path.join(above, "in here")
        fs.mkdirSync(cwd)
        const flags = isTypeScript ? ["--typescript"] : []
        const { code, stderr, stdout } = yield* made([...flags, "--", given], cwd)
        assert.deepStrictEqual([code, stderr], [0, ""])
        const root = path.resolve(cwd, given)
        assert.deepStrictEqual(
          fs.readdirSync(root).toSorted(),
          isTypeScript
            ? [".gitattributes", "plugin.js", "plugin.toml", "plugin.ts", "tsconfig.json"]
            : [".gitattributes", "plugin.js", "plugin.toml"]
        )
        const host = path.join(path.dirname(root), "host.toml")
        assert.isTrue(fs.existsSync(host))
        const [demo = "", dev = "", check = "", run = ""] = commandsIn(stdout).map(typed)
        assert.deepStrictEqual(demo, ["demo"])
        assert.deepStrictEqual([dev[0], path.resolve(cwd, dev[1] ?? "")], ["dev", root])
        assert.deepStrictEqual([run[0], path.resolve(cwd, run[1] ?? "")], ["run", host])
        const checked = yield* mooring([...check], { cwd })
        assert.strictEqual(checked.code, 0, checked.stdout)
        assert.include(checked.stdout, `project:${id} would start`)
        const { ended, child, seen } = yield* running(host)
        const status = yield* seen("a plugin that runs", ({ plugins }) => plugins[0]?.lifecycle === "running")
        assert.strictEqual(status.plugins[0]?.pluginRef, `project:${id}`)
        assert.deepStrictEqual(status.host.config.problems, [])
        child.kill("SIGTERM")
        assert.strictEqual((yield* ended).code, 0)
        assert.isFalse(fs.existsSync(path.join(cwd, "pwned")))
      }).pipe(Effect.scoped)
  )

  it.live("writes over nothing: ends with 3, names what is in the way, and leaves everything as it was", () =>
    Effect.gen(function* () {
      const above = yield* folder
      const root = path.join(above, "echo")
      const inTheWay: ReadonlyArray<readonly [name: string, put: (file: string) => void]> = [
        ["plugin.js", (file) => fs.writeFileSync(file, "mine")],
        ["plugin.toml", (file) => fs.mkdirSync(file)],
        [".gitattributes", (file) => fs.symlinkSync("/nowhere", file)]
      ]
      for (const [name, put] of inTheWay) {
        fs.mkdirSync(root)
        put(path.join(root, name))
        const { code, stderr, stdout } = yield* made(["echo"], above)
        assert.deepStrictEqual([code, stdout], [3, ""])
        assert.strictEqual(stderr, `mooring: ${path.join(root, name)}: something is there already\n`)
        assert.deepStrictEqual(fs.readdirSync(root), [name])
        fs.rmSync(root, { recursive: true })
      }
      fs.writeFileSync(root, "a file")
      const { code, stderr } = yield* made(["echo"], above)
      assert.deepStrictEqual([code, stderr], [3, `mooring: ${root}: something is there already\n`])
      const under = yield* made(["echo/er"], above)
      assert.deepStrictEqual([under.code, under.stdout], [3, ""])
      assert.deepStrictEqual(fs.readdirSync(above), ["echo"])
    }).pipe(Effect.scoped)
  )

  it.live("leaves a host file that is there as it is, a broken link too, and says so", () =>
    Effect.gen(function* () {
      const above = yield* folder
      const host = path.join(above, "host.toml")
      fs.symlinkSync("/nowhere/host.toml", host)
      const { code, stdout } = yield* made(["echo"], above)
      assert.strictEqual(code, 0)
      assert.include(stdout, "host.toml was there and is as it was: mooring check prints the entry")
      assert.strictEqual(fs.readlinkSync(host), "/nowhere/host.toml")
    }).pipe(Effect.scoped)
  )

  it.live("makes nothing in a folder that would be no package with it, like a repository's", () =>
    Effect.gen(function* () {
      const above = yield* folder
      fs.mkdirSync(path.join(above, "echo/.git"), { recursive: true })
      const { code, stderr } = yield* made(["echo"], above)
      assert.strictEqual(code, 3)
      assert.include(stderr, "it would be no package: ")
      assert.include(stderr, "it has a .git, which belongs to no package")
      assert.deepStrictEqual([fs.readdirSync(above), fs.readdirSync(path.join(above, "echo"))], [["echo"], [".git"]])
    }).pipe(Effect.scoped)
  )

  it.live("takes no name for nothing, and the root for no folder with a name", () =>
    Effect.gen(function* () {
      const above = yield* folder
      const none = yield* made([""], above)
      assert.deepStrictEqual([none.code, none.stdout], [2, ""])
      const root = yield* made(["/"], above)
      assert.deepStrictEqual(
        [root.code, root.stdout, root.stderr],
        [3, "", "mooring: /: Expected a folder with a name\n"]
      )
      assert.deepStrictEqual(fs.readdirSync(above), [])
    }).pipe(Effect.scoped)
  )

  it.live("pins what other files there are already, hidden ones too", () =>
    Effect.gen(function* () {
      const above = yield* folder
      fs.mkdirSync(path.join(above, "echo"))
      fs.writeFileSync(path.join(above, "echo/.hidden"), "")
      fs.writeFileSync(path.join(above, "echo/README.md"), "")
      assert.strictEqual((yield* made(["echo"], above)).code, 0)
      const checked = yield* mooring(["check", path.join(above, "host.toml")])
      assert.strictEqual(checked.code, 0, checked.stdout)
    }).pipe(Effect.scoped)
  )
})
