/** What a text costs from the socket to the handler's return, beside everything that a user would write instead. */
import { against, never, series, type Options, type Picture, type Row, type Section } from "../cells.ts"
import type { Contestant } from "../contestants/contestant.ts"
import { rounds, type Figures } from "../harness.ts"
import { summary } from "../statistics.ts"

const FRAMES = 1_000_000
/** Of those that need so little that a million is soon over. */
const FAST_FRAMES = 1_500_000
/** Of a queue without a bound, which keeps nearly all of them. */
const QUEUED_FRAMES = 400_000
const LARGE_FRAMES = 40_000
const LARGE = 16_384

const at = (mode: string, more: Partial<Contestant> = {}): Contestant => ({ mode, frames: FRAMES, ...more })
const large = { bytes: LARGE, frames: LARGE_FRAMES }
const fast = { frames: FAST_FRAMES }
const sixteen = { connections: 16, ...fast }
const many = { connections: 1000, ...fast }

const targets = {
  "bare ws": at("bare", fast),
  exit: at("hosted", fast),
  sync: at("hosted", { handling: "sync" }),
  fnUntraced: at("hosted", { handling: "fnUntraced" }),
  "runSync of sync on bare ws": at("bare", { handling: "sync" }),
  "runSync of fnUntraced on bare ws": at("bare", { handling: "fnUntraced" }),
  "async handler on bare ws": at("bare", { handling: "async" }),
  "array and async loop": at("array"),
  "EventEmitter and p-queue": at("p-queue", { frames: QUEUED_FRAMES }),
  partysocket: at("partysocket"),
  "Node's WebSocket": at("built-in"),
  "Effect's Socket": at("effect-socket"),
  "bare ws, 16": at("bare", sixteen),
  "exit, 16": at("hosted", sixteen),
  "bare ws, 1,000": at("bare", many),
  "exit, 1,000": at("hosted", many),
  "exit, 1,000 plugins": at("hosted", { ...many, plugins: 1000 }),
  "bare ws, 16 KiB": at("bare", large),
  "exit, 16 KiB": at("hosted", large)
}

const extras = {
  "array and async loop, 16": at("array", sixteen),
  "EventEmitter and p-queue, 16": at("p-queue", { ...sixteen, frames: QUEUED_FRAMES }),
  "partysocket, 16": at("partysocket", sixteen),
  "Node's WebSocket, 16": at("built-in", sixteen),
  "Effect's Socket, 16": at("effect-socket", sixteen),
  "bare ws, 16 B": at("bare", { ...fast, bytes: 16 }),
  "exit, 16 B": at("hosted", { ...fast, bytes: 16 }),
  "bare ws, 1 KiB": at("bare", { ...fast, bytes: 1024 }),
  "exit, 1 KiB": at("hosted", { ...fast, bytes: 1024 }),
  gen: at("hosted", { handling: "gen" }),
  "runSync of gen on bare ws": at("bare", { handling: "gen" }),
  sends: at("hosted", { handling: "sends" }),
  "bare ws that sends": at("bare", { handling: "sends" }),
  urgent: at("hosted", { ...fast, urgent: true }),
  "binary on bare ws": at("bare", { ...fast, binary: true }),
  binary: at("hosted", { ...fast, binary: true }),
  "binary on bare ws, 16 KiB": at("bare", { ...large, binary: true }),
  "binary, 16 KiB": at("hosted", { ...large, binary: true }),
  "no fast path": at("hosted", { ...fast, fastPath: false })
}

type Name = keyof typeof targets | keyof typeof extras

/** What the row says of itself isn't said again of its peer. */
const VARIED = /, [\d,]+( K?i?B)?$/

const HAND_WRITTEN = ["array and async loop", "EventEmitter and p-queue", "partysocket", "Node's WebSocket"] as const

