/**
 * A value as JSON, whatever the order of its keys, with the values that it
 * keeps redacted: for comparing what was configured. Kept nowhere, for it has
 * the secrets in it.
 */
import * as Redacted from "effect/Redacted"

export const canonical = (value: unknown): string =>
  JSON.stringify(value, function (this: { readonly [key: string]: unknown }, key, item: unknown) {
    const own = this[key]
    if (Redacted.isRedacted(own)) return { redacted: Redacted.value(own) }
    return typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item
  }) ?? ""
