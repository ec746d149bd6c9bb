import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import { assertLogLines, mooring } from "./support/program.ts"

describe("mooring", () => {
  for (const args of [
    [],
    ["bogus"],
    ["demo", "--bogus"],
    ["demo", "extra"],
    ["demo", "--interval", "5x"],
    ["demo", "--interval", "0s"],
    ["demo", "--for", "-1s"],
    ["demo", "--port", "65536"],
    ["schema"],
    ["run"],
    ["run", "host.toml", "--log-level", "loud"],
    ["run", "host.toml", "--console", "echo"],
    ["schema", "nothing"],
    ["check"],
    ["check", "a", "b"],
    ["check", "a", "--yaml"],
    ["digest"],
    ["digest", "a", "b"],
    ["digest", "a", "--files=maybe"]
  ]) {
    it.live(`prints usage on stderr and exits with 2: mooring ${args.join(" ")}`, () =>
      Effect.gen(function* () {
        const { code, stderr, stdout } = yield* mooring(args)
        assert.strictEqual(code, 2)
        assert.strictEqual(stdout, "")
        assert.include(stderr, "USAGE")
      })
    )
  }

  for (const args of [["--help"], ["--version"], ["--completions", "bash"]]) {
    it.live(`prints on stdout, and nothing on stderr: mooring ${args.join(" ")}`, () =>
      Effect.gen(function* () {
        const { code, stderr, stdout } = yield* mooring(args)
        assert.strictEqual(code, 0)
        assert.notStrictEqual(stdout, "")
        assert.strictEqual(stderr, "")
      })
    )
  }

  for (const name of ["manifest", "host", "event", "output", "status", "check"]) {
    it.live(`prints the JSON Schema of ${name}, whose references resolve`, () =>
      Effect.gen(function* () {
        const { code, stdout } = yield* mooring(["schema", name])
        assert.strictEqual(code, 0)
        const schema = JSON.parse(stdout) as { readonly $defs: object }
        for (const [, reference = ""] of stdout.matchAll(/"#\/\$defs\/([^"]+)"/g)) {
          assert.isTrue(Object.hasOwn(schema.$defs, reference), reference)
        }
      })
    )
  }

  it.live("exits with 1 where what was asked for can't be written", () =>
    Effect.gen(function* () {
      const full = yield* Effect.acquireRelease(
        Effect.sync(() => fs.openSync("/dev/full", "w")),
        (fd) => Effect.sync(() => fs.closeSync(fd))
      )
      for (const args of [["schema", "status"], ["--help"], ["--version"]]) {
        const { code, stderr } = yield* mooring(args, { stdio: ["ignore", full, "pipe"] })
        assert.strictEqual(code, 1)
        assert.strictEqual(stderr, "mooring: stdout can't be written: ENOSPC\n")
      }
    }).pipe(Effect.scoped)
  )

  it.live("writes what Node warns of to its log, also where stderr can't be written", () =>
    Effect.gen(function* () {
      const args = ["demo", "--port", "0", "--json", "--for", "100ms"]
      const { code, stderr } = yield* mooring(args, { require: ["warning.cjs"] })
      assert.strictEqual(code, 0)
      assertLogLines(stderr)
      assert.match(stderr, /WARN +ExampleWarning: what\ufffdever\n/)
      const full = yield* Effect.acquireRelease(
        Effect.sync(() => fs.openSync("/dev/full", "w")),
        (fd) => Effect.sync(() => fs.closeSync(fd))
      )
      const silent = yield* mooring(args, { require: ["warning.cjs"], stdio: ["ignore", "pipe", full] })
      assert.strictEqual(silent.code, 0)
    }).pipe(Effect.scoped)
  )

  it.live("says which Node it needs to an older one, exits with 2 and loads nothing", () =>
    Effect.gen(function* () {
      const ended = yield* mooring(["--version"], { require: ["oldNode.cjs"] })
      assert.deepStrictEqual(ended, {
        code: 2,
        signal: null,
        stdout: "",
        stderr: "mooring needs Node 22.19 or later, and this is 22.18.9\n"
      })
      const { engines } = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
        readonly engines: { readonly node: string }
      }
      assert.strictEqual(engines.node, ">=22.19")
    })
  )
})
