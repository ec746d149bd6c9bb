/**
 * What the host and a worker say to each other. A worker does one request after
 * the other, in the order in which they came, and answers each; what it is busy
 * with stands in memory that both share, for the host to see though the worker
 * may never answer again.
 */
import type { MessagePort } from "node:worker_threads"
import type { ConsoleLevel } from "../../plugin/PluginConsole.ts"
import type { Answer, Export, Settings } from "./guest.ts"

/** What a worker is made with. */
export interface Shared {
  readonly running: BigInt64Array
  /** By which the keys of its guests come. */
  readonly keys: MessagePort
}

/** Where in `running` the number of the call stands that runs a guest's code, 0 for none. */
export const CALL = 0

/** When the guest last asked whether it may go on: nanoseconds of the clock that is never set. */
export const ASKED_AT = 1

/** How many nanoseconds it had left then, by the clock of its worker. */
export const LEFT = 2

/** The processor time that the worker's thread had used then, in nanoseconds; 0 where that isn't known. */
export const USED = 3

/** The thread's number for the operating system; 0 where that isn't known. */
export const THREAD = 4

/** How many requests the worker was sent: more than it has come to where somebody waits for his turn. */
export const SENT = 5

/** How many words `running` has. */
export const WORDS = 6

interface Of {
  readonly call: number
  readonly guest: number
}

/** Makes a guest and runs its entry, and then its `start` where it has one, on one budget. */
export interface Load extends Of {
  readonly do: "load"
  readonly settings: Omit<Settings, "isUnwanted" | "asked" | "now" | "written" | "signer">
  /** Whether somebody wants what it writes to its console. */
  readonly isHeard: boolean
  /** Not 0 once nobody wants the guest any more. */
  readonly unwanted: Int32Array
  /** What it is lent stands here: see `Lent`. */
  readonly lent: SharedArrayBuffer
  readonly args: string
  readonly budgetMs: number
}

/** Calls an export. One that isn't there answers with nothing. */
export interface Call extends Of {
  readonly do: "call"
  readonly name: Exclude<Export, "handleIngress">
  readonly args: string
  readonly budgetMs: number
}

/** Lends events: the arguments of each, and how long each may take. Those that begin, and what comes of them, stand in memory. */
export interface Lend extends Of {
  readonly do: "lend"
  readonly batch: number
  readonly events: ReadonlyArray<string>
  readonly budgetMs: number
}

/** Forgets a guest. */
export interface End extends Of {
  readonly do: "end"
}

export type Request = Load | Call | Lend | End

/** What a guest wrote to its console: told at once, for its worker may have to be ended for what it does next. */
export interface Written {
  readonly guest: number
  readonly written: string
  readonly level: ConsoleLevel
}

/** What became of a request; `full` where there was no room for a guest. */
export interface Reply {
  readonly call: number
  /** Of a batch: of the event whose result found no room among the others, where there is one. */
  readonly answer: Answer | { readonly kind: "full"; readonly message: string }
  /** For how long the guest was busy. */
  readonly busyMs: number
  /** How many lines the guest has written so far. */
  readonly lines: number
  readonly hasStatus: boolean
}

/** A batch goes on, and more of it has ended. */
export interface Progress {
  readonly call: number
  readonly answer?: undefined
}
