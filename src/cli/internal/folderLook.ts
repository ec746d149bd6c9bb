/**
 * What a folder looks like without reading any file in it: another text
 * whenever something was written, renamed, removed or replaced in it.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { codeOf } from "../../node/internal/errorCode.ts"
import { MOST_ENTRIES } from "../../node/internal/packageFiles.ts"
import { isPassing } from "./passing.ts"

/** How a folder looks, also one that isn't there. */
export const folderLook = async (folder: string): Promise<string> => {
  const folders = [folder]
  const seen: Array<string> = []
  for (const each of folders) {
    try {
      // The folder itself may be a link, and lead elsewhere next time.
      if (each === folder) seen.push(identityOf(await Fs.stat(each, { bigint: true })))
      for (const { name } of (await Fs.readdir(each, { withFileTypes: true })).toSorted(byName)) {
        if (isPassing(name)) continue
        const path = Path.join(each, name)
        const found = await Fs.lstat(path, { bigint: true })
        // Of a folder nothing counts but what is in it.
        if (found.isDirectory()) folders.push(path)
        seen.push(`${path}\0${found.isDirectory() ? found.mode : identityOf(found)}`)
        // More is no package, whatever it is.
        if (seen.length > MOST_ENTRIES + 1) return seen.join("\n")
      }
    } catch (error) {
      seen.push(`${each}\0${codeOf(error)}`)
    }
  }
  return seen.join("\n")
}

const byName = (one: { readonly name: string }, other: { readonly name: string }): number =>
  one.name < other.name ? -1 : 1

interface Identity {
  readonly dev: bigint
  readonly ino: bigint
  readonly mode: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

const identityOf = ({ ctimeNs, dev, ino, mode, mtimeNs, size }: Identity): string =>
  [dev, ino, mode, size, mtimeNs, ctimeNs].join()
