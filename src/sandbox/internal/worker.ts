/**
 * The main program of a worker: does what the host asks of its guests, one
 * request after the other.
 */
import { parentPort, workerData } from "node:worker_threads"
import { readlinkSync } from "node:fs"
import type { ConsoleLevel } from "../../plugin/PluginConsole.ts"
import { threadMs } from "./budget.ts"
import { Console } from "./console.ts"
import { Signer } from "../../secrets/Signer.ts"
import { Guest, type Answer } from "./guest.ts"
import { Keys } from "./keys.ts"
import { Borrowed } from "./lent.ts"
import {
  ASKED_AT,
  CALL,
  LEFT,
  SENT,
  THREAD,
  USED,
  type Lend,
  type Load,
  type Progress,
  type Reply,
  type Request,
  type Shared,
  type Written
} from "./protocol.ts"

/** How long a guest's turn is where others wait for theirs. An event that has begun is finished. */
const TURN_MS = 10
/** How often the host hears of a batch that goes on. */
const PROGRESS_MS = 2
const NANOS = 1e6
const NOTHING: Answer = { kind: "answered", text: "" }

interface Member {
  readonly guest: Guest
  readonly borrowed: Borrowed
}

// What the host made the worker with.
const shared = workerData as Shared
const { running } = shared
const keys = new Keys(shared.keys)
const members = new Map<number, Member>()
/** How many requests have been come to. */
let served = 0n

const isOver = ({ kind }: Reply["answer"]): boolean => kind === "late" || kind === "lost" || kind === "unwanted"

/** Whether another request waits. */
const isAwaited = (): boolean => Atomics.load(running, SENT) > served

const say = (message: Reply | Progress | Written): void => {
  // A thread has no origin.
  // oxlint-disable-next-line require-post-message-target-origin
  parentPort?.postMessage(message)
}

/** A guest may go on for so long. */
const asked = (leftMs: number, usedMs = threadMs()): void => {
  Atomics.store(running, LEFT, BigInt(Math.round(leftMs * NANOS)))
  Atomics.store(running, USED, BigInt(Math.round(usedMs * NANOS)))
  Atomics.store(running, ASKED_AT, process.hrtime.bigint())
}

/** From now on a guest's code runs, for so long at most. */
const begin = (call: number, budgetMs: number): void => {
  asked(budgetMs)
  Atomics.store(running, CALL, BigInt(call))
}

const consoles = new Map<number, Console>()

/** The console of a guest that somebody listens to. */
const consoleOf = (guest: number): Console => {
  const made = new Console({
    now: () => performance.now(),
    tell: (level, written) => say({ guest, written, level })
  })
  consoles.set(guest, made)
  return made
}

/** Signs for a guest. How fast it may is judged by the clock by which its deadlines are. */
const signerOf = (guest: number): Signer =>
  new Signer({ keyOf: (name) => keys.of(guest, name), now: () => performance.now() })

const load = async ({
  args,
  budgetMs,
  call,
  guest: id,
  isHeard,
  lent,
  settings,
  unwanted
}: Load): Promise<Reply["answer"]> => {
  const isUnwanted = () => Atomics.load(unwanted, 0) !== 0
  if (isUnwanted()) return { kind: "unwanted" }
  const heard = isHeard ? consoleOf(id) : undefined
  const written = heard && ((level: ConsoleLevel, text: string) => heard.write(level, text))
  let guest: Guest
  try {
    guest = await Guest.make({ ...settings, isUnwanted, asked, now: Date.now, written, signer: signerOf(id) })
  } catch (thrown) {
    return { kind: "full", message: thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : "unknown" }
  }
  begin(call, budgetMs)
  const started = guest.start(args, budgetMs)
  if (started.kind === "answered") members.set(id, { guest, borrowed: new Borrowed(lent) })
  return started
}

const forget = (guest: number): void => {
  members.delete(guest)
  keys.forget(guest)
  consoles.get(guest)?.flush()
  consoles.delete(guest)
}

/** Hands a guest what it was lent, event after event; an answer that found no room among the others ends its turn. */
const lend = ({ batch, budgetMs, call, events, guest: id }: Lend): Answer => {
  const member = members.get(id)
  if (member === undefined) return NOTHING
  const { borrowed, guest } = member
  borrowed.begin(batch)
  begin(call, budgetMs)
  const from = performance.now()
  let toldAt = from
  for (const event of events) {
    const now = performance.now()
    if (now - from >= TURN_MS && isAwaited()) break
    if (now - toldAt >= PROGRESS_MS) {
      toldAt = now
      say({ call })
    }
    if (!borrowed.take()) break
    const answer = guest.call("handleIngress", event, budgetMs, borrowed.copy)
    if (isOver(answer)) members.delete(id)
    if (answer.kind === "unwanted" || !borrowed.tell(answer)) return answer
    if (isOver(answer)) break
  }
  return NOTHING
}

const answerOf = async (request: Request): Promise<Reply["answer"]> => {
  if (request.do === "load") return load(request)
  if (request.do === "lend") return lend(request)
  const guest = members.get(request.guest)?.guest
  if (request.do === "end") forget(request.guest)
  if (request.do === "end" || guest?.has(request.name) === false) return NOTHING
  if (guest === undefined) return { kind: "unwanted" }
  begin(request.call, request.budgetMs)
  const answer = guest.call(request.name, request.args, request.budgetMs)
  if (isOver(answer)) members.delete(request.guest)
  return answer
}

const serve = async (request: Request): Promise<void> => {
  served++
  const from = performance.now()
  const before = members.get(request.guest)?.guest
  const answer = await answerOf(request)
  const busyMs = performance.now() - from
  Atomics.store(running, CALL, 0n)
  const guest = members.get(request.guest)?.guest
  const hasStatus = guest?.has("status") === true
  say({ call: request.call, answer, busyMs, lines: (guest ?? before)?.lines ?? 0, hasStatus })
}

/** The thread's number, where there is a Linux to ask. */
const threadNumber = (): string => {
  try {
    return /\d+$/.exec(readlinkSync("/proc/thread-self"))?.[0] ?? "0"
  } catch {
    return "0"
  }
}

Atomics.store(running, THREAD, BigInt(threadNumber()))

let last: Promise<void> = Promise.resolve()
parentPort?.on("message", (request: Request) => {
  last = last.then(() => serve(request))
})
