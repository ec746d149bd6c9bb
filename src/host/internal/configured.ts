/**
 * What an operator configured that may come back in a server's or a plugin's
 * words: the configuration itself, and the header values and queries of the
 * sources.
 */
import type * as Schema from "effect/Schema"
import * as Source from "../../connection/Source.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import type { Manifest } from "../../manifest/Manifest.ts"

/** All of it as one JSON value, for its strings. `manifest` declares the sources that the enablement doesn't replace. */
export const configured = (enablement: Enablement, manifest: Manifest | undefined): Schema.Json => [
  enablement.config,
  ...urlsOf(enablement, manifest).flatMap(queryOf),
  ...Object.values(enablement.sources).flatMap(({ headers = {} }) => Object.values(headers).flatMap(wordsOf))
]

const urlsOf = (enablement: Enablement, manifest: Manifest | undefined): ReadonlyArray<string> =>
  manifest === undefined
    ? Object.values(enablement.sources).flatMap(({ urls = [] }) => urls)
    : Source.all(manifest, enablement).map(({ url }) => url)

/** A header's value, and what stands behind the name of a scheme: `Bearer …`. */
const wordsOf = (value: string): ReadonlyArray<string> => [value, value.replace(/^\S+\s+/, "")]

/** A URL's query, and each value in it, as written and as it reads. */
const queryOf = (url: string): ReadonlyArray<string> => {
  const start = url.indexOf("?")
  if (start < 0) return []
  const query = url.slice(start + 1)
  const written = query.split("&").map((part) => part.slice(part.indexOf("=") + 1))
  return [query, ...written, ...new URLSearchParams(query).values()]
}
