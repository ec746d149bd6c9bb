/**
 * The authority of one plugin, and the proofs that it gives: the one module in
 * which an `AuthorizedTarget` or an `AuthorizedRequest` can be made.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { freeze } from "../../internal/bounded.ts"
import type { RequestUrl } from "../../manifest/RequestUrl.ts"
import type { SocketUrl } from "../../manifest/SocketUrl.ts"
import type {
  Authorization,
  Evaluation,
  GrantedRequest,
  Rate,
  RequestAuthorization,
  RequestRate
} from "../Evaluation.ts"
import type { GrantError } from "../GrantError.ts"

// Known to this module alone, so that not even a cast constructor makes a target or a request.
const KEY = Symbol("mooring/grants/mint")

/** For whom something was allowed: an authority, and one of its ingresses; and by which revision of the grants. */
interface Holder {
  readonly authority: object
  readonly ingress: string
  readonly revision: number
}

const isOf = (holder: Holder, authority: object, ingress: string): boolean =>
  holder.authority === authority && holder.ingress === ingress

let mintTarget: (authorization: Authorization, holder: Holder) => AuthorizedTarget
let isTargetHeld: (target: AuthorizedTarget, authority: object, ingress: string) => boolean
let mintRequest: (authorization: RequestAuthorization, holder: Holder) => AuthorizedRequest
let isRequestHeld: (request: AuthorizedRequest, authority: object, ingress: string) => boolean

/**
 * The proof that a dial or a send was asked for and allowed.
 *
 * **Details**
 *
 * It can't be built, spread or subclassed outside this module, and
 * `WebSocketClient.connect` takes nothing else, so no code path can dial
 * without having asked. A cast is found out by {@link AuthorizedTarget.is}. It
 * and everything in it is frozen: what was allowed is what is dialled.
 *
 * @category models
 * @since 0.1.0
 */
export class AuthorizedTarget {
  readonly #authorization: Authorization
  readonly #holder: Holder

  private constructor(key: symbol, authorization: Authorization, holder: Holder) {
    if (key !== KEY) throw new TypeError("only Grants makes an AuthorizedTarget")
    this.#authorization = freeze(authorization)
    this.#holder = holder
    Object.freeze(this)
  }

  static {
    Object.freeze(this.prototype)
    Object.freeze(this)
    mintTarget = (authorization, holder) => new AuthorizedTarget(KEY, authorization, holder)
    isTargetHeld = (target, authority, ingress) => #holder in target && isOf(target.#holder, authority, ingress)
  }

  /** Whether a value is a target that `Grants` made. Looks at the object itself, not at its prototype. */
  static is(value: unknown): value is AuthorizedTarget {
    return typeof value === "object" && value !== null && #authorization in value
  }

  /** The URL to dial. */
  get url(): SocketUrl {
    return this.#authorization.url
  }

  /** What may be shown of it: of a URL that isn't the source's own, the source's. */
  get display(): string {
    return this.#authorization.display
  }

  /** The subprotocols to offer. */
  get subprotocols(): ReadonlyArray<string> {
    return this.#authorization.subprotocols
  }

  /** Whether the name may resolve to a private address. */
  get privateAddresses(): boolean {
    return this.#authorization.privateAddresses
  }

  /** What bounded how much may be sent when it was allowed; see {@link Authority.rateOf}. */
  get rate(): Rate | undefined {
    return this.#authorization.rate
  }

  /** Whether a secret may go there although another server is its own. */
  opens(secret: string): boolean {
    return this.#authorization.secrets.includes(secret)
  }

  /** The revision of the grants that allowed it. */
  get revision(): number {
    return this.#holder.revision
  }
}

/**
 * The proof that a request was asked for and allowed: its method as well as its
 * URL. Made, frozen and found out like an {@link AuthorizedTarget};
 * `RequestClient.send` takes nothing else.
 *
 * @category models
 * @since 0.5.0
 */
export class AuthorizedRequest {
  readonly #authorization: RequestAuthorization
  readonly #holder: Holder

  private constructor(key: symbol, authorization: RequestAuthorization, holder: Holder) {
    if (key !== KEY) throw new TypeError("only Grants makes an AuthorizedRequest")
    this.#authorization = freeze(authorization)
    this.#holder = holder
    Object.freeze(this)
  }

