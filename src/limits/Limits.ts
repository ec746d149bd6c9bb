/**
 * The limits of a host as one group: every queue, message, deadline and list
 * is bounded by a number that stands here.
 *
 * Defaults are those of the table in `docs/limits.md`. A host that needs others
 * is given them as its option `limits`; values out of their range, and pairs
 * that can't work together, are refused with every problem listed.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Str from "effect/String"
import * as Struct from "effect/Struct"
import * as Wire from "../internal/wire.ts"
import { unfit } from "./internal/pairs.ts"

const range = (minimum: number, maximum: number, initial: number) =>
  Wire.wholeNumber(minimum, maximum).pipe(Schema.withDecodingDefaultKey(Effect.succeed(initial)))

const DAY = 86_400_000
const KIB = 1024
const MIB = 1024 * KIB

const fields = {
  ingressQueueCapacity: range(1, 1_000_000, 1024),
  ingressQueueBytes: range(KIB, 1024 * MIB, 8 * MIB),
  hostQueueBytes: range(KIB, 64 * 1024 * MIB, 256 * MIB),
  burstPatienceMs: range(0, DAY, 1000),
  dispatchDeadlineMs: range(1, DAY, 1000),
  startDeadlineMs: range(1, DAY, 5000),
  maxMessageBytes: range(1, 256 * MIB, MIB),
  maxMessageFragments: range(1, 16_777_216, 65_536),
  requestsAtOnce: range(1, 100_000, 64),
  requestsAtOncePerPlugin: range(1, 100_000, 4),
  requestsWaitingPerPlugin: range(1, 100_000, 32),
  requestBodyBytes: range(0, 256 * MIB, 64 * KIB),
  responseBodyBytes: range(0, 256 * MIB, 256 * KIB),
  requestDeadlineMs: range(1, DAY, 15_000),
  controlFramesPerSecond: range(1, 1_000_000, 100),
  openDeadlineMs: range(1, DAY, 10_000),
  closeGraceMs: range(0, DAY, 5000),
  pingIntervalMs: range(0, DAY, 30_000),
  pongDeadlineMs: range(1, DAY, 10_000),
  retryAfterMs: range(0, DAY, 3_600_000),
  sendBufferBytes: range(KIB, 1024 * MIB, MIB),
  sendStallMs: range(1, DAY, 30_000),
  sandboxMemoryBytes: range(MIB, 4096 * MIB, 16 * MIB),
  sandboxStackBytes: range(16 * KIB, 512 * KIB, 256 * KIB),
  connectionsPerPlugin: range(1, 100_000, 16),
  connectionsPerHost: range(1, 1_000_000, 10_000),
  dialsAtOnce: range(1, 100_000, 64),
  dialsAtOncePerPlugin: range(1, 100_000, 4),
  dialsPerSecond: range(1, 100_000, 100),
  lookupsAtOnce: range(1, 100_000, 16),
  lookupsAtOncePerPlugin: range(1, 100_000, 2),
  commandsPerOutput: range(1, 10_000, 16),
  commandPayloadBytes: range(KIB, 32 * MIB, 72 * KIB),
  sendTextBytes: range(1, 16 * MIB, 64 * KIB),
  outputBytes: range(KIB, 64 * MIB, 256 * KIB),
  stateBytes: range(0, 16 * MIB, 16 * KIB),
  reportedStatusBytes: range(0, MIB, 4 * KIB),
  timersPerPlugin: range(0, 10_000, 8),
  diagnosticsKept: range(256, 100_000, 256),
  commandResultsKept: range(1, 10_000, 32),
  restarts: range(0, 1000, 5),
  restartWindowMs: range(1000, DAY, 60_000),
  stoppedRetryMs: range(0, 7 * DAY, 900_000),
  failedRetryMs: range(0, 7 * DAY, 300_000),
  sandboxWorkers: range(0, 1024, 0),
  soloWorkers: range(0, 1024, 4)
}

/**
 * The schema of the limits: camelCase in TypeScript, snake_case in a host file.
 *
 * **Details**
 *
 * Names that end in `Bytes` are bytes, names that end in `Ms` are milliseconds,
 * all others are counts. A missing key takes its default. Pairs that can't work
 * together are not its business but that of {@link make} and {@link decode}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const LimitsSchema = Wire.struct(fields).annotate({ identifier: "Limits" })

/**
 * @category models
 * @since 0.1.0
 */
