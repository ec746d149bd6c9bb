/**
 * Secrets as somebody hears them: every value that a host asks for is known, so
 * that it can be masked outside of the host, too.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Words } from "../../diagnostics/Words.ts"
import { Secrets } from "../../secrets/Secrets.ts"

/** What is to be masked, and the secrets by which it is known. */
export const make = (): { readonly words: Words; readonly layer: Layer.Layer<never> } => {
  const values = new Set<string>()
  const words = new Words(() => [...values])
  const hear = (value: Redacted.Redacted<string>) =>
    Effect.sync(() => {
      // A file's last line end is none of its value.
      values.add(Redacted.value(value)).add(Redacted.value(value).trimEnd())
      words.changed()
    })
  const layer = Layer.effect(
    Secrets,
    Effect.map(Secrets, (port) => ({ ...port, lookup: (request) => Effect.tap(port.lookup(request), hear) }))
  )
  return { words, layer }
}
