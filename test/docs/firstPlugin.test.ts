/** What the page for authors of a first plugin tells them to do, done in its order: the commands, the edits, what is seen. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { folder } from "../cli/support/files.ts"
import { BIN, CACHED } from "../cli/support/program.ts"
import { eventually } from "../integration/support/host.ts"
import { closedPort } from "../support/servers.ts"
import { type Block, blocksOf, read, ROOT } from "./markdown.ts"

const PAGE = "docs/first-plugin.md"
const WITHIN_MS = 20_000

const valueOf = ({ words }: Block, name: string) =>
  words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)

/** A folder in which `mooring` is a command, its source, and `node_modules` has the package. */
const place = Effect.gen(function* () {
  const cwd = yield* folder
  const bin = path.join(yield* folder, "mooring")
  fs.writeFileSync(bin, `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`, { mode: 0o755 })
  fs.mkdirSync(path.join(cwd, "node_modules"))
  fs.symlinkSync(ROOT, path.join(cwd, "node_modules/mooring"))
  const env = { ...process.env, ...CACHED, PATH: `${path.dirname(bin)}:${process.env["PATH"]}` }
  return { cwd, env }
})

type Place = Effect.Success<typeof place>

const ran = (script: string, options: Place) =>
  Effect.callback<{ readonly code: number; readonly output: string }>((resume) => {
    execFile(
      "bash",
      ["-euo", "pipefail", "-c", script],
      { ...options, timeout: WITHIN_MS },
      (error, stdout, stderr) => {
        resume(Effect.succeed({ code: error === null ? 0 : 1, output: `${stdout}${stderr}` }))
      }
    )
  })

/** A command that goes on, and all that it has written; ended with the scope. */
const running = (command: string, options: Place) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child: ChildProcess = spawn("bash", ["-c", `exec ${command}`], {
        ...options,
        stdio: ["ignore", "pipe", "pipe"]
      })
      let output = ""
      for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += String(chunk)))
      const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
      return { child, ended, output: () => output }
    }),
    ({ child, ended }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return ended
      })
  )

/** A line of the page as a pattern: times, ids, ports and counts differ from run to run. */
const patternOf = (line: string): RegExp => {
  const text = line.replace(/^[\d:.]+ /, "").replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
  return new RegExp(text.replaceAll(/\b[0-9a-f]{8}\b|\d+/g, (digits) => (digits.length === 8 ? "[0-9a-f]{8}" : "\\d+")))
}

/** Where the page's server of HTTP listens. */
const API_PORT = "7710"

/** The port that the page names, in what was written from it. */
const withPort = (cwd: string, port: number) => {
  for (const name of ["my-bot/plugin.toml", "host.toml"]) {
    const file = path.join(cwd, name)
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replaceAll("7700", String(port)))
  }
}

it.live(
  "a first plugin: each command of the page does what the page says",
  () =>
    Effect.gen(function* () {
      const options = yield* place
      const { cwd } = options
      const port = yield* closedPort
      const api = String(yield* closedPort)
      const programs = new Map<string, Effect.Success<ReturnType<typeof running>>>()
      for (const block of blocksOf(PAGE, read(PAGE).replaceAll(API_PORT, api))) {
        const at = `${PAGE}:${block.line}`
        const [background, file, says] = ["background", "file", "says"].map((name) => valueOf(block, name))
        if (block.words.includes("run")) {
          const { code, output } = yield* ran(block.text, options)
          assert.strictEqual(code, 0, `${at}\n${output}`)
          if (programs.size === 0) withPort(cwd, port)
        } else if (background !== undefined) {
          const command = block.text.trim().replace(/^mooring demo$/, `mooring demo --port ${port}`)
          const program = yield* running(command, options)
          programs.set(background, program)
          // The plugin would dial again only after a while.
          if (background === "demo")
            yield* eventually(ran(`exec 3<>/dev/tcp/127.0.0.1/${port}`, options), ({ code }) => code === 0, WITHIN_MS)
          if (background === "run")
            yield* eventually(Effect.sync(program.output), (output) => output.includes("is open"), WITHIN_MS)
        } else if (file !== undefined) {
          // The gateway's is in what was written before.
          fs.writeFileSync(path.join(cwd, file), block.text.replaceAll("7700", String(port)))
        } else if (says !== undefined) {
          const output = programs.get(says)?.output ?? (() => "")
          for (const line of block.text.trimEnd().split("\n")) {
            yield* eventually(Effect.sync(output), (said) => patternOf(line).test(said), WITHIN_MS).pipe(
              Effect.catchDefect(() => Effect.die(new Error(`${at}: never said: ${line}\n${output()}`)))
            )
          }
        }
      }
      assert.deepStrictEqual([...programs.keys()], ["demo", "dev", "run", "server"])
      for (const [name, { child, ended, output }] of [...programs].toReversed()) {
        child.kill("SIGINT")
        // The page's server has no end of its own.
        const expected = name === "server" ? null : 0
        assert.strictEqual(yield* Effect.promise(() => ended), expected, `${name}\n${output()}`)
      }
      const tsc = yield* ran(
        `'${process.execPath}' '${path.join(ROOT, "node_modules/.bin/tsc")}' -p my-typed-bot`,
        options
      )
      assert.strictEqual(tsc.code, 0, tsc.output)
      const wrong = path.join(cwd, "my-typed-bot/plugin.ts")
      fs.appendFileSync(wrong, "export const x: number = websocketSend(1, 2)\n")
      const refused = yield* ran(
        `'${process.execPath}' '${path.join(ROOT, "node_modules/.bin/tsc")}' -p my-typed-bot`,
        options
      )
      assert.match(refused.output, /plugin\.ts\(\d+,\d+\): error TS2345/)
    }).pipe(Effect.scoped),
  120_000
)
