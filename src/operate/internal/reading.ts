/**
 * The status as a collector of metrics reads it: computed once for all series
 * of a collection, when the first of them is read.
 *
 * That first one is the host's own, which stands before all others in the
 * registry and always has the status computed anew. Whatever is read by itself
 * has a status of the same turn of the event loop.
 */
import type { ConnectionStatus, HostStatus, PluginStatus } from "../../host/HostStatus.ts"

interface Row {
  readonly status: PluginStatus
  readonly connections: ReadonlyMap<string, ConnectionStatus>
}

interface Known {
  readonly host: HostStatus["host"]
  readonly rows: ReadonlyMap<string, Row>
}

export class Reading {
  readonly #status: () => HostStatus
  #known: Known | undefined = undefined

  constructor(status: () => HostStatus) {
    this.#status = status
  }

  /** The host's own part of a status that is computed now. */
  get fresh(): HostStatus["host"] {
    this.#known = undefined
    return this.host
  }

  get host(): HostStatus["host"] {
    return this.#read().host
  }

  plugin(ref: string): PluginStatus | undefined {
    return this.#read().rows.get(ref)?.status
  }

  connection(ref: string, id: string): ConnectionStatus | undefined {
    return this.#read().rows.get(ref)?.connections.get(id)
  }

  #read(): Known {
    if (this.#known !== undefined) return this.#known
    const { host, plugins } = this.#status()
    // Behind those that are enabled stand those that are being stopped, maybe of the same reference.
    const rows = new Map(plugins.toReversed().map((row) => [row.pluginRef, rowOf(row)]))
    this.#known = { host, rows }
    queueMicrotask(() => {
      this.#known = undefined
    })
    return this.#known
  }
}

const rowOf = (status: PluginStatus): Row => ({
  status,
  connections: new Map(status.websocketConnections.map((connection) => [connection.id, connection]))
})
