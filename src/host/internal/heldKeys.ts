/**
 * The secrets of an entry that its plugin may sign with: those that its grant
 * says, with the values that they have now. Nobody is asked twice: a name that
 * isn't granted any more has no value from that moment on.
 */
import type { Authority } from "../../grants/Grants.ts"
import type { SigningKeys } from "../../secrets/Signer.ts"
import type { Held } from "./held.ts"

export class HeldKeys implements SigningKeys {
  readonly names: ReadonlyArray<string>
  readonly #held: Held
  readonly #authority: Pick<Authority, "signs" | "listen" | "unlisten">

  constructor(held: Held, authority: Pick<Authority, "signs" | "listen" | "unlisten">) {
    this.names = held.names
    this.#held = held
    this.#authority = authority
  }

  readonly valueOf = (name: string): string | undefined =>
    this.names.includes(name) && this.#authority.signs(name) ? this.#held.valueOf(name) : undefined

  readonly listen = (changed: () => void): (() => void) => {
    const listener = { granted: changed }
    this.#authority.listen(listener)
    const unlisten = this.#held.listen(changed)
    return () => {
      this.#authority.unlisten(listener)
      unlisten()
    }
  }
}
