/**
 * `npm run bench -- soak [<minutes>]`: 30 minutes (unless it is said otherwise)
 * of 500 connections of 36 plugins of every behaviour, with servers that end in
 * every way, and an operator who stops, starts, revokes and disables all the
 * time. Says what the process holds over time, whether everything adds up,
 * whether a handler that didn't hang was timed out, and whether the host's
 * process ended by itself.
 */
import * as Fs from "node:fs"
import { lines, say, start } from "./harness.ts"

const minutes = Number(process.argv[3] ?? 30)
const log = process.argv[4]
const server = start("soakServer.ts", [])
const { value: port } = await lines(server).next()
const host = start("soakHost.ts", [String(port), 36, 504, minutes * 60_000])
const ended = new Promise<number>((resolve) => host.once("exit", () => resolve(performance.now())))

interface Sample {
  readonly at: number
  readonly open: number
  readonly opens: number
  readonly received: number
  readonly sent: number
  readonly restarts: number
  readonly counts: { readonly [tag: string]: number }
  readonly heapMib: number
  readonly rssMib: number
}

interface Verdict {
  readonly problems: ReadonlyArray<string>
  readonly gaps: ReadonlyArray<string>
  readonly unhandled: ReadonlyArray<string>
}

const samples: Array<Sample> = []
let verdict: Verdict | undefined
const fromHost = lines(host)
for (let next = await fromHost.next(); next.done !== true; next = await fromHost.next()) {
  const line = JSON.parse(next.value) as Sample | Verdict
  if (log !== undefined) Fs.appendFileSync(log, `${next.value}\n`)
  if ("problems" in line) verdict = line
  else samples.push(line)
}
const saidAt = performance.now()
const exitMs = (await ended) - saidAt
server.kill()

const figure = (value: number | undefined) => (value ?? 0).toFixed(1)
const within = (from: number, to: number) => samples.filter(({ at }) => at >= from && at < to)
const mean = (list: ReadonlyArray<Sample>, key: "heapMib" | "rssMib") =>
  list.reduce((sum, sample) => sum + sample[key], 0) / Math.max(1, list.length)

const last = samples.at(-1)
say(
  `${minutes} minutes, ${last?.opens ?? 0} connections opened, ${last?.received ?? 0} texts in, ${last?.sent ?? 0} out`
)
say(`  restarts ${last?.restarts ?? 0}; diagnostics ${JSON.stringify(last?.counts ?? {})}`)
const sixth = (minutes * 60_000) / 6
for (let part = 0; part < 6; part++) {
  const list = within(part * sixth, (part + 1) * sixth)
  say(
    `  ${figure((part * sixth) / 60_000)} to ${figure(((part + 1) * sixth) / 60_000)} min: ` +
      `heap ${figure(mean(list, "heapMib"))} MiB, resident ${figure(mean(list, "rssMib"))} MiB`
  )
}
say(`  doesn't add up: ${JSON.stringify(verdict?.problems ?? ["the host ended early"])}`)
say(`  gaps that weren't told: ${JSON.stringify(verdict?.gaps ?? [])}`)
say(`  unhandled rejections: ${JSON.stringify(verdict?.unhandled ?? [])}`)
say(`  the process exited by itself ${figure(exitMs)} ms after its host had stopped`)
