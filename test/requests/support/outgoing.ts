/** Requests as the stage hands them to a client. */
import * as Effect from "effect/Effect"
import type { RequestClient } from "mooring"

/** The simplest that there is, with what is given in its place. */
export const outgoing = (url: string, change: Partial<RequestClient.Outgoing> = {}): RequestClient.Outgoing => ({
  request: allowed(url),
  url,
  headers: [],
  body: null,
  tls: undefined,
  owner: "project:test.plugin",
  lookups: { take: Effect.succeed((lookup) => lookup) },
  deadlineMs: 15_000,
  maxBytes: 262_144,
  onSent: () => {},
  ...change
})

export const allowed = (url: string, change: Partial<RequestClient.Allowed> = {}): RequestClient.Allowed => {
  const { hostname, pathname, port, protocol } = new URL(url)
  const scheme = protocol === "https:" ? "https" : "http"
  const host = hostname.replace(/^\[|\]$/g, "")
  const literal = host !== hostname || /^\d+(?:\.\d+){3}$/.test(host)
  return {
    url: { scheme, host, literal, port: port === "" ? (scheme === "https" ? 443 : 80) : Number(port) },
    method: "GET",
    display: `${protocol}//${hostname}${pathname}`,
    privateAddresses: false,
    ...change
  }
}
