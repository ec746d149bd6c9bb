/**
 * The union of the errors of all stages, and the one encoding of each as a
 * diagnostic.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Str from "effect/String"
import { CommandError } from "../commands/CommandError.ts"
import { RequestRefusal } from "../commands/RequestRefusal.ts"
import { ConnectionError, DialError } from "../connection/ConnectionError.ts"
import * as Diagnostic from "../diagnostics/Diagnostic.ts"
import type { Redaction } from "../diagnostics/Redaction.ts"
import { GrantError } from "../grants/GrantError.ts"
import { IngressError } from "../ingress/IngressError.ts"
import { HostFileError } from "../manifest/HostFileError.ts"
import { ManifestError } from "../manifest/ManifestError.ts"
import { DispatchError, RuntimeError } from "../plugin/PluginError.ts"
import { RequestError } from "../requests/RequestError.ts"
import { ExportError } from "./ExportError.ts"

/**
 * Any error that a host reports.
 *
 * @category errors
 * @since 0.1.0
 */
export const HostError = Schema.Union([
  ManifestError,
  GrantError,
  DialError,
  ConnectionError,
  IngressError,
  DispatchError,
  CommandError,
  RuntimeError,
  RequestError,
  RequestRefusal,
  HostFileError,
  ExportError
])

/**
 * @category errors
 * @since 0.1.0
 */
export type HostError = typeof HostError.Type

const wire = (fields: Schema.JsonObject): Schema.JsonObject =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [Str.camelToSnake(key), value]))

/** The stage's errors as JSON, with the names of the wire; an error of another stage is not encoded. */
const codec = <E extends Diagnostic.Reportable, I>(
  stage: Diagnostic.Stage,
  errors: Schema.Codec<E, I>,
  severity: (error: Diagnostic.Reportable) => Diagnostic.Severity
): Diagnostic.StageCodec => {
  const is = Schema.is(errors)
  const encode = Schema.encodeSync(Schema.toCodecJson(errors))
  return {
    stage,
    severity,
    // An error is a struct, and a struct is encoded as an object.
    encode: (error) => (is(error) ? wire(encode(error) as Schema.JsonObject) : undefined)
  }
}

const warning = (): Diagnostic.Severity => "warning"
const error = (): Diagnostic.Severity => "error"

/**
 * The stages in the order of a frame's way, with how severe their errors are.
 *
 * @category constants
 * @since 0.1.0
 */
export const stages: ReadonlyArray<Diagnostic.StageCodec> = [
  codec("manifest", ManifestError, error),
  codec("grant", GrantError, error),
  codec("dial", DialError, warning),
  codec("connection", ConnectionError, (closed) =>
    closed._tag === "ConnectionClosed" && "clean" in closed && closed.clean === true ? "info" : "warning"
  ),
  codec("ingress", IngressError, warning),
  codec("dispatch", DispatchError, error),
  codec("command", CommandError, warning),
  codec("runtime", RuntimeError, error),
  codec("request", Schema.Union([RequestError, RequestRefusal]), warning),
  codec("host", Schema.Union([HostFileError, ExportError]), error)
]

/**
 * Encodes any error of a host as a diagnostic, redacted.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (redaction: Redaction): ((reported: HostError) => Diagnostic.Encoded) =>
  Diagnostic.encode(stages, redaction)
