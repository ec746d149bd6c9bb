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
  next({ diagnosticCounts, diagnostics }: PluginStatus): PluginFault | undefined {
    const fresh = diagnostics.filter(
      ({ stage, tag }) => STAGES.has(stage) && (diagnosticCounts[tag] ?? 0) > (this.#told.get(tag) ?? 0)
    )
    for (const { tag } of fresh) this.#told.set(tag, diagnosticCounts[tag] ?? 0)
    // Of one tag there may be older ones, which were told.
    const [first] = fresh.filter(({ tag }, at) => fresh.findLastIndex((other) => other.tag === tag) === at)
    return first && faultOf(first)
  }
}

const faultOf = ({ error, message, tag }: Diagnostic): PluginFault => {
  const { name, position } = error
  const problem = typeof name === "string" && tag === "GuestError" ? `${name}: ${message}` : message
  return new PluginFault({ tag, problem, ...(typeof position === "string" ? { position } : {}) })
}
