/**
 * Ingress events: what a plugin is handed.
 *
 * In process an event is one small object. What can be derived from it (the
 * wire form, `createdAt` as text, the correlation id) is computed when
 * somebody asks. The encoded form is in `IngressEventWire`, the same that a
 * sandboxed plugin gets.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import type { EpochEnd, ReportedError } from "../connection/ConnectionSink.ts"
import { memoryOf } from "./Accounting.ts"
import type { CommandOutcome } from "./CommandOutcome.ts"
import type { HostResponse } from "./HostResponse.ts"
import { Base } from "./internal/baseEvent.ts"
import type { Origin, SourceOrigin, Stamp } from "./Origin.ts"

export type { EpochEnd, ReportedError } from "../connection/ConnectionSink.ts"
export { HostResponse } from "./HostResponse.ts"
export { correlationId, type Origin, type SourceOrigin, type Stamp } from "./Origin.ts"

/**
 * The connection opened. `attempts` is how many dials it took, `subprotocol`
 * the server's choice.
 *
 * @category models
 * @since 0.1.0
 */
export class WebSocketOpen extends Base {
  readonly attempts: number
  readonly subprotocol: string | null

  constructor(
    origin: SourceOrigin,
    sequence: number,
    epoch: number,
    at: number,
    attempts: number,
    subprotocol: string | null
  ) {
    super(origin, sequence, epoch, at)
    this.attempts = attempts
    this.subprotocol = subprotocol
  }

  get kind() {
    return "websocket_open" as const
  }

  get frame(): number {
    return 0
  }

  get payload() {
    return { url: this.url, attempts: this.attempts, subprotocol: this.subprotocol }
  }
}

/**
 * A text frame. `frame` numbers the texts, without those that the host answered
 * itself, and the binary frames of one epoch, if the ingress takes them, from 1
 * as they arrived, so a number that is never seen is a frame the plugin never
 * saw. `bytes` is its length in UTF-8.
 *
 * @category models
 * @since 0.1.0
 */
export class WebSocketText extends Base {
  readonly text: string
  readonly bytes: number
  readonly frame: number

  constructor(
    origin: SourceOrigin,
    sequence: number,
    epoch: number,
    at: number,
    frame: number,
    text: string,
    bytes: number,
    stamp?: Stamp
  ) {
    super(origin, sequence, epoch, at, stamp)
    this.text = text
    this.bytes = bytes
    this.frame = frame
  }

  get kind() {
    return "websocket_text" as const
  }

  /** @internal The memory that it takes while it waits. */
  get memory(): number {
    return memoryOf(this.text, this.bytes)
  }

  get payload() {
    return { url: this.url, text: this.text }
  }
}

/**
 * A binary frame, only for an ingress that lists this kind. `bytes` are the
 * plugin's own: nobody else has them, so whoever changes them changes nothing
 * for anybody. `frame` numbers it among the texts of its epoch.
 *
 * @category models
 * @since 0.5.0
 */
export class WebSocketBinary extends Base {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly frame: number
  /** @internal The memory that it takes while it waits. */
  readonly memory: number

  /** Copies the bytes, which may be a part of something larger, or somebody's to write into. */
  constructor(
    origin: SourceOrigin,
    sequence: number,
    epoch: number,
    at: number,
    frame: number,
    bytes: Uint8Array,
    stamp?: Stamp
  ) {
    super(origin, sequence, epoch, at, stamp)
    this.bytes = new Uint8Array(bytes)
    this.memory = bytes.length
    this.frame = frame
  }

  get kind() {
    return "websocket_binary" as const
  }

  get payload() {
    return { url: this.url, bytes: this.bytes }
  }
}

/**
 * What a source's queue has a capacity for: its texts and binary frames.
 *
 * @category models
 * @since 0.5.0
 */
export type Frame = WebSocketText | WebSocketBinary

/**
 * The connection ended. `code` and `reason` are those of the peer's close
 * frame: 1005 if it had no code, 1006 if none came; `clean`: one came.
 * `unconfirmed`: how many frames were sent in this epoch that no pong confirmed,
 * so at most so many were lost. `willReconnect`: the source is dialled again by
 * itself.
 *
 * @category models
 * @since 0.1.0
 */
export class WebSocketClose extends Base {
  readonly code: number
  readonly reason: string
  readonly clean: boolean
  readonly unconfirmed: number
  readonly willReconnect: boolean

