/**
 * The port that says what is dialled for a source: asked before every dial.
 * The source stays the one that was declared, in status, events and commands;
 * what is dialled for it may differ, for example by a ticket that was fetched
 * over HTTP. The answer is authorized like any URL.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Headers } from "../manifest/Enablement.ts"

/**
 * Who asks: an enabled plugin. `instance` is null where it has none; `config`
 * is a copy for this request alone.
 *
 * @category models
 * @since 0.2.0
 */
export interface Enabled {
  readonly id: string
  readonly instance: string | null
  readonly config: Schema.Json
}

/**
 * A dial that is about to be made. `sourceId` and `url` are those of the
 * source, the URL as written; `dialUrl` is the one that the plugin asked for
 * (`websocket_reconnect`), or null.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly pluginRef: string
  readonly enablement: Enabled
  readonly ingressName: string
  readonly sourceId: string
  readonly url: string
  readonly dialUrl: string | null
}

/**
 * What is dialled, and headers for the upgrade: they take the place of those of
 * the enablement that have the same name.
 *
 * @category schemas
 * @since 0.2.0
 */
export const Dial = Schema.Struct({ kind: Schema.Literal("dial"), url: Schema.String, headers: Headers })

/**
 * Nothing is dialled before a time, in Unix milliseconds. Then it is asked
 * again, and after `retry_after_ms` at the latest.
 *
 * @category schemas
 * @since 0.2.0
 */
export const NotBefore = Schema.Struct({ kind: Schema.Literal("not_before"), at: Schema.Finite })

/**
 * Nothing is dialled until the operator says otherwise: the source is stopped.
 *
 * @category schemas
 * @since 0.2.0
 */
export const Never = Schema.Struct({ kind: Schema.Literal("never") })

/**
 * An answer; a text is the URL to dial.
 *
 * @category schemas
 * @since 0.2.0
 */
export const Answer = Schema.Union([Schema.String, Dial, NotBefore, Never])

/**
 * @category models
 * @since 0.2.0
 */
export type Answer = typeof Answer.Type

/**
 * Answers that this URL is dialled, with these headers.
 *
 * @category answers
 * @since 0.2.0
 */
export const dial = (url: string, headers: { readonly [name: string]: string } = {}): Answer => ({
  kind: "dial",
  url,
  headers
})

/**
 * Answers that nothing is dialled before a time, in Unix milliseconds.
 *
 * @category answers
 * @since 0.2.0
 */
export const notBefore = (at: number): Answer => ({ kind: "not_before", at })

/**
 * Answers that nothing is dialled until the operator says otherwise.
 *
 * @category answers
 * @since 0.2.0
 */
export const never: Answer = { kind: "never" }

/**
 * The port. Without a layer the plugin's URL is dialled, else the declared
 * one.
 *
 * **Details**
 *
 * An answer takes part of the dial's `open_deadline_ms`. A failure or a defect
 * is `DialFailed` with the phase `url` and a `reason`, and the source is dialled
 * again after its backoff. `notBefore` and `never` are no failures, and don't
 * count as dials. A URL that manifest and grant don't cover stops the source
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
  readonly resolve: (request: Request) => Effect.Effect<Answer, unknown>
}>("mooring/connection/SourceUrl", {
  defaultValue: () => ({ resolve: ({ dialUrl, url }) => Effect.succeed(dialUrl ?? url) })
})
