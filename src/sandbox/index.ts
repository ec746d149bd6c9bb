/**
 * Plugins in a sandbox: QuickJS in WebAssembly, in workers.
 *
 * @since 0.3.0
 */
export * as Sandbox from "./Sandbox.ts"