  constructor(
    origin: SourceOrigin,
    sequence: number,
    epoch: number,
    at: number,
    end: Omit<EpochEnd, "error">,
    willReconnect: boolean
  ) {
    super(origin, sequence, epoch, at)
    this.code = end.code
    this.reason = end.reason
    this.clean = end.clean
    this.unconfirmed = end.unconfirmed
    this.willReconnect = willReconnect
  }

  get kind() {
    return "websocket_close" as const
  }

  get frame(): number {
    return 0
  }

  get payload() {
    return {
      url: this.url,
      code: this.code,
      reason: this.reason,
      clean: this.clean,
      unconfirmed: this.unconfirmed,
      willReconnect: this.willReconnect
    }
  }
}

/**
 * A dial failed, or the connection ended by something else than a close frame;
 * then a `websocket_close` follows.
 *
 * @category models
 * @since 0.1.0
 */
export class WebSocketError extends Base {
  readonly error: ReportedError
  readonly willReconnect: boolean

  constructor(
    origin: SourceOrigin,
    sequence: number,
    epoch: number,
    at: number,
    error: ReportedError,
    willReconnect: boolean
  ) {
    super(origin, sequence, epoch, at)
    this.error = error
    this.willReconnect = willReconnect
  }

  get kind() {
    return "websocket_error" as const
  }

  get frame(): number {
    return 0
  }

  get payload() {
    return { url: this.url, error: this.error, willReconnect: this.willReconnect }
  }
}

/**
 * A timer of the plugin fired. One that was set with a URL is an event of that
 * source, at its epoch; any other has no URL, and epoch 0.
 *
 * @category models
 * @since 0.1.0
 */
export class Timer extends Base<Origin> {
  readonly name: string
  /** @internal Whether it still waits: while it does, its timer fires no second event. */
  waits = true

  constructor(origin: Origin, sequence: number, epoch: number, at: number, name: string) {
    super(origin, sequence, epoch, at)
    this.name = name
  }

  get kind() {
    return "timer" as const
  }

  get frame(): number {
    return 0
  }

  get payload() {
    return this.url === null ? { name: this.name } : { url: this.url, name: this.name }
  }
}

/**
 * A command was executed or refused. Only for an ingress that lists this kind,
 * and never for a command that answers such an event itself.
 *
 * @category models
 * @since 0.1.0
 */
export class CommandResult extends Base<Origin> {
  readonly #result: () => CommandOutcome

  constructor(origin: Origin, sequence: number, at: number, result: () => CommandOutcome) {
    super(origin, sequence, 0, at)
    this.#result = result
  }

  get kind() {
    return "command_result" as const
  }

  get frame(): number {
    return 0
  }

  get result(): CommandOutcome {
    return this.#result()
  }

  get payload() {
    return this.result
  }
}

/**
 * An event that the embedding application handed to `PluginHost.deliver`: a
 * kind of its own, and a payload of its own.
 *
 * @category models
 * @since 0.1.0
 */
export class Delivered extends Base<Origin> {
  readonly kind: string
  /** The length of the payload as JSON, in bytes of UTF-8. */
  readonly bytes: number
  /** @internal The memory that it takes while it waits. */
  readonly memory: number
  readonly #json: string

  constructor(origin: Origin, sequence: number, at: number, kind: string, json: string, bytes: number) {
    super(origin, sequence, 0, at)
    this.kind = kind
    this.bytes = bytes
    this.memory = memoryOf(json, bytes)
    this.#json = json
  }

  get frame(): number {
    return 0
  }

  /** A value of its own for each reader, so that nobody can change another's. */
  get payload(): Schema.Json {
    return JSON.parse(this.#json)
  }
}

/**
 * Any event of a kind that the host makes itself.
 *
 * @category models
 * @since 0.1.0
 */
export type IngressEvent =
  | WebSocketOpen
  | WebSocketText
  | WebSocketBinary
  | WebSocketClose
  | WebSocketError
  | Timer
  | HostResponse
  | CommandResult

/**
 * Any event. Ask for `Delivered` first: its `kind` is any string, so a `switch`
 * over kinds tells the others apart only without it.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyEvent = IngressEvent | Delivered

/**
 * Whether an event came from the embedding application.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isDelivered = (event: AnyEvent): event is Delivered => event instanceof Delivered

/**
 * Whether an event is a text or a binary frame: no other has a number among them.
 *
 * @category predicates
 * @since 0.5.0
 */
export const isFrame = (event: AnyEvent): event is Frame => event.frame > 0

/**
 * The events of each kind.
 *
 * @category models
 * @since 0.1.0
 */
export type ByKind = { readonly [Kind in IngressEvent["kind"]]: Extract<IngressEvent, { readonly kind: Kind }> }
