/**
 * What needs Node.
 *
 * @since 0.1.0
 */
export * as Clients from "./Clients.ts"
export * as ControlSettings from "./ControlSettings.ts"
export * as DnsAddresses from "./DnsAddresses.ts"
export * as PackageFolders from "./PackageFolders.ts"
export * as PackageManifest from "./PackageManifest.ts"
export * as HostFile from "./HostFile.ts"
export * as ProxySettings from "./ProxySettings.ts"
export * as UndiciClient from "./UndiciClient.ts"
export * as WsClient from "./WsClient.ts"
export * as CollectorClient from "./CollectorClient.ts"
export * as TelemetrySettings from "./TelemetrySettings.ts"
export * as SystemSecrets from "./SystemSecrets.ts"
