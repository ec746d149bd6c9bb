/**
 * The host's side of one worker: what it was asked, in order, who is in it, and
 * the hard deadline of what it is busy with. The first request that waits is
 * the one that the worker is busy with, so whoever is first when the worker has
 * to be ended is the culprit, and all others are neighbours.
 */
import { readFileSync } from "node:fs"
import { MessageChannel, Worker, type MessagePort } from "node:worker_threads"
import type { HadTime } from "../../time/HadTime.ts"
import type { Loss } from "../../plugin/PluginRuntime.ts"
import type { Handed } from "./keys.ts"
import {
  ASKED_AT,
  CALL,
  LEFT,
  SENT,
  THREAD,
  USED,
  WORDS,
  type Progress,
  type Reply,
  type Request,
  type Shared,
  type Written
} from "./protocol.ts"

/** How long after its own deadline a guest's worker is ended. */
const HARD_AFTER_MS = 50
/** How long a worker may take to begin a guest's code, or to forget a guest, before it is given up. */
const STUCK_MS = 10_000
/** How often it is looked which events of a batch have begun, where the worker doesn't say. */
const LOOK_MS = 10
/** How long to wait at least before a guest that is due is looked at again. */
const SHORTEST_MS = 5
const NANOS = 1e6
/** What a worker needs of native stack: QuickJS's own bound on a guest's stack is to be reached first. */
const STACK_MB = 64

/** `gone`: the worker ended for another guest's sake, or with a guest that was not asked anything. */
export type Outcome = Reply["answer"] | { readonly kind: "gone" }

/** Whoever is in a worker. */
export interface Occupant {
  /** Its worker ends: nothing more of what it was lent begins. */
  readonly doomed: () => void
  /** It is lost with its worker, of which nothing runs any more. */
  readonly lost: (how: Loss) => void
  /** Its worker had to be ended because of it. */
  readonly blamed: () => void
  /** It wrote to its console. */
  readonly wrote: (written: Written) => void
}

// Each kind of request by itself, without what the thread adds to it.
type Asked = Request extends infer R ? (R extends Request ? Omit<R, "call" | "guest"> : never) : never

interface Task {
  readonly call: number
  readonly guest: number
  /** After how long the worker is looked at. */
  readonly dueMs: number
  readonly done: (outcome: Outcome, reply: Reply | undefined) => void
  /** It goes on: called whenever more can be said of it. */
  readonly progressed: (() => void) | undefined
}

interface Options {
  readonly time: HadTime
  readonly number: number
  /** Whether it is for a plugin that is told apart. */
  readonly isSolo: boolean
  /** A guest has gone, or the worker has. */
  readonly left: () => void
}

export class Thread {
  readonly number: number
  readonly isSolo: boolean
  /** Completes once the worker has ended; nothing of its guests runs any more. */
  readonly ended: Promise<void>
  readonly #worker: Worker
  /** By which keys go to it. */
  readonly #keys: MessagePort
  readonly #time: HadTime
  readonly #running = new BigInt64Array(new SharedArrayBuffer(WORDS * BigInt64Array.BYTES_PER_ELEMENT))
  readonly #tasks: Array<Task> = []
  readonly #occupants = new Map<number, Occupant>()
  readonly #left: () => void
  #calls = 0
  /** A call that nobody waits for any more. */
  #hastened = 0
  #unwatch: (() => void) | undefined = undefined
  /** When a guest had asked last, where it was looked at, and when it was looked at first since, in milliseconds had. */
  #seen = { askedAt: 0n, at: 0 }
  #isOnline = false
  #isDead = false

