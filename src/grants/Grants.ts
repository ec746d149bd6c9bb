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
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { freeze } from "../internal/bounded.ts"
import { follow } from "../internal/following.ts"
import type { SocketUrl } from "../manifest/SocketUrl.ts"
import * as HadTime from "../time/HadTime.ts"
import { evaluator, type Answer, type Authorization, type Evaluation, type Rate, type Subject } from "./Evaluation.ts"
import type { GrantError } from "./GrantError.ts"
import { GrantStore } from "./GrantStore.ts"
import * as Following from "./internal/following.ts"

export type { Rate, Subject } from "./Evaluation.ts"

// Known to this module alone, so that not even a cast constructor makes a target.
const KEY = Symbol("mooring/grants/mint")

/** For whom a target was allowed: an authority, and one of its ingresses. */
interface Holder {
  readonly authority: object
  readonly ingress: string
}

let mint: (authorization: Authorization, revision: number, holder: Holder) => AuthorizedTarget
let isHeld: (target: AuthorizedTarget, authority: object, ingress: string) => boolean

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
  readonly #revision: number
  readonly #holder: Holder

  private constructor(key: symbol, authorization: Authorization, revision: number, holder: Holder) {
    if (key !== KEY) throw new TypeError("only Grants makes an AuthorizedTarget")
    this.#authorization = freeze(authorization)
    this.#revision = revision
    this.#holder = holder
    Object.freeze(this)
  }

  static {
    Object.freeze(this.prototype)
    Object.freeze(this)
    mint = (authorization, revision, holder) => new AuthorizedTarget(KEY, authorization, revision, holder)
    isHeld = (target, authority, ingress) =>
      #holder in target && target.#holder.authority === authority && target.#holder.ingress === ingress
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
  /** Whether a target that this authority allowed this ingress still is. */
  readonly covers: (ingress: string, target: AuthorizedTarget) => boolean
  /** What bounds how much may be sent to a target that is still authorized, if anything does. */
  readonly rateOf: (ingress: string, target: AuthorizedTarget) => Rate | undefined
  /** Whether a target that is still authorized opens a secret. */
  readonly opens: (ingress: string, target: AuthorizedTarget, secret: string) => boolean
  /** Calls back after each change until the scope closes. */
  readonly watch: (changed: () => void) => Effect.Effect<void, never, Scope.Scope>
  /** Calls back after each change until what it returns is called: a connection each keeps this, and no finalizer. */
  readonly listen: (changed: () => void) => () => void
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

interface Entry {
  readonly asker: Following.Asker
  readonly watchers: Set<() => void>
  readonly evaluate: (answer: Answer) => Evaluation
  answer: Answer
  evaluation: Evaluation
  revision: number
}

/** What an authorized target is at a later revision. */
interface Recheck {
  readonly revision: number
  readonly covered: boolean
  readonly rate: Rate | undefined
  readonly secrets: ReadonlyArray<string>
}

const authorityOf = (entry: Entry): Authority => {
  // The answer for a target whose revision is old, asked once for each revision.
  const rechecked = new WeakMap<AuthorizedTarget, Recheck>()

  const recheck = (ingress: string, target: AuthorizedTarget): Recheck => {
    const known = rechecked.get(target)
    if (known?.revision === entry.revision) return known
    const again = Result.getOrUndefined(entry.evaluation.target(ingress, target.url.raw))
    const covered =
      again !== undefined &&
      target.subprotocols.every((subprotocol) => again.subprotocols.includes(subprotocol)) &&
      (again.privateAddresses || !target.privateAddresses)
    const secrets = covered ? again.secrets : []
    const found = { revision: entry.revision, covered, rate: again?.rate, secrets }
    rechecked.set(target, found)
    return found
  }

  const listen = (changed: () => void) => {
    entry.watchers.add(changed)
    return () => void entry.watchers.delete(changed)
  }

  return {
    revision: () => entry.revision,
    service: () => entry.evaluation.service,
    ingress: (name) => entry.evaluation.ingress(name),
    authorize: (ingress, url, display) =>
      Result.map(entry.evaluation.target(ingress, url, display), (authorization) =>
        mint(authorization, entry.revision, { authority: entry, ingress })
      ),
    covers: (ingress, target) =>
      isHeld(target, entry, ingress) && (target.revision === entry.revision || recheck(ingress, target).covered),
    rateOf: (ingress, target) => {
      if (!isHeld(target, entry, ingress)) return undefined
      return target.revision === entry.revision ? target.rate : recheck(ingress, target).rate
    },
    opens: (ingress, target, secret) => {
      if (!isHeld(target, entry, ingress)) return false
      if (target.revision === entry.revision) return target.opens(secret)
      return recheck(ingress, target).secrets.includes(secret)
    },
    watch: (changed) =>
      Effect.acquireRelease(
        Effect.sync(() => listen(changed)),
        (unlisten) => Effect.sync(unlisten)
      ),
    listen
  }
}

/** Goes by another answer from now on. Of a failure that goes on only the reason is new. */
const apply = (entry: Entry, answer: Answer): void => {
  const before = entry.answer
  const isSame =
    JSON.stringify(answer.grant) === JSON.stringify(before.grant) &&
    (answer.cause === undefined) === (before.cause === undefined)
  entry.answer = answer
  entry.evaluation = entry.evaluate(answer)
  if (isSame) return
  entry.revision++
  for (const changed of entry.watchers) changed()
}

const NOTHING: Answer = { grant: undefined }

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
    const scope = yield* Effect.scope
    const time = yield* HadTime.make
    const entries = new Set<Entry>()

    const askAll = Effect.suspend(() =>
      Effect.forEach([...entries], ({ asker }) => asker.ask, { concurrency: "unbounded", discard: true })
    )
    yield* Effect.forkScoped(follow(store, "grant store", askAll), { startImmediately: true })

    return Grants.of({
      authority: Effect.fnUntraced(function* (subject) {
        const evaluate = evaluator(subject)
        const entry: Entry = {
          asker: Following.asker(store, subject.pluginRef, scope, time, (answer) => apply(entry, answer)),
          watchers: new Set(),
          evaluate,
          answer: NOTHING,
          evaluation: evaluate(NOTHING),
          revision: 0
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => entries.add(entry)),
          () =>
            Effect.sync(() => {
              entries.delete(entry)
              entry.asker.stop()
            })
        )
        yield* entry.asker.ask
        return authorityOf(entry)
      })
    })
  })
)