export type Values = typeof LimitsSchema.Type

const ownOf = <const Keys extends ReadonlyArray<keyof typeof fields>>(keys: Keys) =>
  Struct.map(Struct.map(Struct.pick(fields, keys), Schema.toType), Schema.optionalKey)

/**
 * The limits that an enabled plugin may have of its own, in place of the
 * host's.
 *
 * @category schemas
 * @since 0.3.0
 */
export const PluginLimits = Wire.struct(
  ownOf([
    "dispatchDeadlineMs",
    "startDeadlineMs",
    "requestsAtOncePerPlugin",
    "requestsWaitingPerPlugin",
    "sandboxMemoryBytes",
    "sandboxStackBytes",
    "connectionsPerPlugin",
    "dialsAtOncePerPlugin",
    "lookupsAtOncePerPlugin",
    "commandPayloadBytes",
    "outputBytes",
    "stateBytes",
    "reportedStatusBytes",
    "timersPerPlugin"
  ])
).annotate({ identifier: "PluginLimits" })

/**
 * @category models
 * @since 0.3.0
 */
export type PluginLimits = typeof PluginLimits.Type

/**
 * The limits that a source may have of its own, in place of the host's.
 *
 * @category schemas
 * @since 0.3.0
 */
export const SourceLimits = Wire.struct(
  ownOf([
    "ingressQueueCapacity",
    "ingressQueueBytes",
    "burstPatienceMs",
    "maxMessageBytes",
    "maxMessageFragments",
    "openDeadlineMs",
    "closeGraceMs",
    "pingIntervalMs",
    "pongDeadlineMs",
    "sendBufferBytes",
    "sendStallMs",
    "sendTextBytes"
  ])
).annotate({ identifier: "SourceLimits" })

/**
 * @category models
 * @since 0.3.0
 */
export type SourceLimits = typeof SourceLimits.Type

/**
 * The default limits.
 *
 * @category defaults
 * @since 0.1.0
 */
export const defaults: Values = Schema.decodeUnknownSync(LimitsSchema)({})

/**
 * Limits were given that are out of their range, unknown, or can't work
 * together; `problems` lists all of them.
 *
 * @category errors
 * @since 0.1.0
 */
export class LimitsInvalid extends Schema.TaggedError<LimitsInvalid>("mooring/limits/LimitsInvalid")("LimitsInvalid", {
  problems: Schema.Array(Wire.Problem)
}) {
  override get message(): string {
    return `invalid limits: ${this.problems.map(Wire.formatProblem).join("; ")}`
  }
}

type Key = keyof Values
type NameOf = (key: Key) => string

// Texts that wait are not all that the heap holds, and others wait in it, too.
const MOST_OF_HEAP = 1 / 2
const DEFAULT_OF_HEAP = 1 / 4

const fitting = (values: Values, nameOf: NameOf, heapBytes: number | null): Result.Result<Values, LimitsInvalid> => {
  const problems = unfit(values).map(({ expected, key, within }) => ({
    path: nameOf(key),
    message: `Expected ${expected(nameOf(within))}`
  }))
  if (heapBytes !== null && values.hostQueueBytes > heapBytes * MOST_OF_HEAP) {
    const message = `Expected at most half of the heap's limit, which is ${heapBytes} bytes`
    problems.push({ path: nameOf("hostQueueBytes"), message })
  }
  return problems.length === 0 ? Result.succeed(values) : Result.fail(new LimitsInvalid({ problems }))
}

