/** Looks for values in everything that leaves a host, in each form in which one could be found. */
import { assert } from "@effect/vitest"

const withoutPadding = (value: string, encoding: "base64" | "base64url") =>
  // At any of the three places where it may begin in what is written so; the ends also have bits of what stands beside.
  [0, 1, 2].map((before) => {
    const written = Buffer.from("\0".repeat(before) + value)
      .toString(encoding)
      .replaceAll("=", "")
    return written.slice(before === 0 ? 0 : 4, -2)
  })

/** All the forms in which a value could be found. */
const formsOf = (value: string): ReadonlyArray<string> => [
  ...new Set([
    value,
    JSON.stringify(value).slice(1, -1),
    JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1),
    encodeURIComponent(value),
    encodeURI(value),
    new URLSearchParams({ v: value }).toString().slice(2),
    /S3CRET\d/.exec(value)?.[0] ?? value,
    ...withoutPadding(value, "base64"),
    ...withoutPadding(value, "base64url")
  ])
]

type Texts = { readonly [name: string]: string }

/** Fails where one of the values stands in one of the texts; both by what they are. */
export const assertHidden = (texts: Texts, values: Texts): void => {
  for (const [where, text] of Object.entries(texts)) {
    for (const [name, value] of Object.entries(values)) {
      for (const form of formsOf(value)) {
        const at = text.indexOf(form)
        const around = text.slice(Math.max(0, at - 200), at + 100)
        assert.isBelow(at, 0, `${name} as ${form} is in ${where}: ${around}`)
      }
    }
  }
}
