/**
 * The control API, as a description: what can be asked of a host that runs and
 * what can be done to its plugins, over HTTP. `Control` serves it; its OpenAPI
 * document, `/openapi.json`, is made from it.
 *
 * @since 0.5.0
 */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import * as Schema from "effect/Schema"
import { Diagnostic } from "../diagnostics/Diagnostic.ts"
import { HostStatus, PluginStatus } from "../host/HostStatus.ts"
import { VERSION } from "../internal/version.ts"
import * as Wire from "../internal/wire.ts"
import { DeliveryRefused, schemaOf, type Tag } from "./ControlError.ts"

const refusals = <const Tags extends ReadonlyArray<Tag>>(...tags: Tags) =>
  [...COMMON, ...tags].map((tag) => schemaOf(tag))

/** What each request may be answered. */
const COMMON = ["RequestMalformed", "Unauthorized", "ForbiddenOrigin", "TooManyRequests", "Stopping"] as const

/**
 * A diagnostic and whose it is: null for one of the host itself.
 *
 * @category schemas
 * @since 0.5.0
 */
export const OwnedDiagnostic = Wire.struct({
  plugin: Schema.NullOr(Schema.String),
  ...Diagnostic.to.fields
}).annotate({ identifier: "OwnedDiagnostic" })

const Diagnostics = Schema.Struct({ diagnostics: Schema.Array(OwnedDiagnostic) })

const Done = Schema.Struct({}).annotate({ identifier: "Done" })
const Accepted = Done.pipe(HttpApiSchema.status(202))

/**
 * What `deliver` takes.
 *
 * @category schemas
 * @since 0.5.0
 */
export const Delivery = Wire.struct({ ingressName: Schema.String, kind: Schema.String, payload: Schema.Json }).annotate(
  {
    identifier: "Delivery"
  }
)

const Delivered = Wire.struct({ correlationId: Schema.String }).pipe(HttpApiSchema.status(202))

const plugin = { ref: Schema.String }

const reading = HttpApiGroup.make("reading", { topLevel: true }).add(
  HttpApiEndpoint.get("status", "/status", { success: HostStatus, error: refusals() }),
  HttpApiEndpoint.get("plugin", "/plugins/:ref", {
    params: plugin,
    success: PluginStatus,
    error: refusals("PluginUnknown")
  }),
  HttpApiEndpoint.get("diagnostics", "/diagnostics", {
    query: {
      plugin: Schema.optionalKey(Schema.String),
      tag: Schema.optionalKey(Schema.String),
      since: Schema.optionalKey(Schema.String)
    },
    success: Diagnostics,
    error: refusals()
  }),
  HttpApiEndpoint.get("events", "/events", {
    success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/event-stream" })),
    error: refusals()
  }),
  HttpApiEndpoint.get("metrics", "/metrics", {
    success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain" })),
    error: refusals("NotFound")
  }),
  HttpApiEndpoint.get("healthz", "/healthz", { success: Done, error: refusals() }),
  HttpApiEndpoint.get("readyz", "/readyz", { success: Done, error: refusals("NotReady") })
)

const act = <const Name extends "start" | "stop" | "restart">(name: Name) =>
  HttpApiEndpoint.post(name, `/plugins/:ref/${name}`, {
    params: plugin,
    success: Accepted,
    error: refusals("PluginUnknown", "BodyTooLarge")
  })

const acting = HttpApiGroup.make("acting", { topLevel: true }).add(
  act("start"),
  act("stop"),
  act("restart"),
  HttpApiEndpoint.post("reconnect", "/plugins/:ref/sources/:id/reconnect", {
    params: { ...plugin, id: Schema.String },
    success: Accepted,
    error: refusals("PluginUnknown", "SourceUnknown", "BodyTooLarge")
  }),
  HttpApiEndpoint.post("deliver", "/plugins/:ref/deliver", {
    params: plugin,
    payload: Delivery,
    success: Delivered,
    // The last, since it has any tag.
    error: [...refusals("PluginUnknown", "BodyTooLarge"), DeliveryRefused]
  })
)

/**
 * The API.
 *
 * @category api
 * @since 0.5.0
 */
export class ControlApi extends HttpApi.make("mooring")
  .add(reading)
  .add(acting)
  .annotateMerge(
    OpenApi.annotations({
      title: "Mooring: the control API",
      version: VERSION,
      description: "What a host that runs says of itself, and what can be done to its plugins."
    })
  ) {}
