/**
 * Checks what a handler returned, before any of it is used, and takes of it
 * what nobody can change later: status and state as JSON texts, commands as
 * values that were checked or copied.
 */
import * as Result from "effect/Result"
import { bytesOver, mostJsonBytes } from "../../commands/internal/sizes.ts"
import * as OutputCommand from "../../commands/OutputCommand.ts"
import * as Json from "../../internal/json.ts"
import { abandon } from "../../internal/promises.ts"
import type { Values } from "../../limits/Limits.ts"
import { DispatchFailed, OutputInvalid, OutputTooLarge } from "../PluginError.ts"
import { EXPECTED_EFFECT } from "./effects.ts"

/** An output that may be used. A command is one that a constructor made, or a JSON value of the host's own. */
export interface Checked {
  readonly commands: ReadonlyArray<unknown>
  readonly status: string | undefined
  readonly state: string | undefined
}

type Limits = Pick<Values, "outputBytes" | "stateBytes" | "reportedStatusBytes">
type Failure = DispatchFailed | OutputInvalid | OutputTooLarge

const NO_OUTPUT: Checked = { commands: [], status: undefined, state: undefined }
/** The output of who answers nothing, which may be used. */
export const NOTHING: Result.Result<Checked> = Result.succeed(NO_OUTPUT)
const FIELDS: ReadonlySet<string> = new Set(["accepted", "status", "state", "commands"])
// What it has instead is the plugin's text, not ours.
const NO_OTHERS = `Expected no field but ${[...FIELDS].join(", ")}`
// A UTF-16 code unit takes at most 3 bytes of UTF-8.
const MOST_BYTES_PER_UNIT = 3
const ENVELOPE_BYTES = 512
// A digit and a comma: no value takes less of a list.
const LEAST_BYTES_PER_VALUE = 2
// ECMA-262, 10.4.2.
const MOST_LENGTH = 2 ** 32 - 1
/** An output that is over its limit is measured up to so many times the limit. */
const MOST_MEASURED = 4

const utf8 = new TextEncoder()

const invalid = (path: string, message: string): Result.Result<never, OutputInvalid> =>
  Result.fail(new OutputInvalid({ problems: [{ path, message }] }))

/** The output, or why nothing of it is used. */
export const check = (output: unknown, limits: Limits): Result.Result<Checked, Failure> => {
  if (output === undefined) return NOTHING
  const checked = checkForm(output, limits)
  if (Result.isFailure(checked)) abandon(output)
  return checked
}

const checkForm = (output: unknown, limits: Limits): Result.Result<Checked, Failure> => {
  if (typeof output !== "object" || output === null || Array.isArray(output)) return invalid("", "Expected an object")
  let isEmpty = true
  for (const key in output) {
    if (!FIELDS.has(key)) return invalid("\u{2026}", NO_OTHERS)
    isEmpty = false
  }
  if (isEmpty) return abandon(output) ? invalid("", EXPECTED_EFFECT) : NOTHING
  // It is an object, and each field is checked below.
  const { accepted, commands = [], state, status } = output as { readonly [field: string]: unknown }
  if (accepted !== undefined && typeof accepted !== "boolean") return invalid("accepted", "Expected a boolean")
  if (accepted === false) return Result.fail(new DispatchFailed({ during: "event" }))
  if (!Array.isArray(commands)) return invalid("commands", "Expected an array")
  return withJson(status, state, commands, limits)
}

const withJson = (
  status: unknown,
  state: unknown,
  commands: ReadonlyArray<unknown>,
  limits: Limits
): Result.Result<Checked, Failure> => {
  const statusText = json("status", status, limits.reportedStatusBytes)
  if (Result.isFailure(statusText)) return Result.fail(statusText.failure)
  const stateText = json("state", state, limits.stateBytes)
  if (Result.isFailure(stateText)) return Result.fail(stateText.failure)
  return withCommands(commands, statusText.success, stateText.success, limits)
}

