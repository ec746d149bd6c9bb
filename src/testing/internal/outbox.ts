/**
 * What the host has handed to its socket and the network hasn't taken yet, in
 * order: how much of it goes, and when, is the test's to say.
 */
interface Handed {
  /** Those of the payload that haven't gone yet. */
  bytes: number
  readonly isText: boolean
  readonly over: (failed: boolean) => void
}

export class Outbox {
  readonly #waiting: Array<Handed> = []
  #takes = true
  #fails = false

  /** Bytes that wait. */
  get bytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Told once what became of it. */
  add(bytes: number, isText: boolean, over: (failed: boolean) => void): void {
    if (this.#fails) return over(true)
    this.#waiting.push({ bytes, isText, over })
    if (this.#takes) this.#take(Number.POSITIVE_INFINITY)
  }

  stop(): void {
    this.#takes = false
  }

  goOn(): void {
    this.#takes = true
    this.#take(Number.POSITIVE_INFINITY)
  }

  takeBytes(bytes: number): void {
    this.#take(bytes)
  }

  /** So many texts, and what lies between them. */
  takeTexts(texts: number): void {
    for (let left = texts; left > 0;) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      if (next.isText) left--
      next.over(false)
    }
  }

  /** What waits and what comes can't be written. */
  fail(): void {
    this.#fails = true
    for (const { over } of this.#waiting.splice(0)) over(true)
  }

  #take(bytes: number): void {
    for (let left = bytes; ;) {
      const next = this.#waiting[0]
      if (next === undefined) return
      if (next.bytes > left) {
        next.bytes -= left
        return
      }
      left -= next.bytes
      this.#waiting.shift()
      next.over(false)
    }
  }
}
