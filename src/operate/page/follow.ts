/**
 * Follows the events of a host: reads one stream until it ends or says nothing
 * for longer than its comments take, then waits and begins anew.
 */
import { type Api, Refused } from "./api.ts"
import type { Told } from "./document.ts"
import { createParser } from "./lib/parse.js"

/** How it stands with the stream. */
export type Link =
  | { readonly _tag: "Connecting" }
  | { readonly _tag: "Live" }
  /** Nothing has come, not even a comment, which does each 15 s. */
  | { readonly _tag: "Silent"; readonly since: number }
  | { readonly _tag: "Lost"; readonly why: string; readonly since: number; readonly retryAt: number }
  | { readonly _tag: "Unauthorized"; readonly why: string }

export interface Listener {
  readonly told: (events: ReadonlyArray<Told>) => void
  readonly link: (link: Link) => void
}

const SILENT_MS = 20_000
const GIVEN_UP_MS = 40_000
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      resolve()
    })
  })

/** Ends a stream that says nothing any more. */
const watch = (listener: Listener, giveUp: () => void) => {
  let timers: ReadonlyArray<ReturnType<typeof setTimeout>> = []
  const stop = () => timers.forEach((timer) => clearTimeout(timer))
  const heard = () => {
    stop()
    const since = Date.now()
    timers = [setTimeout(() => listener.link({ _tag: "Silent", since }), SILENT_MS), setTimeout(giveUp, GIVEN_UP_MS)]
  }
  return { heard, stop }
}

/** Reads one stream to its end; whether anything was told. */
const read = async (api: Api, listener: Listener, signal: AbortSignal): Promise<void> => {
  const ended = new AbortController()
  const watched = watch(listener, () => ended.abort(new Error("nothing came any more")))
  try {
    watched.heard()
    const stream = await api.events(AbortSignal.any([signal, ended.signal]))
    let events: Array<Told> = []
    const parser = createParser({
      onEvent: ({ data, event = "" }) => {
        events.push({ name: event, data })
      }
    })
    const decoder = new TextDecoder()
    for await (const piece of stream) {
      watched.heard()
      parser.feed(decoder.decode(piece, { stream: true }))
      listener.link({ _tag: "Live" })
      if (events.length === 0) continue
      listener.told(events)
      events = []
    }
  } finally {
    watched.stop()
  }
}

/** Follows until the signal aborts, or until the API wants a token that isn't there. */
export const follow = async (api: Api, listener: Listener, signal: AbortSignal): Promise<void> => {
  let delay = FIRST_RETRY_MS
  let isLive = false
  const link = (now: Link) => {
    isLive ||= now._tag === "Live"
    if (!signal.aborted) listener.link(now)
  }
  while (!signal.aborted) {
    link({ _tag: "Connecting" })
    const since = Date.now()
    const failure: unknown = await read(api, { ...listener, link }, signal).then(
      () => new Error("the stream has ended"),
      (error: unknown) => error
    )
    if (signal.aborted) return
    if (failure instanceof Refused && failure.needsToken) return link({ _tag: "Unauthorized", why: failure.message })
    if (isLive) delay = FIRST_RETRY_MS
    isLive = false
    const why = failure instanceof Error ? failure.message : String(failure)
    const delayed = delay * (0.5 + Math.random() / 2)
    link({ _tag: "Lost", why, since, retryAt: Date.now() + delayed })
    await wait(delayed, signal)
    delay = Math.min(LAST_RETRY_MS, 2 * delay)
  }
}
