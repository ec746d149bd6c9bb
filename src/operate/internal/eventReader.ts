/**
 * One reader of a host's events, which asks for a piece once the last one has
 * drained. What it is to be told next is its phase.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { PluginStatus } from "../../host/HostStatus.ts"
import type { PluginHost } from "../../host/PluginHost.ts"
import { type Change, PIECE_CHARACTERS, pluginEvent, removedEvent, rowJson, STATUS_END, statusHead } from "./change.ts"

/** How soon after a whole status another may follow. */
const WHOLE_EVERY_MS = 250

type Phase =
  /** The whole status comes next. */
  | { readonly _tag: "Behind" }
  /** In the middle of a whole status: what stands before the next row, the rows still to come, and what changed since. */
  | { readonly _tag: "Writing"; readonly head: string; readonly refs: ReadonlyArray<string>; readonly missed: Missed }
  /** Behind a whole status: what changed while it was written. */
  | { readonly _tag: "Catching"; readonly refs: ReadonlyArray<string>; readonly missed: Missed }
  /** In the middle of a change. */
  | { readonly _tag: "Following"; readonly change: Change; readonly at: number }
  /** Nothing is to be told until something changes. */
  | { readonly _tag: "Told" }
  | { readonly _tag: "Ended" }

type In<Tag extends Phase["_tag"]> = Phase & { readonly _tag: Tag }

/** The rows that changed meanwhile, and whether what stands in no row did. */
interface Missed {
  readonly refs: Set<string>
  isMore: boolean
}

const nothing = (): Missed => ({ refs: new Set(), isMore: false })

type Next = Effect.Effect<Uint8Array, Cause.Done>

export class EventReader {
  readonly #host: PluginHost["Service"]
  readonly #abandon: () => void
  #phase: Phase = { _tag: "Behind" }
  /** Takes the next piece, where it has been asked for and there is none yet. */
  #asking: ((next: Next) => void) | undefined = undefined
  #isHanded = false
  #isFirst = true
  #undrainedFor = 0

  constructor(host: PluginHost["Service"], abandon: () => void) {
    this.#host = host
    this.#abandon = abandon
  }

  get stream(): Stream.Stream<Uint8Array> {
    return Stream.fromPull(Effect.sync(() => Effect.map(this.#next, (piece) => [piece] as const)))
  }

  /** Something has changed. */
  tell(change: Change): void {
    const phase = this.#phase
    switch (phase._tag) {
      case "Behind":
      case "Ended":
        return
      case "Writing":
      case "Catching":
        // A document that was begun is ended.
        phase.missed.isMore ||= change.isMore
        for (const ref of change.refs) phase.missed.refs.add(ref)
        return
      case "Following":
        this.#phase = { _tag: "Behind" }
        return
      case "Told":
        this.#phase =
          change.count === 0 || this.#asking === undefined ? { _tag: "Behind" } : { _tag: "Following", change, at: 0 }
        this.#asking?.(this.#told)
    }
  }

  /** Something that says nothing, for whoever waits for more. */
  comment(bytes: Uint8Array): void {
    this.#asking?.(Effect.succeed(bytes))
  }

  /** Another second has passed: for how many it has left what it was handed undrained. */
  second(): number {
    this.#undrainedFor = this.#isHanded ? this.#undrainedFor + 1 : 0
    return this.#undrainedFor
  }

  end(): void {
    this.#phase = { _tag: "Ended" }
    this.#asking?.(Cause.done())
  }

  /** It leaves what it was handed undrained. */
  abandon(): void {
    this.end()
    this.#abandon()
  }

  get #next(): Next {
    return Effect.suspend(() => {
      this.#isHanded = false
      return this.#told
    }).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          this.#isHanded = true
          this.#undrainedFor = 0
        })
      )
    )
  }

  get #told(): Next {
    return Effect.suspend(() => {
      const phase = this.#phase
      switch (phase._tag) {
        case "Behind":
          return this.#whole
        case "Writing":
          return this.#writing(phase)
        case "Catching":
          return this.#catching(phase)
        case "Following":
          return this.#following(phase)
        case "Told":
          return this.#asked
        case "Ended":
          return Cause.done()
      }
    })
  }

  get #asked(): Next {
    return Effect.callback((resume) => {
      this.#asking = (next) => {
        this.#asking = undefined
        resume(next)
      }
      return Effect.sync(() => {
        this.#asking = undefined
      })
    })
  }

  get #whole(): Next {
    return Effect.gen({ self: this }, function* () {
      if (!this.#isFirst) yield* Effect.sleep(WHOLE_EVERY_MS)
      this.#isFirst = false
      if (this.#phase._tag === "Ended") return yield* Cause.done()
      const status = yield* this.#host.status
      const refs = status.plugins.map(({ pluginRef }) => pluginRef)
      return yield* this.#writing({ _tag: "Writing", head: statusHead(status), refs, missed: nothing() })
    })
  }

  /** The next rows of a whole status, as they are now. */
  #writing({ head, missed, refs }: In<"Writing">): Next {
    return Effect.map(
      this.#rows(refs, rowJson, () => undefined),
      ({ rest, texts }) => {
        const rows = texts.join(",")
        if (rest.length > 0) {
          // What comes next follows a row, where there was one.
          this.#phase = { _tag: "Writing", head: rows === "" ? head : ",", refs: rest, missed }
          return Buffer.from(rows === "" ? "" : `${head}${rows}`)
        }
        this.#caughtUp(missed)
        return Buffer.from(`${rows === "" && head === "," ? "" : head}${rows}${STATUS_END}`)
      }
    )
  }

  /** What changed while a whole status was written. */
  #catching({ missed, refs }: In<"Catching">): Next {
    return Effect.map(this.#rows(refs, pluginEvent, removedEvent), ({ rest, texts }) => {
      if (rest.length > 0) this.#phase = { _tag: "Catching", refs: rest, missed }
      else this.#caughtUp(missed)
      return Buffer.from(texts.join(""))
    })
  }

  #following({ at, change }: In<"Following">): Next {
    const piece = change.piece(at)
    if (piece !== undefined && at + 1 < change.count) this.#phase = { _tag: "Following", change, at: at + 1 }
    // One that was given up is old.
    else this.#phase = { _tag: piece === undefined || change.isMore ? "Behind" : "Told" }
    return piece === undefined ? this.#whole : Effect.succeed(piece)
  }

  #caughtUp({ isMore, refs }: Missed): void {
    if (isMore) this.#phase = { _tag: "Behind" }
    else this.#phase = refs.size === 0 ? { _tag: "Told" } : { _tag: "Catching", refs: [...refs], missed: nothing() }
  }

  /** So many rows as make a piece, as texts; undefined is none. */
  #rows(refs: ReadonlyArray<string>, there: (row: PluginStatus) => string, gone: (ref: string) => string | undefined) {
    return Effect.gen({ self: this }, function* () {
      const texts: Array<string> = []
      let at = 0
      for (let length = 0; at < refs.length && length < PIECE_CHARACTERS; at++) {
        const ref = refs[at] ?? ""
        const row = yield* Effect.option(this.#host.plugin(ref))
        const text = Option.isSome(row) ? there(row.value) : gone(ref)
        if (text === undefined) continue
        texts.push(text)
        length += text.length
      }
      return { texts, rest: refs.slice(at) }
    })
  }
}
