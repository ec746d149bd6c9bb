/**
 * A service plugin written in Effect: what it declares, and its handlers by
 * ingress and kind.
 *
 * In-process plugins are trusted with the process, but with nothing else: they
 * have no connection of their own, and what they ask for is checked like any
 * plugin's.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Delivery } from "../ingress/Delivery.ts"
import type { ByKind, Delivered } from "../ingress/IngressEvent.ts"
import { abandon } from "../internal/promises.ts"
import * as Log from "../internal/log.ts"
import * as Wire from "../internal/wire.ts"
import * as Manifest from "../manifest/Manifest.ts"
import { ManifestInvalid } from "../manifest/ManifestError.ts"
import { DIGEST_WITHOUT_FILES } from "../manifest/PluginRef.ts"
import type { RequestTarget } from "../manifest/RequestTarget.ts"
import type { WebSocketTarget } from "../manifest/WebSocketTarget.ts"
import type { Texts } from "../secrets/StandIns.ts"
import { declaration } from "./internal/declaration.ts"
import { effectOf, EXPECTED_EFFECT } from "./internal/effects.ts"
import { handler, strangers } from "./internal/handlers.ts"
import { OutputInvalid } from "./PluginError.ts"
import type { Instance, Output, PluginPackage, Start as RawStart } from "./PluginRuntime.ts"
import { SelfDelivery } from "./SelfDelivery.ts"
import * as Signing from "./Signing.ts"

/**
 * What a handler answers with; see `PluginRuntime.Output`. `state` has the
 * plugin's own type.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer<State = Schema.Json> extends Omit<Output, "state"> {
  readonly state?: State
}

type Handle<Event, State, R> = (event: Event) => Effect.Effect<Answer<State> | void, unknown, R>

/**
 * The handlers of one ingress by the kind of event: those of the host, and
 * those that the ingress lists beside them, which the application delivers. A
 * kind without a handler is answered with nothing. Where all handlers return an
 * `Exit` (`Exit.succeed(...)`), an event costs no fiber.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<State = Schema.Json, R = never, Kinds extends string = never> = {
  readonly [Kind in keyof ByKind]?: Handle<ByKind[Kind], State, R>
} & {
  // Not excluded by its key: TypeScript would know the type of no event before it knows all kinds.
  readonly [Kind in OwnKinds<Kinds>]?: Kind extends keyof ByKind ? unknown : Handle<Delivered, State, R>
}

/** The kinds that only the application delivers, where they are known by name. */
type OwnKinds<Kinds extends string> = string extends Kinds ? never : Exclude<Kinds, keyof ByKind>

type KindsOf<Ingress> = Ingress extends { readonly eventKinds: ReadonlyArray<infer Kind extends string> } ? Kind : never

type AllHandlers<Ingresses extends Declarations, State, R> = {
  readonly [Name in keyof Ingresses]?: Handlers<State, R, KindsOf<Ingresses[Name]>>
}

/**
 * What one ingress declares; see `docs/plugins.md`.
 *
 * @category models
 * @since 0.1.0
 */
export type IngressDeclaration = Partial<Omit<Manifest.Ingress, "name" | "inputSchema">>

type Declarations = { readonly [name: string]: IngressDeclaration }

/**
 * What a start is handed: the operator's `config` and the `state` that the
 * plugin last handed over, both as the plugin's schemas decode them. `state` is
 * null where there is none, or none of this form. `secrets` has a stand-in for
 * each secret of the entry, new at every start: a text in whose place the host
 * writes the value where it goes to a target that opens it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Start<Config = Schema.Json, State = Schema.Json> {
  readonly config: Config
  readonly reason: RawStart["reason"]
  readonly state: State | null
  readonly secrets: Texts
}

/**
 * What the host provides to the code of every instance.
 *
 * @category models
 * @since 0.5.0
 */
export type Provided = SelfDelivery | Signing.Signing

