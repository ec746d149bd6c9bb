/** The ends of `mooring run`, whenever and however it is told to end. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HostStatus } from "mooring"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { gateway } from "../support/servers.ts"
import { folder, fullPipe } from "./support/files.ts"
import { greeting, packaged, rowOf, save } from "./support/hostFiles.ts"
import { assertLogLines, BIN, CACHED, mooring } from "./support/program.ts"
import { running } from "./support/running.ts"

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(HostStatus.HostStatus))

/** Before its first statement runs, a process is Node's, which ends by the signal. */
const BEFORE_ANYTHING = { code: null, stdout: "", stderr: "" }

const AFTER_MS = [10, 40, 90, 160, 250, 400, 600, 800]

const withoutNamespaces =
  spawnSync("unshare", ["--pid", "--fork", "--kill-child", "true"], { stdio: "ignore" }).status !== 0

/** A host file in a folder of the test's, of one plugin. */
const hosted = Effect.gen(function* () {
  const root = yield* folder
  const server = yield* greeting
  save(root, (yield* packaged(root, "echo", server.port))())
  return { ...server, file: path.join(root, "host.toml") }
})

/** A server that never lets go of a connection that it is to close. */
const clinging = gateway((peer, socket) => {
  peer.send("hi")
  peer.close = () => {}
  socket.removeAllListeners("data")
  socket.resume()
})

/** Tells a process to end so many milliseconds after it was started. */
const after = (ms: number, signal: NodeJS.Signals) => (child: ChildProcess) =>
  void setTimeout(() => child.kill(signal), ms).unref()

