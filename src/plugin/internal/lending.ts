/**
 * Lends events in batches to a runtime that takes several at once.
 *
 * What is lent stays in its queue until it begins: there it counts, and from
 * there it may be evicted, revoked or discarded, once the batch has been
 * recalled. One batch is out at a time. Its events begin and end in its order;
 * each is accounted for, and judged, by itself.
 */
import type * as Exit from "effect/Exit"
import type { Answered } from "../../commands/CommandExecutor.ts"
import type { Accounting } from "../../ingress/Accounting.ts"
import { Timer, type AnyEvent } from "../../ingress/IngressEvent.ts"
import type { EventQueue, Turns } from "../../ingress/Turns.ts"
import { abandonExit } from "../../internal/promises.ts"
import type { Batch, Batches, Told } from "../PluginRuntime.ts"
import type { Stopwatch, Timing } from "./stopwatch.ts"

// How long the plugins that share a worker let one another wait: a batch is to fit into that.
const TURN_MS = 10
// What an event takes beside its text or payload, about.
const EVENT_BYTES = 512

/**
 * How many events the next batch may have: what a turn has shown to fit, by the
 * `ended` events of the last one and their milliseconds, and at most twice as
 * many as before.
 */
export const nextSize = (size: number, ended: number, ms: number, most: number): number => {
  if (ended === 0) return size
  const fit = ms > 0 ? Math.floor((ended * TURN_MS) / ms) : most
  if (fit < size) return Math.max(1, fit)
  // A batch that wasn't full has shown nothing of a larger one.
  return ended < size ? size : Math.min(most, fit, size * 2)
}

const bytesOf = (event: AnyEvent): number => EVENT_BYTES + ("memory" in event ? event.memory : 0)

/** An event that is lent, and what it was before the runtime had it in its hands. */
interface Loan extends Answered {
  readonly event: AnyEvent
  readonly queue: EventQueue
}

/** A loan that began, and when: in milliseconds had. */
interface Begun {
  readonly loan: Loan
  readonly at: number
  readonly timing: Timing | undefined
}

/** What was timed and has ended, with the tag of what went wrong. */
interface Timed {
  readonly timing: Timing
  readonly failure: string | null
}

export interface Options {
  readonly batches: Batches
  readonly turns: Turns<EventQueue>
  readonly accounting: Accounting
  /** A batch is lent: the dispatches of its events begin. */
  readonly lent: () => void
  /** Milliseconds had, and those of a clock that is never set. */
  readonly had: () => number
  readonly monotonic: () => number
  /** An event begins: somebody looks after its deadline. */
  readonly begun: () => void
  /** An event ended. It is in nobody's hands, and not accounted for yet. The tag of what went wrong. */
  readonly settled: (event: Answered, exit: Exit.Exit<unknown, unknown>) => string | null
  readonly stopwatch: Stopwatch
  /** The batch ended. */
  readonly returned: () => void
  /** The runtime itself broke. */
  readonly broke: (defect: unknown) => void
}

/** A batch that is out, as its runtime sees it. */
class Out implements Told {
  readonly #options: Options
  readonly #ended: (out: Out) => void
  /** In the order of the batch. */
  readonly #waiting: Array<Loan>
  readonly #begun: Array<Begun> = []
  #timed: ReadonlyArray<Timed> = []
  #batch: Batch | undefined = undefined
  #isRecalled = false
  #isAbandoned = false
  /** When the first began, and how many have ended. */
  #firstAt = 0
  settledCount = 0
  /** How long the plugin worked on those. */
  ms = 0

  constructor(options: Options, loans: Array<Loan>, ended: (out: Out) => void) {
    this.#options = options
    this.#waiting = loans
    this.#ended = ended
  }

  /** When the oldest that began and hasn't ended did, in milliseconds had. */
  get begunAt(): number | undefined {
    return this.#begun[0]?.at
  }

