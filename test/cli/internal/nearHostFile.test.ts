import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { placeOf } from "../../../src/cli/internal/nearHostFile.ts"
import { list, oneOf } from "../../support/arbitraries.ts"
import { folder } from "../support/files.ts"

const FOLDERS = [".", "a", "a/b", "a/b/p", "c", "c/d"] as const

const placeIn = (root: string, cwd: string, typed: string) => Effect.promise(() => placeOf(typed, path.join(root, cwd)))

const laidOut = (root: string, hostFiles: ReadonlyArray<string>) => {
  for (const name of FOLDERS) fs.mkdirSync(path.join(root, name), { recursive: true })
  for (const name of hostFiles) fs.writeFileSync(path.join(root, name, "host.toml"), "")
}

it.effect.prop(
  "the path of a package leads there from the host file that is named, wherever it is typed",
  { hostFiles: list(oneOf(...FOLDERS), 0, 3), cwd: oneOf(...FOLDERS), isAbsolute: oneOf(true, false) },
  ({ cwd, hostFiles, isAbsolute }) =>
    Effect.gen(function* () {
      const root = fs.realpathSync(yield* folder)
      laidOut(root, hostFiles)
      const here = path.join(root, cwd)
      const there = path.join(root, "a/b/p")
      const found = yield* placeIn(root, cwd, isAbsolute ? there : path.relative(here, there) || ".")
      const from = found.hostFile === undefined ? "/" : path.dirname(path.resolve(here, found.hostFile))
      assert.strictEqual(path.resolve(from, found.path), there)
      assert.strictEqual(path.isAbsolute(found.path), found.hostFile === undefined)
      if (found.hostFile !== undefined) assert.isTrue(fs.existsSync(path.resolve(here, found.hostFile)))
    }).pipe(Effect.scoped)
)

it.live(
  "the host file is the nearest above the package up to where somebody stands, else the one where he stands",
  () =>
    Effect.gen(function* () {
      const root = yield* folder
      laidOut(root, [".", "a", "c", "a/b/p"])
      assert.deepStrictEqual(yield* placeIn(root, ".", "a/b/p"), { path: "./b/p", hostFile: "a/host.toml" })
      assert.deepStrictEqual(yield* placeIn(root, "a", "b/p/"), { path: "./b/p", hostFile: "host.toml" })
      assert.deepStrictEqual(yield* placeIn(root, "c", "../a/b/p"), { path: "../a/b/p", hostFile: "host.toml" })
      fs.writeFileSync(path.join(root, "a/b/host.toml"), "")
      assert.deepStrictEqual(yield* placeIn(root, "c", "../a/b/p"), { path: "./p", hostFile: "../a/b/host.toml" })
      assert.deepStrictEqual(yield* placeIn(root, "a/b/p", "."), { path: "./p", hostFile: "../host.toml" })
      assert.deepStrictEqual(yield* placeIn(root, "c/d", root), { path: root, hostFile: undefined })
    }).pipe(Effect.scoped)
)
