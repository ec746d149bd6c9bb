/**
 * Which addresses may be dialled. A literal was granted as that literal, so it
 * is what the operator wrote. A name is only as good as what it resolves to:
 * every address is checked, and exactly a checked one is dialled.
 *
 * The ranges are those of the IANA special-purpose address registries (RFC
 * 6890 and its updates).
 *
 * @since 0.1.0
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { AuthorizedTarget } from "./Grants.ts"

/**
 * `private` addresses (loopback, private, unique-local) need a grant with
 * `private_addresses`; `special` ones (link-local, metadata services,
 * multicast, reserved, translated) are reached by literal alone.
 *
 * @category models
 * @since 0.1.0
 */
export type Reach = "public" | "private" | "special"

const networks = (...texts: ReadonlyArray<string>) => texts.map((text) => IpNetwork.fromStringUnsafe(text))

const LOOPBACK = networks("::1/128")

const PRIVATE = networks("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")

const SPECIAL = networks(
  "0.0.0.0/8",
  "100.64.0.0/10",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/96",
  "::ffff:0:0:0/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
  "5f00::/16",
  // Metadata services within the unique-local range: AWS, Google Cloud, Scaleway.
  "fd00:ec2::254/128",
  "fd00:ec2::23/128",
  "fd20:ce::254/128",
  "fd00:42::42/128",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8"
)

/**
 * How far an address reaches. What isn't an address is `special`.
 *
 * @category predicates
 * @since 0.1.0
 */
export const reach = (address: string): Reach => {
  const parsed = NetAddress.ipFromString(address)
  if (Result.isFailure(parsed)) return "special"
  const ip = NetAddress.toCanonical(parsed.success)
  const within = (network: IpNetwork.IpNetwork) => IpNetwork.contains(network, ip)
  if (LOOPBACK.some(within)) return "private"
  if (SPECIAL.some(within)) return "special"
  return PRIVATE.some(within) ? "private" : "public"
}

/**
 * The first of these addresses that the target may not reach, `undefined` if
 * it may reach all of them.
 *
 * @category evaluation
 * @since 0.1.0
 */
export const denied = (target: AuthorizedTarget, addresses: ReadonlyArray<string>): string | undefined =>
  target.url.literal
    ? undefined
    : addresses.find((address) => {
        const found = reach(address)
        return found === "special" || (found === "private" && !target.privateAddresses)
      })
