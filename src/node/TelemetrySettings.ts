/**
 * The tables `[metrics]` and `[traces]` of a host file: whether there are any,
 * how much of what happens is measured, and where it is pushed.
 *
 * @since 0.5.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { DurationText } from "../internal/duration.ts"
import * as Wire from "../internal/wire.ts"
import { Outside } from "../manifest/Outside.ts"
import { HeaderName } from "../manifest/RequestTarget.ts"
import { SecretUnavailable, Secrets } from "../secrets/Secrets.ts"
import * as Usable from "../secrets/Usable.ts"

const BASE = "the base URL of a collector: http:// or https://, without /v1/metrics, /v1/traces, user info and query"

/** Whether it is a base: what the program appends is not to stand there twice, and a password in a URL would be shown. */
const isBase = (url: string): boolean => {
  if (!URL.canParse(url)) return false
  const { hash, hostname, password, pathname, search, username } = new URL(url)
  const isPlain = [hash, password, search, username].every((part) => part === "")
  return isPlain && hostname !== "" && !/\/v1\/(?:metrics|traces)\/*$/i.test(pathname)
}

const Base = Schema.String.check(
  Schema.isPattern(/^https?:\/\/[^\s/?#@\\]+(?:\/[^\s?#\\]*)?$/u, { expected: BASE }).abort(),
  Schema.makeFilter(isBase, {
    expected: BASE,
    toJsonSchema: () => ({}),
    // Hardly any text at random is a URL.
    arbitraryConstraint: { patterns: [{ source: "^https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?/?$", flags: "" }] }
  })
)

const LEAST_INTERVAL_MS = 1000

const Interval = DurationText.check(
  Schema.isGreaterThanOrEqualTo(LEAST_INTERVAL_MS, { expected: `a duration of at least ${LEAST_INTERVAL_MS}ms` })
)

const Otlp = Wire.struct({
  url: Base,
  interval: Schema.optionalKey(Interval),
  headers: Schema.optionalKey(Schema.Record(HeaderName, Outside))
})

/**
 * @category models
 * @since 0.5.0
 */
export type Otlp = typeof Otlp.Type

const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }, { expected: "a share from 0 to 1" }))

/**
 * The `[metrics]` table.
 *
 * @category schemas
 * @since 0.5.0
 */
export const Metrics = Wire.struct({
  prometheus: Schema.optionalKey(Schema.Boolean),
  open: Schema.optionalKey(Schema.Boolean),
  sample: Schema.optionalKey(Share),
  otlp: Schema.optionalKey(Otlp)
}).annotate({ identifier: "Metrics" })

/**
 * @category models
 * @since 0.5.0
 */
export type Metrics = typeof Metrics.Type

/**
 * The `[traces]` table.
 *
 * @category schemas
 * @since 0.5.0
 */
export const Traces = Wire.struct({
  otlp: Schema.optionalKey(Otlp),
  sample: Schema.optionalKey(Share),
  propagate: Schema.optionalKey(Schema.Boolean)
}).annotate({ identifier: "Traces" })

/**
 * @category models
 * @since 0.5.0
 */
export type Traces = typeof Traces.Type

/**
 * The two tables of a file. What can't be used isn't there.
 *
 * @category models
 * @since 0.5.0
 */
export interface Tables {
  readonly metrics: Metrics | undefined
  readonly traces: Traces | undefined
}

/**
 * Decode the tables, each with all of its problems at once.
 *
 * @category decoding
 * @since 0.5.0
 */
export const decode = { metrics: Wire.decoder(Metrics), traces: Wire.decoder(Traces) }

/**
 * Headers by their names, and what is wrong with those that can't be used.
 *
 * @category models
 * @since 0.5.0
 */
export interface FoundHeaders {
  readonly headers: { readonly [name: string]: Redacted.Redacted<string> }
  readonly problems: ReadonlyArray<Wire.Problem>
}

/**
 * The headers of a table as they are now: `at` is its key path.
 *
 * @category reading
 * @since 0.5.0
 */
export const headersOf = (otlp: Otlp | undefined, at: string): Effect.Effect<FoundHeaders> =>
  Effect.gen(function* () {
    const port = yield* Secrets
    const headers: Array<readonly [string, Redacted.Redacted<string>]> = []
    const problems: Array<Wire.Problem> = []
    for (const [name, from] of Object.entries(otlp?.headers ?? {})) {
      const path = `${at}.headers.${name}`
      const found = yield* Effect.result(port.lookup({ pluginRef: "", path, from }))
      const value = Result.isFailure(found)
        ? Result.fail(found.failure instanceof SecretUnavailable ? found.failure.problem : "Expected a value")
        : Usable.check(Redacted.value(found.success), "secret", "file" in from)
      if (Result.isFailure(value)) problems.push({ path, message: value.failure })
      else if (!/^[\t\x20-\x7e\xa0-\xff]*$/u.test(value.success)) {
        problems.push({ path, message: "Expected printable Latin-1" })
      } else headers.push([name, Redacted.make(value.success)])
    }
    return { headers: Object.fromEntries(headers), problems }
  })
