/**
 * The control API of a host file: where it listens and who may use it.
 *
 * @since 0.5.0
 */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Net from "node:net"
import * as Path from "node:path"
import * as Wire from "../internal/wire.ts"
import { Outside } from "../manifest/Outside.ts"

/**
 * An address as it is written: a TCP address, or the path of a unix socket's
 * file.
 *
 * @category models
 * @since 0.5.0
 */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

const EXPECTED = "an address and a port, like 127.0.0.1:9477 or [::1]:9477, or unix: and the path of a file"

const TCP = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<v4>[0-9.]+|localhost)):(?<port>\d{1,5})$/u
const MOST_PORT = 65_535

/**
 * Reads an address; undefined where it is none. `localhost` is 127.0.0.1, and
 * port 0 is any that is free.
 *
 * @category parsing
 * @since 0.5.0
 */
export const parse = (text: string): Address | undefined => {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length)
    return path === "" || path.includes("\0") ? undefined : { path }
  }
  const { port = "", v4 = "", v6 } = TCP.exec(text)?.groups ?? {}
  const host = v6 ?? (v4 === "localhost" ? "127.0.0.1" : v4)
  const isAddress = v6 === undefined ? Net.isIPv4(host) : Net.isIPv6(host)
  return isAddress && Number(port) <= MOST_PORT ? { host, port: Number(port) } : undefined
}

/**
 * The same, with the path of a file from where a relative one begins.
 *
 * @category converting
 * @since 0.5.0
 */
export const from = (folder: string, address: Address): Address =>
  "path" in address ? { path: Path.resolve(folder, address.path) } : address

/**
 * Whether only this machine reaches it.
 *
 * @category predicates
 * @since 0.5.0
 */
export const isLocal = (address: Address): boolean =>
  "path" in address || (Net.isIPv4(address.host) ? address.host.startsWith("127.") : isV6Loopback(address.host))

const isV6Loopback = (host: string): boolean => new URL(`http://[${host}]`).hostname === "[::1]"

/** What a token may be: it stands in a header, as it is. */
const TOKEN = /^[\x21-\x7e]+$/u

/**
 * @category predicates
 * @since 0.5.0
 */
export const isToken = (text: string): boolean => TOKEN.test(text)

/** An address in text, as an option and a table have it. */
export const AddressText = Schema.String.check(
  Schema.isPattern(/^(?:unix:[^\u0000]+|(?:\[[0-9A-Fa-f:.]+\]|[0-9.]+|localhost):[0-9]{1,5})$/u, {
    expected: EXPECTED
  }),
  Schema.makeFilter((text: string) => parse(text) !== undefined, {
    expected: EXPECTED,
    toJsonSchema: () => ({}),
    // Hardly any text at random is an address.
    arbitraryConstraint: { patterns: [{ source: "^127\\.0\\.0\\.[1-9]:[1-9][0-9]{0,3}$", flags: "" }] }
  })
)

/**
 * The `[control]` table of a host file.
 *
 * @category schemas
 * @since 0.5.0
 */
export const Table = Wire.struct({
  listen: AddressText,
  token: Schema.optionalKey(Outside),
  hosts: Schema.optionalKey(
    Schema.Array(
      Schema.String.check(
        Schema.isPattern(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})$/u, { expected: "a name without a port" })
      )
    )
  ),
  mode: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^0?[0-7]{3}$/u, { expected: 'the mode of a file, like "0600"' }))
  ),
  group: Schema.optionalKey(Wire.wholeNumber(0, 4_294_967_294))
}).annotate({ identifier: "Control" })

/**
 * @category models
 * @since 0.5.0
 */
export type Table = typeof Table.Type

/**
 * Decodes the table, with all problems at once. One that can't be used is none:
 * nothing listens by it.
 *
 * @category decoding
 * @since 0.5.0
 */
export const decode: (input: unknown) => Result.Result<Table, ReadonlyArray<Wire.Problem>> = Wire.decoder(Table)
