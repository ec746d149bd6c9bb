/**
 * /etc/resolv.conf (resolv.conf(5)): the name servers, and the names that a
 * name may stand for.
 */
import * as Net from "node:net"

export interface ResolvConf {
  readonly servers: ReadonlyArray<string>
  /** Null where the file has none: then it is the domain of the host's own name. */
  readonly search: ReadonlyArray<string> | null
  readonly ndots: number
}

// What the C library takes of them.
const MOST_SERVERS = 3
const MOST_NDOTS = 15

export const parse = (text: string): ResolvConf => {
  const servers: Array<string> = []
  let search: ReadonlyArray<string> | null = null
  let ndots = 1
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line.trimEnd().split(/\s+/)
    const [first = ""] = values
    if (keyword === "nameserver" && Net.isIP(first) !== 0 && servers.length < MOST_SERVERS) servers.push(first)
    if (keyword === "domain" && first !== "") search = [first]
    if (keyword === "search") search = values
    if (keyword === "options") {
      for (const option of values) {
        const digits = /^ndots:(\d+)$/.exec(option)?.[1]
        if (digits !== undefined) ndots = Math.min(MOST_NDOTS, Number(digits))
      }
    }
  }
  return { servers, search, ndots }
}

/** The names to ask for, in order: a name with as many dots as `ndots` is asked for first as it is, any other last. */
export const candidates = (name: string, { ndots, search }: ResolvConf, hostname: string): ReadonlyArray<string> => {
  const dot = hostname.indexOf(".")
  const domains = search ?? (dot === -1 ? [] : [hostname.slice(dot + 1)])
  const searched = domains.map((domain) => domain.replace(/^\.|\.$/g, "")).filter((domain) => domain !== "")
  const longer = searched.map((domain) => `${name}.${domain}`)
  const dots = name.split(".").length - 1
  return dots >= ndots ? [name, ...longer] : [...longer, name]
}
