/**
 * What tests of plugins and hosts need.
 *
 * @since 0.1.0
 */
export * as Arbitraries from "./Arbitraries.ts"
export * as FakeRequests from "./FakeRequests.ts"
export * as FakeWebSocket from "./FakeWebSocket.ts"
export * as Remote from "./Remote.ts"
export * as Standstill from "./Standstill.ts"
export * as TestHost from "./TestHost.ts"
export * as TestPackage from "./TestPackage.ts"
export * as StaticSecrets from "./StaticSecrets.ts"
