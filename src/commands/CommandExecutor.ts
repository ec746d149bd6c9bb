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
import type { Authority } from "../grants/Grants.ts"
import { correlationId, type Origin } from "../ingress/Origin.ts"
import type { Values } from "../limits/Limits.ts"
import {
  type AmbiguousConnection,
  CommandMalformed,
  CommandTooLarge,
  CommandUngranted,
  CommandsTooMany,
  NotConnected,
  ReconnectDenied,
  SecretUngranted,
  SendBufferFull,
  SendRateLimited,
  StaleEpoch,
  type CommandError
} from "./CommandError.ts"
import { commandIdOf, errorOf, type Recorded } from "./CommandResult.ts"
import { Destinations, shownOf, type Address, type Addressee } from "./internal/destinations.ts"
import { InMessages, type Secrets } from "./internal/inMessages.ts"
import { bytesOver, dataBytes, dataBytesOver, payloadBytes } from "./internal/sizes.ts"
import { requested } from "./internal/requested.ts"
import * as OutputCommand from "./OutputCommand.ts"
import type { Payloads } from "./OutputCommandWire.ts"
import type { RequestPort } from "./RequestPort.ts"
import type { RequestRefusal } from "./RequestRefusal.ts"
import { dataOf, type SendPayload } from "./SendPayload.ts"
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
  readonly connection: Addressee
  readonly epochSince: number
}

/**
 * The event that commands answer, as it was before the plugin had it in its
 * hands. An origin can't be changed.
 *
 * @category models
 * @since 0.2.0
 */
export interface Answered {
  readonly origin: Origin
  readonly sequence: number
  readonly epoch: number
}

/**
 * What an executor needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<D extends Destination> {
  readonly destinations: ReadonlyArray<D>
  readonly authority: Pick<Authority, "rateOf" | "ingress" | "opens" | "authorizeRequest">
  readonly secrets: Secrets
  readonly timers: TimerPort<D>
  readonly requests: RequestPort
  readonly limits: Values
  readonly now: () => number
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number
  readonly record: (result: Recorded) => void
  /** A status, as JSON text. */
  readonly reported: (status: string) => void
  /** A command was refused; with the id of the source that it meant, where it is known. */
  readonly rejected: (error: CommandError | RequestRefusal, sourceId: string | null) => void
}

interface Addressed extends Address {
  readonly epoch?: number | "any"
}

type Done = "executed" | "recorded"

/** Why a command wasn't executed, and the source that it meant where that is known. */
interface Refused {
  readonly error: CommandError | RequestRefusal
  readonly sourceId: string | null
}

/** What a command means, or why it means nothing. */
type Found<D extends Destination> = ReturnType<Destinations<D>["find"]>

/** Why an open connection isn't sent something. */
type Unsent = SecretUngranted | SendRateLimited | SendBufferFull

const refused = (error: CommandError | RequestRefusal, sourceId: string | null = null): Refused => ({ error, sourceId })

const NORMAL_CLOSURE = 1000

/**
 * Executes the commands of one plugin.
 *
 * @category models
 * @since 0.1.0
 */
export class CommandExecutor<D extends Destination> {
  readonly #options: Options<D>
  readonly #destinations: Destinations<D>
  readonly #inMessages: InMessages
  readonly #rates = new SendRates()

  constructor(options: Options<D>) {
    this.#options = options
    this.#destinations = new Destinations(options.destinations)
    this.#inMessages = new InMessages(options.secrets, options.authority)
  }

  /** Executes the commands that answer an event, in dispatch number `dispatch`. */
  execute(event: Answered, dispatch: number, commands: ReadonlyArray<unknown>): void {
    const { commandsPerOutput } = this.#options.limits
    const tooMany =
      commands.length > commandsPerOutput
        ? new CommandsTooMany({ count: commands.length, limit: commandsPerOutput })
        : undefined
    for (let index = 0; index < commands.length; index++) {
      const value = commands[index]
      const command: Result.Result<OutputCommand.OutputCommand, CommandError> =
        tooMany === undefined ? OutputCommand.decode(value) : Result.fail(tooMany)
      if (Result.isSuccess(command)) {
        const content = OutputCommand.content(command.success)
        const outcome = this.#checked(event, dispatch, index, command.success)
        this.#told(event, index, content, outcome)
      } else this.#told(event, index, OutputCommand.salvage(value), refused(command.failure))
    }
  }

  /** Sends an answer of the host's own, as any text is sent; false where it may not or there is no room for it. */
  reply(connection: Addressee, text: string): boolean {
    return connection.covered && connection.state === "open" && this.#handOver(connection, text) === undefined
  }

