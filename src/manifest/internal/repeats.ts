/**
 * What occurs twice though it is a name, and which sources and secrets are none. It is
 * looked for in whatever was written, right or wrong, so that it is listed beside everything else that is
 * wrong.
 */
import * as Result from "effect/Result"
import * as Wire from "../../internal/wire.ts"
import * as SocketUrl from "../SocketUrl.ts"

/** The value under a key of its own, whatever it is looked for in. */
export const ownOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined

/** A list under a key; empty where there is none. */
export const listOf = (value: unknown, key: string): ReadonlyArray<unknown> => {
  const list = ownOf(value, key)
  return Array.isArray(list) ? list : []
}

export const isTable = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The entries of a table under a key; none where there is none. */
export const tableOf = (value: unknown, key: string): ReadonlyArray<readonly [key: string, value: unknown]> => {
  const table = ownOf(value, key)
  return isTable(table) ? Object.entries(table) : []
}

/** The names that an earlier one equals. */
export const names = (
  path: ReadonlyArray<PropertyKey>,
  found: Iterable<readonly [key: PropertyKey, name: unknown]>,
  expected = "a name that occurs once"
): ReadonlyArray<Wire.Problem> => {
  const seen = new Set<unknown>()
  const problems: Array<Wire.Problem> = []
  for (const [key, name] of found) {
    if (name === undefined) continue
    if (seen.has(name)) problems.push({ path: Wire.formatPath([...path, key]), message: `Expected ${expected}` })
    seen.add(name)
  }
  return problems
}

/** The headers of a table that differ from an earlier one by their case only. */
export const headers = (path: ReadonlyArray<PropertyKey>, table: unknown): ReadonlyArray<Wire.Problem> =>
  names(
    path,
    tableOf(table, "headers").map(([name]) => [name, name.toLowerCase()]),
    "a header that occurs once, in whichever case"
  )

/** Those of the requests that are granted. */
export const requestHeaders = (path: ReadonlyArray<PropertyKey>, grants: unknown): ReadonlyArray<Wire.Problem> =>
  listOf(grants, "request").flatMap((target, index) => headers([...path, index, "headers"], target))

/** What grants name as secrets of an entry that are none. */
export const unknownSecrets = (entry: unknown): ReadonlyArray<Wire.Problem> => {
  const grants = ownOf(entry, "grants")
  const known = new Set<unknown>(tableOf(entry, "secrets").map(([name]) => name))
  const unknownIn = (path: ReadonlyArray<PropertyKey>, table: unknown, key: string) =>
    listOf(table, key).flatMap((name, index) =>
      typeof name !== "string" || known.has(name)
        ? []
        : [
            {
              path: Wire.formatPath(["grants", ...path, key, index]),
              message: "Expected the name of a secret of this entry"
            }
          ]
    )
  const ofTargets = (list: "websocket" | "request") =>
    listOf(grants, list).flatMap((target, index) => unknownIn([list, index], target, "secrets"))
  return [...ofTargets("websocket"), ...ofTargets("request"), ...unknownIn([], grants, "sign")]
}

/** The sources of one ingress that are another one's, written in whichever way. */
export const sources = (path: ReadonlyArray<PropertyKey>, urls: ReadonlyArray<unknown>): ReadonlyArray<Wire.Problem> =>
  names(
    path,
    urls.map((url, index) => [index, typeof url === "string" ? identity(SocketUrl.withoutPrefix(url)) : undefined])
  )

/**
 * The sources of one ingress that are refused whatever is granted. A source that is says so by itself, where what
 * declares it can be used.
 */
export const refusedSources = (
  path: ReadonlyArray<PropertyKey>,
  urls: ReadonlyArray<unknown>
): ReadonlyArray<Wire.Problem> =>
  urls.flatMap((url, index) => {
    const parsed = typeof url === "string" ? SocketUrl.parse(SocketUrl.withoutPrefix(url)) : undefined
    return parsed !== undefined && Result.isFailure(parsed)
      ? [{ path: Wire.formatPath([...path, index]), message: `Expected a URL that isn't refused: ${parsed.failure}` }]
      : []
  })

const identity = (url: string): string =>
  Result.match(SocketUrl.parse(url), { onSuccess: ({ canonical }) => canonical, onFailure: () => url })
