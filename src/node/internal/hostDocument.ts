/**
 * What a host file says: its form, and everything that is wrong with it at
 * once. Whatever can be used of it is: a limit that can't be has its default,
 * and an entry that can't be is one that says why.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Path from "node:path"
import * as Wire from "../../internal/wire.ts"
import * as Limits from "../../limits/Limits.ts"
import * as Enablement from "../../manifest/Enablement.ts"
import { ManifestInvalid } from "../../manifest/ManifestError.ts"
import { nameplate } from "../../manifest/Nameplate.ts"
import * as ControlSettings from "../ControlSettings.ts"
import * as ProxySettings from "../ProxySettings.ts"
import * as TelemetrySettings from "../TelemetrySettings.ts"
import type * as Toml from "./toml.ts"

const Folder = Schema.Struct({
  package: Schema.String.check(Schema.isPattern(/^[^\u0000]+$/u, { expected: "the path of a folder" }))
})

/** The whole file. */
export const HostDocument = Schema.Struct({
  limits: Schema.optionalKey(Limits.LimitsSchema),
  proxy: Schema.optionalKey(ProxySettings.Table),
  control: Schema.optionalKey(ControlSettings.Table),
  metrics: Schema.optionalKey(TelemetrySettings.Metrics),
  traces: Schema.optionalKey(TelemetrySettings.Traces),
  plugins: Schema.Struct({
    enabled: Schema.Array(Schema.Struct({ ...Enablement.Enablement.fields, ...Folder.fields }))
  })
}).annotate({ identifier: "HostFile" })

/**
 * An enabled plugin: its key path in the file, what it is granted and configured
 * with, and the folder of its package, or what is wrong with the entry, of which
 * there is no more then than what status shows.
 *
 * @category models
 * @since 0.3.0
 */
export interface Entry {
  readonly at: string
  readonly enablement: Enablement.Enablement
  /** An absolute path. */
  readonly package: string | ManifestInvalid
}

export interface Content {
  readonly limits: Limits.Values
  readonly proxy: ProxySettings.Table | "unusable" | undefined
  readonly control: ControlSettings.Table | "unusable" | undefined
  readonly telemetry: TelemetrySettings.Tables
  readonly entries: ReadonlyArray<Entry>
  readonly problems: ReadonlyArray<Wire.Problem>
}

type Problems = ReadonlyArray<Wire.Problem>
type Table = ReadonlyMap<string, unknown>

/** What was read of a part, and what is wrong with it. */
interface Part<A> {
  readonly value: A
  readonly problems: Problems
}

interface Options {
  /** Where relative paths begin. */
  readonly folder: string
  /** The limit of the heap, null where it isn't known. */
  readonly heapBytes: number | null
}

/** Reads a file that is TOML; fails where it says nothing of plugins, not even that there are none. */
export const read = (document: Toml.Document, { folder, heapBytes }: Options): Result.Result<Content, Problems> => {
  const tables = new Map(entriesOf(document.value))
  const plugins = new Map(entriesOf(tables.get("plugins")))
  const enabled = plugins.get("enabled")
  if (!Array.isArray(enabled)) return Result.fail(document.problems(withoutPlugins(tables, plugins)))
  const limits = limitsOf(tables.get("limits"), heapBytes)
  const proxy = tableOf("proxy", ProxySettings.decode, tables)
  const control = tableOf("control", ControlSettings.decode, tables)
  const telemetry = telemetryOf(tables)
  const listed = listOf(enabled, folder)
  const problems = document.problems([
    ...unknownIn(tables, plugins),
    ...limits.problems,
    ...proxy.problems,
    ...control.problems,
    ...telemetry.problems,
    ...listed.problems
  ])
  return Result.succeed({
    limits: limits.value,
    proxy: proxy.value,
    control: control.value,
    telemetry: telemetry.value,
    entries: listed.value.map((entry) => judged(entry, problems)),
    problems
  })
}

const entriesOf = (value: unknown): ReadonlyArray<[string, unknown]> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : []

/** Nothing more is looked at, and the keys that nobody knows may be why. */
const withoutPlugins = (tables: Table, plugins: Table): Problems => [
  tables.has("plugins")
    ? {
        path: plugins.has("enabled") ? "plugins.enabled" : "plugins",
        message: "Expected a list of the enabled plugins: [[plugins.enabled]], or enabled = []"
      }
    : { path: "plugins", message: "required: [[plugins.enabled]], or [plugins] with enabled = []" },
  ...unknownIn(tables, plugins).filter(({ message }) => message !== "required")
]

const decodeKeys = Wire.decoder(
  Schema.Struct({
    limits: Schema.optionalKey(Schema.Null),
    proxy: Schema.optionalKey(Schema.Null),
    control: Schema.optionalKey(Schema.Null),
    metrics: Schema.optionalKey(Schema.Null),
    traces: Schema.optionalKey(Schema.Null),
    plugins: Schema.Struct({ enabled: Schema.Null })
  })
)

