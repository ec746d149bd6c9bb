/**
 * Why the application's own code failed, as one line: what it failed with by
 * name and message, and of URLs no more than where they lead. It is foreign
 * text all the same, and no longer than is looked at: whoever shows it masks
 * and cuts it.
 */
import { READ_TEXT } from "../../diagnostics/Redaction.ts"

// User info, path, query and fragment may hold what nobody is to see.
const BEYOND_HOST = /(:\/\/)((?:[^\s/?#"'<>]*@)?)([^\s/?#"'<>@]*)([^\s"'<>]*)/g

/** Where it goes wrong to look at what was thrown, there is nothing to say of it. */
export const of = (failure: unknown): string => {
  try {
    const text = said(failure).slice(0, READ_TEXT)
    // A text that is cut stays as long as it is, or nobody knew: its end may be a piece of what is masked.
    const filler = text.length < READ_TEXT ? "" : "\u{2026}"
    return text.replace(
      BEYOND_HOST,
      (_, scheme: string, user: string, host: string, rest: string) =>
        `${scheme}${filler.repeat(user.length)}${host}${filler.repeat(rest.length)}`
    )
  } catch {
    return ""
  }
}

const said = (failure: unknown): string => {
  if (typeof failure !== "object" || failure === null) return typeof failure === "string" ? failure : typeof failure
  const name = [ownText(failure, "_tag"), ownText(failure, "name")].find((text) => text !== "") ?? ""
  const message = ownText(failure, "message")
  return name === "" || message === "" ? `${name}${message}` || "an object" : `${name}: ${message}`
}

const ownText = (failure: object, key: string): string => {
  const value: unknown = Reflect.get(failure, key)
  return typeof value === "string" ? value : ""
}
