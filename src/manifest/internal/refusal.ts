/**
 * What is refused on the raw text of a URL, before any parser sees it: whatever
 * a common server, proxy or resolver could read as another host or path than
 * the one that manifest and grant are compared with.
 *
 * A reason never quotes the text.
 */

const MAX_LENGTH = 8192

/** Why the raw text of a URL is refused that may have one of two schemes, `undefined` where it isn't. */
export const ofUrl = (raw: string, clear: string, secure: string): string | undefined => {
  if (raw.length > MAX_LENGTH) return `it is longer than ${MAX_LENGTH} characters`
  if (!/^[\x21-\x7e]*$/.test(raw)) return "it has characters other than printable ASCII"
  const colon = raw.indexOf(":")
  const scheme = colon < 0 ? "" : raw.slice(0, colon).toLowerCase()
  if (scheme !== clear && scheme !== secure) return `its scheme is neither ${clear} nor ${secure}`
  if (!raw.startsWith("://", colon)) return "it has no // after the scheme"
  if (raw.includes("\\")) return "it has a backslash"
  if (raw.includes("#")) return "it has a fragment"
  const rest = raw.slice(colon + 3)
  const end = rest.search(/[/?]|$/)
  return ofAuthority(rest.slice(0, end)) ?? ofPath(rest.slice(end).replace(/\?.*/, ""))
}

const ofAuthority = (authority: string): string | undefined => {
  if (authority.includes("@")) return "it has user info"
  const host = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(authority)?.[1]
  if (host === undefined) return "it is not a URL"
  if (host === "") return "it has no host"
  if (host.includes("%")) return "its host has a percent-escape"
  // What an address in brackets may be, the parser knows.
  if (host.startsWith("[")) return undefined
  if (!/^[A-Za-z0-9._-]+$/.test(host)) return "its host has a character that no name has"
  // One dot at the end is the root's; a resolver's search list begins before it.
  if (host.replace(/\.$/, "").split(".").includes("")) return "its host has an empty label"
  return undefined
}

// Escapes of the C0 controls and DEL, and of % . / \
const READ_TWICE = /%(?:[01][0-9a-f]|7f|25|2e|2f|5c)/i

const ofPath = (path: string): string | undefined => {
  if (/%(?![0-9a-f]{2})/i.test(path)) return "its path has a percent sign without two hexadecimal digits"
  if (READ_TWICE.test(path)) return "its path has an escaped dot, slash, backslash, percent sign or control"
  const characters = beyondAscii(path)
  if (characters === undefined) return "its path has escapes that are no UTF-8"
  if (isReadAsSyntax(characters)) return "its path has an escaped character that can be read as a dot or slash"
  return ofSegments(path.split("/").slice(1))
}

/** The characters beyond ASCII that a path has as escapes, `undefined` where these are overlong or otherwise no UTF-8. */
const beyondAscii = (path: string): string | undefined => {
  try {
    return decodeURIComponent(path).replace(/[\0-\x7f]/g, "")
  } catch {
    return undefined
  }
}

/** Whether there is a C1 control among them, or what turns into syntax where compatible characters are taken for equal. */
const isReadAsSyntax = (characters: string): boolean =>
  /[\u0080-\u009f]/.test(characters) || /[%./\\;]/.test(characters.normalize("NFKC"))

/** A segment is judged as a server sees it that cuts its parameters off, or the spaces around it. */
const ofSegments = (segments: ReadonlyArray<string>): string | undefined => {
  for (const [index, segment] of segments.entries()) {
    const name = /^(?:(?!;|%3b).)*/i.exec(segment)?.[0] ?? ""
    if (name === "" && index < segments.length - 1) return "its path has an empty segment"
    if (/^(?:%20)*\.{1,2}(?:%20)*$/.test(name)) return "its path has a dot segment"
  }
  return undefined
}
