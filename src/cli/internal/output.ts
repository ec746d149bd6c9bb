/**
 * What the program writes to: stdout for what was asked for, stderr for log
 * lines and tables.
 */
import type * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as tty from "node:tty"
import type * as Descriptor from "./descriptor.ts"
import * as Screen from "./screen.ts"
import * as Stdout from "./stdout.ts"

/** Both, for the subcommands. */
export class Output extends Context.Service<
  Output,
  { readonly stdout: Stdout.Stdout; readonly screen: Screen.Screen }
>()("mooring/cli/Output") {}

/** The output on the two descriptors. */
export const make = (to: {
  readonly stdout: Descriptor.Descriptor
  readonly stderr: Descriptor.Descriptor
}): Output["Service"] => ({ stdout: Stdout.make(to.stdout), screen: Screen.make(to.stderr, terminal()) })

/** Stderr as a terminal that knows how to move its cursor. */
const terminal = (): Screen.Terminal | undefined => {
  const { TERM } = process.env
  if (!tty.isatty(2) || TERM === undefined || TERM === "" || TERM === "dumb") return undefined
  const { stderr } = process
  stderr.on("error", () => {})
  return {
    size: () => ({ columns: Number(stderr.columns), rows: Number(stderr.rows) }),
    onResize: (listener) => void stderr.on("resize", listener),
    onResume: (listener) => void process.on("SIGCONT", listener),
    later: (call) => void setImmediate(call),
    // Node's own word on TERM, NO_COLOR and FORCE_COLOR.
    isColoured: stderr.getColorDepth() > 1
  }
}

/** A console for what writes by itself: help, versions, completions. */
export const console = ({ screen, stdout }: Output["Service"]): Console.Console => ({
  ...globalThis.console,
  log: (...words) => stdout.offer(`${words.join(" ")}\n`),
  error: (...words) => screen.log(words.join(" "))
})
