/**
 * The keys that a worker's guests may sign with, on the worker's side. The host
 * hands them over by a port of their own, so that they stand in no request and
 * no answer; what it handed over last holds at the next signature, though the
 * worker may have been busy ever since.
 */
import { receiveMessageOnPort, type MessagePort } from "node:worker_threads"

/** All keys of one guest, by name: what isn't there isn't granted any more. */
export interface Handed {
  readonly guest: number
  readonly keys: ReadonlyMap<string, string>
}

export class Keys {
  readonly #port: MessagePort
  readonly #byGuest = new Map<number, Handed["keys"]>()

  constructor(port: MessagePort) {
    this.#port = port
    // A guest that never signs asks for none: its keys are taken in all the same, so that they don't pile up.
    port.on("message", (handed: Handed) => this.#take(handed))
  }

  of(guest: number, name: string): string | undefined {
    this.#takeAll()
    return this.#byGuest.get(guest)?.get(name)
  }

  forget(guest: number): void {
    this.#takeAll()
    this.#byGuest.delete(guest)
  }

  /** A worker that is busy is told of nothing: it has to look. */
  #takeAll(): void {
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      this.#take(next.message)
    }
  }

  #take({ guest, keys }: Handed): void {
    this.#byGuest.set(guest, keys)
  }
}
