/**
 * The cells of the table of targets, topic by topic, and with `--all` whatever
 * else is of interest. Prints each topic's table as soon as it is measured.
 *
 *     npm run bench                     what has a target, and docs/benchmarks.md
 *     npm run bench -- --all            everything, and docs/benchmarks.md
 *     npm run bench -- <topic> [--all]  one topic, only printed
 *
 * `--rounds <n>` takes another number than five.
 */
import * as Os from "node:os"
import type { Topic } from "./cells.ts"
import { say } from "./harness.ts"
import * as Page from "./page.ts"
import { connections } from "./topics/connections.ts"
import { growth } from "./topics/growth.ts"
import { guests } from "./topics/guests.ts"
import { neighbours } from "./topics/neighbours.ts"
import { operate } from "./topics/operate.ts"
import { overload } from "./topics/overload.ts"
import { receive } from "./topics/receive.ts"
import { roundTrip } from "./topics/roundTrip.ts"
import { sends } from "./topics/sends.ts"
import { status } from "./topics/status.ts"

const ROUNDS = 5
const MINUTE_MS = 60_000

const withTargets: { readonly [name: string]: Topic } = {
  receive,
  "round-trip": roundTrip,
  growth,
  neighbours,
  status,
  guests,
  connections,
  operate
}
const further: { readonly [name: string]: Topic } = { sends, overload }

export const names = [...Object.keys(withTargets), ...Object.keys(further)]

export const measure = async (args: ReadonlyArray<string>): Promise<void> => {
  const all = args.includes("--all")
  const asked = args.indexOf("--rounds")
  const rounds = asked < 0 ? ROUNDS : Math.max(1, Number(args[asked + 1]) || ROUNDS)
  const only = args.find((arg) => names.includes(arg))
  const topics = only === undefined ? { ...withTargets, ...(all ? further : {}) } : { ...withTargets, ...further }
  for (const peer of Page.PEERS) {
    if (Page.versionOf(peer) === undefined) say(`${peer} isn't installed, so it won't be measured: npm ci`)
  }
  const [from, loadBefore] = [performance.now(), Os.loadavg()[0] ?? 0]
  const sections = []
  for (const [name, topic] of Object.entries(topics)) {
    if (only !== undefined && name !== only) continue
    const began = performance.now()
    const section = await topic({ rounds, all })
    sections.push(section)
    say(Page.asText(section))
    say(`  (${((performance.now() - began) / 1000).toFixed(0)} s)`)
  }
  if (only !== undefined) return
  const command = `npm run bench${args.length === 0 ? "" : ` -- ${args.join(" ")}`}`
  Page.write(sections, { command, rounds, minutes: (performance.now() - from) / MINUTE_MS, loadBefore })
  say("\nwritten to docs/benchmarks.md")
}
