/**
 * The event that answers a request: what the server said, or why there is no
 * answer. There is exactly one for each executed request, unless its instance
 * ends first.
 *
 * @since 0.5.0
 */
import { memoryOf } from "./Accounting.ts"
import { Base } from "./internal/baseEvent.ts"
import type { Origin } from "./Origin.ts"

/**
 * What a server answered. Names of headers are in lower case; of `set-cookie`
 * there are only the names of the cookies. A body that is UTF-8 is a text, any
 * other is bytes, which are the plugin's own.
 *
 * @category models
 * @since 0.5.0
 */
export interface HttpAnswer {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: string | Uint8Array
}

/**
 * Why there is no answer. `sent`: whether a byte was handed to a socket, so that
 * the server may have seen the request. `status` and `headers` are there where
 * the answer was too large.
 *
 * @category models
 * @since 0.5.0
 */
export interface RequestProblem {
  readonly tag: string
  readonly message: string
  readonly sent: boolean
  readonly phase?: string
  readonly code?: string
  readonly status?: number
  readonly headers?: { readonly [name: string]: string }
}

/**
 * What became of a request.
 *
 * @category models
 * @since 0.5.0
 */
export type Outcome = { readonly answer: HttpAnswer } | { readonly error: RequestProblem }

/**
 * Which request is answered, and how long it took from the command on.
 *
 * @category models
 * @since 0.5.0
 */
export interface Answered {
  readonly commandId: string
  readonly requestId: string
  readonly durationMs: number
}

/**
 * A request has its answer, or has failed: exactly one of `answer` and `error`
 * is there.
 *
 * @category models
 * @since 0.5.0
 */
export class HostResponse extends Base<Origin> {
  readonly commandId: string
  readonly requestId: string
  readonly durationMs: number
  readonly answer: HttpAnswer | undefined
  readonly error: RequestProblem | undefined
  /** @internal The memory that it takes while it waits. */
  readonly memory: number

  constructor(origin: Origin, sequence: number, at: number, request: Answered, outcome: Outcome) {
    super(origin, sequence, 0, at)
    this.commandId = request.commandId
    this.requestId = request.requestId
    this.durationMs = request.durationMs
    this.answer = "answer" in outcome ? outcome.answer : undefined
    this.error = "error" in outcome ? outcome.error : undefined
    this.memory = memoryOfOutcome(outcome)
  }

  get kind() {
    return "host_response" as const
  }

  get frame(): number {
    return 0
  }

  get payload() {
    const { answer, commandId, durationMs, error, requestId } = this
    const request = { commandId, requestId, durationMs }
    if (answer === undefined) return { ...request, error }
    const { body, headers, status } = answer
    return { ...request, status, headers, ...(typeof body === "string" ? { text: body } : { bytes: body }) }
  }
}

const utf8 = new TextEncoder()

/**
 * The memory that an outcome takes while it waits, in bytes: a server's headers
 * and body. Why there is no answer is the host's own text, of which there is
 * little.
 *
 * @category getters
 * @since 0.5.0
 */
export const memoryOfOutcome = (outcome: Outcome): number => {
  if ("error" in outcome) return memoryOfHeaders(outcome.error.headers ?? {})
  const { body, headers } = outcome.answer
  const ofBody = typeof body === "string" ? memoryOf(body, utf8.encode(body).length) : body.length
  return ofBody + memoryOfHeaders(headers)
}

/** Names and values are Latin-1: a byte each. */
const memoryOfHeaders = (headers: HttpAnswer["headers"]): number =>
  Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
