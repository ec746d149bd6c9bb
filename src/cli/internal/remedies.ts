/**
 * What would allow what is denied, as TOML, and whose decision it is.
 */
import * as Result from "effect/Result"
import type { ConnectionLimit } from "../../connection/ConnectionError.ts"
import type { GrantError } from "../../grants/GrantError.ts"
import * as SocketUrl from "../../manifest/SocketUrl.ts"
import { FILE } from "../../node/PackageManifest.ts"
import { inline } from "./enablementToml.ts"

export const OPERATOR = "which is the operator's decision"
export const AUTHOR = `in ${FILE}, which its author decides`

/** What would allow a denied source, or service, of a host file. */
export const remedyOf = (error: GrantError | ConnectionLimit, url = ""): string | undefined => {
  switch (error._tag) {
    case "PermissionMissing": {
      const remedy = permissionToml(error.permission)
      if (remedy === undefined) return undefined
      if (error.missing === "manifest") return `declared by ${remedy} among permissions ${AUTHOR}`
      return error.missing === "grant"
        ? `allowed by ${remedy} among grants.permissions, ${OPERATOR}`
        : `allowed by ${inline(error.permission.replace("surface ", ""))} among surfaces, ${OPERATOR}`
    }
    case "TargetUngranted": {
      if (error.subprotocol !== null) {
        return `allowed by subprotocols = ${inline([error.subprotocol])} in that target of grants.websocket, ${OPERATOR}`
      }
      const target = targetFor(url)
      return target === undefined ? undefined : `allowed by ${target} among grants.websocket, ${OPERATOR}`
    }
    case "TargetUndeclared": {
      const target = targetFor(url)
      return target === undefined ? undefined : `declared by ${target} among websocket ${AUTHOR}`
    }
    case "GrantBindingMismatch":
      return `allowed by ${error.field} = ${inline(error.actual)} in grants, ${OPERATOR}`
    default:
      return undefined
  }
}

/** A permission as it is written; undefined of one that names nothing, for there is nothing that it could name. */
export const permissionToml = (permission: string): string | undefined => {
  const [kind = "", name] = permission.split(" ")
  const field = kind === "surface" ? "surface" : kind === "host_api" ? "api" : "name"
  return name === undefined ? undefined : inline({ kind, [field]: name })
}

/** The target that covers a URL and what is below it; undefined where the URL is refused. */
export const targetFor = (url: string): string | undefined =>
  Result.match(SocketUrl.parse(SocketUrl.withoutPrefix(url)), {
    onFailure: () => undefined,
    onSuccess: ({ host, path, port, scheme }) => inline({ scheme, host, port, path_prefixes: [path] })
  })
