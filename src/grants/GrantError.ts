/**
 * Denials. Each says which half is missing: what the manifest should have
 * declared, or what the operator should have granted.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const id = (name: string) => `mooring/grants/${name}`

const where = { manifest: "declared in the manifest", grant: "granted", enablement: "enabled" } as const

/**
 * A permission stands in only one of manifest and grant, or in none, or its
 * surface isn't enabled. Where nothing is granted because the grant store
 * failed, answered with what is no grant or didn't answer, `cause` is that.
 *
 * @category errors
 * @since 0.1.0
 */
export class PermissionMissing extends Schema.TaggedError<PermissionMissing>(id("PermissionMissing"))(
  "PermissionMissing",
  {
    permission: Schema.String,
    missing: Schema.Literals(["manifest", "grant", "enablement"]),
    cause: Schema.optionalKey(Schema.Defect())
  }
) {
  override get message(): string {
    const denial = `the permission '${this.permission}' is not ${where[this.missing]}`
    return this.cause === undefined ? denial : `${denial}: the grant store has given no usable answer`
  }
}

/** What a request is called, and what is dialled: by its method too, where it has one. */
const called = ({ method, url }: { readonly method?: string; readonly url: string }): string =>
  method === undefined ? url : `${method} ${url}`

/**
 * No target of the manifest covers the URL, or for a request its `method` there.
 *
 * @category errors
 * @since 0.1.0
 */
export class TargetUndeclared extends Schema.TaggedError<TargetUndeclared>(id("TargetUndeclared"))("TargetUndeclared", {
  url: Schema.String,
  method: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `no target that the manifest declares covers ${called(this)}`
  }
}

/**
 * No target of the grant covers the URL, or for a request its `method` there, or a subprotocol that the manifest
 * declares for it isn't granted, or a secret that would go there isn't opened
 * by it.
 *
 * @category errors
 * @since 0.1.0
 */
export class TargetUngranted extends Schema.TaggedError<TargetUngranted>(id("TargetUngranted"))("TargetUngranted", {
  url: Schema.String,
  method: Schema.optionalKey(Schema.String),
  subprotocol: Schema.NullOr(Schema.String),
  secret: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    if (this.secret !== undefined) return `the secret '${this.secret}' is not granted for ${this.url}`
    return this.subprotocol === null
      ? `no granted target covers ${called(this)}`
      : `the subprotocol '${this.subprotocol}' is not granted for ${this.url}`
  }
}

/**
 * The URL was refused before anything was compared with it.
 *
 * @category errors
 * @since 0.1.0
 */
export class TargetInvalid extends Schema.TaggedError<TargetInvalid>(id("TargetInvalid"))("TargetInvalid", {
  url: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `${this.url} is refused: ${this.problem}`
  }
}

/**
 * There is a grant, but for another package: its id, version or digest differ.
 *
 * @category errors
 * @since 0.1.0
 */
export class GrantBindingMismatch extends Schema.TaggedError<GrantBindingMismatch>(id("GrantBindingMismatch"))(
  "GrantBindingMismatch",
  { field: Schema.Literals(["id", "version", "digest"]), granted: Schema.String, actual: Schema.String }
) {
  override get message(): string {
    return `the grant is for ${this.field} ${this.granted}, but the package has ${this.actual}`
  }
}

/**
 * A grant that covered an open connection no longer does.
 *
 * @category errors
 * @since 0.1.0
 */
export class GrantRevoked extends Schema.TaggedError<GrantRevoked>(id("GrantRevoked"))("GrantRevoked", {
  url: Schema.String
}) {
  override get message(): string {
    return `the grant for ${this.url} was withdrawn`
  }
}

/**
 * The errors of this stage.
 *
 * @category errors
 * @since 0.1.0
 */
export const GrantError = Schema.Union([
  PermissionMissing,
  TargetUndeclared,
  TargetUngranted,
  TargetInvalid,
  GrantBindingMismatch,
  GrantRevoked
])

/**
 * @category errors
 * @since 0.1.0
 */
export type GrantError = typeof GrantError.Type