/** The keys that nobody knows. What stands under the others is looked at elsewhere, each part by itself. */
const unknownIn = (tables: Table, plugins: Table): Problems => {
  const namesOf = (table: Table) => Object.fromEntries([...table.keys()].map((key) => [key, null]))
  const keys = { ...namesOf(tables), plugins: namesOf(plugins) }
  return failuresOf(decodeKeys(keys))
}

const under = (path: string, problems: Problems): Problems =>
  problems.map((problem) => ({ ...problem, path: problem.path === "" ? path : `${path}.${problem.path}` }))

const decodeLimits = Wire.decoder(Limits.LimitsSchema)

/** Each key that can't be used has its default, and all of them where those that are left don't fit together. */
const limitsOf = (table: unknown, heapBytes: number | null): Part<Limits.Values> => {
  const refused = failuresOf(decodeLimits(table === undefined ? {} : table))
  const kept = without(table, refused)
  const unfit = misfitsIn(kept, heapBytes)
  // The heap's limit is no key of the file: a bound by it is one key's own.
  const fitting = without(
    kept,
    unfit.filter(({ path }) => path === "host_queue_bytes")
  )
  const value = misfitsIn(fitting, heapBytes).length === 0 ? fitting : {}
  return {
    value: Result.getOrElse(Limits.decode(value, heapBytes), () => Limits.defaults),
    problems: under("limits", [...refused, ...unfit])
  }
}

const failuresOf = <A>(decoded: Result.Result<A, Problems>): Problems =>
  Result.match(decoded, { onSuccess: () => [], onFailure: (problems) => problems })

const misfitsIn = (table: object, heapBytes: number | null): Problems =>
  failuresOf(Result.mapError(Limits.decode(table, heapBytes), ({ problems }) => problems))

/** A table without the keys at which something is wrong. */
const without = (table: unknown, problems: Problems): object => {
  const refused = new Set(problems.map(({ path }) => path))
  return Object.fromEntries(entriesOf(table).filter(([key]) => !refused.has(key)))
}

/** A table that is used whole or not at all. */
const tableOf = <A>(
  name: string,
  decode: (input: unknown) => Result.Result<A, Problems>,
  tables: Table
): Part<A | "unusable" | undefined> => {
  if (!tables.has(name)) return { value: undefined, problems: [] }
  const decoded = decode(tables.get(name))
  return Result.isSuccess(decoded)
    ? { value: decoded.success, problems: [] }
    : { value: "unusable", problems: under(name, decoded.failure) }
}

/** A table that can't be used isn't there. */
const telemetryOf = (tables: Table): Part<TelemetrySettings.Tables> => {
  const metrics = tableOf("metrics", TelemetrySettings.decode.metrics, tables)
  const traces = tableOf("traces", TelemetrySettings.decode.traces, tables)
  const usable = <A>({ value }: Part<A | "unusable" | undefined>) => (value === "unusable" ? undefined : value)
  return {
    value: { metrics: usable(metrics), traces: usable(traces) },
    problems: [...metrics.problems, ...traces.problems]
  }
}

const decodeFolder = Wire.decoder(Folder)

/** The entries that have a row, each reference once. */
const listOf = (enabled: ReadonlyArray<unknown>, beside: string): Part<ReadonlyArray<Entry>> => {
  const entries = new Map<string, Entry>()
  const problems: Array<Wire.Problem> = []
  for (const [index, item] of enabled.entries()) {
    const at = `plugins.enabled[${index}]`
    const decoded = Enablement.decode(item)
    const folder = decodeFolder(Object.fromEntries(entriesOf(item).filter(([key]) => key === "package")))
    const path = Result.isSuccess(folder) ? Path.resolve(beside, folder.success.package) : ""
    if (Result.isFailure(decoded)) problems.push(...under(at, decoded.failure.problems))
    if (Result.isFailure(folder)) problems.push(...under(at, folder.failure))
    const enablement = Result.isSuccess(decoded) ? decoded.success : nameplate(item)
    if (enablement === undefined) continue
    const ref = Enablement.refOf(enablement)
    if (entries.has(ref)) problems.push({ path: at, message: "Expected an id and instance that occur once" })
    else entries.set(ref, { at, enablement, package: path })
  }
  return { value: [...entries.values()], problems }
}

/** An entry in which anything is wrong is none that could be used, whatever was decoded of it. */
const judged = (entry: Entry, problems: Problems): Entry => {
  const { at, enablement } = entry
  const own = problems.filter(({ path }) => path === at || path.startsWith(`${at}.`))
  if (own.length === 0) return entry
  return {
    at,
    enablement: nameplate(enablement) ?? enablement,
    package: new ManifestInvalid({
      subject: "enablement",
      problems: own.map((problem) => ({ ...problem, path: problem.path.slice(at.length + 1) }))
    })
  }
}
