/**
 * The middle of a tunnel: takes the datagrams of two VXLAN devices, and passes on what its line lets through.
 * `node relayProgram.ts <here> <a> <here> <b>`, one address of its own and one of the device's for each side;
 * told what to do on stdin.
 */
import * as Dgram from "node:dgram"
import * as Readline from "node:readline"
import { type Conditions, Line } from "./line.ts"
import { packetOf, writeChecksum } from "./packets.ts"

export const PORT = 4789

export type Order =
  | { readonly do: "set"; readonly out?: Partial<Conditions>; readonly in?: Partial<Conditions> }
  | { readonly do: "forget"; readonly out: boolean; readonly in: boolean }
  | { readonly do: "heal" }
  | { readonly do: "count" }

/** Always the same chance, so that a run is like the one before. */
const chance = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
}

/** Delivers packets at their times; those of the same time in the order in which they came. */
class Schedule {
  readonly #waiting: Array<{ readonly at: number; readonly deliver: () => void }> = []
  #timer: NodeJS.Timeout | undefined = undefined

  add(at: number, deliver: () => void): void {
    let index = this.#waiting.length
    while (index > 0 && (this.#waiting[index - 1]?.at ?? 0) > at) index--
    this.#waiting.splice(index, 0, { at, deliver })
    if (index === 0) this.#plan()
  }

  #plan(): void {
    clearTimeout(this.#timer)
    const [first] = this.#waiting
    if (first !== undefined) this.#timer = setTimeout(this.#run, first.at - performance.now())
  }

  readonly #run = (): void => {
    const now = performance.now()
    while ((this.#waiting[0]?.at ?? Infinity) <= now) this.#waiting.shift()?.deliver()
    this.#plan()
  }
}

const [hereA = "", a = "", hereB = "", b = ""] = process.argv.slice(2)
const schedule = new Schedule()
const random = chance(1)
const lines = { out: new Line(), in: new Line() }
const [sideA, sideB] = [Dgram.createSocket("udp4"), Dgram.createSocket("udp4")]

const relay = (from: Dgram.Socket, to: Dgram.Socket, address: string, line: Line) =>
  from.on("message", (frame) => {
    const now = performance.now()
    const at = line.arrival(packetOf(frame), now, random)
    if (at === null) return
    writeChecksum(frame)
    const deliver = () => to.send(frame, PORT, address)
    if (at <= now) deliver()
    else schedule.add(at, deliver)
  })

relay(sideA, sideB, b, lines.out)
relay(sideB, sideA, a, lines.in)

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

const obey = (order: Order): void => {
  switch (order.do) {
    case "set":
      lines.out.set(order.out ?? {})
      lines.in.set(order.in ?? {})
      return
    case "forget":
      if (order.out) lines.out.forget()
      if (order.in) lines.in.forget()
      return
    case "heal":
      lines.out.heal()
      lines.in.heal()
      return
    case "count":
      say({ counts: { out: lines.out.counts, in: lines.in.counts } })
  }
}

sideA.bind(PORT, hereA, () => sideB.bind(PORT, hereB, () => say({ ready: true })))
Readline.createInterface({ input: process.stdin })
  .on("line", (text) => {
    const order: Order = JSON.parse(text)
    obey(order)
    say({ done: order.do })
  })
  .on("close", () => process.exit())
