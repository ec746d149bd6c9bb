/**
 * What is looked for in texts, where that becomes more and less while texts are
 * shown: what finds it is made when it is first needed, once for all who look,
 * and anew only when something has changed.
 *
 * @since 0.3.0
 */
import * as Automaton from "../internal/automaton.ts"

/**
 * What is looked for now.
 *
 * @category models
 * @since 0.3.0
 */
export class Words {
  /** Another one once there are other words. */
  version = 0
  readonly #values: () => ReadonlyArray<string>
  #automaton: Automaton.Automaton | undefined

  constructor(values: () => ReadonlyArray<string>) {
    this.#values = values
  }

  get automaton(): Automaton.Automaton {
    return (this.#automaton ??= Automaton.make(
      // What can't be encoded as it is stands with replacement characters where it is encoded.
      [...new Set(this.#values().flatMap((value) => [value, value.toWellFormed()]))].filter((value) => value !== "")
    ))
  }

  changed(): void {
    this.version++
    this.#automaton = undefined
  }
}