  dispatch(): void {
    const { batches } = this.#options
    try {
      this.#batch = batches.dispatch(
        this.#waiting.map(({ event }) => event),
        this
      )
    } catch (defect) {
      this.ended()
      this.#options.broke(defect)
    }
  }

  begun(): void {
    const loan = this.#waiting.shift()
    if (loan === undefined) return
    const { accounting, begun, had, monotonic, stopwatch } = this.#options
    if (this.#begun.length + this.settledCount === 0) this.#firstAt = monotonic()
    loan.queue.begin()
    accounting.inFlight++
    this.#begun.push({ loan, at: had(), timing: stopwatch.timing(loan.event) })
    begun()
  }

  done(exit: Exit.Exit<unknown, unknown>): void {
    const begun = this.#take()
    if (begun === undefined) return abandonExit(exit)
    const { loan, timing } = begun
    this.settledCount++
    try {
      const failure = this.#options.settled(loan, exit)
      if (timing !== undefined) this.#timed = [...this.#timed, { timing, failure }]
    } catch (defect) {
      this.#options.broke(defect)
    }
  }

  ended(ms?: number): void {
    this.#giveBack()
    const unsettled = this.#takeAll()
    if (unsettled > 0) {
      this.#options.accounting.failed += unsettled
      this.#options.broke(new Error("a batch ended before the events that had begun"))
    }
    this.ms = ms ?? this.#options.monotonic() - this.#firstAt
    // Several are told of at once, so that only the runtime knows how long they took: on average.
    for (const { failure, timing } of this.#timed) {
      this.#options.stopwatch.tell(timing, this.ms / this.settledCount, failure)
    }
    this.#ended(this)
  }

  /** Takes the oldest that began out of the plugin's hands. */
  take(): Loan | undefined {
    return this.#take()?.loan
  }

  #take(): Begun | undefined {
    const begun = this.#begun.shift()
    if (begun !== undefined) this.#options.accounting.inFlight--
    return begun
  }

  /** What hasn't begun waits again. */
  recall(): void {
    const defect = this.#isRecalled ? undefined : this.#ask("recall")
    this.#giveBack()
    if (defect !== undefined) this.#options.broke(defect.cause)
  }

  /** As `recall`, and what has begun is taken out of the plugin's hands; how many that were. */
  abandon(): number {
    this.recall()
    const taken = this.#takeAll()
    const defect = this.#isAbandoned ? undefined : this.#ask("interrupt")
    if (defect !== undefined) this.#options.broke(defect.cause)
    return taken
  }

  #ask(what: keyof Batch): { readonly cause: unknown } | undefined {
    if (what === "recall") this.#isRecalled = true
    else this.#isAbandoned = true
    try {
      this.#batch?.[what]()
      return undefined
    } catch (cause) {
      return { cause }
    }
  }

  #takeAll(): number {
    let taken = 0
    while (this.take() !== undefined) taken++
    return taken
  }

  #giveBack(): void {
    for (let loan = this.#waiting.pop(); loan !== undefined; loan = this.#waiting.pop()) loan.queue.giveBack()
  }
}

/** The lending to one instance. */
export class Lending {
  readonly #options: Options
  #size = 1
  #out: Out | undefined = undefined

  constructor(options: Options) {
    this.#options = options
  }

  /** Whether a batch is out. */
  get isOut(): boolean {
    return this.#out !== undefined
  }

  /** When the event that the plugin is busy with began, in milliseconds had. */
  get begunAt(): number | undefined {
    return this.#out?.begunAt
  }

  /** Lends what waits, as much of it as fits into a turn; false if nothing does. */
  lend(): boolean {
    const loans = this.#loans()
    if (loans.length === 0) return false
    this.#options.lent()
    this.#out = new Out(this.#options, loans, (out) => this.#ended(out))
    this.#out.dispatch()
    return true
  }

  /** Takes the event that the plugin is busy with out of its hands; false if there is none. */
  take(): boolean {
    return this.#out?.take() !== undefined
  }

  /** Takes everything out of the plugin's hands; how many had begun. */
  abandon(): number {
    return this.#out?.abandon() ?? 0
  }

  /** There is nobody any more who could say that a batch has ended. */
  lost(): void {
    this.#out = undefined
  }

  readonly #recall = (): void => this.#out?.recall()

  #ended(out: Out): void {
    if (this.#out !== out) return
    this.#out = undefined
    this.#size = nextSize(this.#size, out.settledCount, out.ms, this.#options.batches.mostEvents)
    this.#options.returned()
  }

  #loans(): Array<Loan> {
    const { batches, turns } = this.#options
    const loans: Array<Loan> = []
    let bytes = 0
    while (loans.length < this.#size) {
      const queue = turns.next()
      if (queue === undefined) break
      const event = queue.lend(this.#recall)
      // A queue that was discarded may still have its turn.
      if (event === undefined) continue
      bytes += bytesOf(event)
      // Whatever clears a timer is to be executed before its event is out of reach.
      if (loans.length > 0 && (event instanceof Timer || bytes > batches.mostBytes)) {
        queue.giveBack()
        break
      }
      const { epoch, origin, sequence } = event
      loans.push({ event, queue, origin, sequence, epoch })
    }
    return loans
  }
}
