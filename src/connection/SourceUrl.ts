/**
 * The port that says which URL is dialled for a source: asked before every
 * dial. The source stays the one that was declared, in status, events and
 * commands; what is dialled for it may differ, for example by a ticket that
 * was fetched over HTTP. The answer is authorized like any URL.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * A dial that is about to be made. `url` is the source's URL as written,
 * `dialUrl` the one that the plugin asked for (`websocket_reconnect`), or null.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly pluginRef: string
  readonly ingressName: string
  readonly url: string
  readonly dialUrl: string | null
}

/**
 * The port. Without a layer the plugin's URL is dialled, else the declared
 * one.
 *
 * **Details**
 *
 * An answer takes part of the dial's `open_deadline_ms`. A failure or a defect
 * is `DialFailed` with the phase `url`, and the source is dialled again after
 * its backoff. An answer that manifest and grant don't cover stops the source
 * (`grant`).
 *
 * **Gotchas**
 *
 * `resolve` must be interruptible: its connection waits for it to end.
 *
 * @category references
 * @since 0.1.0
 */
export const SourceUrl = Context.Reference<{
  readonly resolve: (request: Request) => Effect.Effect<string, unknown>
}>("mooring/connection/SourceUrl", {
  defaultValue: () => ({ resolve: ({ dialUrl, url }) => Effect.succeed(dialUrl ?? url) })
})
