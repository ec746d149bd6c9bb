/**
 * Which addresses may be dialled. A literal was granted as that literal, so it
 * is what the operator wrote. A name is only as good as what it resolves to:
 * every address is checked, and exactly a checked one is dialled.
 *
 * The ranges are the blocks of the IANA special-purpose address registries (RFC
 * 6890 and its updates), those included that are globally reachable: no server
 * of anybody's is there. Of IPv6 only 2000::/3 is handed out (RFC 4291), so
 * whatever else isn't private is special.
 *
 * @since 0.1.0
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { AuthorizedRequest, AuthorizedTarget } from "./Grants.ts"

/**
 * `private` addresses (loopback, private, unique-local, the host's own) need a grant with
 * `private_addresses`; `special` ones (link-local, metadata services,
 * multicast, reserved, translated) are reached by literal alone.
 *
 * @category models
 * @since 0.1.0
 */
export type Reach = "public" | "private" | "special"

/**
 * The addresses of the host's own interfaces, in one form. Behind each may be
 * what listens for this machine alone, so they are private, whatever the
 * registries say of them.
 *
 * @category models
 * @since 0.3.0
 */
export type OwnAddresses = ReadonlySet<string>

/**
 * Makes own addresses of texts; what isn't an address is left out.
 *
 * @category constructors
 * @since 0.3.0
 */
export const own = (addresses: Iterable<string>): OwnAddresses =>
  new Set(
    Array.from(addresses, (address) => Result.getOrUndefined(NetAddress.ipFromString(address))).flatMap((ip) =>
      ip === undefined ? [] : formOf(ip)
    )
  )

const NONE: OwnAddresses = new Set()

/** One form for each address, however it is written. */
const formOf = (ip: NetAddress.IpAddress): string => NetAddress.formatIp(NetAddress.toCanonical(ip))

type IsWithin = (ip: NetAddress.IpAddress) => boolean

const within = (...texts: ReadonlyArray<string>): IsWithin => {
  const networks = texts.map((text) => IpNetwork.fromStringUnsafe(text))
  return (ip) => networks.some((network) => IpNetwork.contains(network, ip))
}

const isPrivate4 = within("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")

const isSpecial4 = within(
  "0.0.0.0/8",
  "100.64.0.0/10",
  // Azure's metadata service; the other clouds' are link-local or in 100.64.0.0/10 and 192.0.0.0/24.
  "168.63.129.16/32",
  "169.254.0.0/16",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4"
)

const isGlobal6 = within("2000::/3")

// Within 2000::/3. 6to4 (2002::/16) and Teredo (in 2001::/23) embed an IPv4 address, and are special whichever it is.
const isSpecial6 = within("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")

const isPrivate6 = within("::1/128", "fc00::/7")

// Metadata services within the unique-local range: AWS, Google Cloud, Scaleway.
const isMetadata6 = within("fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128", "fd00:42::42/128")

/** NAT64 (RFC 6052): behind DNS64 every IPv4 address looks like that. */
const isTranslated = within("64:ff9b::/96")

/**
 * How far an address reaches, for a host with these addresses of its own. What
 * isn't an address is `special`.
 *
 * @category predicates
 * @since 0.1.0
 */
export const reach = (address: string, ours: OwnAddresses = NONE): Reach => {
  const ip = Result.getOrUndefined(NetAddress.ipFromString(address))
  if (ip === undefined) return "special"
  return NetAddress.isIpv4Address(ip) ? reach4(ip, ours) : reach6(ip, ours)
}

const reach4 = (ip: NetAddress.Ipv4Address, ours: OwnAddresses): Reach => {
  if (isSpecial4(ip)) return "special"
  return isPrivate4(ip) || ours.has(formOf(ip)) ? "private" : "public"
}

const reach6 = (ip: NetAddress.Ipv6Address, ours: OwnAddresses): Reach => {
  if (isTranslated(ip)) return reach4(embedded(ip), ours)
  const whole = reachOfWhole(ip, ours)
  return isIsatap(ip) ? stricter(whole, reach4(embedded(ip), ours)) : whole
}

const reachOfWhole = (ip: NetAddress.Ipv6Address, ours: OwnAddresses): Reach => {
  if (isPrivate6(ip)) return isMetadata6(ip) ? "special" : "private"
  if (!isGlobal6(ip) || isSpecial6(ip)) return "special"
  return ours.has(formOf(ip)) ? "private" : "public"
}

/** An interface identifier of ISATAP, with the universal bit or without (RFC 5214, section 6.1), under whichever prefix. */
const isIsatap = (ip: NetAddress.Ipv6Address): boolean => {
  const segments = NetAddress.ipv6ToSegments(ip)
  return (segments[4] === 0 || segments[4] === 0x0200) && segments[5] === 0x5efe
}

/** The IPv4 address in the last 32 bits. */
const embedded = (ip: NetAddress.Ipv6Address): NetAddress.Ipv4Address => {
  const octets = NetAddress.ipv6ToOctets(ip)
  return NetAddress.ipv4FromBytesUnsafe(Uint8Array.from(octets.slice(12)))
}

const stricter = (one: Reach, other: Reach): Reach => {
  if (one === "special" || other === "special") return "special"
  return one === "private" ? one : other
}

/**
 * The first of these addresses that the target may not reach, `undefined` if
 * it may reach all of them. `ours` are the addresses of the host itself.
 *
 * @category evaluation
 * @since 0.1.0
 */
export const denied = (
  target: AuthorizedTarget | AuthorizedRequest,
  addresses: ReadonlyArray<string>,
  ours: OwnAddresses = NONE
): string | undefined =>
  target.url.literal
    ? undefined
    : addresses.find((address) => {
        const found = reach(address, ours)
        return found === "special" || (found === "private" && !target.privateAddresses)
      })
