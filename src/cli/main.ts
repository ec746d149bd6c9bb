/**
 * The command line. Exit codes: 0 well, also after a signal; 1 an unexpected
 * defect, or a stdout that can't be written; 2 wrong usage; 3 what was asked
 * about can't be used, or was refused; 4 no plugin could be started; 5 a control API can't be reached. `bin` ends the process at a second signal, with 130 or 143.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { VERSION } from "../internal/version.ts"
import { build } from "./build.ts"
import { check } from "./check.ts"
import { ctl } from "./ctl.ts"
import { demo } from "./demo.ts"
import { dev } from "./dev.ts"
import { digest } from "./digest.ts"
import { Refused, Unreachable } from "./internal/controlClient.ts"
import * as Descriptor from "./internal/descriptor.ts"
import { PortUnusable } from "./internal/gateway.ts"
import { Hangups } from "./internal/hangups.ts"
import * as Logger from "./internal/logger.ts"
import * as Output from "./internal/output.ts"
import { presenter } from "./internal/presenter.ts"
import { StdoutUnwritable } from "./internal/stdout.ts"
import { isOfEraser } from "./internal/typeless.ts"
import { Unwell } from "./internal/unwell.ts"
import { WrongUsage } from "./internal/wrongUsage.ts"
import { newCommand } from "./new.ts"
import { AllFailed, runCommand } from "./run.ts"
import { schema } from "./schema.ts"
import { topCommand } from "./top.ts"

const DEFECT = 1
const WRONG_USAGE = 2
const UNWELL = 3
const ALL_FAILED = 4
const UNREACHABLE = 5

/** How long a reader of stderr may take nothing before the end. */
const PATIENCE_MS = 1000

/** How often a terminal that takes nothing is asked again before a stack is written to it. */
const LAST_ATTEMPTS = 50

/** The signals that end the program; those that came before somebody listened included. */
export interface Signals {
  readonly listen: (listener: (signal: "SIGINT" | "SIGTERM" | "SIGHUP") => void) => void
}

const mooring = Command.make("mooring").pipe(
  Command.withDescription("A host runtime for service plugins that react to long-lived WebSocket connections"),
  Command.withExamples([
    { command: "mooring demo", description: "See plugins at work, against a gateway of its own" },
    { command: "mooring new plugins/echo", description: "Begin a package of your own" },
    { command: "mooring dev plugins/echo", description: "Run it while you edit it" },
    { command: "mooring check host.toml", description: "See what would run, and what is wrong" },
    { command: "mooring run host.toml", description: "Run it" }
  ]),
  Command.withSubcommands([runCommand, newCommand, build, dev, check, digest, schema, demo, topCommand, ctl])
)

/** Why the program didn't do what it was asked for; also where a signal came in between. */
const failureOf = (exit: Exit.Exit<unknown, unknown>, { stdout }: Output.Output["Service"]): unknown => {
  if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) return Cause.squash(exit.cause)
  return stdout.problem()
}

const exitCodeOf = (failure: unknown): number => {
  if (failure === undefined) return 0
  if (failure instanceof Unwell || failure instanceof Refused) return UNWELL
  if (failure instanceof Unreachable) return UNREACHABLE
  if (failure instanceof AllFailed) return ALL_FAILED
  const isUsage = failure instanceof WrongUsage || failure instanceof PortUnusable
  return CliError.isCliError(failure) || isUsage ? WRONG_USAGE : DEFECT
}

/** Says why the program ends, where that isn't plain. */
const report = (exit: Exit.Exit<unknown, unknown>, output: Output.Output["Service"]): Effect.Effect<void> => {
  const failure = failureOf(exit, output)
  if (failure === undefined || CliError.isCliError(failure)) return Effect.void
  if (
    failure instanceof PortUnusable ||
    failure instanceof StdoutUnwritable ||
    failure instanceof Unwell ||
    failure instanceof Refused ||
    failure instanceof Unreachable ||
    failure instanceof WrongUsage ||
    failure instanceof AllFailed
  ) {
    // Who closes the pipe knows, and so does who has read a report.
    const known = (failure._tag === "StdoutUnwritable" && failure.code === "EPIPE") || failure.message === ""
    return Effect.sync(() => known || output.screen.log(`mooring: ${failure.message}`))
  }
  return Exit.isFailure(exit) ? Effect.logError("mooring ended unexpectedly", exit.cause) : Effect.void
}

const program = (output: Output.Output["Service"], hangups: Hangups["Service"]) =>
  Command.run(mooring, { version: VERSION }).pipe(
    Effect.andThen(output.stdout.drained(Infinity)),
    Effect.onExit((exit) => Effect.andThen(report(exit, output), output.screen.drained(PATIENCE_MS))),
    Effect.provideService(CliOutput.Presenter, presenter(output)),
    Effect.provideService(CliConfig.CliConfig, {
      builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions]
    }),
    Effect.provideService(Console.Console, Output.console(output)),
    Effect.provideService(Output.Output, output),
    Effect.provideService(Hangups, hangups),
    Effect.provide(Layer.mergeAll(NodeServices.layer, Logger.layer(output.screen.log, "pretty", output.screen)))
  )

/** Node's own warnings are lines of the log, too: Node writes them in a way that ends the process where it fails. */
const takeWarnings = ({ screen }: Output.Output["Service"]): void => {
  // Where it was told to show none, it listens to none.
  if (process.listenerCount("warning") === 0) return
  process.removeAllListeners("warning")
  process.on("warning", (warning) => {
    if (isOfEraser(warning)) return
    screen.log(Logger.line(new Date(), "warn", `${warning.name}: ${warning.message}`))
  })
}

/** Runs the program that the arguments of the process ask for, and ends the process. */
export const main = (signals: Signals): void => {
  // Whoever runs a host file reads it later than this: one that comes before says nothing new.
  let hungUp = process.argv[2] === "run" ? () => {} : undefined
  const run = Runtime.makeRunMain(({ fiber, teardown }) => {
    fiber.addObserver((exit) => teardown(exit, (code) => process.exit(code)))
    signals.listen((signal) => {
      if (signal === "SIGHUP" && hungUp !== undefined) hungUp()
      else fiber.interruptUnsafe(fiber.id)
    })
  })
  const descriptors = Descriptor.open({ fd: 1, stream: () => process.stdout }, { fd: 2, stream: () => process.stderr })
  const output = Output.make(descriptors)
  takeWarnings(output)
  // Whatever ends the process does so behind what stands on the terminal, and not in the middle of it.
  process.on("uncaughtExceptionMonitor", () => descriptors.stderr.finish(LAST_ATTEMPTS))
  process.on("exit", () => descriptors.stderr.finish(0))
  const take = (listener: () => void) => {
    hungUp = listener
  }
  run(program(output, { take }), {
    disableErrorReporting: true,
    teardown: (exit, onExit) => onExit(exitCodeOf(failureOf(exit, output)))
  })
}
