/**
 * The wire form of a command: what a plugin's values are decoded from, whoever
 * made them, and what can be used of one whose form is wrong.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Base64 from "../../internal/base64.ts"
import * as Wire from "../../internal/wire.ts"
import { CommandMalformed } from "../CommandError.ts"
import { byKind, CommandId, FIELDS, type Kind, OutputCommandWire } from "../OutputCommandWire.ts"
import { written } from "../SendPayload.ts"
import {
  checked,
  content,
  envelope,
  isOutputCommand,
  isText,
  sending,
  type Content,
  type Ids,
  type OutputCommand
} from "./checkedCommand.ts"

/**
 * A checked command in its wire form.
 *
 * @category encoding
 * @since 0.2.0
 */
export const encode = (command: OutputCommand): typeof OutputCommandWire.Encoded => {
  const { ids, kind, payload } = content(command)
  if (kind !== "websocket_send") return encodeWire({ kind, payload, ...ids } as typeof OutputCommandWire.Type)
  // What the constructor made needs no schema here, either.
  return { kind, payload: written(payload), ...envelope(ids) }
}

const encodeWire = Schema.encodeSync(OutputCommandWire)

const AnyKind = Schema.Literals(Object.keys(byKind) as ReadonlyArray<Kind>)
const Kinds = Schema.Struct({ kind: AnyKind })

/**
 * A send as nearly all are, with a URL and a text or base64 and nothing else, from its
 * wire form: what its schema says costs more than everything else that is done
 * with it. Undefined for any other value, which the schema judges.
 *
 * @category decoding
 * @since 0.4.0
 */
export const plainSend = (value: unknown): OutputCommand | undefined => {
  if (!hasExactly(value, "kind", "payload") || value.kind !== "websocket_send") return undefined
  const { payload } = value
  if (hasExactly(payload, "url", "text")) {
    const { text, url } = payload
    return isText(url) && isText(text) ? sending({ url }, text) : undefined
  }
  if (!hasExactly(payload, "url", "base64")) return undefined
  const { base64, url } = payload
  const bytes = typeof base64 === "string" ? Base64.decode(base64) : undefined
  return isText(url) && bytes !== undefined ? sending({ url }, bytes) : undefined
}

/** Whether a value is an object with these two properties of its own and no other. */
const hasExactly = <One extends string, Other extends string>(
  value: unknown,
  one: One,
  other: Other
): value is Readonly<Record<One | Other, unknown>> =>
  typeof value === "object" &&
  value !== null &&
  Object.hasOwn(value, one) &&
  Object.hasOwn(value, other) &&
  Reflect.ownKeys(value).length === 2

/**
 * Checks a command that came from a plugin: one made by a constructor as it
 * is, anything else by its schema.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (value: unknown): Result.Result<OutputCommand, CommandMalformed> => {
  if (isOutputCommand(value)) return Result.succeed(value)
  try {
    const plain = plainSend(value)
    return plain === undefined ? decodeWire(value) : Result.succeed(plain)
  } catch {
    // A getter or a proxy: looking at it is running the plugin's code.
    return Result.fail(new CommandMalformed({ problems: [{ path: "", message: "Expected a value that can be read" }] }))
  }
}

const decodeWire = (value: unknown): Result.Result<OutputCommand, CommandMalformed> => {
  const kind = Schema.decodeUnknownResult(Kinds)(value)
  if (Result.isFailure(kind)) return Result.fail(malformed(kind.failure))
  return Result.mapBoth(Schema.decodeUnknownResult(byKind[kind.success.kind], Wire.strict)(value), {
    onFailure: malformed,
    onSuccess: ({ commandId, correlationId, payload, sourceEventId, ...rest }) =>
      // The kind and its payload belong together, which the union of the schemas says and this spread can't.
      checked({
        kind: rest.kind,
        payload,
        ids: {
          ...(commandId === undefined ? {} : { commandId }),
          ...(correlationId === undefined ? {} : { correlationId }),
          ...(sourceEventId === undefined ? {} : { sourceEventId })
        }
      } as Content)
  })
}

const malformed = (error: Schema.SchemaError): CommandMalformed =>
  new CommandMalformed({
    problems: Wire.problemsOf(error.issue, Wire.allKnown)
      .slice(0, 8)
      .map(({ message, path }) => ({ message, path: ownPath(path) }))
  })

/** A path up to the first key that the plugin made up: that is its text, not ours. */
const ownPath = (path: string): string => {
  const keys = path.split(".")
  const foreign = keys.findIndex((key) => key !== "" && !FIELDS.has(key))
  return foreign < 0 ? path : [...keys.slice(0, foreign), "\u{2026}"].join(".")
}

const KnownId = Schema.is(CommandId)
const KnownKind = Schema.is(AnyKind)

/**
 * What a result says of its command: an unusable kind is null, unusable ids are
 * absent.
 *
 * @category models
 * @since 0.2.0
 */
export interface Salvaged {
  readonly kind: Kind | null
  readonly ids: Ids
}

/**
 * What can be used of a command whose form is wrong: its ids and its kind, each
 * on its own.
 *
 * @category decoding
 * @since 0.1.0
 */
export const salvage = (value: unknown): Salvaged => {
  if (isOutputCommand(value)) return content(value)
  const own = (key: string): unknown => {
    try {
      return Object.getOwnPropertyDescriptor(value, key)?.value
    } catch {
      // It has no properties, or can't be looked at.
      return undefined
    }
  }
  const kind = own("kind")
  const commandId = own("command_id")
  const correlationId = own("correlation_id")
  return {
    kind: KnownKind(kind) ? kind : null,
    ids: {
      ...(KnownId(commandId) ? { commandId } : {}),
      ...(KnownId(correlationId) ? { correlationId } : {})
    }
  }
}
