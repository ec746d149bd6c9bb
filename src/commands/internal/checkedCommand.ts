/**
 * A command whose form was checked: what only the host's own checks make, and
 * nobody can change any more.
 */
import type { Kind, Payloads } from "../OutputCommandWire.ts"

/**
 * Ids that a plugin may give a command. The host fills in what is missing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ids {
  readonly commandId?: string
  readonly correlationId?: string
  readonly sourceEventId?: string
}

const NO_IDS: Ids = {}

/**
 * What a checked command says: a kind, its payload and ids, which belong to
 * the host alone.
 *
 * @category models
 * @since 0.2.0
 */
export type Content = {
  readonly [K in Kind]: { readonly kind: K; readonly payload: Payloads[K]; readonly ids: Ids }
}[Kind]

let make: (content: Content) => OutputCommand
let isChecked: (value: unknown) => value is OutputCommand
let contentOf: (command: OutputCommand) => Content

/**
 * A command whose form was checked. Nobody can change it any more: its getters
 * give copies.
 *
 * @category models
 * @since 0.1.0
 */
export class OutputCommand {
  readonly #content: Content

  private constructor(content: Content) {
    this.#content = content
  }

  static {
    make = (content) => new OutputCommand(content)
    isChecked = (value): value is OutputCommand => typeof value === "object" && value !== null && #content in value
    contentOf = (command) => command.#content
  }

  get kind(): Kind {
    return this.#content.kind
  }

  get payload(): Payloads[Kind] {
    return structuredClone(this.#content.payload)
  }

  get ids(): Ids {
    return { ...this.#content.ids }
  }
}

/**
 * Whether a value is a command whose form was checked.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isOutputCommand = (value: unknown): value is OutputCommand => isChecked(value)

/**
 * What a checked command says, as the host holds it: for reading.
 *
 * @category getters
 * @since 0.2.0
 */
export const content = (command: OutputCommand): Content => contentOf(command)

/** Makes one of what was checked. */
export const checked = (said: Content): OutputCommand => make(said)

// A name of an ingress that isn't one is found nowhere, like any that doesn't exist.
export const isText = (value: unknown): value is string => typeof value === "string" && value.isWellFormed()

/** A send with nothing beside its connection and its data. */
export const sending = (named: { readonly url: string; readonly ingressName?: string }, data: string | Uint8Array) =>
  checked({
    kind: "websocket_send",
    payload: typeof data === "string" ? { ...named, text: data } : { ...named, bytes: data },
    ids: NO_IDS
  })

/** Ids as the wire has them. */
export const envelope = (ids: Ids | undefined) => ({
  ...(ids?.commandId === undefined ? {} : { command_id: ids.commandId }),
  ...(ids?.correlationId === undefined ? {} : { correlation_id: ids.correlationId }),
  ...(ids?.sourceEventId === undefined ? {} : { source_event_id: ids.sourceEventId })
})
