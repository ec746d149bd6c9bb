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
import * as FromOutside from "./internal/fromOutside.ts"
import * as Repeats from "./internal/repeats.ts"
import { PluginLimits } from "../limits/Limits.ts"
import type { Manifest } from "./Manifest.ts"
import { ManifestInvalid } from "./ManifestError.ts"
import { isOutside, Outside, OutsideOrValue } from "./Outside.ts"
import { Name, Permission } from "./Permission.ts"
import * as PluginRef from "./PluginRef.ts"
import * as SourceSettings from "./SourceSettings.ts"
import { GrantedRequestTarget, GrantedRequestTargetMade } from "./RequestTarget.ts"
import { GrantedTarget } from "./WebSocketTarget.ts"

export { Headers, ReconnectSettings, reconnectDefaults, SourceSettings } from "./SourceSettings.ts"

const listOf = <Item extends Schema.Constraint>(item: Item) =>
  Schema.Array(item).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))

/** One schema for what is written and one for what a program makes: they differ in where a PEM may come from. */
const grantsOf = <Target extends Schema.Constraint>(request: Target) =>
  Schema.Struct({
    id: Schema.optionalKey(PluginRef.QualifiedId),
    version: Schema.optionalKey(PluginRef.Version),
    digest: Schema.optionalKey(PluginRef.Digest),
    permissions: listOf(Permission),
    websocket: listOf(GrantedTarget),
    request: listOf(request),
    sign: listOf(Name)
  }).annotate({ identifier: "Grants" })

/**
 * What the operator allows; `sign` are the secrets of the entry that it may
 * sign with. Where `id`, `version` or `digest` are repeated they must agree
 * with the package, or nothing is granted. What isn't there grants nothing.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Grants = grantsOf(GrantedRequestTarget)

const GrantsMade = grantsOf(GrantedRequestTargetMade)

/**
 * @category models
 * @since 0.1.0
 */
export type Grants = typeof GrantsMade.Type

const fields = {
  package: Schema.optionalKey(Schema.String),
  id: PluginRef.QualifiedId,
  instance: Schema.optionalKey(PluginRef.InstanceName),
  version: PluginRef.Version,
  digest: PluginRef.Digest,
  surfaces: Schema.optionalKey(Schema.Array(Name)),
  limits: Schema.optionalKey(PluginLimits),
  config: Schema.Json.pipe(Schema.withDecodingDefaultKey(Effect.succeed({})))
}

const secretsOf = <Text extends Schema.Constraint>(text: Text) =>
  Schema.Record(Name, text).annotate({
    messageUnexpectedKey: "Expected the name of a secret, of letters, digits, '.', '_' and '-'"
  })

/**
 * The schema of one `[[plugins.enabled]]` entry.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Enablement = Schema.Struct({
  ...fields,
  grants: Grants.pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  secrets: secretsOf(Outside).pipe(Schema.withDecodingDefaultKey(Effect.succeed({}))),
  sources: Schema.Record(Schema.String, SourceSettings.SourceSettings).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed({}))
  )
}).annotate({ identifier: "Enablement" })

/** What a program makes may hold values where a written one says where they are. */
const Made = Schema.toType(
  Schema.Struct({
    ...fields,
    grants: GrantsMade,
    secrets: secretsOf(OutsideOrValue),
    sources: Schema.Record(Schema.String, SourceSettings.SourceSettingsMade)
  })
)

/**
 * An enablement: one that was decoded, or one that a program made, which may
 * hold secrets themselves.
 *
 * @category models
 * @since 0.1.0
 */
export type Enablement = typeof Made.Type

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

/**
 * What no schema says: what occurs twice though it is a name (the same source, a header that differs by case only), and
 * what stands for a text from outside and doesn't say which, and what is granted of secrets that the entry doesn't have.
 */
const beside = (input: unknown): ReadonlyArray<Wire.Problem> => [
  ...repeated(input),
  ...unnamed(input),
  ...Repeats.unknownSecrets(input)
]

const unnamed = (input: unknown): ReadonlyArray<Wire.Problem> =>
  FromOutside.placesIn(Repeats.ownOf(input, "config"), ["config"]).flatMap(({ path, source }) =>
    isOutside(source) ? [] : [{ path: Wire.formatPath(path), message: "Expected the name of a variable or file" }]
  )

const repeated = (input: unknown): ReadonlyArray<Wire.Problem> => [
  ...Repeats.tableOf(input, "sources").flatMap(([ingress, settings]) => [
    ...Repeats.sources(["sources", ingress, "urls"], Repeats.listOf(settings, "urls")),
    ...Repeats.headers(["sources", ingress, "headers"], settings)
  ]),
  ...Repeats.requestHeaders(["grants", "request"], Repeats.ownOf(input, "grants"))
]

const refused = (input: unknown): ReadonlyArray<Wire.Problem> =>
  Repeats.tableOf(input, "sources").flatMap(([ingress, settings]) =>
    Repeats.refusedSources(["sources", ingress, "urls"], Repeats.listOf(settings, "urls"))
  )

const invalid = (problems: ReadonlyArray<Wire.Problem>) => new ManifestInvalid({ subject: "enablement", problems })

const decodeWire = Wire.decoder(Enablement, { problems: beside, later: refused })

/**
 * Decodes an enablement as it is written, for example an entry of a host file,
 * with all problems at once.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (input: unknown): Result.Result<typeof Enablement.Type, ManifestInvalid> =>
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
    readonly [ingress: string]: Omit<Partial<SourceSettings.SourceSettings>, "reconnect"> & {
      readonly reconnect?: Partial<SourceSettings.ReconnectSettings>
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
      ? { ...given, reconnect: over(SourceSettings.reconnectDefaults, Repeats.ownOf(given, "reconnect")) }
      : given
  )

const complete = (options: unknown): unknown => {
  if (!Repeats.isTable(options)) return options
  const sources = Repeats.ownOf(options, "sources")
  return {
    config: {},
    secrets: {},
    ...options,
    grants: over({ permissions: [], websocket: [], request: [], sign: [] }, Repeats.ownOf(options, "grants")),
    sources: Repeats.isTable(sources)
      ? Object.fromEntries(Object.entries(sources).map(([name, given]) => [name, sourceOver(given)]))
      : over({}, sources)
  }
}

const decodeOptions = Wire.decoder(Made, { prepare: complete, problems: beside })

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
    /** Its secrets, each of which every target opens, and with which it may sign; none unless given. */
    readonly secrets?: Enablement["secrets"]
  } = {}
): Enablement => {
  const secrets = Object.keys(options.secrets ?? {})
  const allowed = {
    ...(options.privateAddresses === true ? { privateAddresses: true } : {}),
    ...(options.secrets === undefined ? {} : { secrets })
  }
  return {
    id: `project:${manifest.id}`,
    ...(options.instance === undefined ? {} : { instance: options.instance }),
    version: manifest.version,
    digest,
    config: options.config ?? {},
    secrets: options.secrets ?? {},
    grants: {
      permissions: manifest.permissions,
      websocket: manifest.websocket.map((target) => ({ ...target, ...allowed })),
      request: manifest.request.map((target) => ({ ...target, ...allowed })),
      sign: secrets
    },
    sources: {}
  }
}
