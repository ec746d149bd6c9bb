/**
 * What happens to a driver of a pure transition: one input after the other,
 * each done with before the next, whoever tells it and from where. What a
 * listener throws is its teller's to report, once everything is done that is to
 * be done.
 */

/** Does something of a step; a defect doesn't keep the rest from being done. */
export type Attempt = (act: () => void) => void

/** Whose inputs they are. */
export interface Stepping<Input> {
  step(input: Input, attempt: Attempt): void
  /** No input is left. */
  stepped(): void
}

export class Inputs<Input> {
  readonly #waiting: Array<Input> = []
  readonly #driver: Stepping<Input>
  #isStepping = false

  constructor(driver: Stepping<Input>) {
    this.#driver = driver
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
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      this.#driver.step(next, attempt)
    this.#isStepping = false
    this.#driver.stepped()
    if (thrown.length > 0) throw thrown[0]
  }
}
