/**
 * The operator's entry that switches one exact package on, once or, with
 * `instance`, several times: which version and digest, what it may do, where
 * its sources are, how it is configured.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import * as Repeats from "./internal/repeats.ts"
import { HostCloseCode, PeerCloseCode, type Manifest } from "./Manifest.ts"
import { ManifestInvalid } from "./ManifestError.ts"
import { Name, Permission } from "./Permission.ts"
import * as PluginRef from "./PluginRef.ts"
import { GrantedTarget } from "./WebSocketTarget.ts"

const millis = (minimum: number, maximum: number, initial: number) =>
  Wire.wholeNumber(minimum, maximum).pipe(Schema.withDecodingDefaultKey(Effect.succeed(initial)))

const DAY = 86_400_000

/**
 * When and how often a source is dialled again. Times in milliseconds;
 * `maxAttempts` counts dials per `windowMs`, 0 is unlimited. Given
 * `stopCodes` and `closeCode` replace those of the manifest.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ReconnectSettings = Wire.struct({
  policy: Schema.Literals(["backoff", "never"]).pipe(Schema.withDecodingDefaultKey(Effect.succeed("backoff"))),
  initialMs: millis(1, DAY, 1000),
  maxMs: millis(1, DAY, 60_000),
  stableMs: millis(0, DAY, 30_000),
  maxAttempts: millis(0, 1_000_000, 0),
  windowMs: millis(1000, DAY, 600_000),
  stopCodes: Schema.optionalKey(Schema.Array(PeerCloseCode)),
  closeCode: Schema.optionalKey(HostCloseCode)
}).annotate({ identifier: "ReconnectSettings" })

/**
 * @category models
 * @since 0.1.0
 */
export type ReconnectSettings = typeof ReconnectSettings.Type

/**
 * The settings of a source that the operator says nothing about.
 *
 * @category defaults
 * @since 0.1.0
 */
export const reconnectDefaults: ReconnectSettings = Schema.decodeUnknownSync(ReconnectSettings)({})

const FromOutside = Schema.Union([Schema.Struct({ env: Schema.String }), Schema.Struct({ file: Schema.String })])

// What the upgrade itself consists of (RFC 6455, section 4.1, and RFC 9110, section 7.6.1) is not the operator's to set.
const RESERVED_HEADERS =
  "(?:host|connection|upgrade|sec-websocket-.*|content-length|transfer-encoding|te|trailer|keep-alive|proxy-.*)$"

/** JSON Schema has no flag for this. */
const inAnyCase = (pattern: string) => pattern.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)

const HeaderName = Schema.String.check(
  Schema.isPattern(new RegExp(`^(?!${inAnyCase(RESERVED_HEADERS)})[!#$%&'*+.^_\`|~0-9A-Za-z-]+$`, "u"), {
    expected: "a header name that is not part of the upgrade itself"
  })
)

/**
 * Headers for the upgrade, but for those that it consists of itself.
 *
 * @category schemas
 * @since 0.2.0
 */
export const Headers = Schema.Record(
  HeaderName,
  Schema.String.check(Schema.isPattern(/^[\t\x20-\x7e]*$/u, { expected: "a header value of printable ASCII" }))
).annotate({ messageUnexpectedKey: "Expected a header name that is not part of the upgrade itself" })

/**
 * What the operator says of one ingress: its sources instead of the
 * manifest's, headers for the upgrade, reconnecting, staleness in
 * milliseconds (0: off).
 *
 * @category schemas
 * @since 0.1.0
 */
export const SourceSettings = Wire.struct({
  urls: Schema.optionalKey(Schema.Array(Schema.String)),
  headers: Schema.optionalKey(Headers),
  reconnect: Schema.optionalKey(ReconnectSettings),
  staleAfterMs: millis(0, DAY, 0)
}).annotate({ identifier: "SourceSettings" })

/**
 * @category models
 * @since 0.1.0
 */
export type SourceSettings = typeof SourceSettings.Type

/**
 * What the operator allows. Where `id`, `version` or `digest` are repeated
 * they must agree with the package, or nothing is granted.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Grants = Schema.Struct({
  id: Schema.optionalKey(PluginRef.QualifiedId),
  version: Schema.optionalKey(PluginRef.Version),
  digest: Schema.optionalKey(PluginRef.Digest),
  permissions: Schema.Array(Permission).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  websocket: Schema.Array(GrantedTarget).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
}).annotate({ identifier: "Grants" })

/**
 * @category models
 * @since 0.1.0
 */
export type Grants = typeof Grants.Type

/**
 * The schema of one `[[plugins.enabled]]` entry.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Enablement = Schema.Struct({
  package: Schema.optionalKey(Schema.String),
  id: PluginRef.QualifiedId,
  instance: Schema.optionalKey(PluginRef.InstanceName),
  version: PluginRef.Version,
  digest: PluginRef.Digest,
  surfaces: Schema.optionalKey(Schema.Array(Name)),
  config: Schema.Json.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  secrets: Schema.Record(Schema.String, FromOutside).pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  grants: Grants.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  sources: Schema.Record(Schema.String, SourceSettings).pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))
}).annotate({ identifier: "Enablement" })

/**
 * @category models
 * @since 0.1.0
 */
