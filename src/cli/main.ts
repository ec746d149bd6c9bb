#!/usr/bin/env node
/**
 * The command line. Exit codes: 0 well, also after SIGINT or SIGTERM; 1 an
 * unexpected defect; 2 wrong usage; 130 a second SIGINT, at once.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import { CliError, CliOutput, Command } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type { Teardown } from "effect/Runtime"
import { VERSION } from "../internal/version.ts"
import { demo } from "./demo.ts"
import { write } from "./internal/output.ts"
import { schema } from "./schema.ts"

const WRONG_USAGE = 2
const SECOND_SIGINT = 130

const mooring = Command.make("mooring").pipe(
  Command.withDescription("A host runtime for service plugins that react to long-lived WebSocket connections"),
  Command.withSubcommands([demo, schema])
)

/** Usage that nobody asked for goes to stderr: stdout is for JSON. */
const presenter: CliOutput.Presenter = {
  present: (event) => {
    if (event._tag !== "InvalidInvocation" && !(event._tag === "Help" && event.reason === "Implicit")) {
      return CliOutput.defaultPresenter.present(event)
    }
    const formatter = CliOutput.defaultFormatter({ colors: false })
    const errors = event._tag === "InvalidInvocation" ? formatter.formatErrors(event.errors) : ""
    return write(process.stderr, `${formatter.formatHelpDoc(event.helpDoc)}\n${errors}\n`)
  }
}

const teardown: Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return onExit(0)
  const error = Cause.squash(exit.cause)
  return onExit(CliError.isCliError(error) ? WRONG_USAGE : 1)
}

let interrupts = 0
process.on("SIGINT", () => {
  if (++interrupts > 1) process.exit(SECOND_SIGINT)
})

Command.run(mooring, { version: VERSION }).pipe(
  Effect.tapCause((cause) => {
    const expected = Cause.hasInterruptsOnly(cause) || CliError.isCliError(Cause.squash(cause))
    return expected ? Effect.void : Effect.logError(cause)
  }),
  Effect.provideService(CliOutput.Presenter, presenter),
  Effect.provide(Layer.mergeAll(NodeServices.layer, Layer.succeed(Logger.LogToStderr, true))),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
