/**
 * What can go wrong with plugin code: one dispatch, or the instance itself.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Wire from "../internal/wire.ts"
import { attempt, describe } from "./internal/foreign.ts"

const id = (name: string) => `mooring/plugin/${name}`

/** What a plugin failed with or died of: itself, and on the wire its description. */
const Cause = Schema.Json.pipe(
  Schema.decodeTo(
    Schema.Unknown,
    SchemaTransformation.transform<unknown, Schema.Json>({ decode: (described) => described, encode: describe })
  )
)

/** As the sandbox calls it; an error of a guest's may be named so, too, but is one of ours. */
const isWantOfRoom = (cause: unknown): boolean =>
  attempt(() => cause instanceof Error && cause.name === "NoRoom" && !("_tag" in cause)) === true

/** Which of the plugin's code it was: the handler of an event, its `status` or its `stop`. */
const During = Schema.Literals(["event", "status", "stop"])

const codeOf = (during: typeof During.Type): string => (during === "event" ? "the handler" : `the plugin's ${during}`)

/**
 * The handler took longer than its deadline and was interrupted. None of its
 * commands is executed, whatever it returns later.
 *
 * @category errors
 * @since 0.1.0
 */
export class DispatchTimeout extends Schema.TaggedError<DispatchTimeout>(id("DispatchTimeout"))("DispatchTimeout", {
  during: During,
  deadlineMs: Schema.Int
}) {
  override get message(): string {
    return `${codeOf(this.during)} was interrupted after ${this.deadlineMs} ms`
  }
}

/**
 * The handler refused the event: a typed failure (`cause`), or
 * `accepted: false` (no cause). Nothing of its output is used.
 *
 * @category errors
 * @since 0.1.0
 */
export class DispatchFailed extends Schema.TaggedError<DispatchFailed>(id("DispatchFailed"))("DispatchFailed", {
  during: During,
  cause: Schema.optionalKey(Cause)
}) {
  override get message(): string {
    return this.cause === undefined ? "the handler didn't accept the event" : `${codeOf(this.during)} failed`
  }
}

/**
 * The handler's output doesn't have the form that it must have, or its status
 * or state is too large.
 *
 * @category errors
 * @since 0.1.0
 */
export class OutputInvalid extends Schema.TaggedError<OutputInvalid>(id("OutputInvalid"))("OutputInvalid", {
  problems: Schema.Array(Wire.Problem)
}) {
  override get message(): string {
    return `the output is invalid: ${this.problems.map(Wire.formatProblem).join("; ")}`
  }
}

/**
 * The errors of a dispatch.
 *
 * @category errors
 * @since 0.1.0
 */
export const DispatchError = Schema.Union([DispatchTimeout, DispatchFailed, OutputInvalid])

/**
 * @category errors
 * @since 0.1.0
 */
export type DispatchError = typeof DispatchError.Type

/**
 * `start` failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class StartFailed extends Schema.TaggedError<StartFailed>(id("StartFailed"))("StartFailed", {
  cause: Cause
}) {
  /** Whether there was no room for it, which is nothing that its code did. */
  get isWantOfRoom(): boolean {
    return isWantOfRoom(this.cause)
  }

  override get message(): string {
    const why = this.isWantOfRoom ? ": there is no room for another sandboxed plugin" : ""
    return `the plugin could not be started${why}`
  }
}

/**
 * `start` took longer than its deadline.
 *
 * @category errors
 * @since 0.1.0
 */
export class StartTimeout extends Schema.TaggedError<StartTimeout>(id("StartTimeout"))("StartTimeout", {
  deadlineMs: Schema.Int
}) {
  override get message(): string {
    return `the plugin was not started after ${this.deadlineMs} ms`
  }
}

/**
 * The whole output is too large. Sizes are bytes of UTF-8.
 *
 * @category errors
 * @since 0.1.0
 */
export class OutputTooLarge extends Schema.TaggedError<OutputTooLarge>(id("OutputTooLarge"))("OutputTooLarge", {
  bytes: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `the output has ${this.bytes} bytes, ${this.limit} are allowed`
  }
}

/**
 * The code of a sandboxed plugin threw, or a promise of it was rejected. All
 * its fields are the guest's own words; `position` is where in its code it was,
 * in its source where the package has a usable source map.
 *
 * @category errors
 * @since 0.3.0
 */
export class GuestError extends Schema.TaggedError<GuestError>(id("GuestError"))("GuestError", {
  name: Schema.String,
  message: Schema.NonEmptyString,
  position: Schema.optionalKey(Schema.String)
}) {}

/**
 * The code of a sandboxed plugin needed more memory than it may have, and said
 * so by an exception.
 *
 * @category errors
 * @since 0.3.0
 */
export class OutOfMemory extends Schema.TaggedError<OutOfMemory>(id("OutOfMemory"))("OutOfMemory", {
  limit: Schema.Int
}) {
  override get message(): string {
    return `the plugin needed more than its ${this.limit} bytes of memory`
  }
}

/**
 * The instance is gone: its handler died with a defect, or its sandbox was
 * lost.
 *
 * @category errors
 * @since 0.1.0
 */
export class InstanceLost extends Schema.TaggedError<InstanceLost>(id("InstanceLost"))("InstanceLost", {
  cause: Cause
}) {
  override get message(): string {
    return "the plugin crashed"
  }
}

/**
 * The instance didn't end when it was told to, so no other may be started
 * beside it.
 *
 * @category errors
 * @since 0.1.0
 */
export class InstanceUnstoppable extends Schema.TaggedError<InstanceUnstoppable>(id("InstanceUnstoppable"))(
  "InstanceUnstoppable",
  { afterMs: Schema.Int }
) {
  override get message(): string {
    return `the plugin was still running ${this.afterMs} ms after it was told to stop`
  }
}

/**
 * The errors of an instance.
 *
 * @category errors
 * @since 0.1.0
 */
export const RuntimeError = Schema.Union([
  StartFailed,
  StartTimeout,
  OutOfMemory,
  OutputTooLarge,
  GuestError,
  InstanceLost,
  InstanceUnstoppable
])

/**
 * @category errors
 * @since 0.1.0
 */
export type RuntimeError = typeof RuntimeError.Type
