/**
 * Files that somebody names: read whole where they are regular and no larger
 * than they may be. Whatever else stands under the name (a pipe, a device)
 * holds nobody up.
 */
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"

/** Why a file can't be read, as the system says it, or what it is instead. */
export class Unreadable extends Error {}

// A pipe without a writer would hold the open, and a terminal would become the process's own.
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

const CHUNK_BYTES = 65_536

/** The bytes of a file, of which there are at most so many. */
export const read = async (path: string, mostBytes: number): Promise<Uint8Array> => {
  const file = await Fs.open(path, FLAGS)
  try {
    const found = await file.stat()
    if (!found.isFile()) throw new Unreadable("not a regular file")
    if (found.size > mostBytes) throw new Unreadable(`larger than ${mostBytes} bytes`)
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    // It may grow meanwhile, and one of /proc has no size.
    for (;;) {
      const { buffer, bytesRead } = await file.read(new Uint8Array(CHUNK_BYTES), 0, CHUNK_BYTES, null)
      if (bytesRead === 0) return joined(chunks, bytes)
      bytes += bytesRead
      if (bytes > mostBytes) throw new Unreadable(`larger than ${mostBytes} bytes`)
      chunks.push(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

const joined = (chunks: ReadonlyArray<Uint8Array>, bytes: number): Uint8Array => {
  const whole = new Uint8Array(bytes)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}

/** What changes whenever a file does, through links too; "" where there is none that can be looked at. */
export const identity = async (path: string): Promise<string> => {
  try {
    const { ctimeNs, dev, ino, mtimeNs, nlink, size } = await Fs.stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs, nlink].join()
  } catch {
    return ""
  }
}

/** How many names a file has in folders: none where it was removed, though a mount still shows it. */
export const links = (path: string): Promise<number | undefined> =>
  Fs.stat(path).then(
    ({ nlink }) => nlink,
    () => undefined
  )
