/**
 * The one evaluator of authority: manifest AND grant, for exactly one package.
 *
 * It works on a snapshot of the store with a revision. Whoever holds an
 * `AuthorizedTarget` of the current revision may go on; comparing two integers
 * is all that a send costs. When the store changes, the snapshot is replaced,
 * the revision grows and everybody who watches is told at once.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { SocketUrl } from "../manifest/SocketUrl.ts"
import * as WebSocketTarget from "../manifest/WebSocketTarget.ts"
import { evaluate, type Authorization, type Subject } from "./Evaluation.ts"
import type { GrantError } from "./GrantError.ts"
import { Grant, GrantStore } from "./GrantStore.ts"

// Known to this module alone, so that not even a cast constructor makes a target.
const KEY = Symbol("mooring/grants/mint")

let mint: (authorization: Authorization, revision: number) => AuthorizedTarget

/**
 * The proof that a dial or a send was asked for and allowed.
 *
 * **Details**
 *
 * It can't be built, spread or subclassed outside this module, and
 * `WebSocketClient.connect` takes nothing else, so no code path can dial
 * without having asked. A cast is found out by {@link AuthorizedTarget.is}.
 *
 * @category models
 * @since 0.1.0
 */
export class AuthorizedTarget {
  readonly #authorization: Authorization
  readonly #revision: number

  private constructor(key: symbol, authorization: Authorization, revision: number) {
    if (key !== KEY) throw new TypeError("only Grants makes an AuthorizedTarget")
    this.#authorization = authorization
    this.#revision = revision
  }

  static {
    mint = (authorization, revision) => new AuthorizedTarget(KEY, authorization, revision)
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

  /** The revision of the grants that allowed it. */
  get revision(): number {
    return this.#revision
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
  /** Whether a target that was authorized still is. */
  readonly covers: (ingress: string, target: AuthorizedTarget) => boolean
  /** The granted target that bounds how much may be sent to a URL, if any does. */
  readonly rateOf: (url: SocketUrl) => WebSocketTarget.GrantedTarget | undefined
  /** Calls back after each change until the scope closes. */
  readonly watch: (changed: () => void) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * The evaluator. `authority` looks the subject's grant up and keeps it up to
 * date until the scope closes.
 *
 * @category services
 * @since 0.1.0
 */
export class Grants extends Context.Service<
  Grants,
  { readonly authority: (subject: Subject) => Effect.Effect<Authority, never, Scope.Scope> }
>()("mooring/grants/Grants") {}

const isGrant = Schema.is(Grant)
const FOLLOW_AGAIN_MS = 1000
const ANSWER_WITHIN_MS = 500

interface Entry {
  readonly subject: Subject
  readonly watchers: Set<() => void>
  /** Counts the questions: an answer to any but the last comes too late. */
  asked: number
  asking: Fiber.Fiber<unknown> | undefined
  grant: Grant | undefined
  /** The granted targets with a rate. */
  bounded: ReadonlyArray<WebSocketTarget.GrantedTarget>
  revision: number
}

const authorityOf = (entry: Entry): Authority => {
  const now = () => evaluate(entry.subject, entry.grant)
  // The answer for a target whose revision is old, asked once for each revision.
  const rechecked = new WeakMap<AuthorizedTarget, { readonly revision: number; readonly covered: boolean }>()

  const recheck = (ingress: string, target: AuthorizedTarget): boolean => {
    const known = rechecked.get(target)
    if (known?.revision === entry.revision) return known.covered
    const again = now().target(ingress, target.url.raw)
    const covered =
      Result.isSuccess(again) &&
      target.subprotocols.every((subprotocol) => again.success.subprotocols.includes(subprotocol)) &&
      (again.success.privateAddresses || !target.privateAddresses)
    rechecked.set(target, { revision: entry.revision, covered })
    return covered
  }

  return {
    revision: () => entry.revision,
    service: () => now().service(),
    ingress: (name) => now().ingress(name),
    authorize: (ingress, url, display) =>
      Result.map(now().target(ingress, url, display), (authorization) => mint(authorization, entry.revision)),
    covers: (ingress, target) => target.revision === entry.revision || recheck(ingress, target),
    rateOf: (url) => entry.bounded.find((target) => WebSocketTarget.matches(target, url)),
    watch: (changed) =>
      Effect.acquireRelease(
        Effect.sync(() => entry.watchers.add(changed)),
        () => Effect.sync(() => entry.watchers.delete(changed))
      )
  }
}

/**
 * The evaluator over the `GrantStore` of the context.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Grants, never, GrantStore> = Layer.effect(
  Grants,
  Effect.gen(function* () {
    const store = yield* GrantStore
    const entries = new Set<Entry>()
    const scope = yield* Effect.scope

    // Fail closed: a store that breaks grants nothing.
    const lookup = (pluginRef: string) =>
      Effect.suspend(() => store.lookup(pluginRef)).pipe(
        Effect.map(Option.getOrUndefined),
        Effect.flatMap((grant) =>
          grant === undefined || isGrant(grant) ? Effect.succeed(grant) : Effect.die(new TypeError("no grant"))
        ),
        Effect.catchCause((cause) =>
          Effect.as(Effect.logError("the grant store failed; the plugin has no grant", pluginRef, cause), undefined)
        )
      )

    const apply = (entry: Entry, grant: Grant | undefined) => {
      if (JSON.stringify(grant) === JSON.stringify(entry.grant)) return
      entry.grant = grant
      entry.bounded = (grant?.websocket ?? []).filter(
        (target) => target.sendsPerMinute !== undefined || target.sendBytesPerMinute !== undefined
      )
      entry.revision++
      for (const changed of entry.watchers) changed()
    }

    // Completes with the answer or after a while without one, which is no grant until it comes.
    const refresh = Effect.fnUntraced(function* (entry: Entry) {
      const question = ++entry.asked
      entry.asking?.interruptUnsafe()
      const answered = lookup(entry.subject.pluginRef).pipe(
        Effect.map((grant) => {
          if (question === entry.asked) apply(entry, grant)
        })
      )
      entry.asking = yield* Effect.forkIn(answered, scope, { startImmediately: true })
      const inTime = yield* Effect.timeoutOption(Fiber.await(entry.asking), ANSWER_WITHIN_MS)
      if (Option.isNone(inTime) && question === entry.asked) apply(entry, undefined)
    })

    const refreshAll = Effect.suspend(() =>
      Effect.forEach([...entries], refresh, { concurrency: "unbounded", discard: true })
    )

    // A store whose changes break off is asked again: a withdrawal must not be missed.
    const follow: Effect.Effect<void> = Effect.suspend(() =>
      Stream.runForEach(store.changes, () => refreshAll).pipe(
        Effect.catchCause((cause) =>
          Effect.logError("the changes of the grant store broke off", cause).pipe(
            Effect.andThen(Effect.sleep(FOLLOW_AGAIN_MS)),
            Effect.andThen(refreshAll),
            Effect.andThen(follow)
          )
        )
      )
    )
    yield* Effect.forkScoped(follow, { startImmediately: true })

    return Grants.of({
      authority: Effect.fnUntraced(function* (subject) {
        const entry: Entry = {
          subject,
          watchers: new Set(),
          asked: 0,
          asking: undefined,
          grant: undefined,
          bounded: [],
          revision: 0
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => entries.add(entry)),
          () => Effect.sync(() => entries.delete(entry))
        )
        yield* refresh(entry)
        return authorityOf(entry)
      })
    })
  })
)
