/**
 * The files of a package's folder: all of them or none, each opened once. What
 * is read here is what is hashed and what runs, whatever stands under the names
 * afterwards.
 *
 * Nothing but regular files and folders is opened, and a name is never followed
 * to somewhere else.
 */
import type { Dirent } from "node:fs"
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { codeOf } from "./errorCode.ts"

/** A file: its path from the folder on, with `/`, and its content. */
export interface File {
  readonly path: string
  readonly bytes: Uint8Array
}

/** Why a folder is no package; `file` is the path of what is wrong with it; empty where that is the folder itself. */
export class Unusable extends Error {
  readonly file: string

  constructor(problem: string, file = "") {
    super(problem)
    this.file = file
  }
}

/** How many files and folders there may be. */
export const MOST_ENTRIES = 1000

/** How many bytes all files may have together. */
export const MOST_BYTES = 16_777_216

/** What grows without anybody looking at it, and belongs to no package. */
const STRANGERS = new Set(["node_modules", ".git"])

// Of what turned into a pipe meanwhile, the open must not wait for a writer, and a terminal not become the process's own.
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * Reads a folder, one operation of the file system after another; the files are in byte order of their paths. What
 * `isPassing` by its name is not looked at.
 */
export const read = async (
  folder: string,
  signal: AbortSignal,
  isPassing: (name: string) => boolean = () => false
): Promise<ReadonlyArray<File>> => {
  try {
    // The folder itself may be a link; where it leads is asked once.
    const root = await Fs.realpath(folder)
    const files: Array<File> = []
    let left = MOST_BYTES
    for (const path of await pathsIn(root, signal, isPassing)) {
      signal.throwIfAborted()
      const bytes = await contentOf(root, path, left)
      left -= bytes.length
      files.push({ path, bytes })
    }
    return files.toSorted((one, other) => Buffer.compare(Buffer.from(one.path), Buffer.from(other.path)))
  } catch (error) {
    throw error instanceof Unusable ? error : new Unusable(codeOf(error))
  }
}

/** What changes whenever a folder does, whether it is a package or none: what stands in it, and what each of that is. */
export const identity = async (folder: string): Promise<string> => {
  const seen: Array<string> = []
  const folders = [folder]
  for (const each of folders) {
    try {
      const names = (await Fs.readdir(each)).toSorted()
      for (const name of names.slice(0, MOST_ENTRIES)) {
        // A package has no more, and no look is to last for ever.
        if (seen.length > MOST_ENTRIES) return seen.join("\n")
        const path = Path.join(each, name)
        const found = await Fs.lstat(path, { bigint: true })
        const { ctimeNs, dev, ino, mode, mtimeNs, size } = found
        seen.push(JSON.stringify([path, dev, ino, mode, size, mtimeNs, ctimeNs].map(String)))
        if (found.isDirectory() && !STRANGERS.has(name)) folders.push(path)
      }
    } catch (error) {
      seen.push(`${each} ${codeOf(error)}`)
    }
  }
  return seen.join("\n")
}

/** The paths of all regular files; whatever else there is but folders makes the package unusable. */
const pathsIn = async (
  root: string,
  signal: AbortSignal,
  isPassing: (name: string) => boolean
): Promise<ReadonlyArray<string>> => {
  const files: Array<string> = []
  const folders = [""]
  let entries = 0
  for (const folder of folders) {
    for await (const entry of await on(folder, opened(Path.join(root, folder)))) {
      signal.throwIfAborted()
      if (isPassing(entry.name.toString())) continue
      if (++entries > MOST_ENTRIES) throw new Unusable(`more than ${MOST_ENTRIES} files and folders`)
      const name = nameOf(entry.name, folder)
      const path = folder === "" ? name : `${folder}/${name}`
      if (STRANGERS.has(name)) throw new Unusable(`it has a ${name}, which belongs to no package`, path)
      const kind = await on(path, Fs.lstat(Path.join(root, path)))
      if (kind.isDirectory()) folders.push(path)
      else if (kind.isFile()) files.push(path)
      else throw new Unusable(kind.isSymbolicLink() ? "a symbolic link" : "neither a regular file nor a folder", path)
    }
  }
  return files
}

/** The entries of a folder. Node's types know names that are texts; these are bytes, so that one that is no UTF-8 is seen. */
const opened = async (path: string): Promise<AsyncIterable<Dirent<Buffer>>> =>
  (await Fs.opendir(path, { encoding: "buffer" as BufferEncoding })) as unknown as AsyncIterable<Dirent<Buffer>>

const nameOf = (bytes: Uint8Array, folder: string): string => {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Unusable("a name that is not UTF-8", folder)
  }
}

const contentOf = async (root: string, path: string, left: number): Promise<Uint8Array> => {
  const file = await on(path, Fs.open(Path.join(root, path), FLAGS))
  try {
    const found = await on(path, file.stat())
    if (!found.isFile()) throw new Unusable("not a regular file any more", path)
    if (found.size > left) throw new Unusable(`more than ${MOST_BYTES} bytes`)
    const bytes = new Uint8Array(found.size)
    for (let offset = 0; offset < bytes.length;) {
      const { bytesRead } = await on(path, file.read(bytes, offset, bytes.length - offset, offset))
      if (bytesRead === 0) throw new Unusable("it shrank while it was read", path)
      offset += bytesRead
    }
    const { bytesRead } = await on(path, file.read(new Uint8Array(1), 0, 1, bytes.length))
    if (bytesRead > 0) throw new Unusable("it grew while it was read", path)
    return bytes
  } finally {
    await file.close()
  }
}

/** An operation on one file, whose failure names it. */
const on = async <A>(path: string, operation: Promise<A>): Promise<A> => {
  try {
    return await operation
  } catch (error) {
    throw new Unusable(codeOf(error), path)
  }
}
