/**
 * A connection that requests may use one after the other: those of whom it was
 * made for, to the same granted target, under the same policy of addresses and
 * the same TLS settings, and no others.
 */
import type { Socket } from "node:net"
import type { SecureContext } from "node:tls"
import type { AddressDenied } from "../../connection/ConnectionError.ts"
import type { Outgoing } from "../../requests/RequestClient.ts"
import * as Sockets from "./sockets.ts"

/** Whom a connection belongs to. */
export interface Belongs {
  readonly owner: string
  readonly granted: string
  readonly origin: string
  readonly privateAddresses: boolean
  /** The same for the same settings. */
  readonly context: SecureContext
  readonly serverName: string | undefined
}

/** As targets are compared: a name that ends with a dot is the one without it, also in the host that is written. */
export const originOf = (url: string): string => new URL(url).origin.replace(/\.(?=:\d+$|$)/, "")

export const belongs = ({ owner, request, tls, url }: Outgoing, context: SecureContext): Belongs => ({
  owner,
  granted: request.granted.id,
  origin: originOf(url),
  privateAddresses: request.privateAddresses,
  context,
  serverName: tls?.serverName
})

const isSame = (one: Belongs, other: Belongs): boolean =>
  one.owner === other.owner &&
  one.granted === other.granted &&
  one.origin === other.origin &&
  one.privateAddresses === other.privateAddresses &&
  one.context === other.context &&
  one.serverName === other.serverName

export class Connection {
  readonly belongs: Belongs
  readonly sockets: Sockets.Sockets = new Set()
  /** Who uses it now is told of an address that turned out to be denied. */
  user: ((error: AddressDenied) => void) | undefined = undefined
  readonly #closed: () => void

  /** `closed` is called when it was closed, to give back what else it holds. */
  constructor(belonging: Belongs, closed: () => void) {
    this.belongs = belonging
    this.#closed = closed
  }

  isFor(wanted: Belongs): boolean {
    return isSame(this.belongs, wanted)
  }

  readonly denied = (error: AddressDenied): void => {
    if (this.user === undefined) this.close()
    else this.user(error)
  }

  close(): void {
    this.destroy()
    this.#closed()
  }

  /** Its sockets alone. */
  destroy(): void {
    Sockets.destroy(this.sockets)
  }
}

/** A connection with what requests are written to. */
export interface Connected {
  readonly connection: Connection
  readonly socket: Socket
}
