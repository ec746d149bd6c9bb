/**
 * An entry of a host file as people write it.
 */
import type * as Schema from "effect/Schema"
import type { Encoded } from "../../manifest/Enablement.ts"

/** A basic string: what JSON escapes, and the one control character that it doesn't. */
const text = (value: string): string => JSON.stringify(value).replaceAll("\u007f", "\\u007f")

const key = (name: string): string => (/^[A-Za-z0-9_-]+$/.test(name) ? name : text(name))

/** A value on one line. */
export const inline = (value: Schema.Json | undefined): string => {
  if (typeof value === "string") return text(value)
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`
  if (typeof value !== "object" || value === null) return String(value)
  return `{ ${Object.entries(value)
    .map(([name, item]) => `${key(name)} = ${inline(item)}`)
    .join(", ")} }`
}

const lines = (table: { readonly [name: string]: Schema.Json | undefined }): ReadonlyArray<string> =>
  Object.entries(table).flatMap(([name, value]) => (value === undefined ? [] : [`${key(name)} = ${inline(value)}`]))

/** A table for each target. */
const targets = (kind: "websocket" | "request", granted: ReadonlyArray<object> = []): ReadonlyArray<string> =>
  granted.flatMap((target) => ["", `[[plugins.enabled.grants.${kind}]]`, ...lines({ ...target })])

/** The entry with all that it grants, a list of one item a line where there may be many. */
export const enablementToml = ({ digest, grants = {}, id, package: folder, version }: Encoded): string =>
  [
    "[[plugins.enabled]]",
    ...lines({ package: folder, id, version, digest }),
    "",
    "[plugins.enabled.grants]",
    "permissions = [",
    ...(grants.permissions ?? []).map((permission) => `  ${inline({ ...permission })},`),
    "]",
    ...(grants.sign === undefined || grants.sign.length === 0 ? [] : lines({ sign: [...grants.sign] })),
    ...targets("websocket", grants.websocket),
    ...targets("request", grants.request)
  ].join("\n")
