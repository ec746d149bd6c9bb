/**
 * What `mooring check` finds out, without running anything: what would start
 * and be dialled, and what is wrong.
 */
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"
import { AllowedRequestTarget } from "../manifest/RequestTarget.ts"
import { Enablement } from "../manifest/Enablement.ts"

/** A note keeps nothing from running. */
const Found = Schema.Struct({
  ...Wire.Problem.fields,
  severity: Schema.Literals(["problem", "note"])
}).annotate({ identifier: "Found" })

export type Found = typeof Found.Type

const Source = Wire.struct({
  id: Schema.String,
  url: Schema.String,
  ingressName: Schema.String,
  would: Schema.Literals(["dial", "stop"]),
  /** Why it stops. */
  tag: Schema.optionalKey(Schema.String)
}).annotate({ identifier: "CheckedSource" })

const Plugin = Wire.struct({
  pluginRef: Schema.String,
  would: Schema.Literals(["start", "fail"]),
  /** Why it fails. */
  tag: Schema.optionalKey(Schema.String),
  sources: Schema.Array(Source),
  /** What may be requested: the granted targets that a declared one meets. */
  requests: Schema.Array(AllowedRequestTarget)
}).annotate({ identifier: "CheckedPlugin" })

export type Plugin = typeof Plugin.Type

/** The report; `enablement` is, for a package, the entry that enables exactly it. */
export const CheckReport = Schema.Struct({
  ok: Schema.Boolean,
  problems: Schema.Array(Found),
  plugins: Schema.Array(Plugin),
  enablement: Schema.optionalKey(Enablement)
}).annotate({ identifier: "CheckReport" })

export type CheckReport = typeof CheckReport.Type

/** The report as JSON. */
export const encode = Schema.encodeSync(CheckReport)