/** What isn't given at all is no more than the heap allows. */
const withinHeap = (input: unknown, name: string, heapBytes: number | null): unknown => {
  const isGiven = typeof input !== "object" || input === null || Array.isArray(input) || Object.hasOwn(input, name)
  if (isGiven || heapBytes === null) return input
  return { ...input, [name]: Math.max(KIB, Math.min(defaults.hostQueueBytes, Math.floor(heapBytes * DEFAULT_OF_HEAP))) }
}

const decoding = <I>(schema: Schema.Codec<Values, I>, nameOf: NameOf) => {
  const decodeValues = Wire.decoder(schema)
  return (input: unknown, heapBytes: number | null = null): Result.Result<Values, LimitsInvalid> =>
    Result.flatMap(
      Result.mapError(
        decodeValues(withinHeap(input, nameOf("hostQueueBytes"), heapBytes)),
        (problems) => new LimitsInvalid({ problems })
      ),
      (values) => fitting(values, nameOf, heapBytes)
    )
}

type Decode<Input> = (input: Input, heapBytes?: number | null) => Result.Result<Values, LimitsInvalid>

/**
 * Decodes limits in their wire form, for example the `[limits]` table of a
 * host file. `heapBytes` is the limit of the heap, null where it isn't known:
 * `host_queue_bytes` is at most a quarter of it unless it is given, and then at
 * most half.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode: Decode<unknown> = decoding(LimitsSchema, Str.camelToSnake)

const Camel = Schema.Struct(fields)
const Given = Camel.mapFields(Struct.map(Schema.toType)).mapFields(Struct.map(Schema.optionalKey))

/**
 * The defaults but for the given limits, by their TypeScript names; `heapBytes`
 * as in {@link decode}.
 *
 * @category constructors
 * @since 0.2.0
 */
export const make: Decode<Partial<Values>> = decoding(Camel, (key) => key)

/**
 * Limits from configuration, by their TypeScript names: those that are there,
 * for the option of a host.
 *
 * **Example** (Limits from variables like `MOORING_RESTARTS`)
 *
 * ```ts
 * import { Config, Effect, Layer } from "effect"
 * import { Limits, PluginHost, type PluginRuntime } from "mooring"
 *
 * declare const plugins: ReadonlyArray<PluginRuntime.PluginPackage>
 *
 * export const host = Layer.unwrap(
 *   Effect.map(Config.nested(Limits.config, "mooring"), (limits) => PluginHost.layer({ plugins, enabled: [], limits }))
 * )
 * ```
 *
 * @category config
 * @since 0.2.0
 */
export const config: Config.Config<Partial<Values>> = Config.schema(Given).pipe(Config.withDefault({}))

/** Limits of an entry of a host file, and where they stand in it. */
interface Own {
  readonly path: string
  readonly limits: Partial<Values>
}

/**
 * What can't work together of limits that an entry sets for itself: those of
 * its plugin, and, where they are given, of one of its sources. By the names of
 * a host file.
 *
 * @category checks
 * @since 0.3.0
 */
export const problemsOf = (host: Values, plugin: Own, source?: Own): ReadonlyArray<Wire.Problem> => {
  const owners = source === undefined ? [plugin] : [source, plugin]
  const ownerOf = (key: Key) => owners.find(({ limits }) => Object.hasOwn(limits, key))
  return unfit({ ...host, ...plugin.limits, ...source?.limits }).flatMap(({ expected, key, room, within }) => {
    const [name, roomName] = [Str.camelToSnake(key), Str.camelToSnake(within)]
    const [needs, has] = [ownerOf(key), ownerOf(within)]
    if (needs !== undefined) return [{ path: `${needs.path}.${name}`, message: `Expected ${expected(roomName)}` }]
    return has === undefined ? [] : [{ path: `${has.path}.${roomName}`, message: `Expected ${room(name)}` }]
  })
}
