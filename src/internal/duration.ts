/** Durations as people write them: a whole number and `ms`, `s`, `m` or `h`. */
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"

const MILLIS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
const PATTERN = /^(\d{1,9})(ms|s|m|h)$/u

const millisOf = (text: string): number => {
  const [, amount = "0", unit = "ms"] = PATTERN.exec(text) ?? []
  return Number(amount) * (unit === "ms" || unit === "s" || unit === "m" || unit === "h" ? MILLIS[unit] : 0)
}

/** In milliseconds. */
export const DurationText = Schema.String.check(
  Schema.isPattern(PATTERN, { expected: "a whole number and a unit, like 500ms, 8s, 2m or 1h" })
).pipe(
  Schema.decodeTo(Schema.Int, {
    decode: SchemaGetter.transform(millisOf),
    encode: SchemaGetter.transform((millis) => `${millis}ms`)
  })
)