const sizes = (middle: (name: Name) => number): Picture => ({
  file: "sizes.svg",
  title: "CPU of a received text by its size in bytes",
  unit: "µs",
  x: [16, 128, 1024, LARGE],
  lines: [
    { name: "bare ws", y: (["bare ws, 16 B", "bare ws", "bare ws, 1 KiB", "bare ws, 16 KiB"] as const).map(middle) },
    { name: "mooring", y: (["exit, 16 B", "exit", "exit, 1 KiB", "exit, 16 KiB"] as const).map(middle) }
  ]
})

export const receive = async ({ all, rounds: times }: Options): Promise<Section> => {
  const measured: Partial<{ readonly [_ in Name]: ReadonlyArray<Figures> }> = await rounds(
    all ? { ...targets, ...extras } : targets,
    times
  )
  const cpu = (name: Name) => {
    const figures = measured[name] ?? []
    return { name: name.replace(VARIED, ""), values: series(figures, "cpuUs"), wall: series(figures, "wallUs") }
  }
  const beside = (what: string, own: Name, peer: Name, most?: number): Row =>
    against(what, cpu(own), cpu(peer), "µs", most)
  const lost = (what: string, name: Name): Row => {
    const figures = measured[name] ?? []
    const [missing, dropped] = [series(figures, "missing"), series(figures, "dropped")]
    return never(
      what,
      missing.map((count, round) => Math.max(count, dropped[round] ?? Number.NaN))
    )
  }
  const rows = [
    beside("128 bytes, `Exit`, 1 connection", "exit", "bare ws", 0.8),
    beside("the same, 16 connections", "exit, 16", "bare ws, 16", 0.8),
    beside("the same, 1,000 connections", "exit, 1,000", "bare ws, 1,000", 1),
    beside("16 KiB, `Exit`, 1 connection", "exit, 16 KiB", "bare ws, 16 KiB", 1),
    beside("`Effect.sync`", "sync", "runSync of sync on bare ws", 1),
    beside("`Effect.sync`", "sync", "async handler on bare ws", 2),
    beside("`fnUntraced` with one `yield*`", "fnUntraced", "runSync of fnUntraced on bare ws", 1),
    beside("`fnUntraced` with one `yield*`", "fnUntraced", "async handler on bare ws", 2),
    beside("`Exit`", "exit", "Effect's Socket", 0.2),
    ...HAND_WRITTEN.map((peer) => beside("`Exit`", "exit", peer, 1)),
    lost("frames lost at full speed, 1 connection", "exit"),
    lost("frames lost at full speed, 16 connections", "exit, 16"),
    lost("frames lost at full speed, 1,000 connections of one plugin", "exit, 1,000"),
    lost("frames lost at full speed, 1,000 plugins with a connection each", "exit, 1,000 plugins")
  ]
  const further = (): ReadonlyArray<Row> => [
    ...HAND_WRITTEN.map((peer) => beside("`Exit`, 16 connections", "exit, 16", `${peer}, 16`, 1)),
    beside("`Exit`, 16 connections", "exit, 16", "Effect's Socket, 16", 0.2),
    beside("16 bytes, `Exit`", "exit, 16 B", "bare ws, 16 B"),
    beside("1 KiB, `Exit`", "exit, 1 KiB", "bare ws, 1 KiB"),
    beside("`Effect.gen` in the handler", "gen", "runSync of gen on bare ws"),
    beside("a handler that sends the text back", "sends", "bare ws that sends"),
    beside("every text urgent", "urgent", "bare ws"),
    beside("binary frames of 128 bytes", "binary", "binary on bare ws"),
    beside("binary frames of 16 KiB", "binary, 16 KiB", "binary on bare ws, 16 KiB"),
    beside("`fast_path = false`", "no fast path", "bare ws")
  ]
  return {
    title: "A received text",
    about:
      "CPU of a text, from the socket to the handler's return, every rule on: 128 bytes over 1 connection unless it is said otherwise.",
    rows: all ? [...rows, ...further()] : rows,
    ...(all ? { pictures: [sizes((name) => summary(cpu(name).values).median)] } : {})
  }
}
