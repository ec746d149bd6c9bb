/**
 * What a plugin is told of the end of its request: of an answer as much as it may
 * know, with secrets replaced; of an error its facts.
 */
import type { HttpAnswer, RequestProblem } from "../../ingress/HostResponse.ts"
import type { Failure, Response } from "../RequestClient.ts"
import type { Headers } from "../RequestError.ts"

/** Replaces secrets in a text of the server's; null where it knows none. */
type Mask = ((text: string) => string) | null

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export const answerOf = ({ body, headers, status }: Response, mask: Mask): HttpAnswer => {
  const text = body.length > 0 && isEncoded(headers) ? undefined : textOf(body)
  return {
    status,
    headers: headersOf(headers, mask),
    // A copy: the client's may be a part of something larger.
    body: text === undefined ? body.slice() : masked(text, mask)
  }
}

/** An error as the plugin is told it. `sent` is what the stage itself knows: not every error says so. */
export const problemOf = (failure: Failure, sent: boolean, mask: Mask): RequestProblem => {
  const { _tag: tag, message } = failure
  switch (tag) {
    case "RequestFailed":
      return { tag, message, sent: failure.sent, phase: failure.phase, code: failure.code }
    case "RequestTimeout":
      return { tag, message, sent: failure.sent, phase: failure.phase }
    case "ResponseTooLarge":
      return { tag, message, sent: failure.sent, status: failure.status, headers: headersOf(failure.headers, mask) }
    default:
      return { tag, message, sent }
  }
}

const masked = (text: string, mask: Mask): string => (mask === null ? text : mask(text))

/** Whether nobody undid the coding: then a body isn't a text, whatever its bytes read as. */
const isEncoded = (headers: Headers): boolean => headers.some(([name]) => name.toLowerCase() === "content-encoding")

const textOf = (body: Uint8Array): string | undefined => {
  try {
    return utf8.decode(body)
  } catch {
    return undefined
  }
}

/** By name, in lower case; a name that occurs several times has its values in a list (RFC 9110, section 5.3). */
const headersOf = (headers: Headers, mask: Mask): HttpAnswer["headers"] => {
  const byName = new Map<string, string>()
  for (const [given, value] of headers) {
    const name = given.toLowerCase()
    const own = masked(name === "set-cookie" ? cookieName(value) : value, mask)
    const before = byName.get(name)
    byName.set(name, before === undefined ? own : `${before}, ${own}`)
  }
  return Object.fromEntries(byName)
}

/** RFC 6265, section 5.2: what stands before the first equals sign of the first pair. */
const cookieName = (cookie: string): string => {
  const [pair = ""] = cookie.split(";", 1)
  return pair.includes("=") ? pair.slice(0, pair.indexOf("=")).trim() : ""
}
