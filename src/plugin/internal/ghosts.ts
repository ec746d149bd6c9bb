/**
 * What of a plugin still runs though it was told to end. No other instance may
 * be started beside it, under whichever record it began. It holds nothing else
 * of its plugin, for whoever comes after it may keep it.
 */
import type * as Fiber from "effect/Fiber"

export class Ghosts {
  /** What ran under the same reference before the plugin was enabled anew. */
  #predecessor: Ghosts | undefined
  #fibers: ReadonlyArray<Fiber.Fiber<unknown, unknown>> = []
  #hasEnded = false
  #waiting: ReadonlyArray<() => void> = []

  constructor(predecessor: Ghosts | undefined) {
    this.#predecessor = predecessor
  }

  add(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.#fibers = [...this.#running, fiber]
  }

  /** Its plugin was disabled, or the host closed, and nothing is left of it but what can't be ended. */
  end(): void {
    this.#hasEnded = true
    this.#tell()
  }

  /** Calls back when the predecessor has ended, and when one before it has. */
  whenFree(told: () => void): void {
    const predecessor = this.#predecessor
    if (predecessor === undefined || !this.isWaiting) return
    predecessor.#waiting = [
      ...predecessor.#waiting,
      () => {
        told()
        this.#tell()
      }
    ]
  }

  /** Whether anything is about. */
  get areAbout(): boolean {
    return this.isWaiting || this.#isHaunted
  }

  /** Whether the predecessor, or one before it, is still being ended. */
  get isWaiting(): boolean {
    return this.#predecessor !== undefined && (!this.#predecessor.#hasEnded || this.#predecessor.isWaiting)
  }

  get #isHaunted(): boolean {
    const predecessor = this.#predecessor
    if (predecessor !== undefined) {
      if (predecessor.areAbout) return true
      // One that is gone isn't kept in memory.
      if (predecessor.#hasEnded) this.#predecessor = undefined
    }
    return this.#running.length > 0
  }

  get #running(): ReadonlyArray<Fiber.Fiber<unknown, unknown>> {
    return this.#fibers.filter((fiber) => fiber.pollUnsafe() === undefined)
  }

  #tell(): void {
    const waiting = this.#waiting
    if (this.#hasEnded && !this.isWaiting) this.#waiting = []
    for (const told of waiting) told()
  }
}
