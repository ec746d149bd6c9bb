/**
 * The code of a plugin, as texts.
 */
import type { Manifest } from "../../manifest/Manifest.ts"

/** The entry's name and text, and its source map where there is one. */
export interface Code {
  readonly name: string
  readonly entry: string
  readonly map: string | undefined
}

const DEFAULT_ENTRY = "plugin.js"

/** The code in the bytes of a package; undefined where its entry isn't UTF-8. */
export const codeOf = (
  { runtime }: Manifest,
  entry: Uint8Array,
  sourceMap: Uint8Array | undefined
): Code | undefined => {
  const text = textOf(entry)
  const name = runtime?.kind === "javascript" ? (runtime.entry ?? DEFAULT_ENTRY) : DEFAULT_ENTRY
  return text === undefined ? undefined : { name, entry: text, map: sourceMap && textOf(sourceMap) }
}

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Why a plugin without code can't be started. */
export const noCode = (): Error => new Error("the plugin's entry is not UTF-8")
