/**
 * The limits of a host as one group: every queue, message, deadline and list
 * is bounded by a number that stands here.
 *
 * Defaults are those of the table in `docs/limits.md`. A host that needs others
 * provides `Limits.layer({ ... })`; a value out of its range fails the layer
 * with every problem listed.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"

const range = (minimum: number, maximum: number, initial: number) =>
  Wire.wholeNumber(minimum, maximum).pipe(Schema.withDecodingDefaultKey(Effect.succeed(initial)))

const DAY = 86_400_000
const KIB = 1024
const MIB = 1024 * KIB

/**
 * The schema of the limits: camelCase in TypeScript, snake_case in a host file.
 *
 * **Details**
 *
 * Names that end in `Bytes` are bytes of UTF-8, names that end in `Ms` are
 * milliseconds, all others are counts. A missing key takes its default.
 *
 * @category schemas
 * @since 0.1.0
 */
export const LimitsSchema = Wire.struct({
  ingressQueueCapacity: range(1, 1_000_000, 1024),
  ingressQueueBytes: range(KIB, 1024 * MIB, 8 * MIB),
  hostQueueBytes: range(KIB, 64 * 1024 * MIB, 256 * MIB),
  burstPatienceMs: range(0, DAY, 1000),
  dispatchDeadlineMs: range(1, DAY, 1000),
  startDeadlineMs: range(1, DAY, 5000),
  maxMessageBytes: range(1, 256 * MIB, MIB),
  controlFramesPerSecond: range(1, 1_000_000, 100),
  openDeadlineMs: range(1, DAY, 10_000),
  closeGraceMs: range(0, DAY, 5000),
  pingIntervalMs: range(0, DAY, 30_000),
  pongDeadlineMs: range(1, DAY, 10_000),
  sendBufferBytes: range(KIB, 1024 * MIB, MIB),
  sendStallMs: range(1, DAY, 30_000),
  sandboxMemoryBytes: range(MIB, 4096 * MIB, 16 * MIB),
  sandboxStackBytes: range(16 * KIB, 16 * MIB, 256 * KIB),
  connectionsPerPlugin: range(1, 100_000, 16),
  connectionsPerHost: range(1, 1_000_000, 10_000),
  dialsAtOnce: range(1, 100_000, 64),
  dialsAtOncePerPlugin: range(1, 100_000, 4),
  dialsPerSecond: range(1, 100_000, 100),
  commandsPerOutput: range(1, 10_000, 16),
  commandPayloadBytes: range(KIB, 16 * MIB, 72 * KIB),
  sendTextBytes: range(1, 16 * MIB, 64 * KIB),
  outputBytes: range(KIB, 64 * MIB, 256 * KIB),
  stateBytes: range(0, 16 * MIB, 16 * KIB),
  reportedStatusBytes: range(0, MIB, 4 * KIB),
  timersPerPlugin: range(0, 10_000, 8),
  diagnosticsKept: range(1, 100_000, 256),
  commandResultsKept: range(1, 10_000, 32),
  restarts: range(0, 1000, 5),
  restartWindowMs: range(1000, DAY, 60_000),
  stoppedRetryMs: range(0, 7 * DAY, 900_000),
  failedRetryMs: range(0, 7 * DAY, 300_000),
  sandboxWorkers: range(0, 1024, 0),
  soloWorkers: range(0, 1024, 4)
}).annotate({ identifier: "Limits" })

/**
 * @category models
 * @since 0.1.0
 */
export type Values = typeof LimitsSchema.Type

/**
 * The default limits.
 *
 * @category defaults
 * @since 0.1.0
 */
export const defaults: Values = Schema.decodeUnknownSync(LimitsSchema)({})

/**
 * Limits were given that are out of their range or unknown; `problems` lists
 * all of them.
 *
 * @category errors
 * @since 0.1.0
 */
export class LimitsInvalid extends Schema.TaggedError<LimitsInvalid>("mooring/limits/LimitsInvalid")("LimitsInvalid", {
  problems: Schema.Array(Wire.Problem)
}) {
  override get message(): string {
    return `invalid limits: ${this.problems.map((problem) => `${problem.path}: ${problem.message}`).join("; ")}`
  }
}

/**
 * The limits in force. Without a layer they are the {@link defaults}.
 *
 * @category references
 * @since 0.1.0
 */
export const Limits: Context.Reference<Values> = Context.Reference("mooring/limits/Limits", {
  defaultValue: () => defaults
})

const invalid = (problems: ReadonlyArray<Wire.Problem>) => new LimitsInvalid({ problems })
const decodeWire = Wire.decoder(LimitsSchema)
const decodeValues = Wire.decoder(Schema.toType(LimitsSchema))

/**
 * Decodes limits in their wire form, for example the `[limits]` table of a
 * host file.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (input: unknown): Result.Result<Values, LimitsInvalid> =>
  Result.mapError(decodeWire(input), invalid)

/**
 * Provides limits that differ from the defaults in the given keys.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Partial<Values>): Layer.Layer<never, LimitsInvalid> =>
  Layer.effect(Limits, Effect.fromResult(Result.mapError(decodeValues({ ...defaults, ...options }), invalid)))
