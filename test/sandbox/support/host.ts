/** Sandboxed packages, and hosts that run them in real workers on the fake network. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Limits, PluginRuntime } from "mooring"
import { Sandbox } from "mooring/sandbox"
import { EVENT_KINDS } from "../../support/frames.ts"
import { onFake } from "../../support/host.ts"
import { enable, FINE, GATEWAY, plugin } from "../../support/plugins.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A package of `plugin` whose code is this, in a sandbox. */
export const sandboxed = (
  sandbox: Sandbox.Sandbox["Service"],
  entry: string,
  options: Parameters<typeof plugin>[0] & { readonly map?: string } = {}
): PluginRuntime.PluginPackage => {
  const { map, ...declared } = options
  const { digest, manifest } = plugin({ ingress: { eventKinds: [...EVENT_KINDS] }, ...declared })
  return sandbox.package({
    manifest: { ...manifest, runtime: { kind: "javascript", entry: "plugin.js" } },
    digest,
    entry: bytes(entry),
    sourceMap: map === undefined ? undefined : bytes(map)
  })
}

/** Does whatever a text, or a binary frame, says, and answers with what that makes. */
export const OBEDIENT = `
import { fromBase64, websocketSend } from "mooring/guest"
const saidIn = ({ base64, text }) => (base64 === undefined ? text : new TextDecoder().decode(fromBase64(base64)))
export function handleIngress(name, event) {
  const said = saidIn(event.payload)
  if (said === undefined) return {}
  const made = (0, eval)(said)
  return said.startsWith("answer") || typeof made === "string"
    ? { output_commands: [websocketSend(event, String(made))] }
    : made
}`

/** Counts its texts, in its state too. */
export const COUNTING = `
import { websocketSend } from "mooring/guest"
let count = 0
let why = ""
export function start(config, { reason, state }) {
  why = reason
  count = state ?? 0
}
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  count++
  return { state: count, output_commands: [websocketSend(event, why + " " + count)] }
}`

export interface Setup {
  readonly code?: string
  /** The neighbour's code, where it is to do something else than count. */
  readonly neighbour?: string
  readonly map?: string
  readonly limits?: Partial<Limits.Values>
  readonly config?: unknown
  /** The deadline of the one that the test is about. */
  readonly deadlineMs?: number
}

/** One sandboxed plugin that a test is about, and a neighbour that counts, in one worker unless the limits say otherwise. */
export const beside = ({
  code = OBEDIENT,
  config = {},
  deadlineMs = 200,
  limits,
  map,
  neighbour: next = COUNTING
}: Setup) =>
  Layer.unwrap(
    Effect.map(Sandbox.Sandbox, (sandbox) => {
      const own = sandboxed(sandbox, code, map === undefined ? {} : { map })
      const neighbour = sandboxed(sandbox, next, { name: "neighbour", sources: [FINE] })
      return onFake({
        plugins: [own, neighbour],
        enabled: [enable(own, { config, limits: { dispatch_deadline_ms: deadlineMs } }), enable(neighbour)],
        limits: { sandboxWorkers: 1, ...limits }
      })
    })
  ).pipe(Layer.provide(Sandbox.layer))

export { FINE, GATEWAY }
