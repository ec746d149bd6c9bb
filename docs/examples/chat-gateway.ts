/**
 * A client of a chat gateway that works as Discord's does: it logs in, sends
 * heartbeats, and resumes its session over one connection after another.
 *
 * It shows heartbeats by a repeating timer of the host, an acknowledgement that
 * is missing as the reason for a reconnect, another URL to be dialled for the
 * same source, close codes after which dialling again is pointless, and a state
 * that survives a crash.
 *
 * It is written for an ingress with one source.
 */
import { Effect, Exit, Random, Redacted, Schema } from "effect"
import { type IngressEvent, OutputCommand, ServicePlugin, type WebSocketTarget } from "mooring"

/** What the operator configures. */
const Config = Schema.Struct({
  token: Schema.RedactedFromValue(Schema.NonEmptyString),
  /** Which events the gateway sends: the sum of its flags. */
  intents: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(512)))
})

/** What it takes to resume. `seq` is the number of the last dispatch that was handled. */
const Session = Schema.Struct({ id: Schema.String, resume_url: Schema.String, seq: Schema.Int })

/** The state that the host keeps for the next instance: null where there is nothing to resume. */
const State = Schema.NullOr(Session)

const Op = {
  Dispatch: 0,
  Heartbeat: 1,
  Identify: 2,
  Resume: 6,
  Reconnect: 7,
  InvalidSession: 9,
  Hello: 10,
  HeartbeatAck: 11
} as const

const Payload = Schema.Struct({
  op: Schema.Int,
  d: Schema.optionalKey(Schema.Json),
  s: Schema.optionalKey(Schema.NullOr(Schema.Int)),
  t: Schema.optionalKey(Schema.NullOr(Schema.String))
})
const Interval = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3_600_000 }))

const decodePayload = Schema.decodeEffect(Schema.fromJsonString(Payload))
const decodeHello = Schema.decodeUnknownEffect(Schema.Struct({ heartbeat_interval: Interval }))
const decodeReady = Schema.decodeUnknownEffect(
  Schema.Struct({ session_id: Schema.String, resume_gateway_url: Schema.String })
)
const decodeMessage = Schema.decodeUnknownEffect(Schema.Struct({ channel_id: Schema.String, content: Schema.String }))

// Authentication failed, invalid or disallowed shard, version or intents.
const FATAL = [4004, 4010, 4011, 4012, 4013, 4014]
// Invalid sequence, session timed out.
const NOT_RESUMABLE = [4007, 4009]
// After 1000 and 1001 the gateway forgets the session.
const KEEPS_SESSION = 4000
// The host's timers.
const SHORTEST_DELAY_MS = 100
const SHORTEST_PERIOD_MS = 1000

/** What the plugin needs: where the gateway is, and a target that covers it and the URLs it resumes at. */
export interface Options {
  readonly url: string
  readonly target: WebSocketTarget.WebSocketTarget
}

export const chatGateway = ({ target, url }: Options) =>
  ServicePlugin.make({
    id: "example.chat-gateway",
    version: "0.1.0",
    description: "Answers !ping in a chat.",
    ingresses: { gateway: { sources: [url], stopCodes: FATAL, closeCode: KEEPS_SESSION } },
    websocket: [target],
    config: Config,
    state: State,
    handlers: ({ config, state }) =>
      Effect.sync(() => {
        const client = new Client(config, state)
        return {
          gateway: {
            websocket_open: () => Exit.succeed(client.opened()),
            websocket_text: (event) => client.text(event),
            websocket_error: (event) => Exit.succeed(client.failed(event)),
            websocket_close: (event) => Exit.succeed(client.closed(event)),
            timer: (event) => Exit.succeed(client.heartbeatDue(event))
          }
        }
      })
  })

type Answer = ServicePlugin.Answer<typeof State.Type>
type Commands = ReadonlyArray<OutputCommand.Command>
type Connection = Pick<IngressEvent.WebSocketOpen, "url" | "ingressName">

/** The client's side of the protocol. A method that fails decodes first, so that it leaves everything as it was. */
class Client {
  readonly #config: typeof Config.Type
  readonly #counts = { identified: 0, resumed: 0, answered: 0 }
  #session: typeof State.Type
  #phase: "disconnected" | "connected" | "ready" = "disconnected"
  #isAcknowledged = true

  constructor(config: typeof Config.Type, state: typeof State.Type) {
    this.#config = config
    this.#session = state
  }

  opened(): Answer {
    this.#phase = "connected"
    this.#isAcknowledged = true
    return this.#answer([])
  }

  /** Made once: what runs for each text makes no generator function of its own. */
  readonly text = Effect.fnUntraced({ self: this }, function* (event: IngressEvent.WebSocketText) {
    const payload = yield* decodePayload(event.text)
    return this.#answer(yield* this.#handle(event, payload))
  })

