/**
 * `npm run bench -- minutes`: a new user's five minutes, from a copy of the
 * project as Git has it to a plugin that an operator runs, each step timed.
 * `--offline` leaves `npm ci` out and takes the packages that are installed.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process"
import * as fs from "node:fs"
import { createServer } from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))
const WITHIN_MS = 60_000
const NAMES = ["bot", "My Bot", "\u00dcn\u00efcode", "-x", "."]

const children: Array<ChildProcess> = []

/** Says how long a step took. */
const timed = async <A>(step: string, work: () => Promise<A> | A): Promise<A> => {
  const from = performance.now()
  const result = await work()
  process.stdout.write(`${((performance.now() - from) / 1000).toFixed(2).padStart(8)} s  ${step}\n`)
  return result
}

/** The files that Git knows, as they are. */
const copied = (to: string) => {
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" }).split("\0").slice(0, -1)
  for (const file of files.filter((each) => fs.existsSync(path.join(ROOT, each)))) {
    fs.mkdirSync(path.dirname(path.join(to, file)), { recursive: true })
    fs.copyFileSync(path.join(ROOT, file), path.join(to, file))
  }
}

/** The program of the copy, for as long as it runs, and all that it has written. */
const begun = (project: string, cwd: string, ...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [path.join(project, "dist/cli/bin.cjs"), ...args], { cwd })
  children.push(child)
  let output = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)))
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
  const says = async (text: string) => {
    for (const until = performance.now() + WITHIN_MS; !output.includes(text);) {
      if (performance.now() > until) throw new Error(`${args.join(" ")} never said ${text}:\n${output}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const end = async () => {
    child.kill("SIGINT")
    const code = await ended
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}:\n${output}`)
  }
  return { ended, end, says, output: () => output }
}

const ran = async (project: string, cwd: string, ...args: ReadonlyArray<string>): Promise<string> => {
  const { ended, output } = begun(project, cwd, ...args)
  const code = await ended
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}:\n${output()}`)
  return output()
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const replaced = (file: string, ...pairs: ReadonlyArray<readonly [from: string, to: string]>) => {
  const before = fs.readFileSync(file, "utf8")
  fs.writeFileSync(
    file,
    pairs.reduce((text, [from, to]) => text.replaceAll(from, to), before)
  )
}

/** One name, from nothing to a plugin that runs for good. */
const first = async (project: string, name: string, port: number, flags: ReadonlyArray<string>) => {
  const cwd = fs.mkdtempSync(path.join(project, "..", "new-"))
  const folder = path.join(cwd, "home")
  fs.mkdirSync(folder)
  const label = `${JSON.stringify(name)} ${flags.join(" ")}`.trim()
  await timed(`new ${label}`, () => ran(project, folder, "new", ...flags, "--", name))
  const root = path.resolve(folder, name)
  const host = path.join(path.dirname(root), "host.toml")
  replaced(path.join(root, "plugin.toml"), ["7700", String(port)])
  const source = path.join(root, flags.length === 0 ? "plugin.js" : "plugin.ts")
  const dev = begun(project, folder, "dev", name.startsWith("-") ? `./${name}` : name)
  await timed(`dev ${label}: the gateway's first tick is answered`, () => dev.says("result   executed websocket_send"))
  const good = fs.readFileSync(source, "utf8")
  fs.writeFileSync(source, `${good}\nlet x = ;\n`)
  await timed(`dev ${label}: a syntax error is said`, () => dev.says("until this is mended"))
  fs.writeFileSync(source, good.replace("tock", "tack"))
  await timed(`dev ${label}: mended and changed, it runs`, () => dev.says('"text":"tack'))
  await dev.end()
  await timed(`check ${label}`, () => ran(project, folder, "check", root))
  const digest = (await ran(project, folder, "digest", root)).trim()
  replaced(host, ["7700", String(port)], [/sha256:[0-9a-f]{64}/.exec(fs.readFileSync(host, "utf8"))?.[0] ?? "", digest])
  const run = begun(project, folder, "run", host)
  await timed(`run ${label}: its source is open`, () => run.says("is open"))
  await run.end()
}

const minutes = async () => {
  // Whoever reads no further leaves nothing running.
  process.stdout.on("error", () => {})
  const isOffline = process.argv.includes("--offline")
  const place = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "mooring-minutes-")))
  const project = path.join(place, "mooring")
  try {
    const from = performance.now()
    copied(project)
    if (isOffline) fs.symlinkSync(path.join(ROOT, "node_modules"), path.join(project, "node_modules"))
    else await timed("npm ci", () => execFileSync("npm", ["ci"], { cwd: project, stdio: "ignore" }))
    await timed("npm run build", () => execFileSync("npm", ["run", "build"], { cwd: project, stdio: "ignore" }))
    const port = await freePort()
    const demo = begun(project, place, "demo", "--port", String(port))
    for (const name of NAMES) await first(project, name, port, [])
    await first(project, "typed", port, ["--typescript"])
    await demo.end()
    process.stdout.write(`${((performance.now() - from) / 1000).toFixed(2).padStart(8)} s  all\n`)
  } finally {
    for (const child of children) if (child.exitCode === null) child.kill("SIGKILL")
    fs.rmSync(place, { recursive: true, force: true })
  }
}

await minutes()
