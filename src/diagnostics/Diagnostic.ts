/**
 * A diagnostic: the encoded form of a tagged error, with when and where it
 * happened. There is one encoding, made once when the error is reported; what
 * is foreign in it is redacted by then.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import type { Redaction } from "./Redaction.ts"

/**
 * The stages of a frame's way, in the order of the folders.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Stage = Schema.Literals([
  "manifest",
  "grant",
  "dial",
  "connection",
  "ingress",
  "dispatch",
  "command",
  "runtime",
  "request",
  "host"
])

/**
 * @category models
 * @since 0.1.0
 */
export type Stage = typeof Stage.Type

/**
 * @category schemas
 * @since 0.1.0
 */
export const Severity = Schema.Literals(["info", "warning", "error"])

/**
 * @category models
 * @since 0.1.0
 */
export type Severity = typeof Severity.Type

/**
 * A time as it stands on the wire: RFC 3339 in UTC with milliseconds.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Timestamp = Schema.String.check(
  Schema.isPattern(/^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/u, {
    expected: "a time in UTC with milliseconds, as RFC 3339 writes it"
  })
)

/**
 * The schema of a diagnostic. `sourceId` is there where it belongs to a source,
 * `count` says how often it came within the second after `at`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Diagnostic = Wire.struct({
  at: Timestamp,
  stage: Stage,
  tag: Schema.String,
  severity: Severity,
  sourceId: Schema.optionalKey(Schema.String),
  message: Schema.String,
  error: Schema.StructWithRest(Schema.Struct({ _tag: Schema.String }), [Schema.Record(Schema.String, Schema.Json)]),
  count: Schema.Int
}).annotate({ identifier: "Diagnostic" })

/**
 * @category models
 * @since 0.1.0
 */
export type Diagnostic = typeof Diagnostic.Type

/**
 * The least that this module knows of an error.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reportable {
  readonly _tag: string
  readonly message: string
}

/**
 * An encoded error without its time, source and count.
 *
 * @category models
 * @since 0.1.0
 */
export type Encoded = Omit<Diagnostic, "at" | "sourceId" | "count">

/**
 * Fields that hold text of a server or a plugin, in whichever error they
 * occur.
 *
 * @category constants
 * @since 0.1.0
 */
export const FOREIGN_FIELDS: ReadonlySet<string> = new Set(["reason", "cause", "problems", "file", "suspects"])

/** The tags whose message repeats foreign text, with the further fields that hold it. */
const QUOTING: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["ManifestInvalid", []],
  ["HostFileInvalid", []],
  ["ReloadRejected", []],
  ["OutputInvalid", []],
  ["CommandMalformed", []],
  ["GuestError", ["name", "message", "position"]],
  // The URL and the method may be some that the plugin made up.
  ["CommandUngranted", ["url", "method"]]
])

/**
 * Whether the message of errors of this tag repeats text of a server or a
 * plugin.
 *
 * @category predicates
 * @since 0.2.0
 */
export const isQuoting = (tag: string): boolean => QUOTING.has(tag)

/**
 * How the errors of one stage are encoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface StageCodec {
  readonly stage: Stage
  /** The error as JSON, `undefined` where it is not of this stage. */
  readonly encode: (error: Reportable) => Schema.JsonObject | undefined
  readonly severity: (error: Reportable) => Severity
}

/**
 * The message of an error as it may be shown.
 *
 * @category encoding
 * @since 0.2.0
 */
export const message = ({ _tag, message: text }: Reportable, redaction: Redaction): string =>
  isQuoting(_tag) ? redaction.foreign(text) : redaction.own(text)

/**
 * Encodes an error of any of the stages, with everything in it redacted. An
 * error of none of them can't be typed here; it is encoded by its tag alone.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode =
  (stages: ReadonlyArray<StageCodec>, redaction: Redaction) =>
  (error: Reportable): Encoded => {
    const tag = error._tag
    const shown = message(error, redaction)
    for (const stage of stages) {
      const fields = encodeFields(stage, error, redaction)
      if (fields !== undefined) {
        const severity = stage.severity(error)
        return { stage: stage.stage, tag, severity, message: shown, error: { ...fields, _tag: tag } }
      }
    }
    return { stage: "host", tag, severity: "error", message: shown, error: { _tag: tag } }
  }

/** The fields of an error of this stage. A cause of a plugin may be anything, also what can't be looked at. */
const encodeFields = (stage: StageCodec, error: Reportable, redaction: Redaction): Schema.JsonObject | undefined => {
  try {
    const encoded = stage.encode(error)
    return encoded === undefined ? undefined : redactFields(encoded, error._tag, redaction)
  } catch {
    return {}
  }
}

const redactFields = (fields: Schema.JsonObject, tag: string, redaction: Redaction): Schema.JsonObject =>
  Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      FOREIGN_FIELDS.has(key) || QUOTING.get(tag)?.includes(key) === true
        ? redaction.json(value)
        : typeof value === "string"
          ? redaction.own(value)
          : value
    ])
  )
