/**
 * `npm run bench -- storm [<picture.svg>]`: 1,000 connections of one host, with
 * the limits that a host has by default, lose their server at once, and it comes
 * back after 20 s. Says how many dials a second there were at most, when all
 * were open again, and what the process held before and after; draws it.
 */
import * as Fs from "node:fs"
import { lines, say, start } from "./harness.ts"

const CONNECTIONS = 1000
const AWAY_MS = 20_000
/** What the host's limit and the longest backoff are by default. */
const DIALS_PER_SECOND = 100
const LONGEST_BACKOFF_MS = 60_000

interface Sample {
  readonly at: number
  readonly open: number
  readonly rssKib: number
  readonly heapKib: number
  /** When dials began since the last sample, in milliseconds as `at`. */
  readonly dials: ReadonlyArray<number>
}

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const server = start("server.ts", [])
const { value: port } = await lines(server).next()
const client = start("stormClient.ts", [String(port), CONNECTIONS])
const fromClient = lines(client)
const samples: Array<Sample> = []

const until = async (holds: (sample: Sample) => boolean, mostMs: number): Promise<Sample | undefined> => {
  const from = performance.now()
  while (performance.now() - from < mostMs) {
    const { value } = await fromClient.next()
    const sample = JSON.parse(String(value)) as Sample
    samples.push(sample)
    if (holds(sample)) return sample
  }
  return undefined
}

const isOpen = ({ open }: Sample) => open === CONNECTIONS
/** What it holds once the dials are over and their garbage is gone. */
const settled = async () => {
  const from = samples.at(-1)?.at ?? 0
  await until(({ at }) => at > from + 5000, 10_000)
  return samples.at(-1)
}

await until(isOpen, 60_000)
const before = await settled()
server.kill("SIGKILL")
const goneAt = samples.at(-1)?.at ?? 0
await until(({ at }) => at >= goneAt + AWAY_MS, 2 * AWAY_MS)
const again = start("server.ts", [JSON.stringify({ port: Number(port) })])
await lines(again).next()
const backAt = samples.at(-1)?.at ?? 0
const healed = await until(isOpen, 4 * LONGEST_BACKOFF_MS)
const after = await settled()
client.kill()
again.kill()
await pause(100)

const dials = samples.flatMap((sample) => sample.dials).filter((at) => at > goneAt)
const most = Math.max(...dials.map((at, nth) => dials.filter((later, n) => n >= nth && later < at + 1000).length))
const tookMs = healed === undefined ? Number.POSITIVE_INFINITY : healed.at - backAt
const mib = (sample: Sample | undefined, key: "rssKib" | "heapKib") => ((sample?.[key] ?? 0) / 1024).toFixed(1)

say(`${CONNECTIONS} connections lose their server, which is back after ${AWAY_MS / 1000} s`)
say(`  dials in all ${dials.length}, at most ${most} in any second (limit ${DIALS_PER_SECOND})`)
say(`  all open ${(tookMs / 1000).toFixed(1)} s after it was back (twice the longest backoff is 120 s)`)
say(`  heap ${mib(before, "heapKib")} MiB before, ${mib(after, "heapKib")} MiB after`)
say(`  resident ${mib(before, "rssKib")} MiB before, ${mib(after, "rssKib")} MiB after`)

/** Open connections and dials a second over time. */
const picture = (): string => {
  const width = 720
  const height = 240
  const left = 56
  const bottom = 40
  const from = goneAt - 5000
  const to = (healed?.at ?? samples.at(-1)?.at ?? 0) + 3000
  const x = (at: number) => left + ((at - from) / (to - from)) * (width - left - 60)
  const y = (value: number, top: number) => height - bottom - (value / top) * (height - bottom - 24)
  const shown = samples.filter(({ at }) => at >= from && at <= to)
  const line = shown.map(({ at, open }) => `${x(at).toFixed(1)},${y(open, CONNECTIONS).toFixed(1)}`).join(" ")
  const seconds = Array.from({ length: Math.ceil((to - from) / 1000) }, (_, nth) => from + nth * 1000)
  const bars = seconds.map((at) => {
    const count = dials.filter((dial) => dial >= at && dial < at + 1000).length
    const top = y(count, 2 * DIALS_PER_SECOND)
    const tall = height - bottom - top
    return `<rect x="${x(at).toFixed(1)}" y="${top.toFixed(1)}" width="${(x(at + 1000) - x(at) - 1).toFixed(1)}" height="${tall.toFixed(1)}" fill="#d97706"/>`
  })
  const ticks = seconds
    .filter((_, nth) => nth % 10 === 5)
    .map(
      (at) =>
        `<text x="${x(at).toFixed(1)}" y="${height - bottom + 16}" text-anchor="middle">${Math.round((at - goneAt) / 1000)} s</text>`
    )
  const mark = (at: number, label: string) =>
    `<line x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="20" y2="${height - bottom}" stroke="#888" stroke-dasharray="4 3"/><text x="${(x(at) + 4).toFixed(1)}" y="18">${label}</text>`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11" fill="#444">
<rect width="${width}" height="${height}" fill="#fff"/>
${bars.join("\n")}
<polyline points="${line}" fill="none" stroke="#2563eb" stroke-width="2"/>
${mark(goneAt, "the server is gone")}
${mark(backAt, "and back")}
${ticks.join("\n")}
<text x="8" y="30" fill="#2563eb">open</text><text x="8" y="44" fill="#2563eb">0 to 1,000</text>
<text x="${width - 56}" y="30" fill="#b45309">dials a</text><text x="${width - 56}" y="44" fill="#b45309">second,</text><text x="${width - 56}" y="58" fill="#b45309">0 to 200</text>
</svg>
`
}

const file = process.argv[3]
if (file !== undefined) Fs.writeFileSync(file, picture())
