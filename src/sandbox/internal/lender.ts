/**
 * Lends a guest its events, one batch after the other, and tells the host what
 * became of each: by what stands in the memory that host and worker share, so
 * that what has ended is known though the worker was ended with what followed.
 */
import type * as Exit from "effect/Exit"
import type { AnyEvent } from "../../ingress/IngressEvent.ts"
import type { Batch, Batches, Loss, Output, Told } from "../../plugin/PluginRuntime.ts"
import type { HadTime } from "../../time/HadTime.ts"
import { Lent, MOST_EVENTS } from "./lent.ts"
import type { Reply } from "./protocol.ts"
import type { Outcome, Thread } from "./thread.ts"

/** What a batch may hold of texts, about. */
const MOST_BYTES = 262_144
/** How long an event that has begun may go on though its result isn't wanted any more. */
const GRACE_MS = 500

export interface Options {
  readonly thread: Pick<Thread, "ask" | "hasten">
  readonly guest: number
  readonly time: HadTime
  readonly deadlineMs: number
  /** An event as the arguments of the handler. */
  readonly written: (event: AnyEvent) => string
  /** What an outcome means for its event. */
  readonly read: (outcome: Outcome) => Exit.Exit<Output | void, unknown>
  /** The worker has answered. */
  readonly replied: (reply: Reply) => void
  /** What the guest is busy with isn't wanted any more, nor the guest. */
  readonly unwanted: () => void
  /** The worker was ended because of it, but nothing was with the guest by then that could be charged. */
  readonly lost: (how: Loss) => void
}

/** A batch that is out. */
interface Out {
  readonly told: Told
  begun: number
  done: number
}

export class Lender implements Batches {
  readonly mostEvents = MOST_EVENTS
  readonly mostBytes = MOST_BYTES
  readonly #options: Options
  readonly #lent = new Lent()
  #batches = 0
  #out: Out | undefined = undefined
  /** Whether the worker hasn't answered yet what it was asked last: also where that was taken back meanwhile. */
  #isAsked = false
  /** Asks it for what is out, once it has. */
  #next: (() => void) | undefined = undefined
  /** Nothing more begins. */
  #isClosed = false
  #forget: (() => void) | undefined = undefined

  constructor(options: Options) {
    this.#options = options
  }

  /** The memory that it shares with the worker. */
  get shared(): SharedArrayBuffer {
    return this.#lent.shared
  }

  dispatch(events: ReadonlyArray<AnyEvent>, told: Told): Batch {
    const out: Out = { told, begun: 0, done: 0 }
    this.#out = out
    const batch = ++this.#batches
    this.#lent.lend(batch)
    if (this.#isClosed) this.#lent.recall()
    // What waits in a busy worker takes memory, however soon it is taken back: one that floods is lent again for each
    // event that slides out.
    else if (this.#isAsked) this.#next = () => this.#ask(out, batch, events)
    else this.#ask(out, batch, events)
    return { recall: () => this.#recall(out), interrupt: () => this.#interrupt(out) }
  }

  #ask(out: Out, batch: number, events: ReadonlyArray<AnyEvent>): void {
    const { deadlineMs, guest, thread, written } = this.#options
    this.#isAsked = true
    thread.ask(
      guest,
      { do: "lend", batch, events: events.map(written), budgetMs: deadlineMs },
      (outcome, reply) => this.#ended(out, outcome, reply),
      () => this.#look(out)
    )
  }

  /** Nothing more begins: the guest is about to be lost. */
  close(): void {
    this.#isClosed = true
    if (this.#out !== undefined) this.#lent.recall()
  }

  /** Tells all that is known of what is out: the worker is gone. */
  settle(): void {
    if (this.#out !== undefined) this.#look(this.#out)
  }

  /** Tells what has happened since it was told last. */
  #look(out: Out): void {
    if (this.#out !== out) return
    const { read } = this.#options
    const begun = this.#lent.begun
    for (let answer = this.#lent.next(); answer !== undefined; answer = this.#lent.next()) this.#done(out, read(answer))
    this.#begun(out, begun)
  }

  #begun(out: Out, count: number): void {
    while (out.begun < count) {
      out.begun++
      out.told.begun()
    }
  }

  #done(out: Out, exit: Exit.Exit<Output | void, unknown>): void {
    this.#begun(out, ++out.done)
    out.told.done(exit)
  }

  /** The worker has come to the end of it, or was ended because of it. */
  #ended(out: Out, outcome: Outcome, reply: Reply | undefined): void {
    this.#isAsked = false
    // What is lost for another's sake is told of once the worker has ended.
    if (this.#out === out && outcome.kind !== "gone") this.#settled(out, outcome, reply)
    // This may be its end, so that everything else is told by then.
    if (reply !== undefined) this.#options.replied(reply)
    const next = this.#next
    this.#next = undefined
    if (!this.#isClosed) next?.()
  }

  #settled(out: Out, outcome: Outcome, reply: Reply | undefined): void {
    this.#look(out)
    const isWithGuest = out.begun > out.done
    if (!isWithGuest && reply === undefined) return this.#options.lost(outcome.kind === "late" ? "neighbour" : "crash")
    // It isn't among the results.
    if (isWithGuest && outcome.kind !== "unwanted") this.#done(out, this.#options.read(outcome))
    this.#over(out, reply?.busyMs)
  }

  #recall(out: Out): void {
    if (this.#out !== out) return
    this.#begun(out, this.#lent.recall())
    this.#next = undefined
    // The worker may come to it much later, and finds nothing then.
    if (out.begun === 0) queueMicrotask(() => this.#over(out, 0))
  }

  #interrupt(out: Out): void {
    if (this.#out !== out) return
    const { guest, thread, time, unwanted } = this.#options
    this.#forget ??= time.after(GRACE_MS, () => {
      unwanted()
      thread.hasten(guest)
    })
  }

  #over(out: Out, ms: number | undefined): void {
    if (this.#out !== out) return
    this.#out = undefined
    this.#forget?.()
    this.#forget = undefined
    out.told.ended(ms)
  }
}
