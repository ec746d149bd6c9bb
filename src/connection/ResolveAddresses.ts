/**
 * The port that turns names into addresses. What it answers is checked by
 * whoever asked, so an implementation decides nothing about authority.
 *
 * `mooring/node` implements it (`DnsAddresses`); {@link layerStatic} does for
 * tests.
 *
 * @since 0.2.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/**
 * A name has no address, or nobody answered. `code` is what `DialFailed` will
 * say: `ENOTFOUND` where there is no such name, `EAI_AGAIN` or `ETIMEOUT` where
 * the question may be answered later.
 *
 * @category errors
 * @since 0.2.0
 */
export class LookupFailed extends Schema.TaggedError<LookupFailed>("mooring/connection/LookupFailed")("LookupFailed", {
  code: Schema.String
}) {
  override get message(): string {
    return `the name was not resolved: ${this.code}`
  }
}

/**
 * The addresses of a name, as literals, in the order in which they are to be
 * tried.
 *
 * **Details**
 *
 * An answer need not come at once: an element is what is known of one family
 * (A or AAAA) or of both. Nothing is dialled before the first element; those
 * that follow join. The stream ends when no more addresses will come, and fails
 * where there are none.
 *
 * **Gotchas**
 *
 * It should be interruptible. Until it has ended it holds one of its plugin's
 * places (`lookups_at_once_per_plugin`).
 *
 * @category models
 * @since 0.2.0
 */
export type Resolve = (name: string) => Stream.Stream<ReadonlyArray<string>, LookupFailed>

/**
 * A place for one lookup. It has to be used: what runs in it gives it back when
 * it ends.
 *
 * @category models
 * @since 0.2.0
 */
export type LookupPlace = <A, E, R>(lookup: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * The places in which the host lets names be looked up. `take` waits for one;
 * whoever takes it does so and passes it on without being interrupted in
 * between.
 *
 * @category models
 * @since 0.2.0
 */
export interface LookupSlots {
  readonly take: Effect.Effect<LookupPlace>
}

/**
 * The port.
 *
 * @category services
 * @since 0.2.0
 */
export class ResolveAddresses extends Context.Service<ResolveAddresses, { readonly resolve: Resolve }>()(
  "mooring/connection/ResolveAddresses"
) {}

/**
 * Knows the names of a table, and no others.
 *
 * @category layers
 * @since 0.2.0
 */
export const layerStatic = (names: {
  readonly [name: string]: ReadonlyArray<string>
}): Layer.Layer<ResolveAddresses> => {
  const table = new Map(Object.entries(names))
  return Layer.succeed(ResolveAddresses, {
    resolve: (name) => {
      const addresses = table.get(name) ?? []
      return addresses.length === 0 ? Stream.fail(new LookupFailed({ code: "ENOTFOUND" })) : Stream.succeed(addresses)
    }
  })
}
