/**
 * That there is nothing of the name that somebody gave.
 *
 * @since 0.2.0
 */
import * as Schema from "effect/Schema"

/**
 * No enabled plugin has this reference.
 *
 * @category errors
 * @since 0.1.0
 */
export class PluginUnknown extends Schema.TaggedError<PluginUnknown>("mooring/host/PluginUnknown")("PluginUnknown", {
  pluginRef: Schema.String
}) {
  override get message(): string {
    return `no enabled plugin is called ${this.pluginRef}`
  }
}

/**
 * The plugin has no source of this id or URL.
 *
 * @category errors
 * @since 0.1.0
 */
export class SourceUnknown extends Schema.TaggedError<SourceUnknown>("mooring/host/SourceUnknown")("SourceUnknown", {
  pluginRef: Schema.String
}) {
  override get message(): string {
    return `${this.pluginRef} has no source of this id or URL`
  }
}
