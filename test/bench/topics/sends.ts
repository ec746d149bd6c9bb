/** How many texts a second handlers send, each in answer to one that came at full speed. */
import { against, counted, never, series, type Options, type Section } from "../cells.ts"
import { rounds } from "../harness.ts"

const FRAMES = 500_000
const MICROS = 1e6

export const sends = async ({ rounds: times }: Options): Promise<Section> => {
  const of = (mode: string, connections: number) => ({ mode, handling: "sends" as const, frames: FRAMES, connections })
  const measured = await rounds(
    { bare: of("bare", 1), own: of("hosted", 1), bareMany: of("bare", 100), ownMany: of("hosted", 100) },
    times
  )
  const cpu = (name: keyof typeof measured, label: string) => ({
    name: label,
    values: series(measured[name], "cpuUs"),
    wall: series(measured[name], "wallUs")
  })
  const rate = (name: keyof typeof measured, label: string) => ({
    name: label,
    values: series(measured[name], "wallUs").map((wallUs) => MICROS / wallUs)
  })
  return {
    title: "Sends",
    about: `${counted(FRAMES, "text")} of 128 bytes that come at full speed, each answered with one send.`,
    rows: [
      against("CPU of a text and its answer, 1 connection", cpu("own", "mooring"), cpu("bare", "bare ws"), "µs"),
      against(
        "CPU of a text and its answer, 100 connections",
        cpu("ownMany", "mooring"),
        cpu("bareMany", "bare ws"),
        "µs"
      ),
      against("sends a second, 1 connection", rate("own", "mooring"), rate("bare", "bare ws"), "/s"),
      against("sends a second, 100 connections", rate("ownMany", "mooring"), rate("bareMany", "bare ws"), "/s"),
      never("sends refused, 1 connection", series(measured.own, "refused")),
      never("sends refused, 100 connections", series(measured.ownMany, "refused"))
    ]
  }
}
