/**
 * What a request's target names: the API's own paths and the page's files, by
 * exactly what stands on the wire. Nothing is made the same that isn't: a path
 * with an empty segment, an escaped letter or a semicolon is another path, so
 * that nobody in front of this API and behind it read one target in two ways.
 */
import * as Result from "effect/Result"
import type { Purpose } from "../ControlAccess.ts"
import { refuse, type Refusal } from "../ControlError.ts"
import { ControlApi } from "../ControlApi.ts"

/** Where a request goes, and what for. */
export interface Destination {
  readonly path: string
  readonly purpose: Purpose
}

interface Endpoint {
  readonly method: string
  readonly segments: ReadonlyArray<string>
}

export const OPENAPI = "/openapi.json"

const ENDPOINTS: ReadonlyArray<Endpoint> = [
  { method: "GET", segments: OPENAPI.split("/") },
  ...Object.values(ControlApi.groups).flatMap(({ endpoints }) =>
    Object.values(endpoints).map(({ method, path }) => ({ method, segments: path.split("/") }))
  )
]

const PROBES: ReadonlySet<string> = new Set(["/healthz", "/readyz"])

/** Whether it asks for nothing but how the process is. */
export const isProbe = (target = ""): boolean => PROBES.has(target)

// What a path may have (RFC 3986, section 3.3), without the semicolon, which some take for the beginning of a query.
const PATH = /^(?:\/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})*)+$/u

const CONTROLS = /[\u0000-\u001f\u007f]/u

const isText = (segment: string): boolean => {
  try {
    return !CONTROLS.test(decodeURIComponent(segment))
  } catch {
    return false
  }
}

const isAt = (segments: ReadonlyArray<string>, wanted: ReadonlyArray<string>): boolean =>
  segments.length === wanted.length &&
  wanted.every((each, index) => (each.startsWith(":") ? segments[index] !== "" : each === segments[index]))

const purposeOf = (method: string, path: string): Purpose => {
  if (isProbe(path)) return "probe"
  if (path === "/metrics") return "metrics"
  return method === "GET" ? "read" : "act"
}

/** Where a request with this method and target goes, or why nowhere. */
export const find = (
  asked: string,
  target: string,
  files: { readonly has: (path: string) => boolean }
): Result.Result<Destination, Refusal> => {
  const [path = ""] = target.split("?", 1)
  if (!PATH.test(path) || !path.split("/").every(isText)) {
    return Result.fail(refuse("RequestMalformed", "expected a path as a URL writes it, and a query"))
  }
  const method = asked === "HEAD" ? "GET" : asked
  const methods = files.has(path) ? ["GET"] : methodsAt(path)
  if (methods.length === 0) return Result.fail(refuse("NotFound", "there is nothing at this path"))
  if (!methods.includes(method)) {
    return Result.fail(refuse("MethodNotAllowed", `expected ${methods.includes("GET") ? "GET" : "POST"}`))
  }
  return Result.succeed({ path, purpose: files.has(path) ? "page" : purposeOf(method, path) })
}

const methodsAt = (path: string): ReadonlyArray<string> => {
  const segments = path.split("/")
  return ENDPOINTS.flatMap((endpoint) => (isAt(segments, endpoint.segments) ? [endpoint.method] : []))
}
