/**
 * A JSON-RPC 2.0 subscription, such as `eth_subscribe` of an Ethereum node,
 * that outlives its connections.
 *
 * It shows requests whose timeouts are timers of the host, retries that end in
 * a reconnect, a subscription of its own for each epoch, and a snapshot that is
 * asked for whenever something was missed: at the start, after a reconnect, and
 * after frames that slid out of the queue.
 *
 * It is written for an ingress with one source.
 */
import { Effect, Exit, Schema } from "effect"
import { type IngressEvent, OutputCommand, ServicePlugin, type WebSocketTarget } from "mooring"

const Call = Schema.Struct({ method: Schema.String, params: Schema.Array(Schema.Json) })

const wholeNumber = (minimum: number, maximum: number, initial: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum })).pipe(Schema.withDecodingDefaultKey(Effect.succeed(initial)))

/** What the operator configures. */
const Config = Schema.Struct({
  /** Answered with the id of the subscription: `eth_subscribe` with `["newHeads"]`. */
  subscribe: Call,
  /** Answered with the whole of what the notifications change: `eth_getBlockByNumber` with `["latest", false]`. */
  snapshot: Call,
  /** The method of the notifications: `eth_subscription`. */
  notification: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("subscription"))),
  timeout_ms: wholeNumber(100, 600_000, 10_000),
  /** How often a request is sent before the connection is given up. */
  attempts: wholeNumber(1, 100, 3)
})

const jsonrpc = Schema.Literal("2.0")
const SubscriptionId = Schema.Union([Schema.String, Schema.Int])
const Notification = Schema.Struct({ jsonrpc, method: Schema.String, params: Schema.optionalKey(Schema.Json) })
const Refusal = Schema.Struct({ jsonrpc, id: Schema.NullOr(Schema.String), error: Schema.Struct({ code: Schema.Int }) })
const Response = Schema.Struct({ jsonrpc, id: Schema.String, result: Schema.Json })

const decodeMessage = Schema.decodeEffect(Schema.fromJsonString(Schema.Union([Notification, Refusal, Response])))
const decodeSubscriptionId = Schema.decodeUnknownEffect(SubscriptionId)
const decodeChange = Schema.decodeUnknownEffect(Schema.Struct({ subscription: SubscriptionId, result: Schema.Json }))

/** What the subscription yields: the whole, or a change of it. */
export interface Update {
  readonly kind: "snapshot" | "change"
  readonly result: Schema.Json
}

type Received = (update: Update) => Effect.Effect<void>
type Connection = Pick<IngressEvent.WebSocketOpen, "url" | "ingressName">

/** A request that has no response yet. */
interface Pending {
  readonly call: "subscribe" | "snapshot"
  readonly attempt: number
  readonly connection: Connection
}

/**
 * What the plugin needs: where the server is, a target that covers it, and what
 * becomes of an update. `received` is part of a dispatch: it has the deadline of
 * one, and further events wait for it.
 */
export interface Options {
  readonly url: string
  readonly target: WebSocketTarget.WebSocketTarget
  readonly received: Received
}

export const jsonRpcSubscription = ({ received, target, url }: Options) =>
  ServicePlugin.make({
    id: "example.json-rpc-subscription",
    version: "0.1.0",
    description: "Keeps a JSON-RPC subscription alive.",
    ingresses: { rpc: { sources: [url] } },
    websocket: [target],
    config: Config,
    handlers: ({ config }) =>
      Effect.sync(() => {
        const subscriber = new Subscriber(config, received)
        return {
          rpc: {
            websocket_open: (event) => Exit.succeed(subscriber.opened(event)),
            websocket_text: (event) => subscriber.text(event),
            websocket_close: () => Exit.succeed(subscriber.closed()),
            timer: (event) => Exit.succeed(subscriber.timedOut(event))
          }
        }
      })
  })

/** The client's side of the protocol. A method that fails decodes first, so that it leaves everything as it was. */
class Subscriber {
  readonly #config: typeof Config.Type
  readonly #received: Received
  readonly #pending = new Map<string, Pending>()
  readonly #counts = { changes: 0, snapshots: 0, ignored: 0, gaps: 0 }
  #requests = 0
  #subscription: typeof SubscriptionId.Type | null = null
  /** The code of the last error that the server answered with. */
  #refusal: number | null = null
  #lastFrame = 0
  /** Whether something was missed since a snapshot was last asked for. */
  #stale = true