/**
 * What a plugin declares and does.
 *
 * **Details**
 *
 * The manifest is derived: the surfaces and permissions are those that the
 * service, its ingresses and its targets need. `handlers` are the handlers of
 * each ingress, or an effect that makes them when an instance starts; what it
 * acquires is released when the instance ends. So is what `layer` builds: the
 * plugin's own services, which its handlers, `status` and `stop` may require.
 * All of them may also require `SelfDelivery` and `Signing`, which nobody needs to
 * provide.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Ingresses extends Declarations, Config = Schema.Json, State = Schema.Json, R = never> {
  readonly id: string
  readonly version: string
  readonly name?: string
  readonly description?: string
  /** The name of the service; the id, unless given. */
  readonly service?: string
  /** What pins the code, for example a hash that the build makes. Without one it is that of a package without files. */
  readonly digest?: string
  readonly ingresses: Ingresses
  readonly websocket: ReadonlyArray<WebSocketTarget>
  /** What it may request over HTTP; nothing, unless given. */
  readonly request?: ReadonlyArray<RequestTarget>
  /** The form of `config`. Another one is `ManifestInvalid`: the plugin isn't started until the operator corrects it. */
  readonly config?: Schema.Codec<Config, unknown>
  /** The form of `state`. What is handed over is encoded; what is handed back and doesn't fit is null. */
  readonly state?: Schema.Codec<State, unknown>
  /** Built when an instance starts, and released when it ends. Give it a name first: TypeScript infers `R` from it. */
  readonly layer?: Layer.Layer<R, unknown, Provided>
  readonly handlers:
    | AllHandlers<NoInfer<Ingresses>, NoInfer<State>, NoInfer<R> | Provided>
    | ((
        start: Start<NoInfer<Config>, NoInfer<State>>
      ) => Effect.Effect<
        AllHandlers<NoInfer<Ingresses>, NoInfer<State>, NoInfer<R> | Provided>,
        unknown,
        Scope.Scope | NoInfer<R> | Provided
      >)
  /** What it has to say of itself, asked between two events and at most every 10 seconds. */
  readonly status?: Effect.Effect<Schema.Json, unknown, NoInfer<R> | Provided>
  /** Runs when the instance stops in order, before its scope closes. */
  readonly stop?: Effect.Effect<void, unknown, NoInfer<R> | Provided>
}

/**
 * Makes a package of a plugin written in Effect.
 *
 * **Gotchas**
 *
 * Throws `ManifestInvalid`, with every problem, where the declaration is not
 * valid: it is part of the program's text.
 *
 * **Example** (A plugin that answers every text)
 *
 * ```ts
 * import { Exit } from "effect"
 * import { OutputCommand, ServicePlugin } from "mooring"
 *
 * export const echo = ServicePlugin.make({
 *   id: "example.echo",
 *   version: "0.1.0",
 *   ingresses: { gateway: { sources: ["ws://127.0.0.1:7700/gateway"] } },
 *   websocket: [{ scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/gateway"] }],
 *   handlers: {
 *     gateway: {
 *       websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
 *     }
 *   }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Ingresses extends Declarations, Config = Schema.Json, State = Schema.Json, R = never>(
  options: Options<Ingresses, Config, State, R>
): PluginPackage => {
  const problems = mistakes(options)
  if (problems.length > 0) throw new ManifestInvalid({ subject: "manifest", problems })
  return {
    manifest: Result.getOrThrow(Manifest.decode(declaration(options))),
    digest: options.digest ?? DIGEST_WITHOUT_FILES,
    runtime: { isInProcess: true, start: (start) => started(options, start) }
  }
}

interface Coded {
  readonly config?: unknown
  readonly state?: unknown
  readonly layer?: unknown
  readonly handlers: unknown
  readonly status?: unknown
  readonly stop?: unknown
}

/** What JavaScript may hand over and TypeScript wouldn't let through. */
const mistakes = ({ config, handlers, layer, state, status, stop }: Coded): ReadonlyArray<Wire.Problem> => {
  return [
    ...expected("config", config, Schema.isSchema(config), "Expected a Schema"),
    ...expected("state", state, Schema.isSchema(state), "Expected a Schema"),
    ...expected("layer", layer, Layer.isLayer(layer), "Expected a Layer"),
    ...expected("status", status, Effect.isEffect(status), EXPECTED_EFFECT),
    ...expected("stop", stop, Effect.isEffect(stop), EXPECTED_EFFECT),
    ...(typeof handlers === "function" ? [] : strangers(handlers))
  ]
}

