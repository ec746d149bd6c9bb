/**
 * A WebSocket without a network, for tests of plugins and hosts: the test plays
 * the server.
 *
 * Everything happens synchronously in the call that causes it, so it works
 * under virtual time; what the host does about it in fibers of its own is
 * waited for with `PluginHost.idle` or with the members that return effects.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { HandshakeRejected, type DialError } from "../connection/ConnectionError.ts"
import {
  WebSocketClient,
  type ConnectOptions,
  type ReadMode,
  type Socket,
  type SocketEvents
} from "../connection/WebSocketClient.ts"
import { AuthorizedTarget } from "../grants/Grants.ts"
import * as SocketUrl from "../manifest/SocketUrl.ts"
import { Bell } from "./internal/bell.ts"

/**
 * How a dial is answered: accepted, with texts that arrive in the same burst as
 * the 101; refused with an HTTP status; failed before there was an answer; or
 * never.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer =
  | { readonly kind: "accept"; readonly subprotocol?: string; readonly early?: ReadonlyArray<string> }
  | { readonly kind: "refuse"; readonly status: number; readonly retryAfterMs?: number }
  | { readonly kind: "fail"; readonly error: DialError }
  | { readonly kind: "never" }

/**
 * A dial that was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dial {
  readonly url: string
  readonly subprotocols: ReadonlyArray<string>
  readonly headers: { readonly [name: string]: string }
}

type Frame =
  | { readonly kind: "texts"; readonly texts: ReadonlyArray<string> }
  | { readonly kind: "binary"; readonly bytes: number }
  | { readonly kind: "ping"; readonly data: Uint8Array }
  | { readonly kind: "pong" }
  | { readonly kind: "end"; readonly code: number; readonly reason: string; readonly clean: boolean }

const utf8 = new TextEncoder()
const NO_CODE = 1005
const NO_CLOSE_FRAME = 1006

/**
 * The server's end of one connection.
 *
 * @category models
 * @since 0.1.0
 */
export class Remote {
  /** The texts that the host sent. */
  readonly sent: Array<string> = []
  /** The pongs that the host sent. */
  readonly pongs: Array<Uint8Array> = []
  /** How many pings the host sent. */
  pings = 0
  /** The host's close frame, once it sent one. */
  closeFrame: { readonly code: number; readonly reason: string } | null = null
  /** How the host reads. What is sent while it doesn't waits in the network. */
  reading: ReadMode = "full"
  isOpen = true
  readonly #events: SocketEvents
  readonly #bell: Bell
  readonly #network: Array<Frame> = []
  readonly #unwritten: Array<() => void> = []
  #draining = true
  #buffered = 0
  #answersClose = true

  constructor(events: SocketEvents, bell: Bell) {
    this.#events = events
    this.#bell = bell
  }

  /** Sends one text frame. */
  sendText(text: string): void {
    this.#transmit({ kind: "texts", texts: [text] })
  }

  /** Sends texts that arrive in one read of the socket: all of them, even if the host pauses at the first. */
  sendBurst(texts: ReadonlyArray<string>): void {
    this.#transmit({ kind: "texts", texts })
  }

  /** Sends a binary frame of so many bytes. */
  sendBinary(bytes: number): void {
    this.#transmit({ kind: "binary", bytes })
  }

  ping(data: Uint8Array = new Uint8Array()): void {
    this.#transmit({ kind: "ping", data })
  }

  /** Sends a pong that nobody asked for. */
  pong(): void {
    this.#transmit({ kind: "pong" })
  }

  /** Closes with a close frame; without a code it has none. */
  close(code?: number, reason = ""): void {
    this.#transmit({ kind: "end", code: code ?? NO_CODE, reason, clean: true })
  }

  /** Breaks the connection off, without a close frame. */
  breakOff(): void {
    this.#transmit({ kind: "end", code: NO_CLOSE_FRAME, reason: "", clean: false })
  }

  /** Takes nothing more: what the host sends stays in its buffer. */
  stopDraining(): void {
    this.#draining = false
  }

  /** Takes what the host's buffer holds, and all that comes. */
  drain(): void {
    this.#draining = true
    this.#buffered = 0
    this.#unwritten.length = 0
  }

  /** Doesn't answer the host's close frame. */
  ignoreClose(): void {
    this.#answersClose = false
  }

  /** Completes with what was sent when the host has sent at least so many texts. */
  received(count: number): Effect.Effect<ReadonlyArray<string>> {
    return Effect.as(
      this.#bell.until(() => this.sent.length >= count),
      this.sent
    )
  }

  /** Completes when the connection has ended. */
  get closed(): Effect.Effect<void> {
    return this.#bell.until(() => !this.isOpen)
  }

  /** @internal The host's end. */
  socket(target: AuthorizedTarget, subprotocol: string | null): Socket {
    return {
      subprotocol,
      remoteAddress: target.url.literal ? target.url.host : null,
      bufferedAmount: () => this.#buffered,
      send: (text, failed) => this.#accept(text, failed),
      ping: () => {
        this.pings++
        this.#bell.ring()
      },
      pong: (data) => {
        this.pongs.push(data)
        this.#bell.ring()
      },
      read: (mode) => {
        this.reading = mode
        this.#deliver()
      },
      close: (code, reason) => {
        if (!this.isOpen || this.closeFrame !== null) return
        this.closeFrame = { code, reason }
        this.#bell.ring()
        if (this.#answersClose) this.close(code, reason)
      },
      terminate: () => this.end(NO_CLOSE_FRAME, "", false)
    }
  }

  /** @internal */
  end(code: number, reason: string, clean: boolean): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#network.length = 0
    for (const failed of this.#unwritten.splice(0)) failed()
    this.#events.closing()
    this.#events.closed(code, reason, clean)
    this.#bell.ring()
  }

  #accept(text: string, failed: () => void): void {
    if (!this.isOpen) return
    this.sent.push(text)
    if (!this.#draining) {
      this.#buffered += utf8.encode(text).length
      this.#unwritten.push(failed)
    }
    this.#bell.ring()
  }

