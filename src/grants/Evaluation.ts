/**
 * The decision itself: one question, the two halves, one answer. Pure, and the
 * only place where authority is decided.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Manifest } from "../manifest/Manifest.ts"
import * as Permission from "../manifest/Permission.ts"
import * as RequestTarget from "../manifest/RequestTarget.ts"
import * as RequestUrl from "../manifest/RequestUrl.ts"
import * as SocketUrl from "../manifest/SocketUrl.ts"
import * as WebSocketTarget from "../manifest/WebSocketTarget.ts"
import {
  GrantBindingMismatch,
  PermissionMissing,
  TargetInvalid,
  TargetUndeclared,
  TargetUngranted,
  type GrantError
} from "./GrantError.ts"
import type { Grant } from "./GrantStore.ts"
import { granted as grantedRequest, type GrantedRequest } from "./internal/grantedRequest.ts"
import * as Rates from "./internal/rates.ts"

export type { GrantedRequest } from "./internal/grantedRequest.ts"
export type { Rate, RequestRate } from "./internal/rates.ts"

/**
 * Who asks: an exact package, as the operator enabled it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  readonly pluginRef: string
  readonly id: string
  readonly version: string
  readonly digest: string
  readonly manifest: Manifest
  /** The surfaces that the operator enabled; `undefined`: all that the manifest declares. */
  readonly surfaces: ReadonlyArray<string> | undefined
  /** Whether its code is trusted with the process: then nothing bounds how much it sends but what the grant says. */
  readonly isInProcess: boolean
}

/**
 * What was authorized: a connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Authorization {
  readonly url: SocketUrl.SocketUrl
  /** What may be shown of it. */
  readonly display: string
  /** Offered in the upgrade, in this order. */
  readonly subprotocols: ReadonlyArray<string>
  /** Whether the name may resolve to a loopback, private or unique-local address. */
  readonly privateAddresses: boolean
  /** What bounds how much may be sent, if anything does. */
  readonly rate: Rates.Rate | undefined
  /** The secrets that may go there although another server is their own. */
  readonly secrets: ReadonlyArray<string>
}

/**
 * What was authorized: a request. All of it is what the first granted target
 * that covers it says, which is `granted`.
 *
 * @category models
 * @since 0.5.0
 */
export interface RequestAuthorization {
  readonly url: RequestUrl.RequestUrl
  /** As written. */
  readonly method: string
  /** What may be shown of the URL. */
  readonly display: string
  /** Whether the name may resolve to a loopback, private or unique-local address. */
  readonly privateAddresses: boolean
  /** What bounds how many there may be, if anything does. */
  readonly rate: Rates.RequestRate | undefined
  /** The secrets that the plugin may place in it. */
  readonly secrets: ReadonlyArray<string>
  readonly granted: GrantedRequest
}

/**
 * What the store answered. Without a grant nothing is granted, and `cause` says
 * why, where that is no answer but a failure.
 *
 * @category models
 * @since 0.2.0
 */
export interface Answer {
  readonly grant: Grant | undefined
  readonly cause?: unknown
}

type Checked = Result.Result<void, GrantError>

/**
 * The answers for one package under one grant.
 *
 * @category models
 * @since 0.2.0
 */
export interface Evaluation {
  readonly service: Checked
  readonly ingress: (name: string) => Checked
  readonly target: (ingress: string, url: string, display?: string) => Result.Result<Authorization, GrantError>
  /** Whether one of its ingresses may use an interface of the host at all, whatever is dialled or requested. */
  readonly uses: (ingress: string, api: "websocket" | "request") => Checked
  readonly request: (
    ingress: string,
    method: string,
    url: string,
    display?: string
  ) => Result.Result<RequestAuthorization, GrantError>
  /** All targets of requests that are granted, in their order. */
  readonly requests: ReadonlyArray<GrantedRequest>
  /** Whether it may sign with a secret of this name. */
  readonly signs: (secret: string) => boolean
}

const ok: Checked = Result.succeed(undefined)

/** The first failure, if there is one. */
const all = (...checks: ReadonlyArray<() => Checked>): Checked => {
  for (const check of checks) {
    const result = check()
    if (Result.isFailure(result)) return result
  }
  return ok
}

/**
 * Reads once what a package declares and is enabled for, and then evaluates it
 * with whatever is granted. What is asked later costs nothing that grows with
 * the length of lists of permissions.
 *
 * @category evaluation
 * @since 0.2.0
 */
