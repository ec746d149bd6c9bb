/**
 * The addresses of one dial in the order in which they are tried (RFC 8305,
 * section 4): IPv6 first, the families alternating, also with those that come
 * while the dial goes on.
 */
import * as Net from "node:net"
import type { Candidates } from "./staggered.ts"

// A name may have thousands, and a host that tries them all attacks somebody.
const MOST_PER_FAMILY = 8

export class AddressList implements Candidates<string> {
  readonly #six: Array<string> = []
  readonly #four: Array<string> = []
  readonly #known = new Set<string>()
  #lastWasSix = false
  #isComplete = false
  #changed: () => void = () => {}

  add(addresses: ReadonlyArray<string>): void {
    for (const address of addresses) {
      const isSix = Net.isIPv6(address)
      const same = [...this.#known].filter((known) => Net.isIPv6(known) === isSix)
      if (this.#known.has(address) || same.length >= MOST_PER_FAMILY) continue
      this.#known.add(address)
      ;(isSix ? this.#six : this.#four).push(address)
    }
    this.#changed()
  }

  /** No more will come. */
  complete(): void {
    this.#isComplete = true
    this.#changed()
  }

  readonly next = (): string | undefined => {
    const [first, second] = this.#lastWasSix ? [this.#four, this.#six] : [this.#six, this.#four]
    const address = first.shift() ?? second.shift()
    if (address !== undefined) this.#lastWasSix = Net.isIPv6(address)
    return address
  }

  readonly isComplete = (): boolean => this.#isComplete

  readonly watch = (changed: () => void): void => {
    this.#changed = changed
  }
}
