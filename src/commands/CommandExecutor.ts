/**
 * Executes the commands of one answered dispatch: each is checked, authorized
 * and executed on its own, and each gets exactly one result, in order.
 *
 * Everything here is synchronous. A send that is `executed` was handed to an
 * open socket; nothing waits, so nothing can be overtaken.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Connection } from "../connection/Connection.ts"
import type { Authority } from "../grants/Grants.ts"
import type { AnyEvent } from "../ingress/IngressEvent.ts"
import type { Values } from "../limits/Limits.ts"
import * as SocketUrl from "../manifest/SocketUrl.ts"
import {
  AmbiguousConnection,
  CommandMalformed,
  CommandTooLarge,
  CommandUngranted,
  CommandUnsupported,
  CommandsTooMany,
  NotConnected,
  ReconnectDenied,
  SendBufferFull,
  SendRateLimited,
  StaleEpoch,
  type CommandError
} from "./CommandError.ts"
import type { Recorded } from "./CommandResult.ts"
import * as OutputCommand from "./OutputCommand.ts"
import type { Payloads } from "./OutputCommandWire.ts"
import { SendRates } from "./SendRate.ts"
import type { TimerPort } from "./TimerPort.ts"

/**
 * A connection as the executor sees it. `epochSince` is the number of the
 * dispatch that was in flight, or the last one, when its epoch began.
 *
 * @category models
 * @since 0.1.0
 */
export interface Destination {
  readonly connection: Connection
  readonly epochSince: number
}

/**
 * What an executor needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<D extends Destination> {
  readonly destinations: ReadonlyArray<D>
  readonly authority: Authority
  readonly timers: TimerPort<D>
  readonly limits: Values
  readonly now: () => number
  readonly record: (result: Recorded, event: AnyEvent) => void
  /** A status, as JSON text. */
  readonly reported: (status: string) => void
  /** Also with the id of the source that the command meant, where it is known. */
  readonly rejected: (error: CommandError, sourceId: string | null) => void
}

type Addressed = { readonly url: string; readonly ingressName?: string; readonly epoch?: number | "any" }
type Done = "executed" | "recorded"

// A UTF-16 code unit takes at most 3 bytes of UTF-8, and at most 6 (\uXXXX) in JSON.
const MOST_BYTES_PER_UNIT = 3
const MOST_JSON_PER_UNIT = 6
const ENVELOPE_BYTES = 256
const NORMAL_CLOSURE = 1000

const utf8 = new TextEncoder()

/** The bytes of a text in UTF-8, counted only where the cheap upper bound is over the limit. */
const bytesOver = (text: string, limit: number): number =>
  text.length * MOST_BYTES_PER_UNIT <= limit ? 0 : utf8.encode(text).length

/**
 * Executes the commands of one plugin.
 *
 * @category models
 * @since 0.1.0
 */
export class CommandExecutor<D extends Destination> {
  readonly #options: Options<D>
  readonly #rates = new SendRates()

  constructor(options: Options<D>) {
    this.#options = options
  }

  /** Executes the commands that answer an event, in dispatch number `dispatch`. */
  execute(event: AnyEvent, dispatch: number, commands: ReadonlyArray<unknown>): void {
    const { commandsPerOutput } = this.#options.limits
    const tooMany =
      commands.length > commandsPerOutput
        ? new CommandsTooMany({ count: commands.length, limit: commandsPerOutput })
        : undefined
    for (let index = 0; index < commands.length; index++) {
      this.#one(event, dispatch, index, commands[index], tooMany)
    }
  }

  #one(event: AnyEvent, dispatch: number, index: number, value: unknown, tooMany: CommandsTooMany | undefined) {
    const { now, record, rejected } = this.#options
    const command: Result.Result<OutputCommand.OutputCommand, CommandError> =
      tooMany === undefined ? OutputCommand.decode(value) : Result.fail(tooMany)
    const { ids, kind } = Result.isSuccess(command) ? command.success : OutputCommand.salvage(value)
    const outcome = Result.isSuccess(command) ? this.#checked(event, dispatch, command.success) : command.failure
    const result = { origin: event.origin, sequence: event.sequence, index, ids, kind, at: now() }
    if (typeof outcome === "string") {
      record({ ...result, status: outcome, error: null }, event)
      return
    }
    const status = outcome._tag === "CommandUnsupported" ? "unsupported" : "rejected"
    record({ ...result, status, error: { tag: outcome._tag, message: outcome.message } }, event)
    rejected(outcome, Result.isSuccess(command) ? this.#sourceIdOf(event, command.success.payload) : null)
  }

