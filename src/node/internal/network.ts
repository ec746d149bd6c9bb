/**
 * What all clients of a host dial by: one place where names are looked up, one
 * set of TLS contexts, and one proxy or none.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Lookups from "../../connection/Lookups.ts"
import type { Resolve } from "../../connection/ResolveAddresses.ts"
import type { OwnAddresses } from "../../grants/AddressPolicy.ts"
import * as DnsAddresses from "../DnsAddresses.ts"
import * as ProxySettings from "../ProxySettings.ts"
import * as Interfaces from "./interfaces.ts"
import type { Proxy } from "./proxy.ts"
import { SecureContexts, type ClientTls } from "./secureContexts.ts"

export interface NetworkOptions extends ClientTls {
  readonly resolve?: Resolve
  readonly ownAddresses?: () => ReadonlyArray<string>
  readonly proxy?: ProxySettings.ProxySettings | "unusable"
}

export interface Network {
  readonly lookups: Lookups.Lookups
  readonly contexts: SecureContexts
  /** Those of the host's own interfaces. */
  readonly ours: () => OwnAddresses
  /** Through which everything goes where there is one; null: there is one, and it can't be used. */
  readonly proxy: Proxy | null | undefined
}

/** Dies of certificates and keys that can't be read. */
export const make = ({
  ownAddresses = Interfaces.addresses,
  proxy,
  resolve,
  ...tls
}: NetworkOptions): Effect.Effect<Network, never, Scope.Scope> =>
  Effect.gen(function* () {
    const lookups = yield* Lookups.make(resolve ?? DnsAddresses.make().resolve)
    const contexts = new SecureContexts(tls)
    return { lookups, contexts, ours: Interfaces.remembered(ownAddresses), proxy: proxyOf(proxy, contexts) }
  })

/** What can't be used is a proxy, too: null. */
const proxyOf = (settings: NetworkOptions["proxy"], { anonymous }: SecureContexts): Proxy | null | undefined => {
  if (settings === undefined) return undefined
  const parsed = settings === "unusable" ? undefined : ProxySettings.parse(settings)
  return parsed === undefined ? null : { ...parsed, context: parsed.isSecure ? anonymous : undefined }
}
