/**
 * What a plugin last reported of itself, as it is shown: read and masked once
 * and not each time that somebody asks.
 */
import type * as Schema from "effect/Schema"
import type { Redaction } from "../../diagnostics/Redaction.ts"

export class Reported {
  #text: string | null = null
  #shown: Schema.Json = null
  #version = 0

  /** The value of a JSON text, null for none. */
  of(text: string | null, redaction: Redaction): Schema.Json {
    const version = redaction.version()
    if (text !== this.#text || version !== this.#version) {
      this.#text = text
      this.#version = version
      this.#shown = text === null ? null : redaction.json(JSON.parse(text) as Schema.Json)
    }
    return this.#shown
  }
}
