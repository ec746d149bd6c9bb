/**
 * What is remembered of the enabled plugins of one package from one start to
 * the next. Nobody says when a plugin isn't enabled any more, so only so many
 * are remembered that don't run.
 */
import { Hog } from "./hog.ts"

/** How many are remembered that don't run. */
export const MOST_VACANT = 256

/** What is known of an enabled plugin through all its starts. */
export class Home {
  /** When its worker had to be ended for it, or it took too much of one. */
  apartSince: number | undefined = undefined
  readonly hog = new Hog()
  /** Lines that its earlier instances wrote, and all that it wrote. */
  linesBefore = 0
  lines = 0
}

export class Homes {
  readonly #occupied = new Map<string, Home>()
  /** In the order in which they were left. */
  readonly #vacant = new Map<string, Home>()

  /** The plugin with this key starts. */
  enter(key: string): Home {
    const home = this.#occupied.get(key) ?? this.#vacant.get(key) ?? new Home()
    this.#vacant.delete(key)
    this.#occupied.set(key, home)
    return home
  }

  /** It doesn't run any more. */
  leave(key: string): void {
    const home = this.#occupied.get(key)
    if (home === undefined) return
    this.#occupied.delete(key)
    this.#vacant.set(key, home)
    for (const oldest of this.#vacant.keys()) {
      if (this.#vacant.size <= MOST_VACANT) return
      this.#vacant.delete(oldest)
    }
  }
}