const expected = (path: string, value: unknown, isWell: boolean, message: string): ReadonlyArray<Wire.Problem> => {
  if (value === undefined || isWell) return []
  abandon(value)
  return [{ path, message }]
}

const started = <Ingresses extends Declarations, Config, State, R>(
  options: Options<Ingresses, Config, State, R>,
  start: RawStart
): Effect.Effect<Instance, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const config = yield* Effect.fromResult(configOf(options.config, start.config))
    const state = yield* stateOf(options.state, start.state)
    const services = yield* servicesOf(options.layer, start)
    const { handlers, status, stop = Effect.void } = options
    const { reason, secrets } = start
    const made =
      typeof handlers === "function"
        ? yield* Effect.provideContext(effectOf(handlers({ config, reason, state, secrets })), services)
        : handlers
    const problems = strangers(made)
    if (problems.length > 0) return yield* new OutputInvalid({ problems })
    // What these require are the services, which the host provides to all of them.
    const unprovided = { status, stop } as Pick<Instance, "status" | "stop">
    return { ...unprovided, handle: handler(made, options.state), services }
  })

/** What an instance's code may require: its own services, how it hands itself an event, and what signs for it. */
const servicesOf = <R>(
  layer: Layer.Layer<R, unknown, Provided> | undefined,
  { deliver, keys }: RawStart
): Effect.Effect<Context.Context<R | Provided>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const self = { deliver: (delivery: Delivery) => Effect.suspend(() => Effect.fromResult(deliver(delivery))) }
    const provided = Context.add(Context.make(SelfDelivery, self), Signing.Signing, yield* Signing.make(keys))
    // Without a layer nothing else can be required: R is never.
    if (layer === undefined) return provided as Context.Context<R | Provided>
    // A layer of the application's own is never shared with an instance.
    const services = yield* Layer.build(Layer.provide(Layer.fresh(layer), Layer.succeedContext(provided)))
    return Context.merge(provided, services)
  })

/** The configuration in the plugin's own form. What is wrong with it is for the operator to correct. */
const configOf = <Config>(
  schema: Schema.Codec<Config, unknown> | undefined,
  config: Schema.Json
): Result.Result<Config, ManifestInvalid> =>
  // Without a schema Config is Json.
  schema === undefined
    ? Result.succeed(config as Config)
    : Result.mapError(
        Wire.decoder(schema)(config),
        (problems) =>
          new ManifestInvalid({
            subject: "enablement",
            problems: problems.map(({ message, path }) => ({
              path: path === "" ? "config" : `config.${path}`,
              message
            }))
          })
      )

/** The state in the plugin's own form. One of another form is of no use, and must not keep the plugin from starting. */
const stateOf = <State>(
  schema: Schema.Codec<State, unknown> | undefined,
  state: Schema.Json
): Effect.Effect<State | null> => {
  // Without a schema State is Json.
  if (schema === undefined || state === null) return Effect.succeed(state as State | null)
  const decoded = Wire.decoder(schema)(state)
  return Result.isSuccess(decoded)
    ? Effect.succeed(decoded.success)
    : Effect.as(
        Log.written(Effect.logWarning("the state that was handed over doesn't have the form of this version")),
        null
      )
}
