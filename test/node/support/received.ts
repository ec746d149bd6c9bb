/** What the receiver of `ws` makes of bytes, with a frame collector before it, with the lane beside it, and alone. */
import { vi } from "@effect/vitest"
import * as Ws from "ws"
import type { Writable } from "node:stream"
import { type Compression, FrameCollector, type MessageLimits } from "../../../src/node/internal/frameCollector.ts"
import { TextLane } from "../../../src/node/internal/textLane.ts"

export const LIMITS: MessageLimits = { bytes: 1 << 20, fragments: 65_536 }

/** An event in a few words. */
type Told = string

export interface Received {
  readonly events: ReadonlyArray<Told>
  /** What the receiver was handed. */
  readonly handed: ReadonlyArray<Buffer>
}

/** The types of `ws` don't have its parser. */
const receiverOf = ({ bytes, fragments }: MessageLimits): Writable => {
  const make: unknown = Reflect.get(Ws, "Receiver")
  if (typeof make !== "function") throw new Error("ws has no receiver")
  return Reflect.construct(make, [{ maxPayload: bytes, maxFragments: fragments, maxBufferedChunks: 0 }])
}

const short = (data: Buffer): string =>
  data.length > 40 ? `${data.subarray(0, 40).toString("latin1")}… of ${data.length}` : data.toString("latin1")

/** As these reads, with the lane. */
export const inLane = async (reads: ReadonlyArray<Buffer>, limits = LIMITS): Promise<ReadonlyArray<Told>> => {
  const receiver = receiverOf(limits)
  const events = listen(receiver)
  const rest = { take: (bytes: Buffer) => receiver.write(bytes), hasRefused: () => receiver.errored !== null }
  const lane = new TextLane(
    limits.bytes,
    { text: (text) => void events.push(`text ${short(Buffer.from(text))}`) },
    rest
  )
  const collector = new FrameCollector(limits, lane)
  for (const read of reads) collector.take(Buffer.from(read))
  await told()
  return events
}

const listen = (receiver: Writable): Array<Told> => {
  const events: Array<Told> = []
  receiver
    .on("message", (data: Buffer, isBinary: boolean) => events.push(`${isBinary ? "binary" : "text"} ${short(data)}`))
    .on("ping", (data: Buffer) => events.push(`ping ${short(data)}`))
    .on("pong", (data: Buffer) => events.push(`pong ${short(data)}`))
    .on("conclude", (code: number, reason: Buffer) => events.push(`close ${code} ${short(reason)}`))
    .on("error", (error) => events.push(`error ${"code" in error ? String(error.code) : error.message}`))
  return events
}

/** Lets a stream tell of its error, which it does in a later turn. */
const told = () => new Promise<void>((resolve) => setImmediate(resolve))

/** As one read, by the receiver alone. */
export const bare = async (bytes: Buffer, limits = LIMITS): Promise<ReadonlyArray<Told>> => {
  const receiver = receiverOf(limits)
  const events = listen(receiver)
  receiver.write(bytes)
  await told()
  return events
}

/** As these reads. */
export const collected = async (
  reads: ReadonlyArray<Buffer>,
  limits = LIMITS,
  compression: Compression = "off"
): Promise<Received> => {
  const receiver = receiverOf(compression === "off" ? limits : { ...limits, fragments: 1 })
  const events = listen(receiver)
  const handed: Array<Buffer> = []
  const collector = new FrameCollector(
    limits,
    {
      take: (bytes) => {
        handed.push(Buffer.from(bytes))
        return receiver.write(bytes)
      }
    },
    compression
  )
  // What a buffer held before shows where it is taken for what came.
  const unsafe = vi.spyOn(Buffer, "allocUnsafe").mockImplementation((size) => Buffer.alloc(size, 0xff))
  for (const read of reads) collector.take(Buffer.from(read))
  unsafe.mockRestore()
  await told()
  return { events, handed }
}

/** The same bytes in reads of these sizes, again and again. */
export const cut = (bytes: Buffer, sizes: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const reads: Array<Buffer> = []
  let at = 0
  for (let read = 0; at < bytes.length; read++) {
    const size = Math.max(1, sizes[read % sizes.length] ?? 1)
    reads.push(bytes.subarray(at, at + size))
    at += size
  }
  return reads
}