export const evaluator = (subject: Subject): ((answer: Answer) => Evaluation) => {
  const asking = askingOf(subject)
  const limits = Rates.limits(subject.isInProcess)
  // Kept through a failure of the store, which is no reason for another full minute's worth.
  let sends: SendRates = new Map()
  let requests: RequestRates = new Map()
  return ({ cause, grant }) => {
    if (grant !== undefined) {
      sends = Rates.next(sends, grant.websocket, limits.sends)
      requests = Rates.next(requests, grant.request ?? [], limits.requests)
    }
    return evaluate(asking, {
      grant,
      cause,
      permissions: textsOf(grant?.permissions ?? []),
      targets: (grant?.websocket ?? []).map((target) => ({ ...targetOf(target), rate: Rates.boundOf(sends, target) })),
      requests: (grant?.request ?? []).map((target) => ({
        ...requestOf(target),
        granted: grantedRequest(target),
        rate: Rates.boundOf(requests, target)
      })),
      signs: new Set(grant?.sign ?? [])
    })
  }
}

type SendRates = Rates.Rates<ReturnType<ReturnType<typeof Rates.limits>["sends"]>>
type RequestRates = Rates.Rates<ReturnType<ReturnType<typeof Rates.limits>["requests"]>>

/** A subject as it was when it began to ask. */
interface Asking {
  readonly pins: Pick<Subject, "id" | "version" | "digest">
  readonly permissions: ReadonlySet<string>
  readonly surfaces: ReadonlySet<string>
  readonly enabled: ReadonlySet<string>
  readonly services: ReadonlyArray<string>
  readonly targets: ReadonlyArray<Target>
  readonly requests: ReadonlyArray<Request>
}

const askingOf = ({ digest, id, manifest, surfaces, version }: Subject): Asking => ({
  pins: { id, version, digest },
  permissions: textsOf(manifest.permissions),
  surfaces: new Set(manifest.surfaces),
  enabled: new Set(surfaces ?? manifest.surfaces),
  services: manifest.services.map(({ name }) => name),
  targets: manifest.websocket.map(targetOf),
  requests: manifest.request.map(requestOf)
})

const textsOf = (permissions: ReadonlyArray<Permission.Permission>): ReadonlySet<string> =>
  new Set(permissions.map(Permission.format))

interface Granted extends Answer {
  readonly permissions: ReadonlySet<string>
  readonly targets: ReadonlyArray<Target & { readonly rate: Rates.Rate | undefined }>
  readonly requests: ReadonlyArray<
    Request & { readonly granted: GrantedRequest; readonly rate: Rates.RequestRate | undefined }
  >
  readonly signs: ReadonlySet<string>
}

const evaluate = (asking: Asking, granted: Granted): Evaluation => {
  const service = all(
    () => binding(asking, granted),
    () => surface(asking, granted, "service"),
    () => (asking.services.length === 0 ? missing("service", "manifest") : ok),
    ...asking.services.map((name) => () => permission(asking, granted, { kind: "service", name }))
  )
  const ingress = (name: string): Checked =>
    all(
      () => service,
      () => surface(asking, granted, "ingress"),
      () => permission(asking, granted, { kind: "ingress", name })
    )
  const uses: Evaluation["uses"] = (ingressName, api) =>
    all(
      () => ingress(ingressName),
      () => permission(asking, granted, { kind: "host_api", api })
    )
  return {
    service,
    ingress,
    uses,
    target: (ingressName, raw, shown) =>
      Result.flatMap(uses(ingressName, "websocket"), () => {
        // Read once: it is half of what the question costs.
        const parsed = SocketUrl.parse(raw)
        return Result.isFailure(parsed)
          ? Result.fail(new TargetInvalid({ url: shown ?? SocketUrl.display(raw), problem: parsed.failure }))
          : authorizeUrl(asking.targets, granted.targets, parsed.success, shown ?? parsed.success.display)
      }),
    request: (ingressName, method, raw, shown) =>
      Result.flatMap(uses(ingressName, "request"), () => {
        const parsed = RequestUrl.parse(raw)
        const url = shown ?? (Result.isFailure(parsed) ? RequestUrl.display(raw) : parsed.success.display)
        if (Result.isFailure(parsed)) return Result.fail(new TargetInvalid({ url, problem: parsed.failure }))
        return isMethod(method)
          ? authorizeRequest(asking.requests, granted.requests, { method, url: parsed.success, display: url })
          : Result.fail(new TargetInvalid({ url, problem: "its method is CONNECT, TRACE or none at all" }))
      }),
    requests: granted.requests.map((each) => each.granted),
    signs: (secret) => Result.isSuccess(service) && granted.signs.has(secret)
  }
}

