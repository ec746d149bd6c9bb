/**
 * `npm run bench -- connections [<how many>]`: so many connections (10,000) of
 * one process on loopback, at once: how long they take to open, what each
 * holds, and what stopping them takes, beside bare `ws` in the same run.
 *
 * Both dial at most 64 at a time, as a host does by default; the host's limits
 * that only space dials in time are out of the way.
 */
import { rounds, say } from "./harness.ts"

const count = Number(process.argv[3] ?? 10_000)
const [nothing, bare, own] = await rounds(
  [{ mode: "nothing" }, { mode: "bare-many", connections: count }, { mode: "many", connections: count }],
  1
)

const perConnection = (figures: typeof nothing, key: string) =>
  (((figures?.[key] ?? 0) - (nothing?.[key] ?? 0)) / count).toFixed(1)
const seconds = (millis: number | undefined) => `${((millis ?? 0) / 1000).toFixed(2)} s`

say(`${count} connections of one process, all open, then idle`)
for (const [name, figures] of [
  ["bare ws", bare],
  ["mooring", own]
] as const) {
  const cpu = ((figures?.["openCpuMs"] ?? 0) / count).toFixed(2)
  say(
    `  ${name}  open in ${seconds(figures?.["openMs"])}, CPU ${cpu} ms a connection; ` +
      `heap ${perConnection(figures, "heapKib")} KiB, resident ${perConnection(figures, "rssKib")} KiB each; ` +
      `closed in ${seconds(figures?.["closeMs"])}`
  )
}