  static {
    Object.freeze(this.prototype)
    Object.freeze(this)
    mintRequest = (authorization, holder) => new AuthorizedRequest(KEY, authorization, holder)
    isRequestHeld = (request, authority, ingress) => #holder in request && isOf(request.#holder, authority, ingress)
  }

  /** Whether a value is a request that `Grants` made. Looks at the object itself, not at its prototype. */
  static is(value: unknown): value is AuthorizedRequest {
    return typeof value === "object" && value !== null && #authorization in value
  }

  /** The URL that was allowed, with the stand-ins that the plugin wrote. */
  get url(): RequestUrl {
    return this.#authorization.url
  }

  /** The method, as written. */
  get method(): string {
    return this.#authorization.method
  }

  /** What may be shown of the URL. */
  get display(): string {
    return this.#authorization.display
  }

  /** Whether the name may resolve to a private address. */
  get privateAddresses(): boolean {
    return this.#authorization.privateAddresses
  }

  /** What bounded how many there may be when it was allowed; see {@link Authority.requestRateOf}. */
  get rate(): RequestRate | undefined {
    return this.#authorization.rate
  }

  /** The granted target that decided. */
  get granted(): GrantedRequest {
    return this.#authorization.granted
  }

  /** Whether the plugin may place a secret in it. */
  opens(secret: string): boolean {
    return this.#authorization.secrets.includes(secret)
  }

  /** The revision of the grants that allowed it. */
  get revision(): number {
    return this.#holder.revision
  }
}

/**
 * The authority of one plugin. All members are synchronous: they look at the
 * snapshot.
 *
 * @category models
 * @since 0.1.0
 */
export interface Authority {
  /** Grows whenever this plugin's grant changes. */
  readonly revision: () => number
  /** Whether the plugin may run as a service. */
  readonly service: () => Result.Result<void, GrantError>
  /** Whether one of its ingresses may receive events. */
  readonly ingress: (name: string) => Result.Result<void, GrantError>
  /** Whether one of its ingresses may dial a URL. `display` is what may be shown of it; its own unless given. */
  readonly authorize: (ingress: string, url: string, display?: string) => Result.Result<AuthorizedTarget, GrantError>
  /** Whether a target that this authority allowed this ingress still is. */
  readonly covers: (ingress: string, target: AuthorizedTarget) => boolean
  /** What bounds how much may be sent to a target that is still authorized, if anything does. */
  readonly rateOf: (ingress: string, target: AuthorizedTarget) => Rate | undefined
  /** Whether a target that is still authorized opens a secret. */
  readonly opens: (ingress: string, target: AuthorizedTarget, secret: string) => boolean
  /**
   * Whether one of its ingresses may request a URL by a method. `display` is what may be shown of the URL; its own
   * unless given. Who sends what has waited asks anew: another granted target may decide by then.
   */
  readonly authorizeRequest: (
    ingress: string,
    method: string,
    url: string,
    display?: string
  ) => Result.Result<AuthorizedRequest, GrantError>
  /** Whether a request that this authority allowed this ingress still is; one that runs ends where it isn't. */
  readonly coversRequest: (ingress: string, request: AuthorizedRequest) => boolean
  /** What bounds how many requests like one that is still authorized there may be, if anything does. */
  readonly requestRateOf: (ingress: string, request: AuthorizedRequest) => RequestRate | undefined
  /** All targets of requests that are granted, in their order. */
  readonly requests: () => ReadonlyArray<GrantedRequest>
  /** Whether the plugin may sign with a secret. */
  readonly signs: (secret: string) => boolean
  /** Calls back after each change until the scope closes. */
  readonly watch: (changed: () => void) => Effect.Effect<void, never, Scope.Scope>
  /** Tells of each change until it is told not to: a connection each is one that listens, and has no finalizer. */
  readonly listen: (listener: Listener) => void
  readonly unlisten: (listener: Listener) => void
}

/** Is told when what is granted has changed. */
export interface Listener {
  granted(): void
}

/** What an authority looks at. */
interface Snapshot {
  readonly listeners: Set<Listener>
  readonly evaluation: Evaluation
  readonly revision: number
}

