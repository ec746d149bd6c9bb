/**
 * Contestants in processes of their own, each against a server in another
 * process, so that the CPU time of one isn't counted for the other. Those that
 * are compared take turns in each round.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Contestant } from "./contestants/contestant.ts"
import type { ServerOptions } from "./server.ts"

/** A contestant that says nothing for so long is ended, and its figures are missing. */
const PATIENCE_MS = 60_000
const GRACE_MS = 500

/** What a contestant says at its end: a figure by its name. */
export type Figures = { readonly [name: string]: number }

const children = new Set<ChildProcess>()
const endAll = () => children.forEach((child) => child.kill("SIGKILL"))
process.once("exit", endAll)
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

/** Starts a program of this folder. It doesn't outlive this process. */
export const start = (name: string, args: ReadonlyArray<string | number>): ChildProcess => {
  const file = fileURLToPath(new URL(name, import.meta.url))
  const child = spawn(
    process.execPath,
    ["--expose-gc", "--disable-warning=ExperimentalWarning", file, ...args.map(String)],
    {
      stdio: ["ignore", "pipe", "inherit"]
    }
  )
  children.add(child)
  child.once("close", () => children.delete(child))
  return child
}

export const lines = (child: ChildProcess): AsyncIterator<string> => {
  if (child.stdout === null) throw new Error("no stdout")
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]()
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = new Promise((resolve) => child.once("close", resolve))
  child.kill("SIGKILL")
  await closed
}

/** The next line, or a failure that says whose it was. */
const line = async (from: AsyncIterator<string>, whose: string): Promise<string> => {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${whose} said nothing for ${PATIENCE_MS} ms`)), PATIENCE_MS)
  try {
    const { done, value } = await Promise.race([from.next(), late.promise])
    if (done === true) throw new Error(`${whose} ended without a figure`)
    return String(value)
  } finally {
    clearTimeout(timer)
  }
}

/** The figures of a program that needs no server. */
export const runAlone = async (name: string, args: ReadonlyArray<string | number>): Promise<Figures> => {
  const child = start(name, args)
  try {
    return JSON.parse(await line(lines(child), [name, ...args].join(" "))) as Figures
  } finally {
    await ended(child)
  }
}

/** The figures of one contestant against a server of its own. */
const runOnce = async (contestant: Contestant): Promise<Figures> => {
  const { binary = false, bytes = 128, connections = 1, frames = 0, judge = "client", load = {}, mode } = contestant
  const perConnection = Math.ceil(frames / connections)
  const options: Partial<ServerOptions> = { frames: perConnection, bytes, binary, connections, ...load }
  const server = start("server.ts", [JSON.stringify(options)])
  let client: ChildProcess | undefined
  try {
    const fromServer = lines(server)
    const port = await line(fromServer, "the server")
    const given = { ...contestant, connections, frames: perConnection * connections, port: Number(port) }
    client = start("client.ts", [JSON.stringify(given)])
    return JSON.parse(await line(judge === "client" ? lines(client) : fromServer, mode)) as Figures
  } finally {
    await Promise.all([server, client].map((child) => child && ended(child)))
  }
}

export const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** A contestant by its name in the topic: one that runs against a server, or a program with its arguments. */
export type Entry = Contestant | { readonly program: string; readonly args: ReadonlyArray<string | number> }

/** Per contestant the figures of each round, `{}` where one failed. */
export type Rounds<Name extends string> = { readonly [_ in Name]: ReadonlyArray<Figures> }

/** Each contestant once a round, one after the other. */
export const rounds = async <Name extends string>(
  entries: { readonly [_ in Name]: Entry },
  times: number
): Promise<Rounds<Name>> => {
  const names = Object.keys(entries) as Array<Name>
  const all = Object.fromEntries(names.map((name) => [name, []])) as unknown as { [_ in Name]: Array<Figures> }
  for (let round = 0; round < times; round++) {
    for (const name of names) {
      const entry = entries[name]
      const figures = "program" in entry ? runAlone(entry.program, entry.args) : runOnce(entry)
      all[name].push(
        await figures.catch((error: unknown) => {
          process.stderr.write(`  ${name}, round ${round + 1}: ${String(error)}\n`)
          return {}
        })
      )
    }
  }
  // Whatever was ended has let go of its sockets before the next topic begins.
  await pause(GRACE_MS)
  return all
}

export const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}
