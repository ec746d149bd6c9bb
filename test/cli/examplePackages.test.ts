/** The example packages that the demo runs, as they are here and as npm ships them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { PackageFolders } from "mooring/node"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "./support/files.ts"
import { mooring } from "./support/program.ts"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))
const EXAMPLES = path.join(ROOT, "docs", "examples")

const names = fs
  .readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && fs.existsSync(path.join(EXAMPLES, entry.name, "plugin.toml")))
  .map(({ name }) => name)

const digestOf = (root: string) =>
  Effect.map(
    Effect.flatMap(PackageFolders.PackageFolders, ({ read }) => read(root, 20_000)),
    ({ digest }) => digest
  ).pipe(Effect.provide(PackageFolders.layer))

describe("the example packages", () => {
  it("have no hidden file, which npm would leave out", () => {
    assert.deepStrictEqual(names, ["burst", "chat-bot", "crash", "echo", "exchange-feed", "loop", "stray", "tally"])
    for (const name of names) {
      assert.deepStrictEqual(fs.readdirSync(path.join(EXAMPLES, name)).toSorted(), ["plugin.js", "plugin.toml"])
    }
  })

  for (const name of names) {
    it.live(`${name} has nothing wrong with it`, () =>
      Effect.gen(function* () {
        const { code, stdout } = yield* mooring(["check", path.join(EXAMPLES, name), "--json"])
        assert.strictEqual(code, 0, stdout)
        assert.deepStrictEqual(JSON.parse(stdout).problems, [])
      })
    )
  }

  for (const file of fs.readdirSync(EXAMPLES).filter((name) => name.endsWith(".host.toml"))) {
    it.live(`${file} enables its package as it is`, () =>
      Effect.gen(function* () {
        const { code, stdout } = yield* mooring(["check", path.join(EXAMPLES, file), "--without-secrets", "--json"])
        assert.strictEqual(code, 0, stdout)
        const { ok, plugins, problems } = JSON.parse(stdout)
        assert.deepStrictEqual([ok, problems, plugins.length], [true, [], 1])
      })
    )
  }

  it.live("have the same digests once npm has packed them", () =>
    Effect.gen(function* () {
      const to = yield* folder
      const args = ["pack", "--ignore-scripts", "--silent", "--pack-destination", to]
      const packed = spawnSync("npm", args, { cwd: ROOT, encoding: "utf8" })
      const [name = ""] = fs.readdirSync(to)
      assert.match(name, /^mooring-.*\.tgz$/, packed.stderr)
      const unpacked = spawnSync("tar", ["-xzf", path.join(to, name), "-C", to], { encoding: "utf8" })
      assert.strictEqual(unpacked.status, 0, unpacked.stderr)
      for (const each of names) {
        const shipped = path.join(to, "package", "docs", "examples", each)
        assert.strictEqual(yield* digestOf(shipped), yield* digestOf(path.join(EXAMPLES, each)), each)
      }
    }).pipe(Effect.scoped)
  )
})