  /** The one result of a command. */
  #told(
    { origin, sequence }: Answered,
    index: number,
    { ids, kind }: OutputCommand.Salvaged,
    outcome: Done | Refused
  ): void {
    const { now, record, rejected } = this.#options
    const result = { origin, sequence, index, ids, kind, at: now() }
    if (typeof outcome === "string") {
      record({ ...result, status: outcome, error: null })
      return
    }
    const { error, sourceId } = outcome
    const status = error._tag === "CommandUnsupported" ? "unsupported" : "rejected"
    record({ ...result, status, error: errorOf(error) })
    rejected(error, sourceId)
  }

  #checked(event: Answered, dispatch: number, index: number, command: OutputCommand.OutputCommand): Done | Refused {
    const content = OutputCommand.content(command)
    const { sourceEventId } = content.ids
    if (sourceEventId !== undefined && sourceEventId !== correlationId(event.origin, event.sequence)) {
      const message = "Expected the correlation_id of the event that is answered"
      return refused(new CommandMalformed({ problems: [{ path: "source_event_id", message }] }))
    }
    if (content.kind === "websocket_send") {
      const found = this.#destinations.find(event.origin, content.payload)
      const tooLarge = this.#dataTooLarge(content.payload, found) ?? this.#tooLarge(command)
      return tooLarge === undefined ? this.#send(event, dispatch, content.payload, found) : refused(tooLarge)
    }
    if (content.kind === "host_request_dispatch") return this.#request(event, index, command, content)
    const tooLarge = this.#tooLarge(command)
    if (tooLarge !== undefined) return refused(tooLarge)
    switch (content.kind) {
      case "websocket_close":
        return this.#close(event, dispatch, content.payload)
      case "websocket_reconnect":
        return this.#reconnect(event, dispatch, content.payload)
      case "timer_set":
        return this.#setTimer(event, dispatch, content.payload)
      case "timer_clear":
        this.#options.timers.clear(content.payload.name)
        return "executed"
      case "diagnostic_status_update":
        return this.#report(content.payload)
    }
  }

  #tooLarge(command: OutputCommand.OutputCommand): CommandTooLarge | undefined {
    const { commandPayloadBytes } = this.#options.limits
    const bytes = payloadBytes(command, commandPayloadBytes)
    if (bytes <= commandPayloadBytes) return undefined
    return new CommandTooLarge({ what: "payload", bytes, limit: commandPayloadBytes })
  }

  /** A text, or bytes, are bounded by their source's limit, where the source is known. */
  #dataTooLarge(payload: SendPayload, found: Found<D>): CommandTooLarge | undefined {
    const { sendTextBytes: limit } = "_tag" in found ? this.#options.limits : found.connection.limits
    const bytes = dataBytesOver(dataOf(payload), limit)
    const what = "text" in payload ? "text" : "bytes"
    return bytes > limit ? new CommandTooLarge({ what, bytes, limit }) : undefined
  }

  #send(event: Answered, dispatch: number, payload: SendPayload, found: Found<D>): Done | Refused {
    const destination = this.#reached(event, dispatch, payload, found)
    if ("error" in destination) return destination
    const { connection } = destination
    const { display: url, id } = connection.source
    const { state } = connection
    if (state !== "open") return refused(new NotConnected({ url, state }), id)
    const error = this.#handOver(connection, dataOf(payload))
    return error === undefined ? "executed" : refused(error, id)
  }

  /** Hands a text or bytes to an open connection, charged to its grant's rate and its buffer; why not, where it doesn't. */
  #handOver(connection: Addressee, data: string | Uint8Array): Unsent | undefined {
    const { source, target } = connection
    const filled = this.#inMessages.fillingOf(data, connection)
    if (filled instanceof SecretUngranted) return filled
    const rate = target === null ? undefined : this.#options.authority.rateOf(source.ingress, target)
    const bytes = rate === undefined ? 0 : dataBytes(data)
    const now = rate === undefined ? 0 : this.#options.monotonic()
    const over = rate === undefined ? undefined : this.#rates.over(rate, bytes, now)
    if (over !== undefined) return new SendRateLimited({ url: source.display, ...over })
    const full = this.#overBuffer(connection, data)
    if (full !== undefined) return full
    if (rate !== undefined) this.#rates.take(rate, bytes, now)
    connection.send(data, filled)
    return undefined
  }

  #overBuffer(connection: Addressee, data: string | Uint8Array): SendBufferFull | undefined {
    const { sendBufferBytes } = connection.limits
    const bufferedBytes = connection.bufferedBytes
    // An empty frame counts as well, or as many as one likes could wait.
    const bytes = Math.max(1, dataBytesOver(data, sendBufferBytes - bufferedBytes))
    if (bufferedBytes + bytes <= sendBufferBytes) return undefined
    return new SendBufferFull({ url: connection.source.display, bufferedBytes, limit: sendBufferBytes })
  }

  #close(event: Answered, dispatch: number, payload: Payloads["websocket_close"]): Done | Refused {
    const destination = this.#destination(event, dispatch, payload)
    if ("error" in destination) return destination
    const { display: url, id } = destination.connection.source
    const secret = this.#inMessages.misplaced(url, payload.reason)
    if (secret !== undefined) return refused(secret, id)
    destination.connection.close(payload.code ?? NORMAL_CLOSURE, payload.reason ?? "")
    return "executed"
  }

  #reconnect(event: Answered, dispatch: number, payload: Payloads["websocket_reconnect"]): Done | Refused {
    const { dialUrl } = payload
    const found = this.#destinations.find(event.origin, payload)
    if ("_tag" in found) return this.#unfound(found, payload)
    const { connection } = found
    const { closeCode, display, id } = connection.source
    const url = typeof dialUrl === "string" ? shownOf(dialUrl) : display
    // What counts is what will be dialled, not what was.
    if (!connection.mayDial(dialUrl)) return refused(new CommandUngranted({ url, problem: "no grant" }), id)
    const stale = stalenessOf(event, dispatch, payload, found)
    if (stale !== undefined) return refused(stale, id)
    const withheld = connection.withheld(dialUrl)
    const secret =
      this.#inMessages.misplaced(url, dialUrl) ??
      (withheld === undefined ? undefined : new SecretUngranted({ url, secret: withheld, problem: "not opened" }))
    if (secret !== undefined) return refused(secret, id)
    const stopReason = connection.denial(dialUrl)
    if (stopReason !== undefined) return refused(new ReconnectDenied({ url: display, stopReason }), id)
    connection.reconnect(payload.code ?? closeCode, dialUrl)
    return "executed"
  }

  #setTimer(event: Answered, dispatch: number, payload: Payloads["timer_set"]): Done | Refused {
    const { url } = payload
    if (url !== undefined) {
      const destination = this.#destination(event, dispatch, { url })
      if ("error" in destination) return destination
      return this.#timer(payload, destination, destination.connection.source.ingress)
    }
    const { ingressName, source } = event.origin
    if (Result.isFailure(this.#options.authority.ingress(ingressName))) {
      return refused(new CommandUngranted({ url: source.split("?", 1)[0] ?? "", problem: "no grant" }))
    }
    return this.#timer(payload, undefined, ingressName)
  }

  #timer(payload: Payloads["timer_set"], destination: D | undefined, ingressName: string): Done | Refused {
    const limit = this.#options.timers.set(payload, { destination, ingressName })
    return limit === undefined ? "executed" : refused(limit, destination?.connection.source.id)
  }

  #request(
    { origin, sequence }: Answered,
    index: number,
    command: OutputCommand.OutputCommand,
    { ids, payload }: Extract<OutputCommand.Content, { readonly kind: "host_request_dispatch" }>
  ): Done | Refused {
    const { ingressName } = origin
    const spec = requested(payload, ingressName, this.#options, () => this.#tooLarge(command))
    if (Result.isFailure(spec)) return this.#unrequested(spec.failure)
    const commandId = commandIdOf({ ids, index, origin, sequence })
    const error = this.#options.requests.dispatch(spec.success, {
      ingressName,
      commandId,
      correlationId: correlationId(origin, sequence)
    })
    return error === undefined ? "executed" : refused(error)
  }

  #report({ message, status = null }: Payloads["diagnostic_status_update"]): Done | Refused {
    const report = JSON.stringify(message === undefined ? status : { message, status })
    const limit = this.#options.limits.reportedStatusBytes
    const bytes = bytesOver(report, limit)
    if (bytes > limit) return refused(new CommandTooLarge({ what: "status", bytes, limit }))
    this.#options.reported(report)
    return "recorded"
  }

  /** The connection that a command means, if it may have it and it is at the right epoch. */
  #destination(event: Answered, dispatch: number, to: Addressed): D | Refused {
    return this.#reached(event, dispatch, to, this.#destinations.find(event.origin, to))
  }

  /** Nobody is granted a host or a method with a stand-in in it, so that is what is told. */
  #unrequested(error: CommandMalformed | CommandTooLarge | CommandUngranted): Refused {
    if (error._tag !== "CommandUngranted") return refused(error)
    return refused(this.#inMessages.misplaced(error.url, error.url, error.method) ?? error)
  }

  /** Nothing has a name with a stand-in in it, so that is what is told. */
  #unfound(error: CommandUngranted | AmbiguousConnection, { ingressName, url }: Addressed): Refused {
    return refused(this.#inMessages.misplaced(error.url, url, ingressName) ?? error)
  }

  #reached(event: Answered, dispatch: number, to: Addressed, found: Found<D>): D | Refused {
    if ("_tag" in found) return this.#unfound(found, to)
    const { connection } = found
    const { display: url, id } = connection.source
    if (!connection.covered) return refused(new CommandUngranted({ url, problem: "no grant" }), id)
    const stale = stalenessOf(event, dispatch, to, found)
    return stale === undefined ? found : refused(stale, id)
  }
}

/** Why a command comes too late, or too early, for the epoch of its connection. */
const stalenessOf = (
  { epoch, origin }: Answered,
  dispatch: number,
  to: Addressed,
  { connection, epochSince }: Destination
): StaleEpoch | undefined => {
  if (to.epoch === "any") return undefined
  const { display: url, id } = connection.source
  const isOwn = id === origin.id
  const actual = connection.epoch
  const expected = to.epoch ?? (isOwn ? epoch : actual)
  if (expected !== actual) return new StaleEpoch({ url, expected, actual })
  const beganSince = to.epoch === undefined && !isOwn && epochSince >= dispatch
  return beganSince ? new StaleEpoch({ url, expected: actual - 1, actual }) : undefined
}
