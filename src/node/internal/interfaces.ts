/**
 * The addresses of the network interfaces. Asking the system takes some 40 µs
 * with two interfaces, and a container host has hundreds, so what it said is
 * used for a second.
 */
import { networkInterfaces } from "node:os"
import * as AddressPolicy from "../../grants/AddressPolicy.ts"

const USED_FOR_MS = 1000

/** Those of all interfaces now. */
export const addresses = (): ReadonlyArray<string> =>
  Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address))

/** What was told last; where the system can't tell, for example without descriptors, that stays until it can. */
export const remembered = (
  ask: () => ReadonlyArray<string>,
  monotonic: () => number = () => performance.now()
): (() => AddressPolicy.OwnAddresses) => {
  let known = AddressPolicy.own([])
  let askedAt = Number.NEGATIVE_INFINITY
  return () => {
    const now = monotonic()
    if (now - askedAt < USED_FOR_MS) return known
    try {
      known = AddressPolicy.own(ask())
      askedAt = now
    } catch {
      // The system can't tell now.
    }
    return known
  }
}