/** At least how many bytes a value takes as JSON: what a list that is much too long is told by before it is copied. */
const leastBytes = (value: unknown): number => {
  try {
    return Array.isArray(value) ? (lengthOf(value) ?? MOST_LENGTH) * LEAST_BYTES_PER_VALUE : 0
  } catch {
    // It can't be looked at, which is found again where it is written as JSON.
    return 0
  }
}

/** The length of a list, which is asked once: a proxy may answer anything, each time something else. */
const lengthOf = ({ length }: ReadonlyArray<unknown>): number | undefined =>
  Number.isInteger(length) && length >= 0 && length <= MOST_LENGTH ? length : undefined

/** A JSON value as text, within its limit in bytes of UTF-8. */
export const json = (path: string, value: unknown, limit: number): Result.Result<string | undefined, OutputInvalid> => {
  if (value === undefined) return Result.succeed(undefined)
  if (leastBytes(value) > limit) return invalid(path, `Expected at most ${limit} bytes`)
  const text = Json.textOf(value)
  if (text === undefined) return invalid(path, `Expected a JSON value, nested at most ${Json.MOST_DEPTH} deep`)
  return bytesOver(text, limit) <= limit ? Result.succeed(text) : invalid(path, `Expected at most ${limit} bytes`)
}

const withCommands = (
  given: ReadonlyArray<unknown>,
  status: string | undefined,
  state: string | undefined,
  limits: Limits
): Result.Result<Checked, Failure> => {
  const length = lengthOf(given)
  if (length === undefined) return invalid("commands", "Expected an array")
  const tooLarge = (bytes: number) => Result.fail(new OutputTooLarge({ bytes, limit: limits.outputBytes }))
  let least = length * LEAST_BYTES_PER_VALUE
  if (least > limits.outputBytes) return tooLarge(least)
  let most = ENVELOPE_BYTES + ((status?.length ?? 0) + (state?.length ?? 0)) * MOST_BYTES_PER_UNIT
  const commands: Array<unknown> = []
  for (let index = 0; index < length; index++) {
    const command = given[index]
    if (OutputCommand.isOutputCommand(command)) {
      commands.push(command)
      most += mostJsonBytes(command)
      continue
    }
    const inner = leastBytes(command)
    if (inner > limits.outputBytes) return tooLarge(inner)
    const text = isNoJson(command) ? "null" : Json.textOf(command)
    if (text === undefined) return invalid("commands", "Expected JSON values")
    least += text.length
    if (least > limits.outputBytes * MOST_MEASURED) return tooLarge(least)
    commands.push(JSON.parse(text))
    most += text.length * MOST_BYTES_PER_UNIT
  }
  const checked = { commands, status, state }
  if (most <= limits.outputBytes) return Result.succeed(checked)
  const bytes = exactBytes(checked, limits.outputBytes * MOST_MEASURED)
  return bytes <= limits.outputBytes ? Result.succeed(checked) : tooLarge(bytes)
}

/** What JSON leaves out has its place, and its result, among the commands all the same. */
const isNoJson = (command: unknown): boolean =>
  command === undefined || typeof command === "function" || typeof command === "symbol"

/** The bytes of the whole output as the wire has it, counted until they are more than this. */
const exactBytes = ({ commands, state, status }: Checked, most: number): number => {
  const fields = [
    ...(status === undefined ? [] : [`"status":${status}`]),
    ...(state === undefined ? [] : [`"state":${state}`]),
    ...(commands.length === 0 ? [] : [`"output_commands":[]`])
  ]
  let bytes = utf8.encode(`{${fields.join(",")}}`).length + Math.max(0, commands.length - 1)
  for (const command of commands) {
    if (bytes > most) return bytes
    const wire = OutputCommand.isOutputCommand(command) ? OutputCommand.encode(command) : command
    bytes += utf8.encode(JSON.stringify(wire)).length
  }
  return bytes
}
