/** A queue of a source on its own, with everything around it in sight. */
import * as Effect from "effect/Effect"
import type { ReadMode } from "../../../src/connection/WebSocketClient.ts"
import * as Accounting from "../../../src/ingress/Accounting.ts"
import type { IngressEvent } from "../../../src/ingress/IngressEvent.ts"
import * as IngressQueue from "../../../src/ingress/IngressQueue.ts"
import * as TextRules from "../../../src/ingress/TextRules.ts"
import { Turns, type EventQueue } from "../../../src/ingress/Turns.ts"

export interface Options {
  readonly capacity: number
  readonly bytes?: number
  readonly hostBytes?: number
  readonly patienceMs?: number
  readonly kinds?: ReadonlyArray<string>
  readonly urgent?: ReadonlyArray<string>
  readonly autoReplies?: ReadonlyArray<{ readonly text: string; readonly reply: string }>
}

export const fixture = (options: Options) =>
  Effect.gen(function* () {
    const accounting = Accounting.make()
    const host = { used: 0, limit: options.hostBytes ?? 1_000_000_000 }
    const modes: Array<ReadMode> = []
    const overflows: Array<string> = []
    const replies: Array<string> = []
    const reports = { overflows: 0, readied: 0, paused: 0, began: 0, ended: 0 }
    /** What may change under way. */
    const world = { now: 0, monotonic: 0, hasRoom: true, kinds: options.kinds, rules: TextRules.of(options) }
    const turns = new Turns<EventQueue>(() => {})
    const limits = {
      ingressQueueCapacity: options.capacity,
      ingressQueueBytes: options.bytes ?? 1_000_000,
      burstPatienceMs: options.patienceMs ?? 1000
    }
    const queue = yield* IngressQueue.make({
      origin: { key: "k", source: "websocket:ws://h/?q", id: "1b2c3d4e", url: "ws://h/?q", ingressName: "gateway" },
      display: "ws://h/",
      takes: (kind) => world.kinds?.includes(kind) ?? true,
      rules: () => world.rules,
      reply: (text) => {
        if (world.hasRoom) replies.push(text)
        return world.hasRoom
      },
      limits,
      accounting,
      hostBytes: host,
      turns,
      now: () => world.now,
      monotonic: () => world.monotonic,
      overflowed: (make) => {
        reports.overflows++
        overflows.push(make().message)
      },
      paused: () => reports.paused++,
      readied: () => reports.readied++,
      epochBegan: () => reports.began++,
      epochEnded: () => reports.ended++
    })
    const read = (mode: ReadMode) => {
      modes.push(mode)
    }
    return { queue, accounting, host, limits, modes, overflows, read, replies, reports, turns, world }
  })

const utf8 = new TextEncoder()

/** A text comes, as the socket tells it. */
export const push = (queue: IngressQueue.IngressQueue, text: string, at = 0): boolean =>
  queue.text(text, utf8.encode(text).length, at)

export const CLEAN = { code: 1000, reason: "", clean: true, unconfirmed: 0, error: null } as const

/** Some of a longer read comes as a binary frame. */
export const pushBinary = (queue: IngressQueue.IngressQueue, length: number, at = 0): boolean =>
  queue.binary(new Uint8Array(length + 8).subarray(4, 4 + length), at)

/** What a model knows of an event that is handed over. */
export const shown = (event: IngressEvent | undefined) =>
  event && { sequence: event.sequence, frame: event.frame, droppedBefore: event.droppedBefore }
