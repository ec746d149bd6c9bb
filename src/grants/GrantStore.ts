/**
 * Where grants come from: a port with two members. `lookup` says what a plugin
 * is granted now, `changes` says that the answers may have changed and are to
 * be asked for again.
 *
 * This module has a store that never changes and one that is changed at run
 * time; an application may bring its own (a database, a policy service). What
 * it answers is copied and checked like anything from outside, unknown keys
 * included; a lookup that fails, or that answers with something that is no
 * {@link Grant}, grants nothing.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Wire from "../internal/wire.ts"
import { make, refOf, type Enablement } from "../manifest/Enablement.ts"
import * as Repeats from "../manifest/internal/repeats.ts"
import { ManifestInvalid } from "../manifest/ManifestError.ts"
import { Name, Permission } from "../manifest/Permission.ts"
import * as PluginRef from "../manifest/PluginRef.ts"
import { GrantedRequestTarget, GrantedRequestTargetMade } from "../manifest/RequestTarget.ts"
import { GrantedTarget } from "../manifest/WebSocketTarget.ts"

/** One schema for what is written and one for what a program makes: they differ in where a PEM may come from. */
const grantWith = <Target extends Schema.Constraint>(request: Target) =>
  Schema.Struct({
    id: PluginRef.QualifiedId,
    version: PluginRef.Version,
    digest: PluginRef.Digest,
    permissions: Schema.Array(Permission),
    websocket: Schema.Array(GrantedTarget),
    request: Schema.optionalKey(Schema.Array(request)),
    sign: Schema.optionalKey(Schema.Array(Name))
  }).annotate({ identifier: "Grant" })

/**
 * What the operator allows one enabled plugin, pinned to an exact package.
 * Without `request` no request is granted, without `sign` no secret to sign
 * with.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Grant = grantWith(GrantedRequestTarget)

const GrantMade = grantWith(GrantedRequestTargetMade)

/**
 * @category models
 * @since 0.1.0
 */
export type Grant = typeof GrantMade.Type

const beside = { problems: (input: unknown) => Repeats.requestHeaders(["request"], input) }
const decodeWire = Wire.decoder(Grant, beside)
const decodeTyped = Wire.decoder(Schema.toType(GrantMade), beside)
const invalid = (problems: ReadonlyArray<Wire.Problem>) => new ManifestInvalid({ subject: "grant", problems })

/**
 * Decodes a grant in its wire form, for example a row of a database: the names
 * of a host file, and nothing else.
 *
 * @category decoding
 * @since 0.2.0
 */
export const decode = (input: unknown): Result.Result<Grant, ManifestInvalid> =>
  Result.mapError(decodeWire(input), invalid)

/**
 * Checks what is said to be a grant, under the names of the TypeScript API, and
 * copies it.
 *
 * @category decoding
 * @since 0.2.0
 */
export const check = (grant: unknown): Result.Result<Grant, ManifestInvalid> =>
  Result.mapError(decodeTyped(grant), invalid)

/**
 * The port. Plugins are named by their reference, `project:example.echo` or
 * `project:example.echo#instance`.
 *
 * @category services
 * @since 0.1.0
 */
export class GrantStore extends Context.Service<
  GrantStore,
  {
    /** What a plugin is granted now. A failure, whichever it is, is no grant, and is asked about again after a while. */
    readonly lookup: (pluginRef: string) => Effect.Effect<Option.Option<Grant>, unknown>
    /** One element, of whatever kind, whenever answers may have changed. Where it ends or fails, it is followed anew. */
    readonly changes: Stream.Stream<unknown, unknown>
  }
>()("mooring/grants/GrantStore") {}

/**
 * Changes the grants of a store made by {@link layerMutable}. All take effect
 * at once: connections that are no longer covered are closed.
 *
 * @category services
 * @since 0.1.0
 */
export class GrantEditor extends Context.Service<
  GrantEditor,
  {
    readonly set: (pluginRef: string, grant: Grant) => Effect.Effect<void>
    readonly revoke: (pluginRef: string) => Effect.Effect<void>
    /** Replaces all grants by those that stand in these enablements. */
    readonly replace: (enablements: ReadonlyArray<Enablement>) => Effect.Effect<void>
    /**
     * Replaces all grants together with what they are for: what `change` makes is answered by the new ones, and what
     * was there before hears of them when it has ended.
     */
    readonly replaceWith: (enablements: ReadonlyArray<Enablement>, change: Effect.Effect<void>) => Effect.Effect<void>
  }
>()("mooring/grants/GrantEditor") {}

/**
 * The grant that stands in an enablement, pinned to what the enablement pins
 * unless the grant repeats it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const grantOf = (enablement: Enablement): Grant => ({
  id: enablement.grants.id ?? enablement.id,
  version: enablement.grants.version ?? enablement.version,
  digest: enablement.grants.digest ?? enablement.digest,
  permissions: enablement.grants.permissions,
  websocket: enablement.grants.websocket,
  request: enablement.grants.request,
  sign: enablement.grants.sign
})

/** What each reference is granted: by its first entry, and nothing by one that can't be used. */
const tableOf = (enablements: ReadonlyArray<Enablement>): Map<string, Grant> => {
  const usable = enablements.flatMap((each) =>
    Result.match(make(each), { onFailure: () => [], onSuccess: (made) => [made] })
  )
  return new Map(usable.toReversed().map((enablement) => [refOf(enablement), grantOf(enablement)]))
}

/**
 * A store that holds the grants of these enablements and never changes.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (enablements: ReadonlyArray<Enablement>): Layer.Layer<GrantStore> =>
  Layer.sync(GrantStore, () => {
    const grants = tableOf(enablements)
    return GrantStore.of({
      lookup: (pluginRef) => Effect.sync(() => Option.fromUndefinedOr(grants.get(pluginRef))),
      changes: Stream.never
    })
  })

/**
 * A store that starts with the grants of these enablements and is changed
 * through {@link GrantEditor}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMutable = (enablements: ReadonlyArray<Enablement>): Layer.Layer<GrantStore | GrantEditor> =>
  Layer.effectContext(
    Effect.gen(function* () {
      let grants = tableOf(enablements)
      // One waiting signal is enough: whoever is told looks everything up again.
      const changed = yield* PubSub.sliding<void>(1)
      const edit = (change: () => void) =>
        Effect.suspend(() => {
          change()
          return PubSub.publish(changed, undefined)
        }).pipe(Effect.asVoid)
      return Context.make(GrantStore, {
        lookup: (pluginRef) => Effect.sync(() => Option.fromUndefinedOr(grants.get(pluginRef))),
        changes: Stream.fromPubSub(changed)
      }).pipe(
        Context.add(GrantEditor, {
          set: (pluginRef, grant) => edit(() => grants.set(pluginRef, grant)),
          revoke: (pluginRef) => edit(() => grants.delete(pluginRef)),
          replace: (next) =>
            edit(() => {
              grants = tableOf(next)
            }),
          replaceWith: (next, change) =>
            Effect.suspend(() => {
              grants = tableOf(next)
              return Effect.ensuring(change, PubSub.publish(changed, undefined))
            })
        })
      )
    })
  )
