/**
 * The numbers of a source of the host's own, and its origins: what comes from no
 * connection is numbered, and told about where it is lost, like what does.
 */
import type { AnyEvent } from "../IngressEvent.ts"
import type { Origin } from "../Origin.ts"

/** One source of the host's own: its numbers, and its origins by ingress. */
export class Numbering {
  sequence = 0
  handedOver = 0
  readonly #key: string
  readonly #source: string
  readonly #origins = new Map<string, Origin>()

  constructor(key: string, source: string) {
    this.#key = key
    this.#source = source
  }

  originOf(ingressName: string): Origin {
    let origin = this.#origins.get(ingressName)
    if (origin === undefined) {
      // Every event of it shares it, and none of their handlers may change it for the others.
      origin = Object.freeze({ key: this.#key, source: this.#source, id: null, url: null, ingressName })
      this.#origins.set(ingressName, origin)
    }
    return origin
  }

  /** Says in an event how many of its source before it were never handed over. */
  tell(event: AnyEvent): void {
    event.droppedBefore = event.sequence - this.handedOver - 1
    this.handedOver = event.sequence
  }

  /** An event that was told isn't handed over after all. */
  untell(event: AnyEvent): void {
    this.handedOver = event.sequence - 1 - event.droppedBefore
  }
}
