/**
 * What a server may do, for property tests of plugins: texts, bursts, other
 * frames, and every way in which a connection ends, for Effect's `Arbitrary`
 * with its shrinking and replays.
 *
 * @since 0.2.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import type { Remote } from "./Remote.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/**
 * A code that a server's close frame may have (RFC 6455, section 7.4, and the
 * registry that it opened).
 *
 * @category schemas
 * @since 0.2.0
 */
export const CloseCode = Schema.Union([between(1000, 1003), between(1007, 1014), between(3000, 4999)])

// RFC 6455, section 5.5.1: what a close frame has room for beside its code.
const CloseReason = Schema.String.check(
  Schema.makeFilter((reason: string) => reason.isWellFormed() && new TextEncoder().encode(reason).length <= 123)
)

/**
 * A text as it comes in a frame: well-formed, and now and then empty, JSON, or
 * larger than what most protocols send.
 *
 * @category schemas
 * @since 0.2.0
 */
export const FrameText = Schema.Union([
  Schema.String.check(Schema.makeFilter((text: string) => text.isWellFormed())),
  Schema.Literals(["", "{}", '{"op":1,"d":null}', "[1,2", "\u{1f6a2} ahoy", "x".repeat(5000)])
])

/**
 * One thing that a server does on an open connection.
 *
 * @category schemas
 * @since 0.2.0
 */
export const ServerAction = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("text"), text: FrameText }),
  Schema.Struct({ kind: Schema.Literal("burst"), texts: Schema.Array(FrameText) }),
  Schema.Struct({ kind: Schema.Literal("binary"), bytes: between(0, 65_536) }),
  Schema.Struct({ kind: Schema.Literal("ping") }),
  Schema.Struct({ kind: Schema.Literal("close"), code: CloseCode, reason: CloseReason }),
  Schema.Struct({ kind: Schema.Literal("breakOff") })
])

/**
 * @category models
 * @since 0.2.0
 */
export type ServerAction = typeof ServerAction.Type

/**
 * Up to so many things in a row; what follows an end reaches nobody.
 *
 * @category arbitraries
 * @since 0.2.0
 */
export const serverScript = (most = 20): Arbitrary.Arbitrary<ReadonlyArray<ServerAction>> =>
  Arbitrary.array(Arbitrary.schema(ServerAction), { maxLength: most })

/**
 * Plays one action on the server's end of a connection.
 *
 * @category combinators
 * @since 0.2.0
 */
export const play = (remote: Remote, action: ServerAction): void => {
  switch (action.kind) {
    case "text":
      return remote.sendText(action.text)
    case "burst":
      return remote.sendBurst(action.texts)
    case "binary":
      return remote.sendBinary(action.bytes)
    case "ping":
      return remote.ping()
    case "close":
      return remote.close(action.code, action.reason)
    case "breakOff":
      return remote.breakOff()
  }
}
