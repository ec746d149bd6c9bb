/** What the README tells a newcomer to do, done: its program against its server, and its compiler options. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { eventually } from "../integration/support/host.ts"
import { blocksOf, read, ROOT } from "./markdown.ts"

const WITHIN_MS = 20_000

/** The files of the README, with another port, beside the built package under its published name. */
const project = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const directory = realpathSync(mkdtempSync(path.join(tmpdir(), "mooring-readme-")))
      const packages = path.join(directory, "node_modules")
      mkdirSync(packages)
      for (const name of readdirSync(path.join(ROOT, "node_modules"))) {
        if (!name.startsWith(".")) symlinkSync(path.join(ROOT, "node_modules", name), path.join(packages, name))
      }
      symlinkSync(ROOT, path.join(packages, "mooring"))
      writeFileSync(path.join(directory, "package.json"), '{ "type": "module" }')
      for (const { text, words } of blocksOf("README.md", read("README.md"))) {
        const file = words.find((word) => word.startsWith("file="))?.slice("file=".length)
        if (file !== undefined) writeFileSync(path.join(directory, file), text.replaceAll("7700", String(port)))
      }
      return directory
    }),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  )

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** A program in the project's folder, ended with the scope. */
const run = Effect.fnUntraced(function* (directory: string, ...args: ReadonlyArray<string>) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [...args], { cwd: directory, stdio: ["ignore", "pipe", "pipe"] })),
    (running) => Effect.sync(() => running.kill("SIGKILL"))
  )
  let output = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)))
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
  return {
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    output: () => output,
    ended: Effect.promise(() => ended),
    says: (text: string) =>
      eventually(
        Effect.sync(() => output),
        (said) => said.includes(text),
        WITHIN_MS
      )
  }
})

it.live("the README's program talks to the README's server, sees it end, and ends in order itself", () =>
  Effect.gen(function* () {
    const directory = yield* project(yield* freePort)
    const server = yield* run(directory, "server.mjs")
    yield* server.says("listening")
    const program = yield* run(directory, "main.ts")
    yield* server.says("received hello")
    yield* server.says("received re: ")
    server.kill("SIGTERM")
    yield* program.says("ConnectionClosed")
    yield* program.says("ECONNREFUSED")
    program.kill("SIGINT")
    assert.strictEqual(yield* program.ended, 130)
  }).pipe(Effect.scoped)
)

it.live("the README's compiler options accept the README's program", () =>
  Effect.gen(function* () {
    const directory = yield* project(7700)
    const tsc = yield* run(directory, path.join(ROOT, "node_modules", ".bin", "tsc"), "-p", ".")
    assert.strictEqual(yield* tsc.ended, 0, tsc.output())
  }).pipe(Effect.scoped)
)
