/**
 * What happens to a driver of a pure transition: one input after the other,
 * each done with before the next, whoever tells it and from where. What a
 * listener throws is its teller's to report, once everything is done that is to
 * be done.
 */

/** Does something of a step; a defect doesn't keep the rest from being done. */
export type Attempt = (act: () => void) => void

export class Inputs<Input> {
  readonly #waiting: Array<Input> = []
  readonly #step: (input: Input, attempt: Attempt) => void
  readonly #stepped: () => void
  #isStepping = false

  /** `stepped` is called when no input is left. */
  constructor(step: (input: Input, attempt: Attempt) => void, stepped: () => void) {
    this.#step = step
    this.#stepped = stepped
  }

  get isStepping(): boolean {
    return this.#isStepping
  }

  tell(input: Input): void {
    this.#waiting.push(input)
    if (this.#isStepping) return
    this.#isStepping = true
    const thrown: Array<unknown> = []
    const attempt: Attempt = (act) => {
      try {
        act()
      } catch (defect) {
        thrown.push(defect)
      }
    }
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) this.#step(next, attempt)
    this.#isStepping = false
    this.#stepped()
    if (thrown.length > 0) throw thrown[0]
  }
}
