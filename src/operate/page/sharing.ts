/**
 * One stream for all tabs of a browser: the tab that holds the lock reads it
 * and passes on what it is told; the others listen. A tab that nobody sees lets
 * go of the lock, and so of the stream.
 *
 * Locks are only there where the page came by TLS or from this machine. Where
 * they aren't, each tab that is seen reads a stream of its own.
 */
import { type Api, place } from "./api.ts"
import type { Told } from "./document.ts"
import { follow, type Link } from "./follow.ts"
import type { HistoryCopy } from "./history.ts"

/** What tabs say to each other. */
type Message =
  | { readonly _tag: "Hello" }
  | { readonly _tag: "Told"; readonly events: ReadonlyArray<Told> }
  | { readonly _tag: "Link"; readonly link: Link }
  /** To who said hello: all that is known. */
  | { readonly _tag: "Known"; readonly status: string | undefined; readonly history: HistoryCopy; readonly link: Link }

export interface Shared {
  readonly told: (events: ReadonlyArray<Told>) => void
  readonly link: (link: Link) => void
  /** All that this tab knows: the document as an event's data. */
  readonly known: () => { readonly status: string | undefined; readonly history: HistoryCopy }
  readonly adopt: (history: HistoryCopy) => void
}

export class Sharing {
  readonly #api: Api
  readonly #shared: Shared
  readonly #channel = new BroadcastChannel(place())
  #present: AbortController | undefined
  #link: Link = { _tag: "Connecting" }
  #leads = false
  /** Nobody has led since this tab did: it knows most. */
  #ledLast = false
  /** Of whom waits for the lock, or holds it. */
  #queued: AbortSignal | undefined

  constructor(api: Api, shared: Shared) {
    this.#api = api
    this.#shared = shared
    this.#channel.addEventListener("message", ({ data }: MessageEvent<Message>) => this.#heard(data))
  }

  /** From now on the tab is seen, or isn't. */
  set isSeen(isSeen: boolean) {
    if (isSeen === (this.#present !== undefined)) return
    this.#present?.abort()
    this.#present = isSeen ? new AbortController() : undefined
    if (this.#present === undefined) return
    this.#say({ _tag: "Hello" })
    void this.#take(this.#present.signal)
  }

  /** There is another token. */
  renew(): void {
    if (this.#present === undefined) return
    this.#present.abort()
    this.#present = new AbortController()
    void this.#take(this.#present.signal)
  }

  async #take(signal: AbortSignal): Promise<void> {
    const locks: LockManager | undefined = navigator.locks
    if (locks === undefined) return this.#lead(signal)
    this.#queued = signal
    // Who waits for the lock and isn't seen any more waits no longer.
    await locks.request(place(), { signal }, () => this.#lead(signal)).catch(() => {})
    if (this.#queued === signal) this.#queued = undefined
  }

  async #lead(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    this.#leads = true
    this.#ledLast = true
    await follow(
      this.#api,
      {
        told: (events) => {
          this.#say({ _tag: "Told", events })
          this.#shared.told(events)
        },
        link: (link) => {
          if (this.#linked(link)) this.#say({ _tag: "Link", link })
        }
      },
      signal
    )
    this.#leads = false
  }

  /** Whether it is another one than before. */
  #linked(link: Link): boolean {
    const isSame = link._tag === "Live" && this.#link._tag === "Live"
    this.#link = link
    if (!isSame) this.#shared.link(link)
    return !isSame
  }

  #heard(message: Message): void {
    if (message._tag === "Hello") {
      if (this.#leads || this.#ledLast) this.#say({ _tag: "Known", ...this.#shared.known(), link: this.#link })
      return
    }
    if (this.#leads && message._tag !== "Known") return
    this.#ledLast &&= this.#leads
    if (this.#present === undefined) return
    if (message._tag === "Known") this.#know(message)
    else if (!this.#leads) {
      if (message._tag === "Told") {
        this.#shared.told(message.events)
        // Who was refused for want of a token waits for its turn again, now that another has one.
        if (this.#queued === undefined) void this.#take(this.#present.signal)
      } else if (message.link._tag !== "Unauthorized") this.#linked(message.link)
    }
  }

  #know({ history, link, status }: Message & { readonly _tag: "Known" }): void {
    this.#shared.adopt(history)
    if (this.#leads || status === undefined) return
    this.#shared.told([{ name: "status", data: status }])
    if (link._tag !== "Unauthorized") this.#linked(link)
  }

  #say(message: Message): void {
    // Without locks nobody listens.
    if (navigator.locks === undefined) return
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
    this.#channel.postMessage(message)
  }
}