  /** A heartbeat that wasn't acknowledged by the time of the next one means that nobody is there. */
  heartbeatDue({ ingressName, url }: IngressEvent.Timer): Answer {
    // It was set with a URL.
    if (url === null) return this.#answer([])
    const connection = { url, ingressName }
    if (!this.#isAcknowledged) return this.#answer(this.#reconnect(connection))
    this.#isAcknowledged = false
    return this.#answer([this.#heartbeat(connection)])
  }

  /** Perhaps the resume URL can't be dialled; the declared one resumes, too. An open connection's close comes next. */
  failed(event: IngressEvent.WebSocketError): Answer {
    return this.#answer(event.willReconnect ? [OutputCommand.reconnect(event, { dialUrl: null })] : [])
  }

  /** The source is dialled again by itself; what is left to say is where. */
  closed(event: IngressEvent.WebSocketClose): Answer {
    this.#phase = "disconnected"
    if (!event.willReconnect || NOT_RESUMABLE.includes(event.code)) this.#session = null
    return this.#answer(event.willReconnect ? this.#reconnect(event) : [])
  }

  #handle(connection: Connection, payload: typeof Payload.Type): Effect.Effect<Commands, Schema.SchemaError> {
    switch (payload.op) {
      case Op.Hello:
        return this.#hello(connection, payload.d)
      case Op.Dispatch:
        return this.#dispatch(connection, payload)
      case Op.Heartbeat:
        return Exit.succeed([this.#heartbeat(connection)])
      case Op.HeartbeatAck:
        this.#isAcknowledged = true
        return Exit.succeed([])
      case Op.InvalidSession:
        if (payload.d !== true) this.#session = null
        return Exit.succeed(this.#reconnect(connection))
      case Op.Reconnect:
        return Exit.succeed(this.#reconnect(connection))
      default:
        return Exit.succeed([])
    }
  }

  /** Logs in. The first heartbeat comes after a part of the interval, so that not all clients send theirs at once. */
  #hello(connection: Connection, d: Schema.Json | undefined) {
    return Effect.gen({ self: this }, function* () {
      const { heartbeat_interval: interval } = yield* decodeHello(d)
      const afterMs = Math.max(SHORTEST_DELAY_MS, Math.round(interval * (yield* Random.next)))
      const everyMs = Math.max(SHORTEST_PERIOD_MS, interval)
      return [this.#login(connection), OutputCommand.setTimer("heartbeat", { afterMs, everyMs, url: connection.url })]
    })
  }

  #login(connection: Connection): OutputCommand.Command {
    const token = Redacted.value(this.#config.token)
    if (this.#session === null) {
      const properties = { os: "linux", browser: "mooring", device: "mooring" }
      return send(connection, Op.Identify, { token, intents: this.#config.intents, properties })
    }
    const { id, seq } = this.#session
    return send(connection, Op.Resume, { token, session_id: id, seq })
  }

  readonly #dispatch = Effect.fnUntraced(
    { self: this },
    function* (connection: Connection, { d, s, t }: typeof Payload.Type) {
      let commands: Commands = []
      if (t === "READY") {
        const { resume_gateway_url, session_id } = yield* decodeReady(d)
        this.#session = { id: session_id, resume_url: resume_gateway_url, seq: 0 }
        this.#counts.identified++
        this.#phase = "ready"
      } else if (t === "RESUMED") {
        this.#counts.resumed++
        this.#phase = "ready"
      } else if (t === "MESSAGE_CREATE") {
        commands = this.#message(connection, yield* decodeMessage(d))
      }
      if (this.#session !== null) this.#session = { ...this.#session, seq: s ?? this.#session.seq }
      return commands
    }
  )

  /** This gateway takes messages where it sends them. Discord has an HTTP API for that. */
  #message(connection: Connection, { channel_id, content }: { readonly channel_id: string; readonly content: string }) {
    if (content !== "!ping") return []
    this.#counts.answered++
    return [send(connection, Op.Dispatch, { channel_id, content: "pong" }, "MESSAGE_CREATE")]
  }

  #heartbeat(connection: Connection): OutputCommand.Command {
    return send(connection, Op.Heartbeat, this.#session?.seq ?? null)
  }

  /**
   * Dials anew: where there is a session, at its URL. That URL is the server's
   * word, so it is asked for on its own: where no grant covers it, the command
   * before it stands.
   */
  #reconnect(connection: Connection): Commands {
    const code = KEEPS_SESSION
    if (this.#session === null) return [OutputCommand.reconnect(connection, { code, dialUrl: null })]
    const dialUrl = this.#session.resume_url
    return [OutputCommand.reconnect(connection, { code }), OutputCommand.reconnect(connection, { code, dialUrl })]
  }

  #answer(commands: Commands): Answer {
    const status = { phase: this.#phase, seq: this.#session?.seq ?? null, ...this.#counts }
    return { commands, state: this.#session, status }
  }
}

const send = (connection: Connection, op: number, d: Schema.Json, t?: string): OutputCommand.Command =>
  OutputCommand.send(connection, JSON.stringify({ op, d, ...(t === undefined ? {} : { t }) }))
