/**
 * How long a runner keeps the thread, how many events it takes at most in that
 * time, and how seldom it looks at the clock meanwhile.
 *
 * A look costs as much as a tenth of a frame: while handlers are fast there is
 * one for up to sixteen of them, and one for each as soon as one was slow.
 */
import type * as Clock from "effect/Clock"

// Fewer events than many connections bring in a turn would leave a backlog that falls out of the processor's cache: that
// cost a fifth of a frame at 16.
const SLICE_MS = 4
const SLICE_EVENTS = 32_768
const MOST_BETWEEN_LOOKS = 16

export class Pace {
  readonly #clock: Clock.Clock
  /** The time when the runner last looked, in Unix milliseconds, and when it lets others have the thread. */
  now = 0
  #yieldAt = 0
  /** How many events may pass between two looks. */
  step = 1
  #untilLook = 0

  constructor(clock: Clock.Clock) {
    this.#clock = clock
  }

  /** A slice begins. */
  begin(): void {
    this.take(this.#clock.currentTimeMillisUnsafe(), SLICE_MS)
    this.#untilLook = 0
  }

  /** A slice has begun at that time, and is no longer than this. */
  take(now: number, mostMs: number): void {
    this.now = now
    this.#yieldAt = now + Math.min(SLICE_MS, mostMs)
  }

  /** Whether the slice was over at the last look. */
  get isOver(): boolean {
    return this.now >= this.#yieldAt
  }

  /** Looks: whether the slice goes on, in which so many events were taken. */
  goesOn(taken: number): boolean {
    const now = this.#clock.currentTimeMillisUnsafe()
    if (now >= this.#yieldAt || taken >= SLICE_EVENTS) {
      this.step = 1
      return false
    }
    this.#saw(now)
    return true
  }

  /** An effect has ended: looks, seldom where they are fast. */
  lookAfter(isSlow: boolean): void {
    if (!isSlow && --this.#untilLook > 0) return
    this.#saw(this.#clock.currentTimeMillisUnsafe())
    this.#untilLook = this.step
  }

  #saw(now: number): void {
    this.step = now > this.now ? 1 : Math.min(this.step * 2, MOST_BETWEEN_LOOKS)
    this.now = now
  }
}
