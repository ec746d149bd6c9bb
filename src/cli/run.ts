/**
 * `mooring run`: runs the plugins of a host file until it is told to end.
 */
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { HostStatus } from "../host/HostStatus.ts"
import { PluginHost } from "../host/PluginHost.ts"
import * as Wire from "../internal/wire.ts"
import { refOf } from "../manifest/Enablement.ts"
import * as CollectorClient from "../node/CollectorClient.ts"
import * as HostFile from "../node/HostFile.ts"
import * as PackageFolders from "../node/PackageFolders.ts"
import * as SystemSecrets from "../node/SystemSecrets.ts"
import * as Sandbox from "../sandbox/Sandbox.ts"
import { clean } from "./internal/cells.ts"
import { controlled, withControl } from "./internal/controlled.ts"
import { servingFlags } from "./internal/controlOptions.ts"
import * as Consoles from "./internal/consoles.ts"
import { Hangups } from "./internal/hangups.ts"
import { hosting } from "./internal/hosting.ts"
import type { Asked } from "./internal/liveControl.ts"
import * as LiveHost from "./internal/liveHost.ts"
import * as Logger from "./internal/logger.ts"
import { reporting, type Reporting } from "./internal/options.ts"
import { Output } from "./internal/output.ts"
import { during } from "./internal/reporter.ts"
import * as Telemetry from "./internal/telemetry.ts"
import { Unwell } from "./internal/unwell.ts"

/** Ends with exit code 4: at least one plugin is enabled, and none started. */
export class AllFailed extends Schema.TaggedError<AllFailed>("mooring/cli/AllFailed")("AllFailed", {
  reasons: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return ["no plugin could be started", ...this.reasons].map(clean).join("\n  ")
  }
}

const isSettled = ({ plugins }: HostStatus): boolean =>
  plugins.every(({ lifecycle }) => lifecycle !== "ready" && lifecycle !== "starting")

/** Fails once each plugin has failed at its first attempt. */
const unlessAllFail = ({ changes }: PluginHost["Service"]): Effect.Effect<never, AllFailed> =>
  Effect.gen(function* () {
    const [status] = yield* Stream.runCollect(Stream.take(Stream.filter(changes, isSettled), 1))
    const plugins = status?.plugins ?? []
    if (plugins.length > 0 && plugins.every(({ lifecycle }) => lifecycle === "failed")) {
      return yield* new AllFailed({
        reasons: plugins.map(({ lastError, pluginRef }) => `${pluginRef}: ${lastError?.tag}: ${lastError?.message}`)
      })
    }
    return yield* Effect.never
  })

const LEVELS = { debug: "Debug", info: "Info", warning: "Warn", error: "Error" } as const

interface Options extends Reporting, Asked {
  readonly file: string
  readonly console: ReadonlyArray<string>
  readonly logFormat: "pretty" | "json"
  readonly logLevel: keyof typeof LEVELS
}

const run = Effect.fnUntraced(function* (asked: Options) {
  const hangups = yield* Queue.sliding<void>(1)
  const { take } = yield* Hangups
  take(() => void Queue.offerUnsafe(hangups, undefined))
  const services = yield* Layer.build(Layer.mergeAll(Sandbox.layer, PackageFolders.layer))
  const beginning = yield* LiveHost.begin(asked.file, asked).pipe(
    Effect.provide(services),
    Effect.mapError(({ problems }) => new Unwell({ problem: problems.map(Wire.formatProblem).map(clean).join("\n") })),
    during(asked, `reading ${asked.file} and its packages`)
  )
  yield* Consoles.unknown(
    asked.console,
    beginning.file.entries.map(({ enablement }) => refOf(enablement))
  )
  const hosted = Layer.merge(
    Layer.provide(LiveHost.layer(beginning), LiveHost.client(beginning)),
    Layer.succeedContext(services)
  )
  const collector = yield* Layer.build(CollectorClient.layer())
  // What outlasts the host ends beside each other: who reads slowly and a collector that is silent cost one wait.
  const outlasting = yield* Scope.fork(yield* Effect.scope, "parallel")
  const telling = yield* Scope.fork(outlasting)
  const control = controlled(beginning.control, Telemetry.expositionOf(beginning.file))
  const layer = withControl(hosted, yield* Scope.provide(control, yield* Scope.fork(outlasting)))
  yield* hosting(layer, asked, (host, built) => {
    const following = LiveHost.follow(beginning, host, built, Queue.take(hangups))
    const telemetry = Telemetry.begin(beginning.file).pipe(
      Effect.provideService(PluginHost, host),
      Effect.provide(collector),
      Scope.provide(telling)
    )
    return {
      status: host.status,
      beside: Effect.andThen(telemetry, Effect.raceFirst(unlessAllFail(host), following))
    }
  })
}, Effect.scoped)

/** The subcommand. */
export const runCommand = Command.make(
  "run",
  {
    file: Argument.String("host.toml").pipe(
      Argument.withSchema(Schema.NonEmptyString),
      Argument.withDescription("The host file")
    ),
    ...reporting,
    ...servingFlags,
    console: Consoles.consoleFlag,
    logFormat: Flag.Literals("log-format", ["pretty", "json"]).pipe(
      Flag.withDescription("The form of log lines (default: pretty)"),
      Flag.withDefault("pretty" as const)
    ),
    logLevel: Flag.Literals("log-level", ["debug", "info", "warning", "error"]).pipe(
      Flag.withDescription("The least level of log lines (default: info)"),
      Flag.withDefault("info" as const)
    )
  },
  Effect.fnUntraced(function* (asked) {
    const { screen } = yield* Output
    yield* run(asked).pipe(
      Effect.provide(Consoles.layer(asked.console)),
      Effect.provide(SystemSecrets.layer({ folder: HostFile.folderOf(asked.file) })),
      Effect.provide(Logger.layer(screen.log, asked.logFormat, screen)),
      Effect.provideService(References.MinimumLogLevel, LEVELS[asked.logLevel])
    )
  })
).pipe(Command.withDescription("Run the plugins of a host file until a signal"))
