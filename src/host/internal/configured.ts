/**
 * What an operator configured that may come back in a server's or a plugin's
 * words: the configuration itself, the header values and queries of the
 * sources, and the header values of requests.
 */
import type * as Schema from "effect/Schema"
import * as SentWords from "../../connection/SentWords.ts"
import * as Source from "../../connection/Source.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import type { Manifest } from "../../manifest/Manifest.ts"

/** All of it as one JSON value, for its strings. `manifest` declares the sources that the enablement doesn't replace. */
export const configured = (enablement: Enablement, manifest: Manifest | undefined): Schema.Json => [
  enablement.config,
  ...urlsOf(enablement, manifest).flatMap(SentWords.ofQuery),
  ...[...Object.values(enablement.sources), ...enablement.grants.request].flatMap(({ headers = {} }) =>
    Object.values(headers).flatMap(SentWords.ofHeader)
  )
]

const urlsOf = (enablement: Enablement, manifest: Manifest | undefined): ReadonlyArray<string> =>
  manifest === undefined
    ? Object.values(enablement.sources).flatMap(({ urls = [] }) => urls)
    : Source.names(manifest, enablement).map(({ url }) => url)
