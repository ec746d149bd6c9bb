/**
 * The host under test: one plugin that writes down what it is handed, as lines of JSON on stdout. Told what to do on
 * stdin; when nothing more can come there it closes the host, tells its last status, and ends by itself.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Readline from "node:readline"
import {
  Enablement,
  GrantStore,
  HostStatus,
  type IngressEvent,
  type Limits,
  OutputCommand,
  PluginHost,
  ServicePlugin
} from "../../../src/index.ts"
import { DnsAddresses, WsClient } from "../../../src/node/index.ts"

export interface Setup {
  readonly sources: ReadonlyArray<string>
  /** The host that manifest and grant name. */
  readonly target: string
  readonly limits?: Partial<Limits.Values>
  readonly reconnect?: { readonly [key: string]: unknown }
  /** Name servers in place of those of the system. */
  readonly servers?: ReadonlyArray<string>
}

export type Order =
  | { readonly do: "status" }
  /** The plugin sends so many texts of so many bytes to a source, numbered from where it left off. */
  | { readonly do: "send"; readonly to: string; readonly count: number; readonly bytes: number }
  /** The thread stands still. */
  | { readonly do: "block"; readonly millis: number }

/** What a line says: one of these, and when. */
export interface Line {
  readonly at: number
  readonly ready?: true
  readonly event?: Told
  readonly status?: HostStatus.Encoded
  /** The last one, after everything has stopped. */
  readonly final?: HostStatus.Encoded
}

/** An event, without the texts. */
export interface Told {
  readonly kind: string
  readonly source: string
  readonly epoch: number
  readonly frame: number
  readonly sequence: number
  readonly droppedBefore: number
  /** The number that a text begins with. */
  readonly number?: number
  readonly bytes?: number
  /** The tag, phase and code, or what, of an error; the code of a close. */
  readonly what?: string
  readonly unconfirmed?: number
  readonly willReconnect?: boolean
  /** The status of a command's result, or its error. */
  readonly result?: string
}

const PLUGIN = "test.faults"
const REF = `project:${PLUGIN}`
// So much goes into one answer of the plugin.
const ANSWER_BYTES = 200_000
const ANSWER_COMMANDS = 16

const setup: Setup = JSON.parse(process.argv[2] ?? "")

const say = (line: Omit<Line, "at">) => {
  // A clock that all processes share.
  const at = performance.timeOrigin + performance.now()
  process.stdout.write(`${JSON.stringify({ at, ...line })}\n`)
}

const told = (event: IngressEvent.IngressEvent): Told => {
  const common = {
    kind: event.kind,
    source: event.source,
    epoch: event.epoch,
    frame: event.frame,
    sequence: event.sequence,
    droppedBefore: event.droppedBefore
  }
  switch (event.kind) {
    case "websocket_text":
      return { ...common, number: Number.parseInt(event.text, 10), bytes: event.text.length }
    case "websocket_error": {
      const { code, phase, tag, what } = event.error
      const words = [tag, phase, what, code].filter((word) => word !== undefined)
      return { ...common, what: words.join(" "), willReconnect: event.willReconnect }
    }
    case "websocket_close":
      return {
        ...common,
        what: `${event.code}${event.clean ? " clean" : ""}`,
        unconfirmed: event.unconfirmed,
        willReconnect: event.willReconnect
      }
    case "command_result":
      return { ...common, result: event.result.error?.tag ?? event.result.status }
    default:
      return common
  }
}

const record = (event: IngressEvent.IngressEvent) => {
  say({ event: told(event) })
  return Exit.void
}

const Texts = Schema.Struct({ to: Schema.String, from: Schema.Int, count: Schema.Int, bytes: Schema.Int })

const target = { scheme: "*", host: setup.target, port: "*" } as const

const plugin = ServicePlugin.make({
  id: PLUGIN,
  version: "1.0.0",
  ingresses: {
    gateway: {
      sources: setup.sources,
      eventKinds: [
        "websocket_open",
        "websocket_text",
        "websocket_close",
        "websocket_error",
        "command_result",
        "send_texts"
      ]
    }
  },
  websocket: [{ ...target, pathPrefixes: ["/"] }],
  handlers: {
    gateway: {
      websocket_open: record,
      websocket_text: record,
      websocket_close: record,
      websocket_error: record,
      command_result: record,
      send_texts: (event) => {
        const { bytes, count, from, to } = Schema.decodeUnknownSync(Texts)(event.payload)
        const commands = Array.from({ length: count }, (_, nth) =>
          OutputCommand.send(to, `${from + nth}:`.padEnd(bytes, "x"))
        )
        return Exit.succeed({ commands })
      }
    }
  }
})

const enabled = [
  Result.getOrThrow(
    Enablement.decode({
      id: REF,
      version: plugin.manifest.version,
      digest: plugin.digest,
      grants: {
        permissions: plugin.manifest.permissions,
        websocket: [{ ...target, path_prefixes: ["/"], private_addresses: true }]
      },
      sources: { gateway: { reconnect: setup.reconnect ?? {} } }
    })
  )
]

const { servers } = setup
const client = WsClient.layerOptions(servers === undefined ? {} : DnsAddresses.make({ servers }))

const live = PluginHost.layer({ plugins: [plugin], enabled, limits: setup.limits ?? {} }).pipe(
  Layer.provide([GrantStore.layer(enabled), client])
)

const block = (millis: number): void => {
  const until = performance.now() + millis
  while (performance.now() < until);
}

const sent = new Map<string, number>()

/** Hands the plugin what it has to send, as much at a time as one answer holds. */
const sendTexts = (host: PluginHost.PluginHost["Service"], to: string, count: number, bytes: number) =>
  Effect.gen(function* () {
    const most = Math.max(1, Math.min(ANSWER_COMMANDS, Math.floor(ANSWER_BYTES / bytes)))
    for (let left = count; left > 0; left -= most) {
      const from = sent.get(to) ?? 1
      const now = Math.min(left, most)
      sent.set(to, from + now)
      yield* host.deliver(REF, {
        ingressName: "gateway",
        kind: "send_texts",
        payload: { to, from, count: now, bytes }
      })
    }
  })

const program = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const host = Context.get(yield* Layer.buildWithScope(live, scope), PluginHost.PluginHost)
  const obey = (order: Order): Effect.Effect<void> => {
    switch (order.do) {
      case "status":
        return Effect.map(host.status, (status) => void say({ status: HostStatus.encode(status) }))
      case "send":
        return Effect.orDie(sendTexts(host, order.to, order.count, order.bytes))
      case "block":
        return Effect.sync(() => block(order.millis))
    }
  }
  say({ ready: true })
  yield* Effect.callback<void>((resume) => {
    Readline.createInterface({ input: process.stdin })
      .on("line", (text) => void Effect.runPromise(obey(JSON.parse(text))))
      .on("close", () => resume(Effect.void))
  })
  yield* Scope.close(scope, Exit.void)
  say({ final: HostStatus.encode(yield* host.status) })
})

// Log lines would stand between those of the test.
await Effect.runPromise(program.pipe(Effect.provide(Logger.layer([]))))
