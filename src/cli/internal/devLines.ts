/**
 * What `mooring dev` shows: one line each, with the time and what it is about.
 * What passes between host and plugin is shown up to a bound, and how much was
 * left out once the second is over; everything else is shown always.
 *
 * All text that isn't the program's own is masked and cleaned before it is a
 * part of a line.
 */
import type * as Clock from "effect/Clock"
import * as OutputCommand from "../../commands/OutputCommand.ts"
import * as IngressEventWire from "../../ingress/IngressEventWire.ts"
import type { CommandOutcome } from "../../ingress/CommandOutcome.ts"
import type { AnyEvent } from "../../ingress/IngressEvent.ts"
import * as Redaction from "../../diagnostics/Redaction.ts"
import type { Output } from "../../plugin/PluginRuntime.ts"
import { clean } from "./cells.ts"

/** What a line is about. */
export type Kind =
  | "dev"
  | "granted"
  | "plugin"
  | "source"
  | "event"
  | "answer"
  | "command"
  | "result"
  | "console"
  | Severity

type Severity = "info" | "warning" | "error"

/** At most so many lines of events, answers, commands and results in any second. */
const MOST_LINES = 50
const WITHIN_MS = 1000
const WIDTH = 8

export class DevLines {
  readonly #write: (line: string) => void
  readonly #clock: Clock.Clock
  #redaction: Redaction.Redaction = Redaction.make({ secrets: [], config: null })
  #since = -Infinity
  #lines = 0
  #leftOut = 0

  constructor(write: (line: string) => void, clock: Clock.Clock) {
    this.#write = write
    this.#clock = clock
  }

  /** From now on foreign text is masked like this. */
  mask(redaction: Redaction.Redaction): void {
    this.#redaction = redaction
  }

  /** A line of the program's own words. */
  say(kind: Kind, text: string): void {
    const time = new Date(this.#clock.currentTimeMillisUnsafe()).toISOString().slice(11, -1)
    this.#write(`${time} ${kind.padEnd(WIDTH)} ${clean(this.#redaction.own(text))}`)
  }

  /** A line that repeats foreign text. */
  foreign(kind: Kind, text: string): void {
    this.say(kind, this.#redaction.foreign(text))
  }

  /** An event that the plugin is handed, with the names that its fields have there. */
  event(event: AnyEvent): void {
    this.#pass("event", () => {
      const { droppedBefore, ingressName, kind, sequence, sourceId } = event
      const { payload } = IngressEventWire.encode(event)
      const from = sourceId === null ? ingressName : `${ingressName} ${sourceId}`
      const lost = droppedBefore === 0 ? "" : ` after ${droppedBefore} that were lost`
      return `${kind} ${from} #${sequence}${lost} ${this.#json(withoutUrl(payload))}`
    })
  }

  /** What the plugin answered, as far as it says anything. */
  output({ accepted, commands, state, status }: Output): void {
    const said = { ...(accepted === false ? { accepted } : {}), ...(status === undefined ? {} : { status }) }
    if (Object.keys(said).length > 0 || state !== undefined) {
      const handedOver = state === undefined ? {} : { state }
      this.#pass("answer", () => this.#json({ ...said, ...handedOver }))
    }
    // A guest may answer with anything.
    for (const command of Array.isArray(commands) ? commands : []) {
      const written = () => (OutputCommand.isOutputCommand(command) ? OutputCommand.encode(command) : command)
      this.#pass("command", () => this.#json(written()))
    }
  }

  /** What became of a command. */
  result({ commandId, error, kind, status }: CommandOutcome): void {
    this.#pass("result", () => {
      const why = error === undefined ? "" : ` ${error.tag}: ${error.message}`
      return `${status} ${kind ?? "a command"} ${commandId}${why}`
    })
  }

  /** Says how much was left out, once its second is over. */
  flush(): void {
    if (this.#leftOut === 0 || this.#now() - this.#since < WITHIN_MS) return
    const count = this.#leftOut
    this.#leftOut = 0
    this.say("dev", `${count} more ${count === 1 ? "line" : "lines"} of events, answers, commands and results`)
  }

  #pass(kind: Kind, text: () => string): void {
    this.flush()
    if (this.#now() - this.#since >= WITHIN_MS) {
      this.#since = this.#now()
      this.#lines = 0
    }
    if (this.#lines >= MOST_LINES) this.#leftOut++
    else {
      this.#lines++
      this.say(kind, text())
    }
  }

  #now(): number {
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  #json(value: unknown): string {
    return this.#redaction.foreign(JSON.stringify(value) ?? "nothing")
  }
}

/** The connection is named by its id. */
const withoutUrl = (payload: unknown): unknown => {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return payload
  return Object.fromEntries(Object.entries(payload).filter(([name]) => name !== "url"))
}
