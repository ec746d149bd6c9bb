/**
 * The decision itself: one question, the two halves, one answer. Pure, and the
 * only place where authority is decided.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Manifest } from "../manifest/Manifest.ts"
import * as Permission from "../manifest/Permission.ts"
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
}

/**
 * How much may be sent to what one granted target covers, in a minute;
 * `undefined`: any amount. The same object for as long as the target is
 * granted as it is, so that what counts by it goes on through other changes.
 *
 * @category models
 * @since 0.2.0
 */
export interface Rate {
  readonly sendsPerMinute: number | undefined
  readonly sendBytesPerMinute: number | undefined
}

/**
 * What was authorized.
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
  readonly rate: Rate | undefined
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

const texts = (permissions: ReadonlyArray<Permission.Permission>): ReadonlySet<string> =>
  new Set(permissions.map(Permission.format))

/**
 * Reads once what a package declares and is enabled for, and then evaluates it
 * with whatever is granted. What is asked later costs nothing that grows with
 * the length of lists of permissions.
 *
 * @category evaluation
 * @since 0.2.0
 */
export const evaluator = (subject: Subject): ((answer: Answer) => Evaluation) => {
  const { digest, id, manifest, version } = subject
  const bound = { id, version, digest }
  const declared = texts(manifest.permissions)
  const surfaces = new Set(manifest.surfaces)
  const enabled = new Set(subject.surfaces ?? manifest.surfaces)
  const services = manifest.services.map(({ name }) => name)
  const declaredTargets = manifest.websocket.map(readTarget)
  let rates: ReadonlyMap<string, Rate> = new Map()

  return ({ cause, grant }) => {
    const granted = grant === undefined ? undefined : texts(grant.permissions)
    // Kept through a failure of the store, which is no reason for another full minute's worth.
    if (grant !== undefined) rates = new Map(grant.websocket.map((target) => rateOf(target, rates)))
    const grantedTargets = (grant?.websocket ?? []).map((target) => ({
      ...readTarget(target),
      rate: bounded(rateOf(target, rates)[1])
    }))

    const missing = (permission: string, where: PermissionMissing["missing"]) =>
      Result.fail(
        new PermissionMissing({
          permission,
          missing: where,
          ...(where === "grant" && cause !== undefined ? { cause } : {})
        })
      )

    const permission = (wanted: Permission.Served): Checked => {
      const text = Permission.format(wanted)
      if (!declared.has(text)) return missing(text, "manifest")
      return granted?.has(text) === true ? ok : missing(text, "grant")
    }

    const binding = (): Checked => {
      for (const field of ["id", "version", "digest"] as const) {
        if (grant !== undefined && grant[field] !== bound[field]) {
          return Result.fail(new GrantBindingMismatch({ field, granted: grant[field], actual: bound[field] }))
        }
      }
      return ok
    }

    const surface = (name: "service" | "ingress"): Checked => {
      if (!surfaces.has(name)) return missing(`surface ${name}`, "manifest")
      if (!enabled.has(name)) return missing(`surface ${name}`, "enablement")
      return permission({ kind: "surface", surface: name })
    }

    const service = all(
      binding,
      () => surface("service"),
      () => (services.length === 0 ? missing("service", "manifest") : ok),
      ...services.map((name) => () => permission({ kind: "service", name }))
    )

    const ingress = (name: string): Checked =>
      all(
        () => service,
        () => surface("ingress"),
        () => permission({ kind: "ingress", name })
      )

    const target: Evaluation["target"] = (ingressName, raw, display = SocketUrl.display(raw)) => {
      const allowed = all(
        () => ingress(ingressName),
        () => permission({ kind: "host_api", api: "websocket" })
      )
      if (Result.isFailure(allowed)) return Result.fail(allowed.failure)
      const parsed = SocketUrl.parse(raw)
      if (Result.isFailure(parsed)) {
        return Result.fail(new TargetInvalid({ url: display, problem: parsed.failure }))
      }
      return authorizeUrl(declaredTargets, grantedTargets, parsed.success, display)
    }

    return { service, ingress, target }
  }
}

/** A target as it is asked about. */
interface Read {
  readonly matches: (url: SocketUrl.SocketUrl) => boolean
  readonly subprotocols: ReadonlyArray<string>
  readonly privateAddresses: boolean
}

const readTarget = (target: WebSocketTarget.GrantedTarget): Read => ({
  matches: WebSocketTarget.matcher(target),
  subprotocols: target.subprotocols ?? [],
  privateAddresses: target.privateAddresses === true
})

/** The rate of a target under what the target is: the one that was there before, if there was one. */
const rateOf = (
  target: WebSocketTarget.GrantedTarget,
  former: ReadonlyMap<string, Rate>
): readonly [key: string, rate: Rate] => {
  const key = JSON.stringify(target)
  const { sendBytesPerMinute, sendsPerMinute } = target
  return [
    key,
    former.get(key) ?? {
      sendsPerMinute: sendsPerMinute === 0 ? undefined : sendsPerMinute,
      sendBytesPerMinute: sendBytesPerMinute === 0 ? undefined : sendBytesPerMinute
    }
  ]
}

const bounded = (rate: Rate): Rate | undefined =>
  rate.sendsPerMinute === undefined && rate.sendBytesPerMinute === undefined ? undefined : rate

const authorizeUrl = (
  declaredTargets: ReadonlyArray<Read>,
  grantedTargets: ReadonlyArray<Read & { readonly rate: Rate | undefined }>,
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
  const missing = subprotocols.find((subprotocol) => !allowed.has(subprotocol))
  if (missing !== undefined) return Result.fail(new TargetUngranted({ url: display, subprotocol: missing }))
  const { privateAddresses, rate } = decisive
  return Result.succeed({ url, display, subprotocols, privateAddresses, rate })
}
