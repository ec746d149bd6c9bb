/**
 * Why the application's own code failed, as one line: what it failed with by
 * name and message, bounded, and of URLs no more than where they lead. It is
 * foreign text all the same: whoever shows it masks it.
 */
const MOST_CHARACTERS = 512

// User info, path, query and fragment may hold what nobody is to see.
const BEYOND_HOST = /\b([a-z][a-z0-9+.-]*:\/\/)(?:[^\s/?#"'<>]*@)?([^\s/?#"'<>@]*)[^\s"'<>]*/gi

/** Where it goes wrong to look at what was thrown, there is nothing to say of it. */
export const of = (failure: unknown): string => {
  try {
    return said(failure).replace(BEYOND_HOST, "$1$2").slice(0, MOST_CHARACTERS)
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
