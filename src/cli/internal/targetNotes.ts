/**
 * What `mooring check` notes about targets: which are broad, which secrets go
 * where anybody on the way can read them, and of requests what is declared or
 * granted in vain, with the TOML that would change that.
 */
import * as Schema from "effect/Schema"
import * as Filling from "../../connection/Filling.ts"
import type { Problem } from "../../internal/wire.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import type { Manifest } from "../../manifest/Manifest.ts"
import * as RequestTarget from "../../manifest/RequestTarget.ts"
import * as WebSocketTarget from "../../manifest/WebSocketTarget.ts"
import { inline } from "./enablementToml.ts"
import { AUTHOR, OPERATOR, permissionToml } from "./remedies.ts"
import type { Vain } from "./requestProspect.ts"

const encode = Schema.encodeSync(RequestTarget.RequestTarget)

/** A target as a manifest and a grant have it both. */
const tomlOf = (target: RequestTarget.RequestTarget): string => inline({ ...encode(target) })

/** Of an entry of a host file, what allows nothing. */
export const inVain = (at: string, vain: ReadonlyArray<Vain>): ReadonlyArray<Problem> =>
  vain.map((each): Problem => {
    switch (each.kind) {
      case "forbidden": {
        const { message, missing, permission } = each.error
        const toml = permissionToml(permission)
        const remedy =
          missing === "manifest"
            ? `declared by ${toml} among permissions ${AUTHOR}`
            : `allowed by ${toml} among grants.permissions, ${OPERATOR}`
        return { path: `${at}.grants.permissions`, message: `nothing may be requested: ${message}; ${remedy}` }
      }
      case "ungranted": {
        const remedy = `allowed by ${tomlOf(each.target)} among grants.request, ${OPERATOR}`
        return { path: `${at}.grants`, message: `requests that the manifest declares aren't granted; ${remedy}` }
      }
      case "undeclared": {
        const remedy = `declared by ${tomlOf(each.target)} among request ${AUTHOR}`
        const message = `it allows nothing: no target that the manifest declares meets it; ${remedy}`
        return { path: `${at}.grants.request[${each.index}]`, message }
      }
    }
  })

/** Of a package whose manifest is granted all that it asks for: the permission that it doesn't ask for. */
export const inManifest = (vain: ReadonlyArray<Vain>): ReadonlyArray<Problem> =>
  vain.flatMap((each) => {
    if (each.kind !== "forbidden") return []
    const remedy = `allowed by ${permissionToml(each.error.permission)} among permissions ${AUTHOR}`
    return [{ path: "permissions", message: `nothing may be requested: ${each.error.message}; ${remedy}` }]
  })

const BROAD = "broad: it covers every host"
const STRAY = "what stands in braces is no secret of this entry, so it is sent as it is written"
const IN_CLEARTEXT = "secrets may go where anybody on the way can read them"

type Target = WebSocketTarget.WebSocketTarget | RequestTarget.RequestTarget

/** The targets among those of a list that cover every host. */
const broadIn = <T extends Target>(
  list: string,
  targets: ReadonlyArray<T>,
  isBroad: (target: T) => boolean
): ReadonlyArray<Problem> =>
  targets.flatMap((target, index) => (isBroad(target) ? [{ path: `${list}[${index}].host`, message: BROAD }] : []))

/** What is broad in a manifest. */
export const onDeclared = ({ request, websocket }: Manifest): ReadonlyArray<Problem> => [
  ...broadIn("websocket", websocket, WebSocketTarget.isBroad),
  ...broadIn("request", request, RequestTarget.isBroad)
]

/** What is granted and should be known. */
export const onGranted = (at: string, { grants, secrets, sources }: Enablement): ReadonlyArray<Problem> => {
  const isSecret = (name: string) => Object.hasOwn(secrets, name)
  const strays = (path: string, headers: Filled = {}) => strayIn(`${at}.${path}.headers`, headers, isSecret)
  return [
    ...broadIn(`${at}.grants.websocket`, grants.websocket, WebSocketTarget.isBroad),
    ...grants.websocket.flatMap((target, index) =>
      openedInClear(target).map((key) => clear(`${at}.grants.websocket[${index}].${key}`))
    ),
    ...broadIn(`${at}.grants.request`, grants.request, RequestTarget.isBroad),
    ...grants.request.flatMap((target, index) =>
      [...openedInClear(target), ...headersInClear(target, isSecret)].map((key) =>
        clear(`${at}.grants.request[${index}].${key}`)
      )
    ),
    ...grants.request.flatMap(({ headers }, index) => strays(`grants.request[${index}]`, headers)),
    ...Object.entries(sources).flatMap(([ingress, { headers }]) => strays(`sources.${ingress}`, headers))
  ]
}

type Filled = { readonly [name: string]: string }

/** What is written as a secret is, by the name of the secret, of its user's password too. */
const PLACES = /\{(?:basic:[^:{}]*:)?([A-Za-z0-9._-]+)\}/gu

/** The headers in which something is written as a secret is, and is none of the entry's. */
const strayIn = (path: string, headers: Filled, isSecret: (name: string) => boolean): ReadonlyArray<Problem> =>
  Object.entries(headers).flatMap(([name, value]) =>
    [...value.matchAll(PLACES)].every(([, secret = ""]) => isSecret(secret))
      ? []
      : [{ path: `${path}.${name}`, message: STRAY }]
  )

const clear = (path: string): Problem => ({ path, message: IN_CLEARTEXT })

const isEncrypted = ({ scheme }: Target): boolean => scheme === "wss" || scheme === "https"

/** The key under which a target opens secrets, where it isn't encrypted. */
const openedInClear = (target: Target & { readonly secrets?: ReadonlyArray<string> }): ReadonlyArray<string> =>
  isEncrypted(target) || (target.secrets ?? []).length === 0 ? [] : ["secrets"]

/** The keys of headers with secrets in them, likewise. */
const headersInClear = (target: RequestTarget.GrantedRequestTarget, isSecret: (name: string) => boolean) =>
  isEncrypted(target)
    ? []
    : [...Filling.of(null, target.headers ?? {}, isSecret).headers.keys()].map((name) => `headers.${name}`)
