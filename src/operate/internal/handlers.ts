/**
 * What the control API answers, from what the host says and does.
 */
import { HttpApiBuilder } from "effect/http-api"
import { HttpServerResponse } from "effect/http"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Timestamp } from "../../diagnostics/Diagnostic.ts"
import type { HostStatus } from "../../host/HostStatus.ts"
import { PluginHost, type PluginUnknown, type SourceUnknown } from "../../host/PluginHost.ts"
import { ControlApi } from "../ControlApi.ts"
import { refuse, type Refusal } from "../ControlError.ts"
import type { Events } from "./events.ts"
import type { Readiness } from "./readiness.ts"

/** The metrics of a host as Prometheus reads them. */
export interface Exposition {
  readonly text: Effect.Effect<string>
  readonly contentType: string
}

const DONE = {}

/** That there is nothing of a name, as the API says it. */
const named = <A, E extends PluginUnknown | SourceUnknown>(effect: Effect.Effect<A, E>) =>
  Effect.mapError(effect, ({ _tag, message }): Refusal<E["_tag"]> => ({ tag: _tag, message }))

const told = <E extends PluginUnknown | SourceUnknown>(effect: Effect.Effect<void, E>) => Effect.as(named(effect), DONE)

/** What is asked of the diagnostics. */
interface Wanted {
  readonly plugin?: string
  readonly tag?: string
  readonly since?: string
}

/** All diagnostics that are kept, the oldest first. */
const diagnosticsOf = ({ host, plugins }: HostStatus, { plugin, since, tag }: Wanted) =>
  [
    ...host.diagnostics.map((diagnostic) => ({ plugin: null, ...diagnostic })),
    ...plugins.flatMap(({ diagnostics, pluginRef }) =>
      diagnostics.map((diagnostic) => ({ plugin: pluginRef, ...diagnostic }))
    )
  ]
    .filter(
      (each) =>
        (plugin === undefined || each.plugin === plugin) &&
        (tag === undefined || each.tag === tag) &&
        // Both have one form, in which the order of texts is that of times.
        (since === undefined || each.at > since)
    )
    .toSorted((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0))

const isTime = Schema.is(Timestamp)

// RFC 3339, section 5.6, with what people leave out: a fraction of a second of any length, and an offset.
const TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/u

/** A time as it stands in the status; undefined where it is none. */
const timeOf = (text: string): string | undefined => {
  const parsed = TIME.test(text) ? Date.parse(text) : Number.NaN
  const time = Number.isNaN(parsed) ? "" : new Date(parsed).toISOString()
  return isTime(time) ? time : undefined
}

const reading = (events: Events, readiness: Readiness, exposition: Exposition | undefined) =>
  HttpApiBuilder.group(
    ControlApi,
    "reading",
    Effect.fnUntraced(function* (handlers) {
      const host = yield* PluginHost
      return handlers.handleAll({
        status: () => host.status,
        plugin: ({ params }) => named(host.plugin(params.ref)),
        diagnostics: ({ query }) => {
          const { since: asked, ...rest } = query
          const since = asked === undefined ? undefined : timeOf(asked)
          return asked !== undefined && since === undefined
            ? Effect.fail(refuse("RequestMalformed", "expected since to be a time as RFC 3339 writes it"))
            : Effect.map(host.status, (status) => ({
                diagnostics: diagnosticsOf(status, since === undefined ? rest : { ...rest, since })
              }))
        },
        events: () => follow(events),
        metrics: () =>
          exposition === undefined
            ? Effect.fail(refuse("NotFound", "this host shows no metrics"))
            : Effect.map(exposition.text, (text) =>
                HttpServerResponse.text(text, { contentType: exposition.contentType })
              ),
        healthz: () => Effect.succeed(DONE),
        readyz: () =>
          Effect.flatMap(readiness, (why) =>
            why === undefined ? Effect.succeed(DONE) : Effect.fail(refuse("NotReady", why))
          )
      })
    })
  )

const follow = (events: Events) =>
  Effect.withFiber((fiber: Fiber.Fiber<unknown, unknown>) =>
    // Whoever leaves its socket full waits in this fiber, and nothing else would end that.
    Effect.flatMap(
      events.read(() => fiber.interruptUnsafe()),
      (stream) =>
        stream === undefined
          ? Effect.fail(refuse("TooManyRequests", "as many read events as may"))
          : Effect.succeed(
              HttpServerResponse.stream(stream, {
                contentType: "text/event-stream",
                headers: { "x-accel-buffering": "no" }
              })
            )
    )
  )

const acting = HttpApiBuilder.group(
  ControlApi,
  "acting",
  Effect.fnUntraced(function* (handlers) {
    const host = yield* PluginHost
    return handlers.handleAll({
      start: ({ params }) => told(host.start(params.ref)),
      stop: ({ params }) => told(host.stop(params.ref)),
      restart: ({ params }) => told(host.restart(params.ref)),
      reconnect: ({ params }) => told(host.reconnect(params.ref, params.id)),
      deliver: ({ params, payload }) =>
        host.deliver(params.ref, payload).pipe(
          Effect.map((correlationId) => ({ correlationId })),
          Effect.mapError(({ _tag: tag, message }) => ({ tag, message }))
        )
    })
  })
)

export const layer = (events: Events, readiness: Readiness, exposition: Exposition | undefined) =>
  Layer.merge(reading(events, readiness, exposition), acting)
