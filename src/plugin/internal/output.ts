/**
 * Checks what a handler returned, before any of it is used.
 */
import * as Result from "effect/Result"
import type { Values } from "../../limits/Limits.ts"
import { isOfKind, isOutputCommand } from "../../commands/OutputCommand.ts"
import { DispatchFailed, OutputInvalid, OutputTooLarge } from "../PluginError.ts"

/** An output that may be used. Status and state are JSON texts, so that nobody can change them later. */
export interface Checked {
  readonly commands: ReadonlyArray<unknown>
  readonly status: string | undefined
  readonly state: string | undefined
}

type Limits = Pick<Values, "outputBytes" | "stateBytes" | "reportedStatusBytes">
type Failure = DispatchFailed | OutputInvalid | OutputTooLarge

const NOTHING: Result.Result<Checked, Failure> = Result.succeed({ commands: [], status: undefined, state: undefined })
const FIELDS: ReadonlySet<string> = new Set(["accepted", "status", "state", "commands"])
const MOST_JSON_PER_UNIT = 6
const ENVELOPE_BYTES = 512

const utf8 = new TextEncoder()

const invalid = (path: string, message: string): Result.Result<never, OutputInvalid> =>
  Result.fail(new OutputInvalid({ problems: [{ path, message }] }))

export const check = (output: unknown, limits: Limits): Result.Result<Checked, Failure> => {
  if (output === undefined || output === null) return NOTHING
  if (typeof output !== "object" || Array.isArray(output)) return invalid("", "Expected an object")
  for (const key in output) if (!FIELDS.has(key)) return invalid("\u{2026}", "Expected no excess property")
  // It is an object, and each field is checked below.
  const { accepted, commands = [], state, status } = output as { readonly [field: string]: unknown }
  if (accepted !== undefined && typeof accepted !== "boolean") return invalid("accepted", "Expected a boolean")
  if (accepted === false) return Result.fail(new DispatchFailed({ during: "event" }))
  if (!Array.isArray(commands)) return invalid("commands", "Expected an array")
  return withJson(status, state, [...commands], limits)
}

const withJson = (
  status: unknown,
  state: unknown,
  commands: ReadonlyArray<unknown>,
  limits: Limits
): Result.Result<Checked, Failure> => {
  if (status === undefined && state === undefined)
    return whole({ commands, status: undefined, state: undefined }, limits)
  const statusText = json("status", status, limits.reportedStatusBytes)
  if (Result.isFailure(statusText)) return Result.fail(statusText.failure)
  const stateText = json("state", state, limits.stateBytes)
  if (Result.isFailure(stateText)) return Result.fail(stateText.failure)
  return whole({ commands, status: statusText.success, state: stateText.success }, limits)
}

/** A JSON value as text, within its limit in bytes of UTF-8. */
export const json = (path: string, value: unknown, limit: number): Result.Result<string | undefined, OutputInvalid> => {
  if (value === undefined) return Result.succeed(undefined)
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {
    return invalid(path, "Expected a JSON value")
  }
  if (text === undefined) return invalid(path, "Expected a JSON value")
  return utf8.encode(text).length <= limit ? Result.succeed(text) : invalid(path, `Expected at most ${limit} bytes`)
}

const whole = (checked: Checked, limits: Limits): Result.Result<Checked, Failure> => {
  let most = ENVELOPE_BYTES + ((checked.status?.length ?? 0) + (checked.state?.length ?? 0)) * MOST_JSON_PER_UNIT
  for (const command of checked.commands) most += textOf(command)
  if (most <= limits.outputBytes) return Result.succeed(checked)
  const bytes = exactBytes(checked)
  if (bytes === undefined) return invalid("commands", "Expected JSON values")
  return bytes <= limits.outputBytes
    ? Result.succeed(checked)
    : Result.fail(new OutputTooLarge({ bytes, limit: limits.outputBytes }))
}

/** At most how many bytes a command takes; infinite where only counting tells. */
const textOf = (command: unknown): number =>
  isOutputCommand(command) && isOfKind(command, "websocket_send")
    ? ENVELOPE_BYTES + (command.payload.text.length + command.payload.url.length) * MOST_JSON_PER_UNIT
    : Number.POSITIVE_INFINITY

const exactBytes = ({ commands, state, status }: Checked): number | undefined => {
  try {
    const text = JSON.stringify({ output_commands: commands })
    return utf8.encode(text).length + utf8.encode(status ?? "").length + utf8.encode(state ?? "").length
  } catch {
    return undefined
  }
}