describe("the ends of mooring run", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it.live(`is 0 after ${signal}, whenever it comes, with whole documents, of which the last says so`, () =>
      Effect.gen(function* () {
        const { file } = yield* hosted
        const args = ["run", file, "--json", "--interval", "10ms"]
        const all = yield* Effect.forEach(
          AFTER_MS,
          (afterMs) => Effect.map(mooring(args, { started: after(afterMs, signal) }), (ended) => ({ afterMs, ended })),
          { concurrency: 4 }
        )
        for (const { afterMs, ended } of all) {
          const { code, stderr, stdout } = ended
          if (ended.signal !== null) {
            assert.deepStrictEqual({ code, stdout, stderr }, BEFORE_ANYTHING, `${afterMs}`)
            assert.strictEqual(ended.signal, signal)
            continue
          }
          assert.strictEqual(code, 0, `${afterMs}: ${stderr}`)
          assertLogLines(stderr)
          if (stdout === "") continue
          assert.isTrue(stdout.endsWith("\n"), stdout)
          const documents = stdout
            .trimEnd()
            .split("\n")
            .map((line) => decode(line))
          const last = documents.at(-1)
          assert.strictEqual(last && rowOf(last)?.lifecycle, "stopped", `${afterMs}`)
          assert.strictEqual(last && rowOf(last)?.websocketConnections[0]?.state, "stopped", `${afterMs}`)
        }
        assert.isNull(all.at(-1)?.ended.signal)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is 0 of the other commands that run, too, whenever a signal comes", () =>
    Effect.gen(function* () {
      const { file } = yield* hosted
      const commands = [
        ["demo", "--port", "0", "--json", "--interval", "10ms"],
        ["dev", path.join(path.dirname(file), "echo")]
      ]
      const all = commands.flatMap((args) => [60, 300, 700, 1200].map((afterMs) => ({ args, afterMs })))
      yield* Effect.forEach(
        all,
        ({ afterMs, args }, index) =>
          Effect.map(mooring(args, { started: after(afterMs, index % 2 === 0 ? "SIGINT" : "SIGTERM") }), (ended) => {
            if (ended.signal !== null) return assert.strictEqual(ended.stdout + ended.stderr, "")
            assert.strictEqual(ended.code, 0, `${args[0]} ${afterMs}: ${ended.stderr}`)
            assert.notMatch(ended.stderr, /node:internal|^ +at /m)
            for (const line of ended.stdout.split("\n").slice(0, -1)) decode(line)
            assert.isTrue(ended.stdout === "" || ended.stdout.endsWith("\n"))
          }),
        { concurrency: 4 }
      )
    }).pipe(Effect.scoped)
  )

  it.live("isn't held up by a reader of its documents that stalls", () =>
    Effect.gen(function* () {
      const { file } = yield* hosted
      const { write } = yield* fullPipe
      const args = ["run", file, "--json", "--interval", "10ms", "--for", "600ms"]
      const { code, stderr } = yield* mooring(args, { stdio: ["ignore", write, "pipe"] })
      assert.strictEqual(code, 1)
      assert.include(stderr, "mooring: stdout can't be written: stalled\n")
    }).pipe(Effect.scoped)
  )

  for (const [first, second, code] of [
    ["SIGINT", "SIGINT", 130],
    ["SIGTERM", "SIGINT", 130],
    ["SIGINT", "SIGTERM", 143]
  ] as const) {
    it.live(`is ${code} at once where ${second} follows ${first}, though a server doesn't let go`, () =>
      Effect.gen(function* () {
        const root = yield* folder
        const server = yield* clinging
        save(root, (yield* packaged(root, "echo", server.port))())
        const { child, ended, seen } = yield* running(path.join(root, "host.toml"))
        yield* seen("an answer", (status) => rowOf(status)?.websocketConnections[0]?.state === "open")
        child.kill(first)
        yield* seen("its end begin", (status) => rowOf(status)?.lifecycle !== "running").pipe(Effect.timeoutOption(300))
        child.kill(second)
        assert.strictEqual((yield* ended).code, code)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is 0 as the first process of all, which only hears the signals that it listens to", ({ skip }) =>
    Effect.gen(function* () {
      if (withoutNamespaces) skip("no namespaces of processes here")
      const { file } = yield* hosted
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        const script = `exec "$NODE" "$BIN" run "$FILE" --json --interval 20ms`
        const child = spawn("unshare", ["--pid", "--fork", "--kill-child", "sh", "-c", script], {
          env: { ...process.env, ...CACHED, NODE: process.execPath, BIN, FILE: file },
          stdio: ["ignore", "pipe", "pipe"]
        })
        const ended = yield* Effect.callback<{ readonly code: number | null; readonly last: string }>((resume) => {
          let told = ""
          child.stdout.on("data", (chunk) => {
            const before = told
            told += String(chunk)
            if (before.includes('"open"') || !told.includes('"open"')) return
            const [first = ""] = fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").split(" ")
            process.kill(Number(first), signal)
          })
          child.on("close", (code) => resume(Effect.succeed({ code, last: told.trimEnd().split("\n").at(-1) ?? "" })))
          return Effect.sync(() => child.kill("SIGKILL"))
        })
        assert.strictEqual(ended.code, 0, signal)
        assert.strictEqual(rowOf(decode(ended.last))?.lifecycle, "stopped")
      }
    }).pipe(Effect.scoped)
  )

  it.live("is its own without any terminal, and with descriptors that a shell has closed", () =>
    Effect.gen(function* () {
      const { file } = yield* hosted
      for (const closed of ["<&-", "<&- >&-", "<&- >&- 2>&-"]) {
        const child = spawn("sh", ["-c", `exec "$NODE" "$BIN" run "$FILE" --for 400ms ${closed}`], {
          // A session of its own, which has no terminal.
          detached: true,
          env: { ...process.env, ...CACHED, NODE: process.execPath, BIN, FILE: file },
          stdio: ["ignore", "ignore", "ignore"]
        })
        const code = yield* Effect.callback<number | null>((resume) => {
          child.on("close", (ended) => resume(Effect.succeed(ended)))
          return Effect.sync(() => child.kill("SIGKILL"))
        })
        assert.strictEqual(code, 0, closed)
      }
    }).pipe(Effect.scoped)
  )
})