  /** Throws where there is no room for a worker. */
  constructor({ isSolo, left, number, time }: Options) {
    this.number = number
    this.isSolo = isSolo
    this.#time = time
    this.#left = left
    // The same file, as it is and as it was built.
    const program = new URL(`./worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)
    const { port1, port2 } = new MessageChannel()
    this.#keys = port1
    this.#worker = new Worker(program, {
      workerData: { running: this.#running, keys: port2 } satisfies Shared,
      transferList: [port2],
      env: {},
      argv: [],
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
      name: `sandbox ${number}`,
      resourceLimits: { stackSizeMb: STACK_MB }
    })
    this.#worker.on("online", () => {
      this.#isOnline = true
    })
    this.#worker.on("message", (said: Reply | Progress | Written) => {
      if ("written" in said) this.#occupants.get(said.guest)?.wrote(said)
      else this.#said(said)
    })
    this.#worker.on("error", (error: Error) => this.#died(error))
    this.ended = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        this.#died(new Error("the worker ended"))
        resolve()
      })
    })
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** How many guests are in it. */
  get size(): number {
    return this.#occupants.size
  }

  enter(guest: number, occupant: Occupant): void {
    this.#occupants.set(guest, occupant)
  }

  /** Hands a guest all keys that it may sign with from now on. */
  handKeys(guest: number, keys: Handed["keys"]): void {
    // A port has no origin.
    // oxlint-disable-next-line require-post-message-target-origin
    this.#keys.postMessage({ guest, keys } satisfies Handed)
  }

  /** Asks for something; `done` is called once, unless the worker ended before and nobody is to be told. */
  ask(guest: number, asked: Asked, done: Task["done"], progressed?: () => void): void {
    if (this.#isDead) return done({ kind: "gone" }, undefined)
    const call = ++this.#calls
    const dueMs = HARD_AFTER_MS + (asked.do === "end" ? STUCK_MS : asked.budgetMs)
    this.#tasks.push({ call, guest, dueMs, done, progressed })
    Atomics.add(this.#running, SENT, 1n)
    // Omit distributes over the union, and a spread can't say so. A worker has no origin.
    // oxlint-disable-next-line require-post-message-target-origin
    this.#worker.postMessage({ ...asked, call, guest } as Request)
    if (this.#tasks.length === 1) this.#watch(dueMs)
  }

  /** Forgets a guest, at once where it is busy: then it has no more time than an interruption takes. */
  leave(guest: number): Promise<void> {
    if (this.#isDead) return this.ended
    return new Promise((resolve) => {
      this.ask(guest, { do: "end" }, (outcome) => {
        this.#occupants.delete(guest)
        if (outcome.kind === "gone") return resolve(this.ended)
        this.#left()
        resolve()
      })
      if (this.#tasks.length > 1) this.hasten(guest)
    })
  }

  /** A guest that nobody wants any more has no more time than an interruption takes, where it is busy. */
  hasten(guest: number): void {
    const [first] = this.#tasks
    if (first?.guest !== guest) return
    this.#hastened = first.call
    this.#watch(HARD_AFTER_MS)
  }

  /** Ends the worker, whatever it is busy with and whoever is in it. */
  end(): Promise<void> {
    if (!this.#isDead) this.#close("crash", undefined, { kind: "gone" })
    return this.ended
  }

  #said(reply: Reply | Progress): void {
    const [first] = this.#tasks
    if (this.#isDead || first?.call !== reply.call) return
    if (reply.answer === undefined) return first.progressed?.()
    this.#tasks.shift()
    this.#unwatch?.()
    this.#unwatch = undefined
    const [next] = this.#tasks
    if (next !== undefined) this.#watch(next.dueMs)
    first.done(reply.answer, reply)
  }

  /** Judges what the worker is busy with after so long, and looks at it meanwhile. */
  #watch(ms: number): void {
    this.#unwatch?.()
    const progressed = this.#tasks[0]?.progressed
    if (progressed === undefined || ms <= LOOK_MS) {
      this.#unwatch = this.#time.after(ms, () => this.#judge(0))
      return
    }
    this.#unwatch = this.#time.after(LOOK_MS, () => {
      this.#watch(ms - LOOK_MS)
      progressed()
    })
  }

  /**
   * What is left to a guest that runs until its worker is ended, in milliseconds: what it had when it last asked, and
   * some. One that asks is stopped when it has nothing left, so this is reached only where it doesn't. One that nobody
   * wants any more has to ask.
   */
  #leftOf(call: number): number {
    const leftMs = this.#hastened === call ? 0 : Number(Atomics.load(this.#running, LEFT)) / NANOS
    return Math.max(0, leftMs) + HARD_AFTER_MS - this.#hadMs()
  }

  /** What a guest had of a processor since it asked; of the time, where the system doesn't tell, or for too long. */
  #hadMs(): number {
    const askedAt = Atomics.load(this.#running, ASKED_AT)
    const sinceMs = Number(process.hrtime.bigint() - askedAt) / NANOS
    const before = Number(Atomics.load(this.#running, USED)) / NANOS
    const now = this.#time.now()
    if (askedAt !== this.#seen.askedAt) this.#seen = { askedAt, at: now }
    // Too long for who got no processor, by time that the process had.
    if (before === 0 || now - this.#seen.at > STUCK_MS) return sinceMs
    const used = usedMs(Number(Atomics.load(this.#running, THREAD)))
    return used === undefined ? sinceMs : Math.min(sinceMs, used - before)
  }

  /** The first request is due: it is late only if the worker is busy with it. */
  #judge(waitedMs: number): void {
    this.#unwatch = undefined
    const [first] = this.#tasks
    if (first === undefined) return
    const isRunning = Atomics.load(this.#running, CALL) === BigInt(first.call)
    const left = isRunning ? this.#leftOf(first.call) : HARD_AFTER_MS
    if (left > 0 && waitedMs < STUCK_MS) {
      // A processor may be had in part only.
      this.#unwatch = this.#time.after(Math.max(left, SHORTEST_MS), () => this.#judge(isRunning ? 0 : waitedMs + left))
    } else {
      this.#close("neighbour", isRunning ? first : undefined, { kind: "late" })
    }
  }

  /** It ended by itself. One that never began had no room. */
  #died(error: Error): void {
    if (this.#isDead) return
    const message = `${error.name}: ${error.message}`
    if (this.#isOnline) return this.#close("neighbour", this.#tasks[0], { kind: "lost", message })
    for (const task of this.#tasks.splice(0)) task.done({ kind: "full", message }, undefined)
    this.#close("neighbour", undefined, { kind: "gone" })
  }

  /** Ends the worker. One may have been to blame; the others are lost as it is said, once nothing of theirs runs any more. */
  #close(how: Loss, culprit: Task | undefined, outcome: Outcome): void {
    this.#isDead = true
    this.#unwatch?.()
    const occupants = [...this.#occupants]
    const others = occupants.filter(([guest]) => guest !== culprit?.guest)
    for (const [, occupant] of occupants) occupant.doomed()
    void this.#worker.terminate()
    this.#keys.close()
    for (const task of this.#tasks.splice(0)) if (task !== culprit) task.done({ kind: "gone" }, undefined)
    this.#occupants.get(culprit?.guest ?? 0)?.blamed()
    void this.ended.then(() => {
      // Until now somebody may have heard what they wrote.
      this.#occupants.clear()
      culprit?.done(outcome, undefined)
      for (const [, occupant] of others) occupant.lost(how)
    })
    this.#left()
  }
}

/** The processor time that a thread has used, in milliseconds; undefined where nobody tells. */
const usedMs = (thread: number): number | undefined => {
  try {
    const used = Number(readFileSync(`/proc/self/task/${thread}/schedstat`, "latin1").split(" ")[0]) / NANOS
    return Number.isFinite(used) ? used : undefined
  } catch {
    return undefined
  }
}
