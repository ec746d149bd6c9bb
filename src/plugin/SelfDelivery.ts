/**
 * How a plugin's own code wakes it: a fiber of its own (an answer over HTTP, a
 * subscription to a queue) hands the plugin an event, which is checked,
 * granted, queued, bounded and accounted for like any that the embedding
 * application delivers.
 *
 * It works for as long as the instance that it was given to runs.
 *
 * @since 0.2.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { GrantError } from "../grants/GrantError.ts"
import type { Delivery } from "../ingress/Delivery.ts"
import type { IngressError } from "../ingress/IngressError.ts"

/**
 * The service that a plugin's `layer`, its handlers, `status` and `stop` may
 * require without providing it.
 *
 * **Details**
 *
 * `deliver` succeeds with the correlation id once the event is enqueued. It
 * fails with `EventInvalid`, a denial, or why the service takes none: with
 * `ServiceUnavailable` until the start has returned, with `ServiceStopped` once
 * the instance has ended, even if another one runs by then.
 *
 * **Example** (A plugin that tells itself when something has happened)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { SelfDelivery } from "mooring"
 *
 * export const tell = Effect.gen(function* () {
 *   const self = yield* SelfDelivery.SelfDelivery
 *   return yield* self.deliver({ ingressName: "gateway", kind: "price_known", payload: 12.5 })
 * })
 * ```
 *
 * @category services
 * @since 0.2.0
 */
export class SelfDelivery extends Context.Service<
  SelfDelivery,
  { readonly deliver: (delivery: Delivery) => Effect.Effect<string, IngressError | GrantError> }
>()("mooring/plugin/SelfDelivery") {}