/** What something that was authorized is at a later revision. */
interface Recheck<Limit> {
  readonly revision: number
  readonly covered: boolean
  readonly rate: Limit | undefined
  readonly secrets: ReadonlyArray<string>
}

/** The answers for what has an old revision, each asked once for each revision. */
const rechecker = <Authorized extends object, Limit>(
  snapshot: Snapshot,
  again: (ingress: string, authorized: Authorized) => Omit<Recheck<Limit>, "revision">
) => {
  const known = new WeakMap<Authorized, Recheck<Limit>>()
  return (ingress: string, authorized: Authorized): Recheck<Limit> => {
    const last = known.get(authorized)
    if (last?.revision === snapshot.revision) return last
    const found = { ...again(ingress, authorized), revision: snapshot.revision }
    known.set(authorized, found)
    return found
  }
}

const reaches = (again: { readonly privateAddresses: boolean }, before: { readonly privateAddresses: boolean }) =>
  again.privateAddresses || !before.privateAddresses

const overTargets = (entry: Snapshot): Pick<Authority, "authorize" | "covers" | "rateOf" | "opens"> => {
  const recheck = rechecker(entry, (ingress, target: AuthorizedTarget) => {
    const again = Result.getOrUndefined(entry.evaluation.target(ingress, target.url.raw))
    const covered =
      again !== undefined &&
      target.subprotocols.every((subprotocol) => again.subprotocols.includes(subprotocol)) &&
      reaches(again, target)
    return { covered, rate: again?.rate, secrets: covered ? again.secrets : [] }
  })
  return {
    authorize: (ingress, url, display) =>
      Result.map(entry.evaluation.target(ingress, url, display), (authorization) =>
        mintTarget(authorization, { authority: entry, ingress, revision: entry.revision })
      ),
    covers: (ingress, target) =>
      isTargetHeld(target, entry, ingress) && (target.revision === entry.revision || recheck(ingress, target).covered),
    rateOf: (ingress, target) => {
      if (!isTargetHeld(target, entry, ingress)) return undefined
      return target.revision === entry.revision ? target.rate : recheck(ingress, target).rate
    },
    opens: (ingress, target, secret) => {
      if (!isTargetHeld(target, entry, ingress)) return false
      if (target.revision === entry.revision) return target.opens(secret)
      return recheck(ingress, target).secrets.includes(secret)
    }
  }
}

const overRequests = (entry: Snapshot): Pick<Authority, "authorizeRequest" | "coversRequest" | "requestRateOf"> => {
  const recheck = rechecker(entry, (ingress, request: AuthorizedRequest) => {
    const again = Result.getOrUndefined(entry.evaluation.request(ingress, request.method, request.url.raw))
    const covered = again !== undefined && reaches(again, request)
    return { covered, rate: again?.rate, secrets: covered ? again.secrets : [] }
  })
  return {
    authorizeRequest: (ingress, method, url, display) =>
      Result.map(entry.evaluation.request(ingress, method, url, display), (authorization) =>
        mintRequest(authorization, { authority: entry, ingress, revision: entry.revision })
      ),
    coversRequest: (ingress, request) =>
      isRequestHeld(request, entry, ingress) &&
      (request.revision === entry.revision || recheck(ingress, request).covered),
    requestRateOf: (ingress, request) => {
      if (!isRequestHeld(request, entry, ingress)) return undefined
      return request.revision === entry.revision ? request.rate : recheck(ingress, request).rate
    }
  }
}

/** The authority over a snapshot that others keep up to date. */
export const authorityOf = (entry: Snapshot): Authority => {
  const listen = (listener: Listener) => void entry.listeners.add(listener)
  const unlisten = (listener: Listener) => void entry.listeners.delete(listener)
  return {
    revision: () => entry.revision,
    service: () => entry.evaluation.service,
    ingress: (name) => entry.evaluation.ingress(name),
    ...overTargets(entry),
    ...overRequests(entry),
    requests: () => entry.evaluation.requests,
    signs: (secret) => entry.evaluation.signs(secret),
    watch: (changed) =>
      Effect.suspend(() => {
        const listener: Listener = { granted: changed }
        return Effect.acquireRelease(
          Effect.sync(() => listen(listener)),
          () => Effect.sync(() => unlisten(listener))
        )
      }),
    listen,
    unlisten
  }
}
