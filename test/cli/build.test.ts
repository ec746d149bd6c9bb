/** `mooring build` as people and their scripts run it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { type Files, packageOf } from "../node/support/packages.ts"
import { mooring } from "./support/program.ts"

const TYPED = "export const handleIngress = (name: string): object => ({ name })\n"
const UNTYPED = "export const handleIngress = (name        )         => ({ name })\n"

const built = (files: Files) =>
  Effect.gen(function* () {
    const root = yield* packageOf(files)
    const ended = yield* mooring(["build", root])
    return { ...ended, stderr: ended.stderr.replaceAll(root, "echo"), root, js: path.join(root, "plugin.js") }
  })

describe("mooring build", () => {
  it.live("writes plugin.js from plugin.ts with everything where it stood, and says so without Node's warning", () =>
    Effect.gen(function* () {
      const { code, js, root, stderr, stdout } = yield* built({ "plugin.ts": TYPED })
      assert.deepStrictEqual([code, stdout, stderr], [0, "", "echo/plugin.js written\n"])
      assert.strictEqual(fs.readFileSync(js, "utf8"), UNTYPED)
      assert.deepStrictEqual(fs.readdirSync(root).toSorted(), ["plugin.js", "plugin.ts"])
    }).pipe(Effect.scoped)
  )

  it.live("doesn't write the same again, and puts another in its place at once", () =>
    Effect.gen(function* () {
      const { js, root } = yield* built({ "plugin.ts": TYPED })
      const before = fs.statSync(js, { bigint: true })
      const again = yield* mooring(["build", root])
      assert.deepStrictEqual([again.code, again.stdout], [0, ""])
      const after = fs.statSync(js, { bigint: true })
      assert.deepStrictEqual([after.ino, after.ctimeNs], [before.ino, before.ctimeNs])
      // Whoever has the old one open reads it to its end.
      const reader = fs.openSync(js, "r")
      fs.writeFileSync(path.join(root, "plugin.ts"), `${TYPED}// more\n`)
      assert.strictEqual((yield* mooring(["build", root])).code, 0)
      assert.strictEqual(fs.readFileSync(reader, "utf8"), UNTYPED)
      fs.closeSync(reader)
      assert.strictEqual(fs.readFileSync(js, "utf8"), `${UNTYPED}// more\n`)
    }).pipe(Effect.scoped)
  )

  it.live("ends with 3, and leaves plugin.js as it is, where plugin.ts can't be stripped, and says where", () =>
    Effect.gen(function* () {
      const files = { "plugin.js": UNTYPED, "plugin.ts": `${TYPED}\nenum Kind {\n  a\n}\n` }
      const { code, js, stderr, stdout } = yield* built(files)
      assert.deepStrictEqual([code, stdout], [3, ""])
      assert.strictEqual(stderr, "mooring: echo/plugin.ts:3:1: TypeScript enum is not supported in strip-only mode\n")
      assert.strictEqual(fs.readFileSync(js, "utf8"), UNTYPED)
    }).pipe(Effect.scoped)
  )

  it.live("ends with 3 where plugin.ts is missing, a folder, a pipe or not UTF-8", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [Files, string]> = [
        [{}, "there is none"],
        [{ "plugin.ts/x": "" }, "it is not a regular file"],
        [{ "plugin.ts": Uint8Array.of(0xff) }, "it is not UTF-8"]
      ]
      for (const [files, reason] of cases) {
        const { code, stderr, stdout } = yield* built(files)
        assert.deepStrictEqual([code, stdout, stderr], [3, "", `mooring: echo/plugin.ts: ${reason}\n`])
      }
    }).pipe(Effect.scoped)
  )

  it.live("ends with 3, and leaves nothing behind, where plugin.js can't be replaced", () =>
    Effect.gen(function* () {
      const { code, root, stderr } = yield* built({ "plugin.ts": TYPED, "plugin.js/x": "" })
      assert.strictEqual(code, 3)
      assert.match(stderr, /^mooring: echo\/plugin\.js: it can't be written: E\w+\n$/)
      assert.deepStrictEqual(fs.readdirSync(root).toSorted(), ["plugin.js", "plugin.ts"])
    }).pipe(Effect.scoped)
  )
})
