/**
 * `mooring ctl`: asks the control API of another process, or tells it what to
 * do, for scripts: JSON on stdout, and an exit code that says how it went.
 */
import { Argument, Command } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ControlSettings from "../node/ControlSettings.ts"
import * as HostFile from "../node/HostFile.ts"
import * as Client from "./internal/controlClient.ts"
import { askingFlags, type Asking } from "./internal/controlOptions.ts"
import { Output } from "./internal/output.ts"
import { Unwell } from "./internal/unwell.ts"
import { WrongUsage } from "./internal/wrongUsage.ts"

/** How long a health check may take, the start of this program included, which takes its time on a busy machine. */
const HEALTH_MS = 2000
const LEAST_HEALTH_MS = 500

const told = (asked: Client.Asked, question: Client.Question) =>
  Effect.gen(function* () {
    const answer = yield* Client.ask(asked, question)
    const { stdout } = yield* Output
    stdout.offer(`${answer}\n`)
    yield* stdout.drained(Infinity)
  })

/** Asks where the options say. */
const ask = ({ control = Client.USUAL, tokenFile }: Asking, question: Client.Question) =>
  Effect.flatMap(Client.tokenOf(tokenFile), (token) => told({ address: control, token }, question))

const reference = Argument.String("ref").pipe(
  Argument.withSchema(Schema.NonEmptyString),
  Argument.withDescription("The plugin_ref of the status")
)

const text = (name: string, description: string) =>
  Argument.String(name).pipe(Argument.withSchema(Schema.NonEmptyString), Argument.withDescription(description))

const at = (ref: string, rest = ""): string => `/plugins/${encodeURIComponent(ref)}${rest}`

const status = Command.make("status", askingFlags, (asked) => ask(asked, { method: "GET", path: "/status" })).pipe(
  Command.withDescription("Print the status document")
)

const plugin = Command.make("plugin", { ...askingFlags, ref: reference }, ({ ref, ...asked }) =>
  ask(asked, { method: "GET", path: at(ref) })
).pipe(Command.withDescription("Print one row of the status"))

const diagnostics = Command.make("diagnostics", askingFlags, (asked) =>
  ask(asked, { method: "GET", path: "/diagnostics" })
).pipe(Command.withDescription("Print the diagnostics that are kept, the oldest first"))

const act = (name: "start" | "stop" | "restart", description: string) =>
  Command.make(name, { ...askingFlags, ref: reference }, ({ ref, ...asked }) =>
    ask(asked, { method: "POST", path: at(ref, `/${name}`) })
  ).pipe(Command.withDescription(description))

const reconnect = Command.make(
  "reconnect",
  { ...askingFlags, ref: reference, id: text("id", "The id of the source, or its URL") },
  ({ id, ref, ...asked }) =>
    ask(asked, { method: "POST", path: at(ref, `/sources/${encodeURIComponent(id)}/reconnect`) })
).pipe(Command.withDescription("Close a source's connection and dial anew at once"))

const parsed = (json: string): Effect.Effect<unknown, WrongUsage> =>
  Effect.try({
    try: (): unknown => JSON.parse(json),
    catch: () => new WrongUsage({ problem: "the payload is no JSON" })
  })

const deliver = Command.make(
  "deliver",
  {
    ...askingFlags,
    ref: reference,
    ingress: text("ingress", "The name of the ingress"),
    kind: text("kind", "The kind of the event, which the ingress lists"),
    json: text("json", "The payload")
  },
  ({ ingress, json, kind, ref, ...asked }) =>
    Effect.flatMap(parsed(json), (payload) =>
      ask(asked, {
        method: "POST",
        path: at(ref, "/deliver"),
        body: JSON.stringify({ ingress_name: ingress, kind, payload })
      })
    )
).pipe(Command.withDescription("Hand a plugin an event"))

/** The address of a host file. */
const addressIn = (file: string) =>
  Effect.gen(function* () {
    const { controlTable: table } = yield* Effect.mapError(
      HostFile.read(file),
      ({ message }) => new Unwell({ problem: message })
    )
    const address = typeof table === "object" ? ControlSettings.parse(table.listen) : undefined
    return address === undefined ? undefined : ControlSettings.from(HostFile.folderOf(file), address)
  })

const health = Command.make(
  "health",
  {
    ...askingFlags,
    file: Argument.String("host.toml").pipe(
      Argument.withSchema(Schema.NonEmptyString),
      Argument.withDescription("The host file whose [control] has the address"),
      Argument.optional
    )
  },
  ({ control, file, tokenFile }) => {
    const looked = Option.match(file, { onNone: () => Effect.undefined, onSome: addressIn })
    return Effect.gen(function* () {
      const address = control ?? (yield* looked) ?? Client.USUAL
      const token = yield* Client.tokenOf(tokenFile)
      yield* told({ address, token }, { method: "GET", path: "/healthz" })
    }).pipe(
      Effect.timeoutOrElse({
        duration: Math.max(LEAST_HEALTH_MS, HEALTH_MS - process.uptime() * 1000),
        orElse: () => Effect.fail(new Client.Unreachable({ reason: "it doesn't answer" }))
      })
    )
  }
).pipe(Command.withDescription("Say within 2 s whether the process serves"))

/** The subcommand. */
export const ctl = Command.make("ctl").pipe(
  Command.withDescription("Ask a host that runs, or tell it what to do, by its control API"),
  Command.withSubcommands([
    status,
    plugin,
    diagnostics,
    act("start", "Start a plugin that was stopped or has failed"),
    act("stop", "Stop a plugin"),
    act("restart", "End the instance that runs and start another"),
    reconnect,
    deliver,
    health
  ])
)