export type Enablement = typeof Enablement.Type

/**
 * An enablement as it is written.
 *
 * @category models
 * @since 0.1.0
 */
export type Encoded = typeof Enablement.Encoded

/**
 * The reference under which the host knows the enabled plugin.
 *
 * @category getters
 * @since 0.1.0
 */
export const refOf = (enablement: { readonly id: string; readonly instance?: string | undefined }): string =>
  PluginRef.make(enablement.id, enablement.instance)

/** What occurs twice though it is a name: the same source, a header that differs by case only. */
const repeated = (input: unknown): ReadonlyArray<Wire.Problem> =>
  Repeats.tableOf(input, "sources").flatMap(([ingress, settings]) => [
    ...Repeats.sources(["sources", ingress, "urls"], Repeats.listOf(settings, "urls")),
    ...Repeats.names(
      ["sources", ingress, "headers"],
      Repeats.tableOf(settings, "headers").map(([name]) => [name, name.toLowerCase()]),
      "a header that occurs once, in whichever case"
    )
  ])

const invalid = (problems: ReadonlyArray<Wire.Problem>) => new ManifestInvalid({ subject: "enablement", problems })

const decodeWire = Wire.decoder(Enablement, { problems: repeated })

/**
 * Decodes an enablement as it is written, for example an entry of a host file,
 * with all problems at once.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (input: unknown): Result.Result<Enablement, ManifestInvalid> =>
  Result.mapError(decodeWire(input), invalid)

/**
 * What an enablement is made of. Whatever isn't said is as in a host file: no
 * configuration, nothing granted, the manifest's sources.
 *
 * @category models
 * @since 0.2.0
 */
export interface Options extends Omit<Partial<Enablement>, "grants" | "sources"> {
  readonly id: string
  readonly version: string
  readonly digest: string
  readonly grants?: Partial<Grants>
  readonly sources?: {
    readonly [ingress: string]: Omit<Partial<SourceSettings>, "reconnect"> & {
      readonly reconnect?: Partial<ReconnectSettings>
    }
  }
}

/**
 * Makes an enablement in the program's own text, checked like one that was
 * written: all that is wrong with it at once, under the names it has here. What
 * it gives is a copy.
 *
 * **Example** (One granted target)
 *
 * ```ts
 * import { Enablement, PluginRef } from "mooring"
 *
 * export const enabled = Enablement.make({
 *   id: "project:example.echo",
 *   version: "0.1.0",
 *   digest: PluginRef.DIGEST_WITHOUT_FILES,
 *   grants: { websocket: [{ scheme: "wss", host: "feed.example.com", pathPrefixes: ["/v2"] }] },
 *   sources: { gateway: { reconnect: { maxMs: 5000 } } }
 * })
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = (options: Options): Result.Result<Enablement, ManifestInvalid> =>
  Result.mapError(decodeOptions(options), invalid)

/** A table with what is missing in it; whatever isn't one is for the schema to refuse. */
const over = (defaults: object, given: unknown): unknown => {
  if (given === undefined) return defaults
  return Repeats.isTable(given) ? { ...defaults, ...given } : given
}

const sourceOver = (given: unknown): unknown =>
  over(
    { staleAfterMs: 0 },
    Repeats.isTable(given) && Object.hasOwn(given, "reconnect")
      ? { ...given, reconnect: over(reconnectDefaults, Repeats.ownOf(given, "reconnect")) }
      : given
  )

const complete = (options: unknown): unknown => {
  if (!Repeats.isTable(options)) return options
  const sources = Repeats.ownOf(options, "sources")
  return {
    config: {},
    secrets: {},
    ...options,
    grants: over({ permissions: [], websocket: [] }, Repeats.ownOf(options, "grants")),
    sources: Repeats.isTable(sources)
      ? Object.fromEntries(Object.entries(sources).map(([name, given]) => [name, sourceOver(given)]))
      : over({}, sources)
  }
}

const decodeOptions = Wire.decoder(Schema.toType(Enablement), { prepare: complete, problems: repeated })

/**
 * Enables a package with everything granted that its manifest asks for: for
 * code of one's own, which is trusted anyway, and for tests. What is not the
 * manifest's to ask for stays denied, unless it is said here.
 *
 * **Gotchas**
 *
 * Whatever the package's next version asks for is granted, too. For the code of
 * others write down what it may do.
 *
 * @category constructors
 * @since 0.2.0
 */
export const trusting = (
  { digest, manifest }: { readonly manifest: Manifest; readonly digest: string },
  options: {
    readonly instance?: string
    /** Handed to the plugin; `{}` unless given. */
    readonly config?: Schema.Json
    /** Whether names may resolve to loopback, private or unique-local addresses; false unless given. */
    readonly privateAddresses?: boolean
  } = {}
): Enablement => ({
  id: `project:${manifest.id}`,
  ...(options.instance === undefined ? {} : { instance: options.instance }),
  version: manifest.version,
  digest,
  config: options.config ?? {},
  secrets: {},
  grants: {
    permissions: manifest.permissions,
    websocket: manifest.websocket.map((target) => ({
      ...target,
      ...(options.privateAddresses === true ? { privateAddresses: true } : {})
    }))
  },
  sources: {}
})
