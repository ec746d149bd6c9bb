/**
 * Asks the control API, by paths that are relative to the page. The token is in
 * this tab's session only, under a name that has the page's path in it: another
 * host behind the same proxy is never sent it.
 */

/** The API said no; without a tag it didn't answer as this API does. */
export class Refused extends Error {
  readonly status: number
  readonly tag: string

  constructor(status: number, tag: string, message: string) {
    super(message)
    this.status = status
    this.tag = tag
  }

  get needsToken(): boolean {
    return this.status === 401
  }
}

/** Where the page stands: what is shared or kept is so under this name. */
export const place = (): string => `mooring:${new URL(".", document.baseURI).pathname}`

const refusalOf = async (response: Response): Promise<Refused> => {
  const body: unknown = await response.json().catch(() => undefined)
  const isRefusal = typeof body === "object" && body !== null && "tag" in body && "message" in body
  return isRefusal
    ? new Refused(response.status, String(body.tag), String(body.message))
    : new Refused(response.status, "", `answered with ${response.status}`)
}

export class Api {
  readonly #name = place()

  get hasToken(): boolean {
    return sessionStorage.getItem(this.#name) !== null
  }

  /** Empty: forgets it. */
  set token(token: string) {
    if (token === "") sessionStorage.removeItem(this.#name)
    else sessionStorage.setItem(this.#name, token)
  }

  /** The stream of events. Rejects with `Refused` where the API says no. */
  async events(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#ask("events", { signal })
    if (response.body === null) throw new Refused(response.status, "", "answered with nothing")
    return response.body
  }

  /** Does something; it is told then, not done. */
  async act(path: string): Promise<void> {
    await this.#ask(path, { method: "POST" })
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    const token = sessionStorage.getItem(this.#name)
    const headers: HeadersInit = token === null ? {} : { authorization: `Bearer ${token}` }
    const response = await fetch(path, { ...init, headers, cache: "no-store", credentials: "same-origin" })
    if (!response.ok) throw await refusalOf(response)
    return response
  }
}

export type Verb = "start" | "stop" | "restart"

export const pluginPath = (ref: string, verb: Verb): string => `plugins/${encodeURIComponent(ref)}/${verb}`

export const reconnectPath = (ref: string, id: string): string =>
  `plugins/${encodeURIComponent(ref)}/sources/${encodeURIComponent(id)}/reconnect`
