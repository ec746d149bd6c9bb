/**
 * The answer to one request, as it comes: its headers, and as much of its body
 * as it may have, which is decoded once it is whole.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Progress } from "../../requests/Progress.ts"
import type { Failure, Outgoing, Response } from "../../requests/RequestClient.ts"
import { ResponseTooLarge, type Headers } from "../../requests/RequestError.ts"
import { BoundedBytes } from "./boundedBytes.ts"
import * as Codings from "./contentCodings.ts"

const NO_CONTENT = 204
const NOT_MODIFIED = 304
// How long a connection may wait for a next request, and how much earlier than the server says that ends.
const KEPT_MS = 4000
const EARLIER_MS = 1000

/** What is known of an answer when its headers are there. */
interface Head {
  readonly status: number
  readonly headers: Headers
  readonly outgoing: Outgoing
  readonly progress: Progress
}

const valueOf = (headers: Headers, name: string): string | undefined => headers.find(([other]) => other === name)?.[1]

const tooLarge = ({ headers, outgoing, progress, status }: Head): ResponseTooLarge =>
  new ResponseTooLarge({
    url: outgoing.request.display,
    status,
    headers: [...headers],
    what: "body",
    limit: outgoing.maxBytes,
    sent: progress.sent
  })

export class Answer {
  readonly #head: Head
  readonly #hasBody: boolean
  readonly #codings: ReturnType<typeof Codings.codingsOf>
  readonly #most: number
  readonly #body: BoundedBytes

  constructor(head: Head) {
    const { headers, outgoing, status } = head
    this.#head = head
    this.#hasBody = outgoing.request.method !== "HEAD" && status !== NO_CONTENT && status !== NOT_MODIFIED
    this.#codings = this.#hasBody ? Codings.codingsOf(headers) : Result.succeed(undefined)
    this.#most = Codings.mostEncoded(this.#known ?? [], outgoing.maxBytes)
    this.#body = new BoundedBytes(this.#most)
  }

  /** Why its body needn't be waited for, where its headers say so. */
  get refused(): Failure | undefined {
    if (Result.isFailure(this.#codings)) return this.#head.progress.failed(this.#codings.failure, "body")
    const length = Number(valueOf(this.#head.headers, "content-length") ?? 0)
    return this.#hasBody && length > this.#most ? tooLarge(this.#head) : undefined
  }

  /** Takes a piece of the body; what it returns is why no other is wanted. */
  take(piece: Uint8Array): Failure | undefined {
    return this.#body.add(piece) ? undefined : tooLarge(this.#head)
  }

  /** How long its connection may wait for a next request. */
  get keepMs(): number {
    const seconds = /(?:^|[,\s])timeout=(\d+)/iu.exec(valueOf(this.#head.headers, "keep-alive") ?? "")?.[1]
    return seconds === undefined ? KEPT_MS : Math.min(KEPT_MS, Number(seconds) * 1000 - EARLIER_MS)
  }

  /** What is handed over, once all of it has come. */
  get response(): Effect.Effect<Response, Failure> {
    const { headers, outgoing, progress, status } = this.#head
    const codings = this.#known
    if (codings === undefined) return Effect.succeed({ status, headers, body: this.#body.bytes })
    return Codings.decode(this.#body.bytes, codings, outgoing.maxBytes).pipe(
      Effect.map((body) => ({ status, headers: Codings.decodedHeaders(headers), body })),
      Effect.mapError((error) =>
        error.kind === "too_large" ? tooLarge(this.#head) : progress.failed(error.code, "body")
      )
    )
  }

  /** What is to be undone; undefined where the body stays as it comes. */
  get #known() {
    return Result.getOrUndefined(this.#codings)
  }
}
