/**
 * What went wrong with a plugin, told once.
 */
import * as Schema from "effect/Schema"
import type { Diagnostic } from "../../diagnostics/Diagnostic.ts"
import type { PluginStatus } from "../../host/HostStatus.ts"

/**
 * Something went wrong with a plugin: `tag` is the error's, and `message` says
 * what its diagnostic says, with the position in the plugin's code where that is
 * known.
 *
 * @category errors
 * @since 0.4.0
 */
export class PluginFault extends Schema.TaggedError<PluginFault>("mooring/testing/PluginFault")("PluginFault", {
  tag: Schema.String,
  problem: Schema.String,
  position: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `${this.tag}: ${this.problem}${this.position === undefined ? "" : ` at ${this.position}`}`
  }
}

// What is wrong with a connection or a command is for the test to look at.
const STAGES: ReadonlySet<Diagnostic["stage"]> = new Set(["manifest", "dispatch", "runtime", "host"])

/** Tells of each fault once. */
export class Faults {
  readonly #told = new Map<string, number>()

  /** The first of those that came since this was asked last. */
  next({ diagnosticCounts, diagnostics, lastError }: PluginStatus): PluginFault | undefined {
    const told = ({ tag }: Diagnostic) => this.#told.get(tag) ?? 0
    const countOf = ({ tag }: Diagnostic) => diagnosticCounts[tag] ?? 0
    const fresh = diagnostics.filter((each) => STAGES.has(each.stage) && countOf(each) > told(each))
    // Of one tag there may be older ones, which were told.
    const [first] = fresh.filter(({ tag }, at) => fresh.findLastIndex((other) => other.tag === tag) === at)
    const isRepeat = first !== undefined && first.count > countOf(first) - told(first)
    for (const each of fresh) this.#told.set(each.tag, countOf(each))
    if (first === undefined) return undefined
    return isRepeat ? repeated(first, lastError) : faultOf(first)
  }
}

/** The last of the faults that a plugin has had. */
export const lastOf = ({ diagnostics }: PluginStatus): PluginFault | undefined => {
  const last = diagnostics.findLast(({ stage }) => STAGES.has(stage))
  return last && faultOf(last)
}

/** The host keeps the first of those of a tag that come within a second, and of the last one its message. */
const repeated = (first: Diagnostic, last: PluginStatus["lastError"]): PluginFault => {
  const { tag } = first
  if (last?.tag === tag) return new PluginFault({ tag, problem: last.message })
  return new PluginFault({ tag, problem: `another one within a second of ${faultOf(first).message}` })
}

const faultOf = ({ error, message, tag }: Diagnostic): PluginFault => {
  const cause = valueAt(error, "cause")
  const words = tag === "GuestError" ? [thrown(error)] : [message, ...(cause === undefined ? [] : [thrown(cause)])]
  const position = valueAt(error, "position") ?? valueAt(cause, "position")
  const where = typeof position === "string" ? { position } : {}
  return new PluginFault({ tag, problem: words.join(": "), ...where })
}

/** What was thrown, as people write it: by the name that it was given, or by the tag of the host's own. */
const thrown = (error: Schema.Json): string => {
  const tag = valueAt(error, "_tag")
  const name = tag === undefined || tag === "GuestError" ? valueAt(error, "name") : tag
  return `${String(name)}: ${String(valueAt(error, "message"))}`
}

const valueAt = (value: Schema.Json | undefined, key: string): Schema.Json | undefined =>
  typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : undefined
