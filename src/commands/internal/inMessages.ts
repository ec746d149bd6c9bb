/**
 * Stand-ins in the commands of one plugin: what may have them, what is written
 * in their places, and what they are refused for.
 */
import * as Result from "effect/Result"
import type { Filled } from "../../connection/Connection.ts"
import type { Authority } from "../../grants/Grants.ts"
import * as StandIns from "../../secrets/StandIns.ts"
import type { ValueOf } from "../../secrets/Template.ts"
import { SecretUngranted } from "../CommandError.ts"
import type { Addressee } from "./destinations.ts"

/** The secrets of the plugin, as it has them. */
export interface Secrets {
  /** Of the start that runs. */
  standIns(): StandIns.StandIns
  readonly valueOf: ValueOf
}

type To = Pick<Addressee, "source" | "target">

export class InMessages {
  readonly #secrets: Secrets
  readonly #authority: Pick<Authority, "opens">

  constructor(secrets: Secrets, authority: Pick<Authority, "opens">) {
    this.#secrets = secrets
    this.#authority = authority
  }

  /**
   * What is written in place of a text with stand-ins, asked for when its turn has come: with the values of then, for a
   * target that opens them still. Undefined for what has none, which costs no more than to look; an error where what
   * stands in it isn't for the connection's target.
   */
  fillingOf(data: string | Uint8Array, to: To): Filled | SecretUngranted | undefined {
    if (typeof data !== "string" || !StandIns.mentions(data)) return undefined
    const filler = this.#fillerOf(to)
    const filled = StandIns.inText(data, filler)
    if (Result.isFailure(filled)) return new SecretUngranted({ url: to.source.display, ...filled.failure })
    return () => Result.getOrUndefined(StandIns.inText(data, filler))
  }

  /** Why texts may not stand where no secret is filled in. */
  misplaced(url: string, ...texts: ReadonlyArray<string | null | undefined>): SecretUngranted | undefined {
    for (const text of texts) {
      const refusal = StandIns.misplacedIn(text ?? "", this.#secrets.standIns())
      if (refusal !== undefined) return new SecretUngranted({ url, ...refusal })
    }
    return undefined
  }

  #fillerOf({ source, target }: To): StandIns.Filler {
    const opens = (secret: string) => target !== null && this.#authority.opens(source.ingress, target, secret)
    return { standIns: this.#secrets.standIns(), target: { opens }, valueOf: this.#secrets.valueOf }
  }
}