  #transmit(frame: Frame): void {
    if (!this.isOpen) return
    this.#network.push(frame)
    this.#deliver()
  }

  #deliver(): void {
    while (this.isOpen && this.reading !== "off") {
      const frame = this.#network.shift()
      if (frame === undefined) return
      this.#read(frame)
    }
  }

  #read(frame: Frame): void {
    switch (frame.kind) {
      case "texts":
        for (const text of frame.texts) this.#events.text(text, utf8.encode(text).length)
        return
      case "binary":
        return this.#events.binary(frame.bytes)
      case "ping":
        return this.#events.ping(frame.data)
      case "pong":
        return this.#events.pong()
      case "end":
        return this.end(frame.code, frame.reason, frame.clean)
    }
  }
}

/**
 * The fake network: what was dialled, and the server's end of each connection.
 * Until told otherwise every dial is accepted.
 *
 * @category services
 * @since 0.1.0
 */
export class FakeWebSocket extends Context.Service<
  FakeWebSocket,
  {
    /** How dials of a URL are answered from now on. */
    readonly answer: (url: string, answer: Answer) => Effect.Effect<void>
    /** Every dial so far. */
    readonly dials: Effect.Effect<ReadonlyArray<Dial>>
    /** Completes when a URL was dialled so many times in all. */
    readonly dialled: (url: string, times: number) => Effect.Effect<void>
    /** The server's ends of a URL's connections so far, the first one first. */
    readonly remotes: (url: string) => Effect.Effect<ReadonlyArray<Remote>>
    /** The server's end of the `nth` connection of a URL (from 1), once it is open; by default the first. */
    readonly remote: (url: string, nth?: number) => Effect.Effect<Remote>
  }
>()("mooring/testing/FakeWebSocket") {}

const canonical = (url: string): string => {
  const parsed = SocketUrl.parse(url)
  return parsed._tag === "Success" ? parsed.success.canonical : url
}

class Network {
  readonly bell = new Bell()
  readonly answers = new Map<string, Answer>()
  readonly dials: Array<Dial> = []
  readonly remotes = new Map<string, Array<Remote>>()

  connect(
    target: AuthorizedTarget,
    options: ConnectOptions,
    events: SocketEvents
  ): Effect.Effect<void, DialError, Scope.Scope> {
    if (!AuthorizedTarget.is(target)) return Effect.die(new TypeError("the target was not authorized"))
    const url = target.url.canonical
    this.dials.push({ url, subprotocols: target.subprotocols, headers: options.headers })
    this.bell.ring()
    const answer = this.answers.get(url) ?? { kind: "accept" }
    switch (answer.kind) {
      case "never":
        return Effect.never
      case "fail":
        return Effect.fail(answer.error)
      case "refuse":
        return Effect.fail(
          new HandshakeRejected({
            url: target.url.display,
            status: answer.status,
            problem: `it answered with HTTP status ${answer.status}`,
            retryAfterMs: answer.retryAfterMs ?? null
          })
        )
      case "accept": {
        const remote = new Remote(events, this.bell)
        return Effect.acquireRelease(
          Effect.sync(() => this.#open(target, remote, answer, events)),
          () => Effect.sync(() => remote.end(NO_CLOSE_FRAME, "", false))
        )
      }
    }
  }

  #open(
    target: AuthorizedTarget,
    remote: Remote,
    answer: Extract<Answer, { readonly kind: "accept" }>,
    events: SocketEvents
  ): void {
    const url = target.url.canonical
    this.remotes.set(url, [...(this.remotes.get(url) ?? []), remote])
    events.open(remote.socket(target, answer.subprotocol ?? null))
    if (answer.early !== undefined) remote.sendBurst(answer.early)
    this.bell.ring()
  }
}

/**
 * Provides a fake network and the `WebSocketClient` that dials it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<FakeWebSocket | WebSocketClient> = Layer.effectContext(
  Effect.sync(() => {
    const network = new Network()
    const fake: FakeWebSocket["Service"] = {
      answer: (url, answer) => Effect.sync(() => network.answers.set(canonical(url), answer)),
      dials: Effect.sync(() => [...network.dials]),
      dialled: (url, times) =>
        network.bell.until(() => network.dials.filter((dial) => dial.url === canonical(url)).length >= times),
      remotes: (url) => Effect.sync(() => [...(network.remotes.get(canonical(url)) ?? [])]),
      remote: (url, nth = 1) => {
        const find = () => network.remotes.get(canonical(url))?.[nth - 1]
        return Effect.flatMap(
          network.bell.until(() => find() !== undefined),
          () => Effect.fromNullishOr(find())
        ).pipe(Effect.orDie)
      }
    }
    return Context.make(FakeWebSocket, fake).pipe(
      Context.add(WebSocketClient, {
        connect: (target, options, events) => Effect.suspend(() => network.connect(target, options, events))
      })
    )
  })
)
