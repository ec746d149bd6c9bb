/** What the README tells a newcomer to do, done: its program against its server, and its compiler options. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { eventually } from "../integration/support/host.ts"
import { BIN } from "../cli/support/program.ts"
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

/** What the README types into a shell, below a heading. */
const commandsBelow = (heading: string): ReadonlyArray<string> => {
  const section = read("README.md").split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? ""
  return blocksOf("README.md", section)
    .filter(({ language }) => language === "sh")
    .flatMap(({ text }) => text.trim().split("\n"))
}

/** What somebody types who has the package installed. */
const typeIn = (directory: string, line: string, ...more: ReadonlyArray<string>) => {
  const [npx, mooring, ...args] = line.split(" ")
  assert.deepStrictEqual([npx, mooring], ["npx", "mooring"])
  return run(directory, BIN, ...args, ...more)
}

it.live("the README's first plugin is written, runs while it is edited, is checked and runs for good", () =>
  Effect.gen(function* () {
    const [, ...commands] = commandsBelow("Your first plugin in a minute")
    const [create = "", demo = "", dev = "", folder, check = "", start = ""] = commands
    assert.lengthOf(commands, 6)
    assert.strictEqual(folder, "cd plugins")
    const directory = realpathSync(mkdtempSync(path.join(tmpdir(), "mooring-readme-")))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true, force: true })))
    const type = (line: string, ...more: ReadonlyArray<string>) => typeIn(directory, line, ...more)
    const below = path.join(directory, "plugins")
    const created = yield* type(create)
    assert.strictEqual(yield* created.ended, 0, created.output())
    const port = yield* freePort
    const manifest = path.join(directory, "plugins/echo/plugin.toml")
    writeFileSync(manifest, readFileSync(manifest, "utf8").replaceAll("7700", String(port)))
    const gateway = yield* type(demo, "--port", String(port))
    yield* gateway.says("demo.echo: connected")
    const developed = yield* type(dev)
    yield* developed.says('"text":"tock')
    const code = blocksOf("README.md", read("README.md")).find(({ text }) => text.includes("mooring/guest"))
    writeFileSync(path.join(directory, "plugins/echo/plugin.js"), code?.text ?? "")
    yield* developed.says("heard tick")
    yield* developed.says("re: tick")
    yield* developed.says("heard echo: re: tick")
    assert.notInclude(developed.output(), "re: echo: re: echo:", "the two don't answer each other for ever")
    developed.kill("SIGINT")
    assert.strictEqual(yield* developed.ended, 0)
    const checked = yield* typeIn(below, check)
    assert.strictEqual(yield* checked.ended, 0, checked.output())
    const entry = checked.output().slice(checked.output().indexOf("[[plugins.enabled]]"))
    writeFileSync(path.join(below, "host.toml"), entry)
    const running = yield* typeIn(below, start)
    yield* running.says("/gateway is open")
    running.kill("SIGINT")
    assert.strictEqual(yield* running.ended, 0, running.output())
  }).pipe(Effect.scoped)
)

describe("the picture of the demo", () => {
  const picture = read("docs/images/demo.svg")
  const text = picture.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ")

  it("shows the table and what the demo says", () => {
    for (const words of [
      "PLUGIN STATE RECEIVED WAITING DROPPED SENT NOTE",
      "demo.burst: 5,000 messages at once: queue at",
      "not granted, never dialled",
      "looped for ever: stopped at its deadline",
      "ended at once, starts again",
      "runs again, and counts on from its last state"
    ]) {
      assert.include(text, words)
    }
  })

  it("has colours for light and for dark pages, and runs and loads nothing", () => {
    assert.include(picture, "prefers-color-scheme: dark")
    assert.notMatch(picture, /<script|<image|<foreignObject|\bon\w+=|href|url\(|@import/i)
    assert.notMatch(picture, /\/(?:home|root|tmp|work)\//)
  })
})
