/**
 * What the operator says of the sources of one ingress: which they are, how
 * they are dialled, and with what bounds.
 *
 * @since 0.3.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import { SourceLimits } from "../limits/Limits.ts"
import * as HeaderFields from "./internal/headers.ts"
import { tlsOf } from "./internal/tls.ts"
import { HostCloseCode, PeerCloseCode } from "./Manifest.ts"
import { Outside, OutsideOrValue } from "./Outside.ts"

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

// What the upgrade itself consists of (RFC 6455, section 4.1, and RFC 9110, section 7.6.1) is not the operator's to set.
const RESERVED =
  "host|connection|upgrade|sec-websocket-.*|content-length|transfer-encoding|te|trailer|keep-alive|proxy-.*"

/**
 * Headers for the upgrade, but for those that it consists of itself.
 *
 * @category schemas
 * @since 0.2.0
 */
export const Headers = HeaderFields.recordOf(RESERVED, "part of the upgrade itself")

/**
 * One schema for what is written and one for what a program makes: they differ
 * in where a text may come from.
 */
const settingsOf = <Text extends Schema.Constraint>(text: Text) =>
  Wire.struct({
    urls: Schema.optionalKey(Schema.Array(Schema.String)),
    headers: Schema.optionalKey(Headers),
    tls: Schema.optionalKey(tlsOf(text)),
    compression: Schema.optionalKey(Schema.Boolean),
    fastPath: Schema.optionalKey(Schema.Boolean),
    limits: Schema.optionalKey(SourceLimits),
    reconnect: Schema.optionalKey(ReconnectSettings),
    staleAfterMs: millis(0, DAY, 0),
    staleReconnect: Schema.optionalKey(Schema.Boolean)
  }).annotate({ identifier: "SourceSettings" })

/**
 * What the operator says of one ingress, as it is written: its sources instead
 * of the manifest's, headers for the upgrade, TLS (PEM texts, and the name that
 * the server's certificate has to have), whether permessage-deflate is offered,
 * whether frames may be read by a faster way than the library's, limits of its own, reconnecting, staleness in milliseconds (0: off) and
 * whether a source is dialled anew for it.
 *
 * @category schemas
 * @since 0.1.0
 */
export const SourceSettings = settingsOf(Outside)

/**
 * The same as a program makes it, with values in place of variables and files
 * where it has them.
 *
 * @category schemas
 * @since 0.3.0
 */
export const SourceSettingsMade = settingsOf(OutsideOrValue)

/**
 * @category models
 * @since 0.1.0
 */
export type SourceSettings = typeof SourceSettingsMade.Type
