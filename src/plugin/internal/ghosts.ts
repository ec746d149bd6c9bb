/**
 * What of a plugin still runs though it was told to end. No other instance may
 * be started beside it, under whichever record it began.
 */
import type * as Fiber from "effect/Fiber"

/** What ran under the same reference before the plugin was enabled anew. */
export interface Predecessor {
  readonly hasEnded: boolean
  readonly ghosts: Ghosts
}

export class Ghosts {
  #predecessor: Predecessor | undefined
  #fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>> = []

  constructor(predecessor: Predecessor | undefined) {
    this.#predecessor = predecessor
  }

  add(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.#fibers = [...this.#running, fiber]
  }

  /** Whether anything is about. */
  get areAbout(): boolean {
    return this.isWaiting || this.#isHaunted
  }

  /** Whether the predecessor, or one before it, is still being ended. */
  get isWaiting(): boolean {
    return this.#predecessor !== undefined && (!this.#predecessor.hasEnded || this.#predecessor.ghosts.isWaiting)
  }

  get #isHaunted(): boolean {
    if (this.#predecessor?.ghosts.areAbout === true) return true
    // One that is gone isn't kept in memory.
    if (this.#predecessor?.hasEnded === true) this.#predecessor = undefined
    return this.#running.length > 0
  }

  get #running(): ReadonlyArray<Fiber.Fiber<unknown, unknown>> {
    return this.#fibers.filter((fiber) => fiber.pollUnsafe() === undefined)
  }
}
