/**
 * What can be wrong with a package or with how it was enabled.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"

const id = (name: string) => `mooring/manifest/${name}`

/**
 * A manifest, an operator's enablement of one, or a grant doesn't have the form
 * that it must have; `problems` lists everything that is wrong with it.
 *
 * @category errors
 * @since 0.1.0
 */
export class ManifestInvalid extends Schema.TaggedError<ManifestInvalid>(id("ManifestInvalid"))("ManifestInvalid", {
  subject: Schema.Literals(["manifest", "enablement", "grant"]),
  problems: Schema.Array(Wire.Problem)
}) {
  override get message(): string {
    return `the ${this.subject} is invalid: ${this.problems.map(Wire.formatProblem).join("; ")}`
  }
}

/**
 * The operator enabled another version than the package has.
 *
 * @category errors
 * @since 0.1.0
 */
export class VersionMismatch extends Schema.TaggedError<VersionMismatch>(id("VersionMismatch"))("VersionMismatch", {
  enabled: Schema.String,
  actual: Schema.String
}) {
  override get message(): string {
    return `version ${this.enabled} is enabled, but the package has version ${this.actual}`
  }
}

/**
 * The operator enabled another digest than the package has. `suspects` are
 * files that may be why: what desktops and editors leave, and texts with CRLF.
 *
 * @category errors
 * @since 0.1.0
 */
export class DigestMismatch extends Schema.TaggedError<DigestMismatch>(id("DigestMismatch"))("DigestMismatch", {
  enabled: Schema.String,
  actual: Schema.String,
  suspects: Schema.optionalKey(Schema.Array(Schema.String))
}) {
  override get message(): string {
    return `digest ${this.enabled} is enabled, but the package has digest ${this.actual}`
  }
}

/**
 * No package of that id is known to the host, or its folder can't be read or
 * isn't one of a package; `file` is the path in it of what is wrong, where it is
 * one thing.
 *
 * @category errors
 * @since 0.1.0
 */
export class PackageUnreadable extends Schema.TaggedError<PackageUnreadable>(id("PackageUnreadable"))(
  "PackageUnreadable",
  { problem: Schema.String, file: Schema.optionalKey(Schema.String) }
) {
  override get message(): string {
    return `the package can't be read: ${this.problem}`
  }
}

/**
 * The package's code is of a kind that this host doesn't run.
 *
 * @category errors
 * @since 0.3.0
 */
export class UnsupportedRuntime extends Schema.TaggedError<UnsupportedRuntime>(id("UnsupportedRuntime"))(
  "UnsupportedRuntime",
  { kind: Schema.String }
) {
  override get message(): string {
    return `this host runs no code of the kind ${this.kind}`
  }
}

/**
 * The errors of this stage.
 *
 * @category errors
 * @since 0.1.0
 */
export const ManifestError = Schema.Union([
  ManifestInvalid,
  VersionMismatch,
  DigestMismatch,
  PackageUnreadable,
  UnsupportedRuntime
])

/**
 * @category errors
 * @since 0.1.0
 */
export type ManifestError = typeof ManifestError.Type
