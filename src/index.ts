/**
 * Mooring: a host runtime for service plugins that react to long-lived
 * WebSocket connections.
 *
 * @since 0.1.0
 */
export * as AddressPolicy from "./grants/AddressPolicy.ts"
export * as CommandError from "./commands/CommandError.ts"
export * as CommandResult from "./commands/CommandResult.ts"
export * as ConnectionError from "./connection/ConnectionError.ts"
export * as Diagnostic from "./diagnostics/Diagnostic.ts"
export * as Enablement from "./manifest/Enablement.ts"
export * as GrantError from "./grants/GrantError.ts"
export * as Grants from "./grants/Grants.ts"
export * as GrantStore from "./grants/GrantStore.ts"
export * as HostError from "./host/HostError.ts"
export * as HostStatus from "./host/HostStatus.ts"
export * as IngressError from "./ingress/IngressError.ts"
export * as IngressEvent from "./ingress/IngressEvent.ts"
export * as IngressEventWire from "./ingress/IngressEventWire.ts"
export * as Limits from "./limits/Limits.ts"
export * as Manifest from "./manifest/Manifest.ts"
export * as ManifestError from "./manifest/ManifestError.ts"
export * as OutputCommandWire from "./commands/OutputCommandWire.ts"
export * as OutputCommand from "./commands/OutputCommand.ts"
export * as Permission from "./manifest/Permission.ts"
export * as PluginError from "./plugin/PluginError.ts"
export * as PluginHost from "./host/PluginHost.ts"
export * as PluginRef from "./manifest/PluginRef.ts"
export * as PluginRuntime from "./plugin/PluginRuntime.ts"
export * as ServicePlugin from "./plugin/ServicePlugin.ts"
export * as SocketUrl from "./manifest/SocketUrl.ts"
export * as WebSocketClient from "./connection/WebSocketClient.ts"
export * as WebSocketTarget from "./manifest/WebSocketTarget.ts"
