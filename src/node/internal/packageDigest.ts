/**
 * The digest of a package: it depends on every path, length and byte, and on
 * nothing else.
 */
import { createHash } from "node:crypto"
import type { File } from "./packageFiles.ts"

const DOMAIN = "yoi-plugin-package-digest-v1\0"

/** The raw SHA-256 of a content. */
export const hashOf = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest()

/** The digest of files in byte order of their paths. */
export const digestOf = (files: ReadonlyArray<File>): string => {
  const hash = createHash("sha256").update(DOMAIN)
  for (const { bytes, path } of files) {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(bytes.length))
    hash.update(`${path}\0`).update(length).update(hashOf(bytes))
  }
  return `sha256:${hash.digest("hex")}`
}

const JUNK = /(?:^|\/)(?:\.DS_Store|Thumbs\.db|[^/]*~|\.[^/]*\.swp)$/

const MOST_SUSPECTS = 5

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** The files that most likely make a digest another one: what desktops and editors leave, texts whose line ends were converted. */
export const suspectsIn = (files: ReadonlyArray<File>): ReadonlyArray<string> =>
  [...files.filter(({ path }) => JUNK.test(path)), ...files.filter(isConverted)]
    .map(({ path }) => path)
    .filter((path, index, all) => all.indexOf(path) === index)
    .slice(0, MOST_SUSPECTS)

const isConverted = ({ bytes }: File): boolean => {
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (!content.includes("\r\n") || content.includes(0)) return false
  try {
    utf8.decode(content)
    return true
  } catch {
    return false
  }
}
