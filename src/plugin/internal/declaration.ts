/**
 * The manifest of a plugin that is written in Effect, derived from what it
 * declares.
 */
import type { Ingress } from "../../manifest/Manifest.ts"
import type { RequestTarget } from "../../manifest/RequestTarget.ts"
import type { WebSocketTarget } from "../../manifest/WebSocketTarget.ts"

export interface Declared {
  readonly id: string
  readonly version: string
  readonly name?: string
  readonly description?: string
  readonly service?: string
  readonly ingresses: { readonly [name: string]: Partial<Omit<Ingress, "name" | "inputSchema">> }
  readonly websocket: ReadonlyArray<WebSocketTarget>
  readonly request?: ReadonlyArray<RequestTarget>
}

/** The manifest in its wire form: surfaces and permissions are those that the rest needs. */
export const declaration = (options: Declared): unknown => {
  const service = options.service ?? options.id
  const names = Object.keys(options.ingresses)
  const receives = names.length > 0
  const { request = [], websocket } = options
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
      ...(websocket.length > 0 ? [{ kind: "host_api", api: "websocket" }] : []),
      ...(request.length > 0 ? [{ kind: "host_api", api: "request" }] : [])
    ],
    services: [{ name: service, lifecycle: "host-managed" }],
    ingresses: names.map((name) => {
      const { autoReplies, closeCode, description, eventKinds, sources, stopCodes, urgent } =
        options.ingresses[name] ?? {}
      return Object.fromEntries(
        Object.entries({
          name,
          description,
          sources,
          event_kinds: eventKinds,
          urgent,
          auto_replies: autoReplies,
          stop_codes: stopCodes,
          close_code: closeCode
        }).filter(([, value]) => value !== undefined)
      )
    }),
    websocket: websocket.map(({ pathPrefixes, ...target }) => ({ ...target, path_prefixes: pathPrefixes })),
    request: request.map(({ pathPrefixes, ...target }) => ({ ...target, path_prefixes: pathPrefixes }))
  }
}
