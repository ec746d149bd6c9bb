import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HostStatus } from "mooring"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

// The built program: `npm test` builds before it tests, and a published bin runs as built JavaScript.
const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the program; `signal` is sent as soon as it has written something that contains `when`. */
const mooring = (
  args: ReadonlyArray<string>,
  signal?: { readonly name: NodeJS.Signals; readonly when: string }
): Effect.Effect<Ended> =>
  Effect.acquireUseRelease(
    Effect.sync(() => spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] })),
    (child) =>
      Effect.callback<Ended>((resume) => {
        let stdout = ""
        let stderr = ""
        let signalled = false
        const look = () => {
          if (signal === undefined || signalled || !(stdout + stderr).includes(signal.when)) return
          signalled = true
          child.kill(signal.name)
        }
        child.stdout.on("data", (chunk) => {
          stdout += String(chunk)
          look()
        })
        child.stderr.on("data", (chunk) => {
          stderr += String(chunk)
          look()
        })
        child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
      }),
    (child) => Effect.sync(() => end(child))
  )

const end = (child: ChildProcess) => {
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
}

const documents = (stdout: string) =>
  Effect.forEach(stdout.trimEnd().split("\n"), (line) =>
    Schema.decodeUnknownEffect(Schema.fromJsonString(HostStatus.HostStatus))(line)
  )

describe("mooring demo", () => {
  it.live("prints one status document a line, the last one after everything has stopped", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* mooring(["demo", "--json", "--interval", "200ms", "--for", "1500ms"])
      assert.strictEqual(code, 0)
      assert.strictEqual(stderr, "")
      const all = yield* documents(stdout)
      assert.isAtLeast(all.length, 4)
      const [echo, counter, stray] = all.at(-2)?.plugins ?? []
      assert.isAbove(echo?.websocketConnections[0]?.sentTextFrames ?? 0, 0)
      assert.isAbove(counter?.dispatchCounters.dispatched ?? 0, 0)
      assert.deepInclude(stray?.websocketConnections[0], { state: "stopped", stopReason: "grant", epoch: 0 })
      for (const plugin of all.at(-1)?.plugins ?? []) {
        assert.strictEqual(plugin.lifecycle, "stopped")
        for (const connection of plugin.websocketConnections) assert.strictEqual(connection.state, "stopped")
      }
    })
  )

  it.live("draws a table on stderr and nothing on stdout", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* mooring(["demo", "--interval", "200ms", "--for", "500ms"])
      assert.strictEqual(code, 0)
      assert.strictEqual(stdout, "")
      assert.include(stderr, "builtin:demo.echo")
      assert.include(stderr, "stopped (grant)")
      assert.notInclude(stderr, "\u001b")
    })
  )

  for (const name of ["SIGINT", "SIGTERM"] as const) {
    it.live(`closes its connections in order after ${name} and exits with 0`, () =>
      Effect.gen(function* () {
        const args = ["demo", "--json", "--interval", "100ms"]
        const { code, stderr, stdout } = yield* mooring(args, { name, when: '"open"' })
        assert.strictEqual(code, 0)
        assert.strictEqual(stderr, "")
        const last = (yield* documents(stdout)).at(-1)
        for (const { lifecycle, websocketConnections } of last?.plugins ?? []) {
          assert.strictEqual(lifecycle, "stopped")
          // Where there was one: by close frames, not by the end of the grace period.
          for (const { epoch, lastClose } of websocketConnections)
            assert.strictEqual(lastClose?.clean ?? true, true, `${epoch}`)
        }
      })
    )
  }

  it.live("goes on without a defect when nobody reads its output any more", () =>
    Effect.acquireUseRelease(
      Effect.sync(() => spawn(process.execPath, [MAIN, "demo", "--json", "--interval", "50ms"])),
      (child) =>
        Effect.callback<void, Error>((resume) => {
          let stderr = ""
          child.stderr.on("data", (chunk) => (stderr += String(chunk)))
          child.stdout.once("data", () => child.stdout.destroy())
          child.on("close", (code) =>
            resume(code === 0 && stderr === "" ? Effect.void : Effect.fail(new Error(`exit code ${code}: ${stderr}`)))
          )
        }),
      (child) => Effect.sync(() => end(child))
    )
  )
})

describe("mooring", () => {
  for (const args of [
    [],
    ["bogus"],
    ["demo", "--bogus"],
    ["demo", "extra"],
    ["demo", "--interval", "5x"],
    ["demo", "--interval", "0s"],
    ["demo", "--for", "-1s"],
    ["schema"],
    ["schema", "nothing"]
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

  for (const name of ["manifest", "event", "output", "status"]) {
    it.live(`prints the JSON Schema of ${name}, whose references resolve`, () =>
      Effect.gen(function* () {
        const { code, stdout } = yield* mooring(["schema", name])
        assert.strictEqual(code, 0)
        const schema = JSON.parse(stdout) as { readonly $defs: object }
        for (const [, reference = ""] of stdout.matchAll(/"#\/\$defs\/([^"]+)"/g)) {
          assert.isTrue(Object.hasOwn(schema.$defs, reference), reference)
        }
        assert.notInclude(stdout, "#/definitions")
      })
    )
  }
})
