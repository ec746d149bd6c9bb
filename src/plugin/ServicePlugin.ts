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
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { ByKind, IngressEvent } from "../ingress/IngressEvent.ts"
import * as Manifest from "../manifest/Manifest.ts"
import { DIGEST_WITHOUT_FILES } from "../manifest/PluginRef.ts"
import type { WebSocketTarget } from "../manifest/WebSocketTarget.ts"
import type { Output, PluginPackage, Start } from "./PluginRuntime.ts"

/**
 * The handlers of one ingress by the kind of event. A kind without a handler
 * is answered with nothing. Where all handlers return an `Exit`
 * (`Exit.succeed(...)`), an event costs no fiber.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers = {
  readonly [Kind in keyof ByKind]?: (event: ByKind[Kind]) => Effect.Effect<Output | void, unknown>
}

/**
 * What one ingress declares; see `docs/plugins.md`.
 *
 * @category models
 * @since 0.1.0
 */
export type IngressDeclaration = Partial<Omit<Manifest.Ingress, "name" | "inputSchema">>

/**
 * What a plugin declares and does.
 *
 * **Details**
 *
 * The manifest is derived: the surfaces and permissions are those that the
 * service, its ingresses and its targets need. `handlers` are the handlers of
 * each ingress, or an effect that makes them when an instance starts; what it
 * acquires is released when the instance ends.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<Ingresses extends { readonly [name: string]: IngressDeclaration }> {
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
  readonly handlers:
    | { readonly [Name in keyof Ingresses]?: Handlers }
    | ((start: Start) => Effect.Effect<{ readonly [Name in keyof Ingresses]?: Handlers }, unknown, Scope.Scope>)
  /** Runs when the instance stops in order, before its scope closes. */
  readonly stop?: Effect.Effect<void, unknown>
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
export const make = <const Ingresses extends { readonly [name: string]: IngressDeclaration }>(
  options: Options<Ingresses>
): PluginPackage => {
  const manifest = Result.getOrThrow(Manifest.decode(declaration(options)))
  const { handlers, stop = Effect.void } = options
  return {
    manifest,
    digest: options.digest ?? DIGEST_WITHOUT_FILES,
    runtime: {
      start: (start) =>
        Effect.map(typeof handlers === "function" ? handlers(start) : Effect.succeed(handlers), (started) => ({
          handle: handler(new Map(Object.entries<Handlers | undefined>(started))),
          stop
        }))
    }
  }
}

const declaration = (options: Options<{ readonly [name: string]: IngressDeclaration }>): unknown => {
  const service = options.service ?? options.id
  const names = Object.keys(options.ingresses)
  const receives = names.length > 0
  return {
    schema_version: 1,
    id: options.id,
    name: options.name ?? options.id,
    version: options.version,
    ...(options.description === undefined ? {} : { description: options.description }),
    surfaces: receives ? ["service", "ingress"] : ["service"],
    permissions: [
      { kind: "surface", surface: "service" },
      { kind: "service", name: service },
      ...(receives ? [{ kind: "surface", surface: "ingress" }] : []),
      ...names.map((name) => ({ kind: "ingress", name })),
      ...(options.websocket.length > 0 ? [{ kind: "host_api", api: "websocket" }] : [])
    ],
    services: [{ name: service, lifecycle: "host-managed" }],
    ingresses: names.map((name) => {
      const { closeCode, description, eventKinds, sources, stopCodes } = options.ingresses[name] ?? {}
      return Object.fromEntries(
        Object.entries({
          name,
          description,
          sources,
          event_kinds: eventKinds,
          stop_codes: stopCodes,
          close_code: closeCode
        }).filter(([, value]) => value !== undefined)
      )
    }),
    websocket: options.websocket.map(({ pathPrefixes, ...target }) => ({ ...target, path_prefixes: pathPrefixes }))
  }
}

const handler = (byIngress: ReadonlyMap<string, Handlers | undefined>) => (event: IngressEvent) => {
  const handlers = byIngress.get(event.ingressName)
  switch (event.kind) {
    case "websocket_text":
      return handlers?.websocket_text?.(event) ?? Exit.void
    case "websocket_open":
      return handlers?.websocket_open?.(event) ?? Exit.void
    case "websocket_close":
      return handlers?.websocket_close?.(event) ?? Exit.void
    case "websocket_error":
      return handlers?.websocket_error?.(event) ?? Exit.void
  }
}
