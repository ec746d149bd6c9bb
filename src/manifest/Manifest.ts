/**
 * The manifest: what a package declares that it is and wants. It is never
 * authority by itself; an operator's grant has to say the same.
 *
 * Decoding reports everything that is wrong at once, each with its key path,
 * and never quotes the value.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { freeze } from "../internal/bounded.ts"
import * as Wire from "../internal/wire.ts"
import * as Repeats from "./internal/repeats.ts"
import { ManifestInvalid } from "./ManifestError.ts"
import { Name, Permission } from "./Permission.ts"
import { PackageId, Version } from "./PluginRef.ts"
import { RequestTarget } from "./RequestTarget.ts"
import { WebSocketTarget } from "./WebSocketTarget.ts"

/**
 * Whether events of a kind are, or may some day be, made by the host alone:
 * whatever begins with `websocket_` or `host_`, timers and command results.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isHostKind = (kind: string): boolean => HOST_KIND.test(kind)

const HOST_KIND = /^(?:websocket_|host_|(?:timer|command_result)$)/

/**
 * The kinds of events that an embedding application may deliver: any but those
 * of {@link isHostKind}.
 *
 * @category schemas
 * @since 0.2.0
 */
export const DeliveredKind = Schema.String.check(
  Schema.isPattern(/^(?!websocket_|host_|(?:timer|command_result)$)[a-z][a-z0-9_]{0,127}$/u, {
    expected: "a kind of the application's own"
  })
)

const EventKind = Schema.String.check(
  Schema.isPattern(/^[a-z][a-z0-9_]{0,127}$/u, { expected: "an event kind of lower case letters, digits and '_'" })
)

const Text = Wire.characters(4096)

/** A close code from 1000 to 4999, but only from these ranges, both ends included. */
const closeCode = (expected: string, ...ranges: ReadonlyArray<readonly [minimum: number, maximum: number]>) =>
  Schema.Int.check(
    Schema.isBetween({ minimum: 1000, maximum: 4999 }, { expected }),
    Schema.makeFilter((code: number) => ranges.some(([minimum, maximum]) => code >= minimum && code <= maximum), {
      expected,
      toJsonSchema: () => ({ anyOf: ranges.map(([minimum, maximum]) => ({ minimum, maximum })) })
    })
  )

/**
 * A close code that the host may send: 1000, 1001 or 3000 to 4999 (RFC 6455,
 * section 7.4).
 *
 * @category schemas
 * @since 0.1.0
 */
export const HostCloseCode = closeCode("1000, 1001 or 3000 to 4999", [1000, 1001], [3000, 4999])

/**
 * A close code that may stand in a server's close frame: 1000 to 4999 without
 * those that never go over the wire (RFC 6455, section 7.4.1).
 *
 * @category schemas
 * @since 0.1.0
 */
export const PeerCloseCode = closeCode(
  "a close code from 1000 to 4999, and not 1004, 1005, 1006 or 1015",
  [1000, 1003],
  [1007, 1014],
  [1016, 4999]
)

/** What this host has no use for: any value, but null isn't an absent one. */
const Informative = Schema.Json.check(
  Schema.makeFilter((value: Schema.Json) => value !== null, {
    expected: "a value other than null",
    toJsonSchema: () => ({ not: { type: "null" } })
  })
)

const atMost = (count: number) => Schema.isMaxLength(count, { expected: `at most ${count} of them` })

/** How a text begins that overtakes others, compared byte for byte. */
const Beginning = Wire.boundedText(1, 64)

/** An exact text and what the host answers it with at once, without an event. */
const AutoReply = Schema.Struct({ text: Wire.boundedText(0, 1024), reply: Wire.boundedText(0, 1024) })

/**
 * An ingress: where events come from and which kinds the plugin takes. Without
 * `eventKinds` it takes all but `command_result` and `websocket_binary`.
 * `urgent` are the beginnings of texts that overtake, `autoReplies` the exact
 * texts that the host itself answers.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Ingress = Wire.struct({
  name: Name,
  description: Schema.optionalKey(Text),
  eventKinds: Schema.optionalKey(Schema.Array(EventKind)),
  sources: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  urgent: Schema.optionalKey(Schema.Array(Beginning).check(atMost(8))),
  autoReplies: Schema.optionalKey(Schema.Array(AutoReply).check(atMost(8))),
  stopCodes: Schema.optionalKey(Schema.Array(PeerCloseCode)),
  closeCode: Schema.optionalKey(HostCloseCode),
  inputSchema: Schema.optionalKey(Informative)
}).annotate({ identifier: "Ingress" })

/**
 * @category models
 * @since 0.1.0
 */
