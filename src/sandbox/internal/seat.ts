/**
 * A guest as the host holds it: the worker that it is in, and what it is asked.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Loss, Start } from "../../plugin/PluginRuntime.ts"
import type { Code } from "./code.ts"
import type { Engine } from "./engine.ts"
import type { Home } from "./homes.ts"
import { Lender, type Options as LenderOptions } from "./lender.ts"
import type { Pool } from "./pool.ts"
import type { Reply } from "./protocol.ts"
import type { Outcome, Thread } from "./thread.ts"

/** An outcome that whoever waits is to be told. */
export type Told = Exclude<Outcome, { readonly kind: "gone" | "unwanted" }>

let guests = 0

export class Seat {
  readonly lost = Deferred.makeUnsafe<Loss>()
  readonly lender: Lender
  hasStatus = false
  readonly #id = ++guests
  readonly #thread: Thread
  readonly #home: Home
  readonly #unlisten: () => void
  readonly #unwanted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

  /** Takes a place in a worker. Throws where there is no room for one. */
  constructor(pool: Pool, home: Home, start: Start, { read, written }: Pick<LenderOptions, "read" | "written">) {
    this.#home = home
    this.#thread = pool.place(home, start.reason, start.limits)
    home.linesBefore = home.lines
    this.lender = new Lender({
      thread: this.#thread,
      guest: this.#id,
      time: pool.time,
      deadlineMs: start.limits.dispatchDeadlineMs,
      read,
      written,
      replied: (reply) => this.#told(reply),
      unwanted: () => this.#reject(),
      lost: (how) => this.#lose(how)
    })
    this.#thread.enter(this.#id, {
      doomed: () => this.lender.close(),
      lost: (how) => this.#lose(how),
      blamed: () => {
        home.apartSince = performance.now()
      },
      wrote: (said) => start.console?.(said.level, said.written)
    })
    this.#unlisten = this.#handKeys(start)
  }

  /** Hands its keys over before any of its code runs, and whenever they change. */
  #handKeys({ keys }: Start): () => void {
    if (keys.names.length === 0) return () => {}
    const hand = () => {
      const granted = keys.names.flatMap((name): ReadonlyArray<[string, string]> => {
        const value = keys.valueOf(name)
        return value === undefined ? [] : [[name, value]]
      })
      this.#thread.handKeys(this.#id, new Map(granted))
    }
    hand()
    return keys.listen(hand)
  }

  get worker(): number {
    return this.#thread.number
  }

  /** Makes the guest and starts it. `gone` where its worker was ended for another's sake meanwhile. */
  load(engine: Engine, code: Code, { config, console, limits, reason, secrets, state }: Start): Effect.Effect<Outcome> {
    return this.#asked((done) =>
      this.#thread.ask(
        this.#id,
        {
          do: "load",
          settings: {
            ...engine,
            ...code,
            memoryBytes: limits.sandboxMemoryBytes,
            stackBytes: limits.sandboxStackBytes,
            outputBytes: limits.outputBytes
          },
          isHeard: console !== undefined,
          unwanted: this.#unwanted,
          lent: this.lender.shared,
          args: JSON.stringify([config, { reason, state, secrets }]),
          budgetMs: limits.startDeadlineMs
        },
        done
      )
    )
  }

  /** Asks for its status. Never completes where its worker is lost for another's sake: `lost` says so. */
  status(budgetMs: number): Effect.Effect<Told> {
    return Effect.flatMap(
      this.#asked((done) => this.#thread.ask(this.#id, { do: "call", name: "status", args: "[]", budgetMs }, done)),
      (outcome) => (outcome.kind === "gone" || outcome.kind === "unwanted" ? Effect.never : Effect.succeed(outcome))
    )
  }

  /** Calls `stop`; a guest that is gone has nothing to stop. */
  stop(budgetMs: number): Effect.Effect<Outcome> {
    return this.#asked((done) => this.#thread.ask(this.#id, { do: "call", name: "stop", args: "[]", budgetMs }, done))
  }

  /** Forgets the guest, at once though it may be busy; completes when nothing of it runs any more. */
  get leave(): Effect.Effect<void> {
    return Effect.promise(() => {
      this.#reject()
      this.#unlisten()
      return this.#thread.leave(this.#id)
    })
  }

  #asked(ask: (done: (outcome: Outcome, reply: Reply | undefined) => void) => void): Effect.Effect<Outcome> {
    return Effect.callback<Outcome>((resume) => {
      ask((outcome, reply) => {
        if (reply !== undefined) this.#told(reply)
        resume(Effect.succeed(outcome))
      })
    })
  }

  #told({ busyMs, hasStatus, lines }: Reply): void {
    const home = this.#home
    this.hasStatus = hasStatus
    home.lines = Math.max(home.lines, home.linesBefore + lines)
    const isHog = home.hog.busy(busyMs, performance.now())
    if (!isHog || this.#thread.isSolo) return
    home.apartSince = performance.now()
    // Alone it takes nothing from anybody: it is told apart where it is started next. Nothing of it runs at this moment.
    if (this.#thread.size > 1) {
      this.lender.close()
      Deferred.doneUnsafe(this.lost, Effect.succeed("neighbour"))
    }
  }

  /** Its worker is gone: what it has left behind is told first. */
  #lose(how: Loss): void {
    this.lender.settle()
    Deferred.doneUnsafe(this.lost, Effect.succeed(how))
  }

  /** Nobody wants it any more. */
  #reject(): void {
    Atomics.store(this.#unwanted, 0, 1)
  }
}
