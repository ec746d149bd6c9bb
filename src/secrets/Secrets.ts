/**
 * The port behind which the values of secrets are: what a host file names as a
 * variable of the environment or as a file, for secrets, certificates and texts
 * of a configuration.
 *
 * A host asks for what an entry needs when it is set up, and again whenever
 * `changes` says so. `mooring/node` reads the environment and files,
 * `mooring/testing` has values of the test's own; an application may bring its
 * own (a vault). What it answers is checked like anything from outside.
 *
 * @since 0.3.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/**
 * A value that is asked for: whose it is ("" for what is the host's own, the
 * proxy's credentials), its key path in the entry (`secrets.key`,
 * `sources.gateway.tls.ca`, `config.room`), and what the entry says of where it
 * is.
 *
 * @category models
 * @since 0.3.0
 */
export interface Request {
  readonly pluginRef: string
  readonly path: string
  readonly from: { readonly env: string } | { readonly file: string }
}

/**
 * There is no such value now. `problem` is shown to operators, behind the key
 * path: what was expected, and nothing of a value.
 *
 * @category errors
 * @since 0.3.0
 */
export class SecretUnavailable extends Schema.TaggedError<SecretUnavailable>("mooring/secrets/SecretUnavailable")(
  "SecretUnavailable",
  { problem: Schema.String }
) {
  override get message(): string {
    return this.problem
  }
}

/**
 * The port. Without a layer nothing is found.
 *
 * @category references
 * @since 0.3.0
 */
export const Secrets = Context.Reference<{
  /** The value now, of a file all that is in it. A failure, whichever it is, is no value. */
  readonly lookup: (request: Request) => Effect.Effect<Redacted.Redacted<string>, unknown>
  /** One element, of whatever kind, whenever answers may have changed. Where it ends or fails, it is followed anew. */
  readonly changes: Stream.Stream<unknown, unknown>
}>("mooring/secrets/Secrets", {
  defaultValue: () => ({
    lookup: () =>
      Effect.fail(new SecretUnavailable({ problem: "Expected a host that is given secrets: it has no Secrets layer" })),
    changes: Stream.never
  })
})