export type Ingress = typeof Ingress.Type

const Service = Schema.Struct({
  name: Name,
  description: Schema.optionalKey(Text),
  lifecycle: Schema.Literal("host-managed")
})

const Runtime = Schema.Struct({
  kind: Schema.Literals(["javascript", "wasm-component"]).annotate({
    expected: "'javascript' (or 'wasm-component', which is reserved and takes the place of 'wasm')"
  }),
  entry: Schema.optionalKey(Text)
})

/** Fields of surfaces that this host doesn't serve: understood, and without effect. */
const unserved = {
  tools: Schema.optionalKey(Informative),
  hooks: Schema.optionalKey(Informative),
  statusSchema: Schema.optionalKey(Informative),
  sideEffects: Schema.optionalKey(Informative)
}

/**
 * The manifest's schema. The encoded form is that of `plugin.toml`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Manifest = Wire.struct({
  schemaVersion: Schema.Literal(1),
  id: PackageId,
  name: Text,
  version: Version,
  description: Schema.optionalKey(Text),
  surfaces: Schema.Array(Name),
  permissions: Schema.Array(Permission).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  runtime: Schema.optionalKey(Runtime),
  services: Schema.Array(Service).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  ingresses: Schema.Array(Ingress).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  websocket: Schema.Array(WebSocketTarget).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  request: Schema.Array(RequestTarget).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  ...unserved
}).annotate({ identifier: "Manifest" })

/**
 * @category models
 * @since 0.1.0
 */
export type Manifest = typeof Manifest.Type

/**
 * A manifest as it is written.
 *
 * @category models
 * @since 0.1.0
 */
export type Encoded = typeof Manifest.Encoded

/**
 * Decodes a manifest, for example the table that a TOML parser returned. What
 * it gives is frozen.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (input: unknown): Result.Result<Manifest, ManifestInvalid> =>
  Result.mapBoth(decodeManifest(input), {
    onSuccess: freeze,
    onFailure: (problems) => new ManifestInvalid({ subject: "manifest", problems })
  })

/** What occurs twice though it is a name. */
const repeated = (input: unknown): ReadonlyArray<Wire.Problem> => [
  ...Repeats.names(["services"], named(input, "services", "name")),
  ...Repeats.names(["ingresses"], named(input, "ingresses", "name")),
  ...Repeats.listOf(input, "ingresses").flatMap((ingress, index) => [
    ...Repeats.sources(["ingresses", index, "sources"], Repeats.listOf(ingress, "sources")),
    ...Repeats.names(["ingresses", index, "auto_replies"], named(ingress, "auto_replies", "text"))
  ])
]

const refused = (input: unknown): ReadonlyArray<Wire.Problem> =>
  Repeats.listOf(input, "ingresses").flatMap((ingress, index) =>
    Repeats.refusedSources(["ingresses", index, "sources"], Repeats.listOf(ingress, "sources"))
  )

const named = (input: unknown, list: string, key: string) =>
  Repeats.listOf(input, list).map((item, index) => [index, Repeats.ownOf(item, key)] as const)

const decodeManifest = Wire.decoder(Manifest, { problems: repeated, later: refused })

/**
 * The fields and surfaces that the package declares and this host doesn't
 * serve.
 *
 * @category getters
 * @since 0.1.0
 */
export const notServed = (manifest: Manifest): ReadonlyArray<string> => [
  ...manifest.surfaces.filter((surface) => surface !== "service" && surface !== "ingress"),
  ...(manifest.tools === undefined ? [] : ["tools"]),
  ...(manifest.hooks === undefined ? [] : ["hooks"]),
  ...(manifest.statusSchema === undefined ? [] : ["status_schema"]),
  ...(manifest.sideEffects === undefined ? [] : ["side_effects"])
]

/**
 * Whether an ingress takes events of this kind.
 *
 * @category predicates
 * @since 0.1.0
 */
export const takes = (ingress: Ingress, kind: string): boolean =>
  kind === "timer" || (ingress.eventKinds === undefined ? !ASKED_FOR.includes(kind) : ingress.eventKinds.includes(kind))

/** What an ingress is handed only where it names it. */
const ASKED_FOR: ReadonlyArray<string> = ["command_result", "websocket_binary"]
