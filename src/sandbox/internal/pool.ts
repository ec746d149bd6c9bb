/**
 * The workers: some that are shared, and some for plugins that are told apart,
 * because a worker had to be ended for them or because they take too much of
 * one. A worker begins when somebody needs it.
 */
import { availableParallelism } from "node:os"
import type { Values } from "../../limits/Limits.ts"
import type { StartReason } from "../../plugin/PluginRuntime.ts"
import type { HadTime } from "../../time/HadTime.ts"
import type { Home } from "./homes.ts"
import { roomForWorker } from "./room.ts"
import { Thread } from "./thread.ts"

/** How long a plugin has to run without an incident before it shares a worker again. */
const FORGIVEN_AFTER_MS = 3_600_000

type Sizes = Pick<Values, "sandboxWorkers" | "soloWorkers">

export class Pool {
  readonly time: HadTime
  readonly #threads = new Set<Thread>()
  readonly #ending = new Set<Promise<void>>()
  #isClosed = false

  constructor(time: HadTime) {
    this.time = time
  }

  /** The worker for a plugin that starts. Throws where there is no room for one. */
  place(home: Home, reason: StartReason, limits: Sizes): Thread {
    if (this.#isClosed) throw new Error("the sandbox is closed")
    if (reason === "first" || reason === "reload") home.apartSince = undefined
    if (home.apartSince !== undefined && performance.now() - home.apartSince > FORGIVEN_AFTER_MS) {
      home.apartSince = undefined
    }
    return home.apartSince !== undefined && limits.soloWorkers > 0
      ? this.#fewest(true, limits.soloWorkers)
      : this.#fewest(
          false,
          limits.sandboxWorkers === 0 ? Math.max(1, availableParallelism() - 1) : limits.sandboxWorkers
        )
  }

  /** Ends all workers. */
  close(): Promise<unknown> {
    this.#isClosed = true
    for (const thread of this.#threads) void thread.end()
    return Promise.all(this.#ending)
  }

  /** The emptiest worker of a kind; another one, as long as there may be more and none is empty. */
  #fewest(isSolo: boolean, most: number): Thread {
    const threads = [...this.#threads].filter((thread) => thread.isSolo === isSolo)
    const [emptiest] = threads.toSorted((one, other) => one.size - other.size)
    if (emptiest !== undefined && (emptiest.size === 0 || threads.length >= most)) return emptiest
    roomForWorker()
    const thread: Thread = new Thread({
      time: this.time,
      number: this.#number,
      isSolo,
      left: () => this.#tidy(thread)
    })
    this.#threads.add(thread)
    return thread
  }

  /** The lowest number that no worker has. */
  get #number(): number {
    const numbers = new Set([...this.#threads].map(({ number }) => number))
    let number = 1
    while (numbers.has(number)) number++
    return number
  }

  /** A worker that has ended is no worker; one for a plugin that is told apart ends with it. */
  #tidy(thread: Thread): void {
    if (!thread.isDead) {
      // Its end comes here again.
      if (thread.isSolo && thread.size === 0) void thread.end()
      return
    }
    if (!this.#threads.delete(thread)) return
    this.#ending.add(thread.ended)
    void thread.ended.then(() => this.#ending.delete(thread.ended))
  }
}