  #sourceIdOf(event: AnyEvent, payload: OutputCommand.OutputCommand["payload"]): string | null {
    if (!("url" in payload) || typeof payload.url !== "string") return null
    const found = this.#find(event, { ...payload, url: payload.url })
    return "_tag" in found ? null : found.connection.source.id
  }

  #checked(event: AnyEvent, dispatch: number, command: OutputCommand.OutputCommand): Done | CommandError {
    const { sourceEventId } = command.ids
    if (sourceEventId !== undefined && sourceEventId !== event.correlationId) {
      const message = "Expected the correlation_id of the event that is answered"
      return new CommandMalformed({ problems: [{ path: "source_event_id", message }] })
    }
    const tooLarge = this.#tooLarge(command)
    if (tooLarge !== undefined) return tooLarge
    if (OutputCommand.isOfKind(command, "websocket_send")) return this.#send(event, dispatch, command.payload)
    if (OutputCommand.isOfKind(command, "websocket_close")) return this.#close(event, dispatch, command.payload)
    if (OutputCommand.isOfKind(command, "websocket_reconnect")) return this.#reconnect(event, dispatch, command.payload)
    if (OutputCommand.isOfKind(command, "timer_set")) return this.#setTimer(event, dispatch, command.payload)
    if (OutputCommand.isOfKind(command, "timer_clear")) {
      this.#options.timers.clear(command.payload.name)
      return "executed"
    }
    if (OutputCommand.isOfKind(command, "diagnostic_status_update")) return this.#report(command.payload)
    return new CommandUnsupported({ kind: command.kind })
  }

  #tooLarge(command: OutputCommand.OutputCommand): CommandTooLarge | undefined {
    const { commandPayloadBytes, sendTextBytes } = this.#options.limits
    if (OutputCommand.isOfKind(command, "websocket_send")) {
      const { text, url } = command.payload
      const bytes = bytesOver(text, sendTextBytes)
      if (bytes > sendTextBytes) return new CommandTooLarge({ what: "text", bytes, limit: sendTextBytes })
      if ((text.length + url.length) * MOST_JSON_PER_UNIT + ENVELOPE_BYTES <= commandPayloadBytes) return undefined
    }
    const bytes = utf8.encode(JSON.stringify(command.payload)).length
    if (bytes <= commandPayloadBytes) return undefined
    return new CommandTooLarge({ what: "payload", bytes, limit: commandPayloadBytes })
  }

  #send(event: AnyEvent, dispatch: number, payload: Payloads["websocket_send"]): Done | CommandError {
    const destination = this.#destination(event, dispatch, payload)
    if ("_tag" in destination) return destination
    const { connection } = destination
    const url = connection.source.display
    if (connection.state !== "open") return new NotConnected({ url, state: connection.state })
    const target = connection.target === null ? undefined : this.#options.authority.rateOf(connection.target.url)
    const bytes = target === undefined ? 0 : utf8.encode(payload.text).length
    const now = this.#options.now()
    const over = target === undefined ? undefined : this.#rates.over(target, bytes, now)
    if (over !== undefined) return new SendRateLimited({ url, ...over })
    const full = this.#overBuffer(connection, payload.text)
    if (full !== undefined) return full
    if (target !== undefined) this.#rates.take(target, bytes, now)
    connection.send(payload.text)
    return "executed"
  }

  #overBuffer(connection: Connection, text: string): SendBufferFull | undefined {
    const { sendBufferBytes } = this.#options.limits
    const bufferedBytes = connection.bufferedBytes
    const bytes = bytesOver(text, sendBufferBytes - bufferedBytes)
    if (bufferedBytes + bytes <= sendBufferBytes) return undefined
    return new SendBufferFull({ url: connection.source.display, bufferedBytes, limit: sendBufferBytes })
  }

  #close(event: AnyEvent, dispatch: number, payload: Payloads["websocket_close"]): Done | CommandError {
    const destination = this.#destination(event, dispatch, payload)
    if ("_tag" in destination) return destination
    destination.connection.close(payload.code ?? NORMAL_CLOSURE, payload.reason ?? "")
    return "executed"
  }

  #reconnect(event: AnyEvent, dispatch: number, payload: Payloads["websocket_reconnect"]): Done | CommandError {
    const { dialUrl } = payload
    const found = this.#find(event, payload)
    if ("_tag" in found) return found
    const { connection } = found
    const url = connection.source.display
    // What counts is what will be dialled, not what was.
    if (!connection.mayDial(dialUrl)) return new CommandUngranted({ url: shownOf(dialUrl) ?? url, problem: "no grant" })
    const stale = this.#stale(event, dispatch, payload, found)
    if (stale !== undefined) return stale
    const denial = connection.denial(dialUrl)
    if (denial !== undefined) return new ReconnectDenied({ url, stopReason: denial })
    connection.reconnect(payload.code ?? connection.source.closeCode, dialUrl)
    return "executed"
  }

  #setTimer(event: AnyEvent, dispatch: number, payload: Payloads["timer_set"]): Done | CommandError {
    const { timers } = this.#options
    const { url } = payload
    if (url !== undefined) {
      const destination = this.#destination(event, dispatch, { url })
      if ("_tag" in destination) return destination
      return timers.set(payload, { destination, ingressName: destination.connection.source.ingress }) ?? "executed"
    }
    const { ingressName } = event
    if (Result.isFailure(this.#options.authority.ingress(ingressName))) {
      return new CommandUngranted({ url: event.source.split("?", 1)[0] ?? "", problem: "no grant" })
    }
    return timers.set(payload, { destination: undefined, ingressName }) ?? "executed"
  }

  #report(payload: Payloads["diagnostic_status_update"]): Done | CommandError {
    const { message, status = null } = payload
    const report = JSON.stringify(message === undefined ? status : { message, status })
    const limit = this.#options.limits.reportedStatusBytes
    const bytes = bytesOver(report, limit)
    if (bytes > limit) return new CommandTooLarge({ what: "status", bytes, limit })
    this.#options.reported(report)
    return "recorded"
  }

  /** The connection that a command means, if it may have it and it is at the right epoch. */
  #destination(event: AnyEvent, dispatch: number, to: Addressed): D | CommandError {
    const found = this.#find(event, to)
    if ("_tag" in found) return found
    const { connection } = found
    if (!connection.covered) return new CommandUngranted({ url: connection.source.display, problem: "no grant" })
    return this.#stale(event, dispatch, to, found) ?? found
  }

  /** Why a command comes too late, or too early, for the epoch of its connection. */
  #stale(
    event: AnyEvent,
    dispatch: number,
    to: Addressed,
    { connection, epochSince }: Destination
  ): StaleEpoch | undefined {
    if (to.epoch === "any") return undefined
    const url = connection.source.display
    const own = isFrom(event, connection)
    const expected = to.epoch ?? (own ? event.epoch : connection.epoch)
    if (expected !== connection.epoch) return new StaleEpoch({ url, expected, actual: connection.epoch })
    if (to.epoch === undefined && !own && epochSince === dispatch) {
      return new StaleEpoch({ url, expected: connection.epoch - 1, actual: connection.epoch })
    }
    return undefined
  }

  #find(event: AnyEvent, to: Addressed): D | CommandError {
    const { destinations } = this.#options
    const own = destinations.find(({ connection }) => isFrom(event, connection))
    const isOwn = own !== undefined && (to.ingressName ?? event.ingressName) === event.ingressName
    if (isOwn && to.url === event.url) return own
    const parsed = SocketUrl.parse(to.url)
    const canonical = Result.isSuccess(parsed) ? parsed.success.canonical : undefined
    const found = destinations.filter(
      ({ connection: { source } }) =>
        source.canonical === canonical && (to.ingressName === undefined || source.ingress === to.ingressName)
    )
    const [first] = found
    if (first === undefined) {
      return new CommandUngranted({ url: shownOf(to.url) ?? "", problem: "no source" })
    }
    // One that isn't granted isn't meant.
    const granted = found.filter(({ connection }) => connection.covered)
    if (granted.length <= 1) return granted[0] ?? first
    if (own !== undefined && granted.includes(own)) return own
    const ingresses = granted.map(({ connection }) => connection.source.ingress)
    return new AmbiguousConnection({ url: first.connection.source.display, ingresses })
  }
}

/** What may be shown of a URL that is a text of the plugin's: where it leads to, and no more of it. */
const shownOf = (url: string | null | undefined): string | undefined => {
  if (typeof url !== "string") return undefined
  const parsed = SocketUrl.parse(url)
  return Result.isSuccess(parsed) ? originOf(parsed.success) : "what is not a URL"
}

const originOf = ({ host, port, scheme }: SocketUrl.SocketUrl): string =>
  `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`

const isFrom = (event: AnyEvent, connection: Connection): boolean =>
  connection.source.url === event.url && connection.source.ingress === event.ingressName
