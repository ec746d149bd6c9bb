/**
 * The client of `undici`, and nothing else of it: its main entry loads five times
 * as much, and puts an agent of its own in the place that Node's `fetch` goes by.
 * It is loaded when the first request is made.
 */
import { createRequire } from "node:module"
import type { Duplex } from "node:stream"
import type { Dispatcher } from "undici"

/** What a request does as it goes on. */
export type Handler = Dispatcher.DispatchHandler

/** Given the connection, or why there is none. */
type Connect = (options: unknown, done: (error: Error | null, connection: Duplex | null) => void) => void

export interface Client {
  readonly dispatch: (options: Dispatcher.DispatchOptions, handler: Handler) => boolean
  readonly destroy: (error: Error | null, done: () => void) => void
  readonly on: (event: "error", listener: (error: Error) => void) => unknown
}

/** A connection may be anything that is read and written, which the types of `undici` don't say. */
type Make = new (origin: string, options: typeof OPTIONS & { readonly connect: Connect }) => Client

// The deadline is whose request it is, and the connection ours: no timer, no second connection and no pipeline.
const OPTIONS = {
  maxHeaderSize: 16_384,
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: 600_000,
  pipelining: 1,
  allowH2: false,
  useMilo: false
}

const load: (id: string) => Make = createRequire(import.meta.url)

/** Makes a client for one request over one connection, which it asks for when it is given the request. */
export const make = (origin: string, connect: Connect): Client => {
  const Client = load("undici/lib/dispatcher/client.js")
  return new Client(origin, { ...OPTIONS, connect })
}
