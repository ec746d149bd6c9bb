/**
 * What a plugin's code finds beside ECMAScript, for its type checker: just what
 * the sandbox has of it, so that what isn't there doesn't pass.
 *
 * Where the DOM is declared too, as editors do for a file that belongs to no
 * project, that declaration counts.
 */

/** What is read as bytes. */
export type Bytes = ArrayBuffer | ArrayBufferView

interface GuestConsole {
  debug(...values: ReadonlyArray<unknown>): void
  error(...values: ReadonlyArray<unknown>): void
  info(...values: ReadonlyArray<unknown>): void
  log(...values: ReadonlyArray<unknown>): void
  trace(...values: ReadonlyArray<unknown>): void
  warn(...values: ReadonlyArray<unknown>): void
}

type Integers =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

interface GuestCrypto {
  /** Fills an array of integers, of at most 65,536 bytes. */
  getRandomValues<A extends Integers>(array: A): A
  randomUUID(): `${string}-${string}-${string}-${string}-${string}`
}

interface GuestTextEncoder {
  readonly encoding: string
  encode(input?: string): Uint8Array<ArrayBuffer>
  encodeInto(source: string, destination: Uint8Array): { readonly read: number; readonly written: number }
}

interface GuestTextDecoder {
  readonly encoding: string
  readonly fatal: boolean
  readonly ignoreBOM: boolean
  decode(input?: Bytes, options?: { readonly stream?: boolean }): string
}

interface GuestURL {
  hash: string
  host: string
  hostname: string
  href: string
  readonly origin: string
  password: string
  pathname: string
  port: string
  protocol: string
  search: string
  readonly searchParams: URLSearchParams
  username: string
  toJSON(): string
  toString(): string
}

interface GuestURLSearchParams extends Iterable<[string, string]> {
  readonly size: number
  append(name: string, value: string): void
  delete(name: string, value?: string): void
  entries(): IterableIterator<[string, string]>
  forEach(callback: (value: string, name: string, params: URLSearchParams) => void, thisArgument?: unknown): void
  get(name: string): string | null
  getAll(name: string): Array<string>
  has(name: string, value?: string): boolean
  keys(): IterableIterator<string>
  set(name: string, value: string): void
  sort(): void
  toString(): string
  values(): IterableIterator<string>
}

/** Made with `new`. */
interface Class<Arguments extends ReadonlyArray<unknown>, Made> {
  readonly prototype: Made
  new (...given: Arguments): Made
}

interface GuestURLs extends Class<[url: string | URL, base?: string | URL], URL> {
  canParse(url: string | URL, base?: string | URL): boolean
  parse(url: string | URL, base?: string | URL): URL | null
}

interface Decoding {
  readonly fatal?: boolean
  readonly ignoreBOM?: boolean
}

type Pairs = Iterable<readonly [string, string]> | { readonly [name: string]: string } | string

/** Nothing is added to a class of the DOM's. */
type Added<Own> = typeof globalThis extends { readonly onmessage: unknown } ? object : Own

type OwnURL = Added<GuestURL>
type OwnURLSearchParams = Added<GuestURLSearchParams>
type OwnTextEncoder = Added<GuestTextEncoder>
type OwnTextDecoder = Added<GuestTextDecoder>

declare global {
  interface URL extends OwnURL {}
  interface URLSearchParams extends OwnURLSearchParams {}
  interface TextEncoder extends OwnTextEncoder {}
  interface TextDecoder extends OwnTextDecoder {}

  // What the DOM declares comes first.
  var console: typeof globalThis extends { readonly onmessage: unknown; console: infer Dom } ? Dom : GuestConsole
  var crypto: typeof globalThis extends { readonly onmessage: unknown; crypto: infer Dom } ? Dom : GuestCrypto
  var URL: typeof globalThis extends { readonly onmessage: unknown; URL: infer Dom } ? Dom : GuestURLs
  var URLSearchParams: typeof globalThis extends { readonly onmessage: unknown; URLSearchParams: infer Dom }
    ? Dom
    : Class<[pairs?: Pairs], URLSearchParams>
  var TextEncoder: typeof globalThis extends { readonly onmessage: unknown; TextEncoder: infer Dom }
    ? Dom
    : Class<[], TextEncoder>
  var TextDecoder: typeof globalThis extends { readonly onmessage: unknown; TextDecoder: infer Dom }
    ? Dom
    : Class<[label?: string, options?: Decoding], TextDecoder>
  /** Copies a value with all that can be reached from it. */
  function structuredClone<A>(value: A): A
  /** The Latin-1 text that a base64 text stands for. */
  function atob(base64: string): string
  /** A text of Latin-1 as base64. */
  function btoa(text: string): string
  function queueMicrotask(callback: () => void): void
}
