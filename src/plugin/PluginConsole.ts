/**
 * Where the lines go that sandboxed plugins write to their consoles. Whoever
 * runs a host says of which plugins it wants them; those of all others are
 * counted and never made.
 *
 * @since 0.4.0
 */
import * as Context from "effect/Context"

/**
 * The function of `console` that a line was written with.
 *
 * @category models
 * @since 0.4.0
 */
export type ConsoleLevel = "debug" | "error" | "info" | "log" | "trace" | "warn"

/**
 * A line that a plugin wrote: foreign text, at most 512 characters, with every
 * known secret and configured string of the plugin masked and no control
 * character in it.
 *
 * @category models
 * @since 0.4.0
 */
export interface ConsoleLine {
  readonly pluginRef: string
  readonly level: ConsoleLevel
  readonly text: string
}

/**
 * The port. Without one nobody listens.
 *
 * **Details**
 *
 * `listens` is asked at each start of a plugin. `line` is called as lines come,
 * at most 20 a second and plugin, and must neither wait nor throw; where there
 * were more, one more line says how many were left out.
 *
 * @category references
 * @since 0.4.0
 */
export const PluginConsole = Context.Reference<{
  readonly listens: (pluginRef: string) => boolean
  readonly line: (line: ConsoleLine) => void
}>("mooring/plugin/PluginConsole", { defaultValue: () => ({ listens: () => false, line: () => {} }) })
