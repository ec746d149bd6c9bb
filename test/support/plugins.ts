/** Packages and enablements that tests share. */
import {
  Enablement,
  OutputCommand,
  type PluginRuntime,
  type RequestTarget,
  ServicePlugin,
  type WebSocketTarget
} from "mooring"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"

export const GATEWAY = "ws://127.0.0.1:7700/gateway"

export const target: WebSocketTarget.WebSocketTarget = {
  scheme: "ws",
  host: "127.0.0.1",
  port: "*",
  pathPrefixes: ["/"]
}

const encodeTarget = ({ pathPrefixes, ...rest }: WebSocketTarget.WebSocketTarget | RequestTarget.RequestTarget) => ({
  ...rest,
  path_prefixes: pathPrefixes
})

type Gateway = { readonly gateway: ServicePlugin.IngressDeclaration }

/** A plugin `test.<name>` with one ingress, `gateway`. */
export const plugin = (
  options: Pick<ServicePlugin.Options<Gateway>, "status" | "stop"> & {
    readonly name?: string
    readonly sources?: ReadonlyArray<string>
    readonly ingress?: ServicePlugin.IngressDeclaration
    readonly websocket?: ReadonlyArray<WebSocketTarget.WebSocketTarget>
    readonly request?: ReadonlyArray<RequestTarget.RequestTarget>
    readonly handlers?: ServicePlugin.Options<Gateway>["handlers"]
  }
): PluginRuntime.PluginPackage =>
  ServicePlugin.make({
    id: `test.${options.name ?? "plugin"}`,
    version: "1.0.0",
    ingresses: { gateway: { sources: options.sources ?? [GATEWAY], ...options.ingress } },
    websocket: options.websocket ?? [target],
    handlers: options.handlers ?? {},
    ...(options.request === undefined ? {} : { request: options.request }),
    ...(options.status === undefined ? {} : { status: options.status }),
    ...(options.stop === undefined ? {} : { stop: options.stop })
  })

export const FINE = "ws://127.0.0.1:7700/fine"

/** A neighbour with a source of its own that answers every text. */
export const fine = plugin({
  name: "fine",
  sources: [FINE],
  handlers: { gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, "fine")] }) } }
})

/** Enables a package with everything that it declares granted, unless `change` says otherwise. */
export const enable = (
  pkg: PluginRuntime.PluginPackage,
  change: { readonly [key: string]: unknown } = {}
): Enablement.Enablement =>
  Result.getOrThrow(
    Enablement.decode({
      id: `project:${pkg.manifest.id}`,
      version: pkg.manifest.version,
      digest: pkg.digest,
      grants: {
        permissions: pkg.manifest.permissions,
        websocket: pkg.manifest.websocket.map(encodeTarget),
        request: pkg.manifest.request.map(encodeTarget)
      },
      ...change
    })
  )

export const refOf = (pkg: PluginRuntime.PluginPackage): string => `project:${pkg.manifest.id}`
