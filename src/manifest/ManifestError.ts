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
    return `the ${this.subject} is invalid: ${this.problems.map((problem) => `${problem.path}: ${problem.message}`).join("; ")}`
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
 * The operator enabled another digest than the package has.
 *
 * @category errors
 * @since 0.1.0
 */
export class DigestMismatch extends Schema.TaggedError<DigestMismatch>(id("DigestMismatch"))("DigestMismatch", {
  enabled: Schema.String,
  actual: Schema.String
}) {
  override get message(): string {
    return `digest ${this.enabled} is enabled, but the package has digest ${this.actual}`
  }
}

/**
 * No package of that id is known to the host.
 *
 * @category errors
 * @since 0.1.0
 */
export class PackageUnreadable extends Schema.TaggedError<PackageUnreadable>(id("PackageUnreadable"))(
  "PackageUnreadable",
  { problem: Schema.String }
) {
  override get message(): string {
    return `the package can't be read: ${this.problem}`
  }
}

/**
 * The errors of this stage.
 *
 * @category errors
 * @since 0.1.0
 */
export const ManifestError = Schema.Union([ManifestInvalid, VersionMismatch, DigestMismatch, PackageUnreadable])

/**
 * @category errors
 * @since 0.1.0
 */
export type ManifestError = typeof ManifestError.Type
