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
}

/** The first failure, if there is one. */
const all = (...checks: ReadonlyArray<() => Result.Result<void, GrantError>>): Result.Result<void, GrantError> => {
  for (const check of checks) {
    const result = check()
    if (Result.isFailure(result)) return result
  }
  return Result.succeed(undefined)
}

/**
 * The answers for one package and what it is granted, if anything.
 *
 * @category evaluation
 * @since 0.1.0
 */
export const evaluate = (subject: Subject, grant: Grant | undefined) => {
  const permission = (wanted: Permission.Served): Result.Result<void, GrantError> => {
    const text = Permission.format(wanted)
    if (!Permission.includes(subject.manifest.permissions, wanted)) {
      return Result.fail(new PermissionMissing({ permission: text, missing: "manifest" }))
    }
    if (grant === undefined || !Permission.includes(grant.permissions, wanted)) {
      return Result.fail(new PermissionMissing({ permission: text, missing: "grant" }))
    }
    return Result.succeed(undefined)
  }

  const binding = (): Result.Result<void, GrantError> => {
    if (grant === undefined) return Result.succeed(undefined)
    for (const field of ["id", "version", "digest"] as const) {
      if (grant[field] !== subject[field]) {
        return Result.fail(new GrantBindingMismatch({ field, granted: grant[field], actual: subject[field] }))
      }
    }
    return Result.succeed(undefined)
  }

  const surface = (name: "service" | "ingress"): Result.Result<void, GrantError> => {
    if (!subject.manifest.surfaces.includes(name)) {
      return Result.fail(new PermissionMissing({ permission: `surface ${name}`, missing: "manifest" }))
    }
    if (subject.surfaces !== undefined && !subject.surfaces.includes(name)) {
      return Result.fail(new PermissionMissing({ permission: `surface ${name}`, missing: "enablement" }))
    }
    return permission({ kind: "surface", surface: name })
  }

  const service = () =>
    all(
      binding,
      () => surface("service"),
      () =>
        subject.manifest.services.length === 0
          ? Result.fail(new PermissionMissing({ permission: "service", missing: "manifest" }))
          : all(
              ...subject.manifest.services.map(
                ({ name }) =>
                  () =>
                    permission({ kind: "service", name })
              )
            )
    )

  const ingress = (name: string) =>
    all(
      service,
      () => surface("ingress"),
      () => permission({ kind: "ingress", name })
    )

  const target = (
    ingressName: string,
    raw: string,
    display = SocketUrl.display(raw)
  ): Result.Result<Authorization, GrantError> => {
    const allowed = all(
      () => ingress(ingressName),
      () => permission({ kind: "host_api", api: "websocket" })
    )
    if (Result.isFailure(allowed)) return Result.fail(allowed.failure)
    const parsed = SocketUrl.parse(raw)
    if (Result.isFailure(parsed)) {
      return Result.fail(new TargetInvalid({ url: display, problem: parsed.failure }))
    }
    return authorizeUrl(subject.manifest.websocket, grant?.websocket ?? [], parsed.success, display)
  }

  return { service, ingress, target }
}

const authorizeUrl = (
  declaredTargets: ReadonlyArray<WebSocketTarget.WebSocketTarget>,
  grantedTargets: ReadonlyArray<WebSocketTarget.GrantedTarget>,
  url: SocketUrl.SocketUrl,
  display: string
): Result.Result<Authorization, GrantError> => {
  const declared = declaredTargets.filter((target) => WebSocketTarget.matches(target, url))
  if (declared.length === 0) return Result.fail(new TargetUndeclared({ url: display }))
  const granted = grantedTargets.filter((target) => WebSocketTarget.matches(target, url))
  if (granted.length === 0) return Result.fail(new TargetUngranted({ url: display, subprotocol: null }))
  const subprotocols = [...new Set(declared.flatMap((target) => target.subprotocols ?? []))]
  const allowed = new Set(granted.flatMap((target) => target.subprotocols ?? []))
  const missing = subprotocols.find((subprotocol) => !allowed.has(subprotocol))
  if (missing !== undefined) return Result.fail(new TargetUngranted({ url: display, subprotocol: missing }))
  return Result.succeed({
    url,
    display,
    subprotocols,
    privateAddresses: granted.some((target) => target.privateAddresses === true)
  })
}