  constructor(config: typeof Config.Type, received: Received) {
    this.#config = config
    this.#received = received
  }

  opened(event: IngressEvent.WebSocketOpen): ServicePlugin.Answer {
    this.#forget()
    return this.#answer(this.#request("subscribe", event))
  }

  closed(): ServicePlugin.Answer {
    this.#forget()
    return this.#answer([])
  }

  /** Made once: what runs for each text makes no generator function of its own. */
  readonly text = Effect.fnUntraced({ self: this }, function* (event: IngressEvent.WebSocketText) {
    // A malformed text isn't a missing one.
    this.#follow(event.frame)
    const message = yield* decodeMessage(event.text)
    const commands = "method" in message ? yield* this.#notified(message) : yield* this.#answered(message)
    return this.#answer([...commands, ...this.#refresh(event)])
  })

  /** A request got no response, or an error, in its time. */
  timedOut({ name: id }: IngressEvent.Timer): ServicePlugin.Answer {
    const pending = this.#pending.get(id)
    if (pending === undefined) return this.#answer([])
    const { attempt, call, connection } = pending
    if (attempt >= this.#config.attempts) {
      // The timer ends with the epoch. Where the reconnect is denied it doesn't, and it is asked for again.
      return this.#answer([OutputCommand.reconnect(connection), this.#timeout(id, connection)])
    }
    this.#pending.delete(id)
    return this.#answer(this.#request(call, connection, attempt + 1))
  }

  /** An epoch takes its subscription along, and the timers of its requests. */
  #forget(): void {
    this.#pending.clear()
    this.#subscription = null
    this.#lastFrame = 0
    this.#stale = true
  }

  /** Texts are numbered as they arrive, so a number that is left out is a text that was never handed over. */
  #follow(frame: number): void {
    if (frame !== this.#lastFrame + 1) {
      this.#counts.gaps++
      this.#stale = true
    }
    this.#lastFrame = frame
  }

  readonly #notified = Effect.fnUntraced({ self: this }, function* ({ method, params }: typeof Notification.Type) {
    if (method !== this.#config.notification) return []
    const { result, subscription } = yield* decodeChange(params)
    if (subscription !== this.#subscription) {
      this.#counts.ignored++
      return []
    }
    this.#counts.changes++
    yield* this.#received({ kind: "change", result })
    return []
  })

  readonly #answered = Effect.fnUntraced(
    { self: this },
    function* (response: typeof Response.Type | typeof Refusal.Type) {
      const pending = response.id === null ? undefined : this.#pending.get(response.id)
      if (pending === undefined || response.id === null) return []
      if ("error" in response) {
        // The timer goes on, so that the next attempt keeps its distance.
        this.#refusal = response.error.code
        return []
      }
      if (pending.call === "subscribe") {
        this.#subscription = yield* decodeSubscriptionId(response.result)
      } else {
        this.#counts.snapshots++
        yield* this.#received({ kind: "snapshot", result: response.result })
      }
      this.#pending.delete(response.id)
      return [OutputCommand.clearTimer(response.id)]
    }
  )

  /** Asks for a snapshot where something was missed, one at a time. */
  #refresh(connection: Connection): ReadonlyArray<OutputCommand.Command> {
    const isAsked = [...this.#pending.values()].some(({ call }) => call === "snapshot")
    if (!this.#stale || this.#subscription === null || isAsked) return []
    this.#stale = false
    return this.#request("snapshot", connection)
  }

  /** A request and its timeout. Its id is also the name of the timer. */
  #request(call: Pending["call"], connection: Connection, attempt = 1): ReadonlyArray<OutputCommand.Command> {
    const id = `${call}-${++this.#requests}`
    this.#pending.set(id, { call, attempt, connection })
    const text = JSON.stringify({ jsonrpc: "2.0", id, ...this.#config[call] })
    return [OutputCommand.send(connection, text), this.#timeout(id, connection)]
  }

  #timeout(id: string, { url }: Connection): OutputCommand.Command {
    return OutputCommand.setTimer(id, { afterMs: this.#config.timeout_ms, url })
  }

  #answer(commands: ReadonlyArray<OutputCommand.Command>): ServicePlugin.Answer {
    return { commands, status: { live: this.#subscription, ...this.#counts, last_refusal: this.#refusal } }
  }
}
