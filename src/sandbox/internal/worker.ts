/**
 * The main program of a worker: does what the host asks of its guests, one
 * request after the other.
 */
import { parentPort, workerData } from "node:worker_threads"
import { readlinkSync } from "node:fs"
import type { ConsoleLevel } from "../../plugin/PluginConsole.ts"
import { threadMs } from "./budget.ts"
import { Console } from "./console.ts"
import { Guest, type Answer } from "./guest.ts"
import {
  ASKED_AT,
  CALL,
  LEFT,
  THREAD,
  USED,
  type Load,
  type Reply,
  type Request,
  type Shared,
  type Written
} from "./protocol.ts"

// What the host made the worker with.
const { running } = workerData as Shared
const guests = new Map<number, Guest>()
const NOTHING: Answer = { kind: "answered", text: "" }

const isOver = ({ kind }: Reply["answer"]): boolean => kind === "late" || kind === "lost" || kind === "unwanted"

const NANOS = 1e6

/** A guest may go on for so long. */
const asked = (leftMs: number): void => {
  Atomics.store(running, LEFT, BigInt(Math.round(leftMs * NANOS)))
  Atomics.store(running, USED, BigInt(Math.round(threadMs() * NANOS)))
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
    // A thread has no origin.
    // oxlint-disable-next-line require-post-message-target-origin
    tell: (level, written) => parentPort?.postMessage({ guest, written, level } satisfies Written)
  })
  consoles.set(guest, made)
  return made
}

const load = async ({
  args,
  budgetMs,
  call,
  guest: id,
  isHeard,
  settings,
  unwanted
}: Load): Promise<Reply["answer"]> => {
  const isUnwanted = () => Atomics.load(unwanted, 0) !== 0
  if (isUnwanted()) return { kind: "unwanted" }
  const heard = isHeard ? consoleOf(id) : undefined
  const written = heard && ((level: ConsoleLevel, text: string) => heard.write(level, text))
  let guest: Guest
  try {
    guest = await Guest.make({ ...settings, isUnwanted, asked, now: Date.now, written })
  } catch (thrown) {
    return { kind: "full", message: thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : "unknown" }
  }
  begin(call, budgetMs)
  const started = guest.start(args, budgetMs)
  if (started.kind === "answered") guests.set(id, guest)
  return started
}

const forget = (guest: number): void => {
  guests.delete(guest)
  consoles.get(guest)?.flush()
  consoles.delete(guest)
}

const answerOf = async (request: Request): Promise<Reply["answer"]> => {
  if (request.do === "load") return load(request)
  const guest = guests.get(request.guest)
  if (request.do === "end") forget(request.guest)
  if (request.do === "end" || guest?.has(request.name) === false) return NOTHING
  if (guest === undefined) return { kind: "unwanted" }
  begin(request.call, request.budgetMs)
  const answer = guest.call(request.name, request.args, request.budgetMs)
  if (isOver(answer)) guests.delete(request.guest)
  return answer
}

const serve = async (request: Request): Promise<void> => {
  const from = performance.now()
  const answer = await answerOf(request)
  const busyMs = performance.now() - from
  Atomics.store(running, CALL, 0n)
  const guest = guests.get(request.guest)
  const hasStatus = guest?.has("status") === true
  const reply: Reply = { call: request.call, answer, busyMs, lines: guest?.lines ?? 0, hasStatus }
  // A thread has no origin.
  // oxlint-disable-next-line require-post-message-target-origin
  parentPort?.postMessage(reply)
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
