/**
 * A source: one URL that an ingress listens to, and how its connection is
 * kept. Its identity is the URL as written; what is dialled for it may differ.
 *
 * @since 0.1.0
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Result from "effect/Result"
import type { Problem } from "../internal/wire.ts"
import { reconnectDefaults, type Enablement, type ReconnectSettings } from "../manifest/Enablement.ts"
import type { Manifest } from "../manifest/Manifest.ts"
import * as SocketUrl from "../manifest/SocketUrl.ts"
import * as Filling from "./Filling.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Source {
  /** What names it where its URL is too long or may not be shown: no two sources of a plugin have the same. */
  readonly id: string
  readonly ingress: string
  /** As written, without the `websocket:` prefix. */
  readonly url: string
  /** What may be shown of it: no query. */
  readonly display: string
  /** What commands compare, query included; null where the URL is refused. */
  readonly canonical: string | null
  /** As written; `filling` says where secrets belong into them and into the URL. */
  readonly headers: { readonly [name: string]: string }
  readonly filling: Filling.Filling
  /** Whether permessage-deflate is offered. */
  readonly compression: boolean
  /** Whether frames may be read by a faster way than the library's own. */
  readonly fastPath: boolean
  readonly reconnect: ReconnectSettings
  readonly stopCodes: ReadonlyArray<number>
  readonly closeCode: number
  /** How long no data may come; 0: for ever. */
  readonly staleAfterMs: number
  /** Whether it is dialled anew then. */
  readonly staleReconnect: boolean
}

const GOING_AWAY = 1001
const ID_DIGITS = 8

const utf8 = new TextEncoder()

/**
 * The id of a source: the first 8 hexadecimal digits of the SHA-256 of its
 * ingress, a zero byte and its URL as written, without the `websocket:` prefix.
 *
 * @category getters
 * @since 0.2.0
 */
export const idOf = (ingress: string, url: string): string =>
  bytesToHex(sha256(utf8.encode(`${ingress}\0${url}`))).slice(0, ID_DIGITS)

/**
 * Whether a source is meant by a name, which is its id or its URL in any
 * spelling, with the prefix `websocket:` or without.
 *
 * @category predicates
 * @since 0.2.0
 */
export const isNamed = (name: string): ((source: Source) => boolean) => {
  // An application need not be written in TypeScript.
  if (typeof name !== "string") return () => false
  const canonical = Result.getOrUndefined(SocketUrl.parse(SocketUrl.withoutPrefix(name)))?.canonical
  return (source) => source.id === name || source.canonical === canonical
}

const settingsOf = ({ sources }: Pick<Enablement, "sources">, ingress: string) =>
  Object.hasOwn(sources, ingress) ? sources[ingress] : undefined

/** The URLs of an ingress as written: the manifest's, unless the operator replaced them. */
const urlsOf = ({ name, sources }: Manifest["ingresses"][number], enablement: Pick<Enablement, "sources">) =>
  (settingsOf(enablement, name)?.urls ?? sources).map(SocketUrl.withoutPrefix)

/**
 * What the sources of an enabled plugin are called, without reading their URLs,
 * which is most of what {@link all} takes.
 *
 * @category constructors
 * @since 0.5.0
 */
export const names = (
  manifest: Manifest,
  enablement: Pick<Enablement, "sources">
): ReadonlyArray<Pick<Source, "id" | "ingress" | "url">> =>
  manifest.ingresses.flatMap((ingress) =>
    urlsOf(ingress, enablement).map((url) => ({ id: idOf(ingress.name, url), ingress: ingress.name, url }))
  )

/**
 * The sources of an enabled plugin: the manifest's, unless the operator
 * replaced those of an ingress.
 *
 * @category constructors
 * @since 0.1.0
 */
export const all = (manifest: Manifest, enablement: Pick<Enablement, "sources" | "secrets">): ReadonlyArray<Source> =>
  manifest.ingresses.flatMap((ingress) => {
    const settings = settingsOf(enablement, ingress.name)
    const reconnect = settings?.reconnect ?? reconnectDefaults
    const { headers = {} } = settings ?? {}
    const isSecret = (name: string) => Object.hasOwn(enablement.secrets, name)
    const stopCodes = reconnect.stopCodes ?? ingress.stopCodes ?? []
    return urlsOf(ingress, enablement).map((url) => {
      const parsed = SocketUrl.parse(url)
      return {
        id: idOf(ingress.name, url),
        ingress: ingress.name,
        url,
        display: Result.isSuccess(parsed) ? parsed.success.display : SocketUrl.display(url),
        canonical: Result.isSuccess(parsed) ? parsed.success.canonical : null,
        headers,
        filling: Filling.of(settings?.urls === undefined ? null : url, headers, isSecret),
        compression: settings?.compression ?? false,
        fastPath: settings?.fastPath ?? true,
        reconnect,
        stopCodes,
        closeCode: reconnect.closeCode ?? ingress.closeCode ?? GOING_AWAY,
        staleAfterMs: settings?.staleAfterMs ?? 0,
        staleReconnect: settings?.staleReconnect ?? false
      }
    })
  })

/**
 * The sources that can't be told apart because an earlier one has their id: as
 * good as impossible by chance (16 sources: 3 in 100 million), and easy to do
 * on purpose. None of them may be there, or an id would name two.
 *
 * @category checks
 * @since 0.2.0
 */
export const problems = (sources: ReadonlyArray<Pick<Source, "id" | "ingress">>): ReadonlyArray<Problem> => {
  const ids = new Set<string>()
  return sources.flatMap(({ id, ingress }) => {
    if (!ids.has(id)) {
      ids.add(id)
      return []
    }
    return [
      {
        path: `sources.${ingress}`,
        message: `Expected sources with different ids, ${id} is one before it: write its URL another way`
      }
    ]
  })
}
