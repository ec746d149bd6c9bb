/**
 * /etc/hosts (hosts(5)): an address and the names that stand for it. Lines of
 * one name add up.
 */
import * as Net from "node:net"

export type Hosts = ReadonlyMap<string, ReadonlyArray<string>>

export const parse = (text: string): Hosts => {
  const hosts = new Map<string, Array<string>>()
  for (const line of text.split("\n")) {
    const [address = "", ...names] = (line.split("#", 1)[0] ?? "").trim().split(/\s+/)
    // An address of one link only (fe80::1%lo0) can't be dialled by a name.
    if (Net.isIP(address) === 0 || address.includes("%")) continue
    for (const name of names) {
      const key = name.toLowerCase()
      const known = hosts.get(key)
      if (known === undefined) hosts.set(key, [address])
      else if (!known.includes(address)) known.push(address)
    }
  }
  return hosts
}
