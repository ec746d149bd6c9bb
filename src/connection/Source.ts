/**
 * A source: one URL that an ingress listens to, and how its connection is
 * kept. Its identity is the URL as written; what is dialled for it may differ.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { reconnectDefaults, type Enablement, type ReconnectSettings } from "../manifest/Enablement.ts"
import { withoutPrefix, type Manifest } from "../manifest/Manifest.ts"
import * as SocketUrl from "../manifest/SocketUrl.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Source {
  readonly ingress: string
  /** As written, without the `websocket:` prefix. */
  readonly url: string
  /** What may be shown of it: no query. */
  readonly display: string
  /** What commands compare, query included; null where the URL is refused. */
  readonly canonical: string | null
  readonly headers: { readonly [name: string]: string }
  readonly reconnect: ReconnectSettings
  readonly stopCodes: ReadonlyArray<number>
  readonly closeCode: number
}

const GOING_AWAY = 1001

/**
 * The sources of an enabled plugin: the manifest's, unless the operator
 * replaced those of an ingress.
 *
 * @category constructors
 * @since 0.1.0
 */
export const all = (manifest: Manifest, enablement: Pick<Enablement, "sources">): ReadonlyArray<Source> =>
  manifest.ingresses.flatMap((ingress) => {
    const settings = Object.hasOwn(enablement.sources, ingress.name) ? enablement.sources[ingress.name] : undefined
    const reconnect = settings?.reconnect ?? reconnectDefaults
    const urls = (settings?.urls ?? ingress.sources).map(withoutPrefix)
    return [...new Set(urls)].map((url) => {
      const parsed = SocketUrl.parse(url)
      return {
        ingress: ingress.name,
        url,
        display: SocketUrl.display(url),
        canonical: Result.isSuccess(parsed) ? parsed.success.canonical : null,
        headers: settings?.headers ?? {},
        reconnect,
        stopCodes: reconnect.stopCodes ?? ingress.stopCodes ?? [],
        closeCode: reconnect.closeCode ?? ingress.closeCode ?? GOING_AWAY
      }
    })
  })
