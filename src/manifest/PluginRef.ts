/**
 * Names of plugins: the id a package gives itself, the source-qualified id an
 * operator enables, the exact version and digest that pin it, and the
 * reference (`project:example.echo#cp17`) that status and grants use.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const ID = "[a-z0-9][a-z0-9._-]{0,127}"

/**
 * A package's own id: lower case letters, digits, `.`, `_`, `-`; at most 128
 * characters.
 *
 * @category schemas
 * @since 0.1.0
 */
export const PackageId = Schema.String.check(
  Schema.isPattern(new RegExp(`^${ID}$`, "u"), {
    expected: "an id of lower case letters, digits, '.', '_' and '-', at most 128 characters"
  })
)

/**
 * A source-qualified id: `project:`, `user:` or `builtin:` and a
 * {@link PackageId}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const QualifiedId = Schema.String.check(
  Schema.isPattern(new RegExp(`^(?:project|user|builtin):${ID}$`, "u"), {
    expected: "'project:', 'user:' or 'builtin:' and a package id"
  })
)

/**
 * The name of one instance of a package that is enabled several times.
 *
 * @category schemas
 * @since 0.1.0
 */
export const InstanceName = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/u, {
    expected: "an instance name of letters, digits, '.', '_' and '-', at most 128 characters"
  })
)

const NUMBER = String.raw`(?:0|[1-9]\d{0,9})`

/** A numeric identifier of a pre-release has no leading zeros (semver 2.0.0, item 9); one of a build may. */
const PRE_RELEASE = String.raw`(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)`

const list = (identifier: string) => String.raw`${identifier}(?:\.${identifier})*`

/**
 * An exact version by semver 2.0.0, without ranges.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Version = Schema.String.check(
  Schema.isPattern(
    new RegExp(
      String.raw`^${NUMBER}\.${NUMBER}\.${NUMBER}(?:-${list(PRE_RELEASE)})?(?:\+${list("[0-9A-Za-z-]+")})?$`,
      "u"
    ),
    { expected: "an exact version like 1.2.3" }
  ),
  Schema.isMaxLength(128, { expected: "at most 128 characters" })
)

/**
 * A package digest: `sha256:` and 64 hexadecimal digits in lower case.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Digest = Schema.String.check(
  Schema.isPattern(/^sha256:[0-9a-f]{64}$/u, { expected: "'sha256:' and 64 hexadecimal digits" })
)

/**
 * The digest of a package without files. A plugin that is compiled into the
 * program has none to hash, so this is its digest unless it states another.
 *
 * @category constants
 * @since 0.1.0
 */
export const DIGEST_WITHOUT_FILES = "sha256:1d22f437233d2727ae9ddf72c696fb0c435349ba05498b7dbe840c25e790c3f4"

/**
 * The reference of an enabled plugin, unique in a host:
 * `project:example.echo`, or `project:example.echo#cp17` with an instance.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (id: string, instance?: string | undefined): string =>
  instance === undefined ? id : `${id}#${instance}`

/**
 * The package's own id in a source-qualified one: `example.echo` of
 * `project:example.echo`.
 *
 * @category getters
 * @since 0.1.0
 */
export const packageId = (qualifiedId: string): string => qualifiedId.slice(qualifiedId.indexOf(":") + 1)
