/**
 * Which connection a command means: by its URL in any spelling, or by the id of
 * its source, in an ingress or in whichever has it. Everything is looked up;
 * nothing is searched for.
 */
import * as Result from "effect/Result"
import type { Connection } from "../../connection/Connection.ts"
import type { Origin } from "../../ingress/Origin.ts"
import * as SocketUrl from "../../manifest/SocketUrl.ts"
import { AmbiguousConnection, CommandUngranted } from "../CommandError.ts"

/** What commands need of a connection. */
export type Addressee = Pick<
  Connection,
  | "source"
  | "limits"
  | "state"
  | "epoch"
  | "target"
  | "covered"
  | "bufferedBytes"
  | "mayDial"
  | "withheld"
  | "denial"
  | "send"
  | "close"
  | "reconnect"
>

/** A connection as a command names it. */
export interface Address {
  readonly url: string
  readonly ingressName?: string
}

type Named<D> = Map<string, Array<D>>

// An error names no more ingresses than somebody would read.
const MOST_NAMED = 8

const add = <D>(named: Named<D>, name: string, destination: D): void => {
  const others = named.get(name)
  if (others === undefined) named.set(name, [destination])
  else others.push(destination)
}

export class Destinations<D extends { readonly connection: Addressee }> {
  readonly #byId = new Map<string, D>()
  /** The canonical URL of each URL as a source writes it, which needn't be parsed again. */
  readonly #canonical = new Map<string, string>()
  /** By id and by canonical URL: in any ingress, and in each. */
  readonly #everywhere: Named<D> = new Map()
  readonly #byIngress = new Map<string, Named<D>>()

  constructor(destinations: ReadonlyArray<D>) {
    for (const destination of destinations) {
      const { canonical, id, ingress, url } = destination.connection.source
      const inIngress: Named<D> = this.#byIngress.get(ingress) ?? new Map()
      this.#byIngress.set(ingress, inIngress)
      this.#byId.set(id, destination)
      this.#canonical.set(url, canonical ?? url)
      for (const name of [id, canonical ?? url]) {
        add(this.#everywhere, name, destination)
        add(inIngress, name, destination)
      }
    }
  }

  /** The connection that a command means, if the plugin has one of that name. */
  find(from: Origin, { ingressName, url }: Address): D | CommandUngranted | AmbiguousConnection {
    if (url === from.url && (ingressName === undefined || ingressName === from.ingressName)) {
      const own = this.#own(from)
      if (own !== undefined) return own
    }
    const found = this.#named(ingressName === undefined ? this.#everywhere : this.#byIngress.get(ingressName), url)
    const [first] = found
    if (first === undefined) return new CommandUngranted({ url: shownOf(url), problem: "no source" })
    const own = this.#own(from)
    if (own !== undefined && own.connection.covered && found.includes(own)) return own
    // One that isn't granted isn't meant.
    const granted = found.filter(({ connection }) => connection.covered)
    if (granted.length <= 1) return granted[0] ?? first
    const ingresses = granted.slice(0, MOST_NAMED).map(({ connection }) => connection.source.ingress)
    return new AmbiguousConnection({ url: first.connection.source.display, ingresses })
  }

  #own({ id }: Origin): D | undefined {
    return this.#byId.get(id ?? "")
  }

  #named(named: Named<D> | undefined, name: string): ReadonlyArray<D> {
    if (named === undefined) return []
    const found = named.get(this.#canonical.get(name) ?? name)
    if (found !== undefined) return found
    const parsed = SocketUrl.parse(name)
    return Result.isSuccess(parsed) ? (named.get(parsed.success.canonical) ?? []) : []
  }
}

/** What may be shown of a URL that is a text of the plugin's: where it leads to, and no more of it. */
export const shownOf = (url: string): string => {
  const parsed = SocketUrl.parse(url)
  return Result.isSuccess(parsed) ? originOf(parsed.success) : "what is not a URL"
}

const originOf = ({ host, port, scheme }: SocketUrl.SocketUrl): string =>
  `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`