const isMethod = Schema.is(RequestTarget.Method)

const missing = (text: string, where: PermissionMissing["missing"], cause?: unknown): Checked =>
  Result.fail(new PermissionMissing({ permission: text, missing: where, ...(cause === undefined ? {} : { cause }) }))

const permission = (asking: Asking, { cause, permissions }: Granted, wanted: Permission.Served): Checked => {
  const text = Permission.format(wanted)
  if (!asking.permissions.has(text)) return missing(text, "manifest")
  return permissions.has(text) ? ok : missing(text, "grant", cause)
}

const binding = ({ pins }: Asking, { grant }: Granted): Checked => {
  for (const field of ["id", "version", "digest"] as const) {
    if (grant !== undefined && grant[field] !== pins[field]) {
      return Result.fail(new GrantBindingMismatch({ field, granted: grant[field], actual: pins[field] }))
    }
  }
  return ok
}

const surface = (asking: Asking, granted: Granted, name: "service" | "ingress"): Checked => {
  if (!asking.surfaces.has(name)) return missing(`surface ${name}`, "manifest")
  if (!asking.enabled.has(name)) return missing(`surface ${name}`, "enablement")
  return permission(asking, granted, { kind: "surface", surface: name })
}

/** A target of requests as it is asked about. */
interface Request {
  readonly matches: (method: string, url: RequestUrl.RequestUrl) => boolean
  readonly privateAddresses: boolean
  readonly secrets: ReadonlyArray<string>
}

const requestOf = (target: RequestTarget.GrantedRequestTarget): Request => ({
  matches: RequestTarget.matcher(target),
  privateAddresses: target.privateAddresses === true,
  secrets: target.secrets ?? []
})

const authorizeRequest = (
  declaredTargets: ReadonlyArray<Request>,
  grantedTargets: Granted["requests"],
  { display, method, url }: Pick<RequestAuthorization, "method" | "url" | "display">
): Result.Result<RequestAuthorization, GrantError> => {
  if (!declaredTargets.some(({ matches }) => matches(method, url))) {
    return Result.fail(new TargetUndeclared({ url: display, method }))
  }
  // The first one decides.
  const decisive = grantedTargets.find(({ matches }) => matches(method, url))
  if (decisive === undefined) return Result.fail(new TargetUngranted({ url: display, method, subprotocol: null }))
  const { granted, privateAddresses, rate, secrets } = decisive
  return Result.succeed({ url, method, display, privateAddresses, rate, secrets, granted })
}

/** A target of connections as it is asked about. */
interface Target {
  readonly matches: (url: SocketUrl.SocketUrl) => boolean
  readonly subprotocols: ReadonlyArray<string>
  readonly privateAddresses: boolean
  readonly secrets: ReadonlyArray<string>
}

const targetOf = (target: WebSocketTarget.GrantedTarget): Target => ({
  matches: WebSocketTarget.matcher(target),
  subprotocols: target.subprotocols ?? [],
  privateAddresses: target.privateAddresses === true,
  secrets: target.secrets ?? []
})

const authorizeUrl = (
  declaredTargets: ReadonlyArray<Target>,
  grantedTargets: Granted["targets"],
  url: SocketUrl.SocketUrl,
  display: string
): Result.Result<Authorization, GrantError> => {
  const declared = declaredTargets.filter(({ matches }) => matches(url))
  if (declared.length === 0) return Result.fail(new TargetUndeclared({ url: display }))
  const granted = grantedTargets.filter(({ matches }) => matches(url))
  // The first one decides.
  const [decisive] = granted
  if (decisive === undefined) return Result.fail(new TargetUngranted({ url: display, subprotocol: null }))
  const subprotocols = [...new Set(declared.flatMap((target) => target.subprotocols))]
  const allowed = new Set(granted.flatMap((target) => target.subprotocols))
  const ungranted = subprotocols.find((subprotocol) => !allowed.has(subprotocol))
  if (ungranted !== undefined) return Result.fail(new TargetUngranted({ url: display, subprotocol: ungranted }))
  const { privateAddresses, rate, secrets } = decisive
  return Result.succeed({ url, display, subprotocols, privateAddresses, rate, secrets })
}
