/**
 * What a guest's answers mean to the host: outputs, and errors of ours.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import * as OutputCommand from "../../commands/OutputCommand.ts"
import * as Json from "../../internal/json.ts"
import type { Values } from "../../limits/Limits.ts"
import {
  DispatchTimeout,
  GuestError,
  OutOfMemory,
  OutputInvalid,
  OutputTooLarge,
  StartTimeout
} from "../../plugin/PluginError.ts"
import type { Output } from "../../plugin/PluginRuntime.ts"
import type { Outcome } from "./thread.ts"

type Limits = Pick<
  Values,
  "dispatchDeadlineMs" | "startDeadlineMs" | "outputBytes" | "sandboxMemoryBytes" | "stateBytes" | "reportedStatusBytes"
>

/** There was no room for a guest or for its worker. */
export const noRoom = (cause: unknown): Error => {
  const message = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  const error = new Error(`there is no room for another sandboxed plugin: ${message}`)
  error.name = "NoRoom"
  return error
}

const invalid = (path: string, message: string): OutputInvalid => new OutputInvalid({ problems: [{ path, message }] })

/** What is wrong with a plugin's answer, if that is all that is wrong. */
const refusal = (outcome: Outcome, limits: Limits): unknown => {
  switch (outcome.kind) {
    case "threw": {
      const { message, name, position } = outcome
      const said = message === "" ? "no message" : message
      return new GuestError({ name, message: said, ...(position === undefined ? {} : { position }) })
    }
    case "memory":
      return new OutOfMemory({ limit: limits.sandboxMemoryBytes })
    case "large":
      return new OutputTooLarge({ bytes: outcome.bytes, limit: limits.outputBytes })
    case "invalid":
      return invalid("", outcome.message)
    case "full":
      return noRoom(outcome.message)
    default:
      return new Error(outcome.kind === "lost" ? outcome.message : "the sandbox is gone")
  }
}

/**
 * What is read of an answer. A guest that has broken its engine may have it say anything, and that is the end of its
 * instance; what can't be read is quoted by the error that says so.
 */
const whole = <A>(read: () => Exit.Exit<A, unknown>): Exit.Exit<A, unknown> => {
  try {
    return read()
  } catch {
    return Exit.die(new Error("what the sandbox answered can't be read"))
  }
}

/** A call: its answer as JSON text, or what became of it. What ended the guest is a defect. */
export const called = (told: Outcome, limits: Limits): Exit.Exit<string, unknown> => {
  if (told.kind === "answered") return Exit.succeed(told.text)
  if (told.kind === "late")
    return Exit.die(new DispatchTimeout({ during: "event", deadlineMs: limits.dispatchDeadlineMs }))
  return whole(() => (told.kind === "lost" ? Exit.die(refusal(told, limits)) : Exit.fail(refusal(told, limits))))
}

/** A dispatch: its output, or what became of it. */
export const dispatched = (outcome: Outcome, limits: Limits): Exit.Exit<Output | void, unknown> => {
  const told = called(outcome, limits)
  return Exit.isSuccess(told) ? whole(() => output(told.value)) : Exit.failCause(told.cause)
}

/** An orderly end: a guest that is gone has ended, too. */
export const stopped = (outcome: Outcome, limits: Limits): Exit.Exit<void, unknown> => {
  if (outcome.kind === "answered" || outcome.kind === "gone" || outcome.kind === "unwanted") return Exit.void
  if (outcome.kind === "late")
    return Exit.fail(new DispatchTimeout({ during: "stop", deadlineMs: limits.startDeadlineMs }))
  return whole(() => Exit.fail(refusal(outcome, limits)))
}

/** A start, or why there is none. */
export const started = (outcome: Outcome, limits: Limits): Exit.Exit<Pick<Output, "status" | "state">, unknown> => {
  if (outcome.kind === "late") return Exit.fail(new StartTimeout({ deadlineMs: limits.startDeadlineMs }))
  return whole(() =>
    outcome.kind === "answered" ? initial(outcome.text, limits) : Exit.fail(refusal(outcome, limits))
  )
}

const START_FIELDS: ReadonlySet<string> = new Set(["status", "state"])
const OUTPUT_FIELDS: ReadonlySet<string> = new Set(["accepted", "status", "state", "output_commands"])

const initial = (text: string, limits: Limits): Exit.Exit<Pick<Output, "status" | "state">, OutputInvalid> => {
  if (text === "") return Exit.succeed({})
  const fields = fieldsOf(text, START_FIELDS)
  if (fields instanceof OutputInvalid) return Exit.fail(fields)
  for (const [name, most] of [
    ["status", limits.reportedStatusBytes],
    ["state", limits.stateBytes]
  ] as const) {
    const value = fields[name]
    if (value === undefined) continue
    const written = Json.textOf(value)
    if (written === undefined) {
      return Exit.fail(invalid(name, `Expected a JSON value, nested at most ${Json.MOST_DEPTH} deep`))
    }
    if (Buffer.byteLength(written) > most) return Exit.fail(invalid(name, `Expected at most ${most} bytes`))
  }
  return Exit.succeed(fields)
}

/** The output that a text says; whoever takes it checks its fields. */
const output = (text: string): Exit.Exit<Output | void, OutputInvalid> => {
  if (text === "") return Exit.void
  const fields = fieldsOf(text, OUTPUT_FIELDS)
  if (fields instanceof OutputInvalid) return Exit.fail(fields)
  const { output_commands: commands, ...rest } = fields
  if (commands !== undefined && !Array.isArray(commands)) {
    return Exit.fail(invalid("output_commands", "Expected an array"))
  }
  // Its other fields are checked as those of any output.
  return Exit.succeed({ ...rest, ...(commands === undefined ? {} : { commands: commands.map(command) }) } as Output)
}

const command = (value: unknown): unknown => OutputCommand.plainSend(value) ?? value

interface Fields {
  readonly accepted?: Schema.Json
  readonly status?: Schema.Json
  readonly state?: Schema.Json
  readonly output_commands?: Schema.Json
}

/** The fields of an object that a guest made, which has none but these. */
const fieldsOf = (text: string, known: ReadonlySet<string>): Fields | OutputInvalid => {
  const value: unknown = JSON.parse(text)
  if (typeof value !== "object" || value === null || Array.isArray(value)) return invalid("", "Expected an object")
  for (const name of Object.keys(value)) {
    // The name is the guest's text, not ours.
    if (!known.has(name)) return invalid("\u{2026}", `Expected no field but ${[...known].join(", ")}`)
  }
  // It was JSON just now, and has no other fields.
  return value as Fields
}

/** What a plugin says of itself; undefined where it says nothing. */
export const status = (text: string): Effect.Effect<Schema.Json, unknown> =>
  // A status that isn't there is one that isn't reported.
  Effect.suspend(() => whole(() => Exit.succeed((text === "" ? undefined : JSON.parse(text)) as Schema.Json)))
