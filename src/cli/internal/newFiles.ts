/**
 * Files that there weren't before: all of them or none, and none over another.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { codeOf } from "../../node/internal/errorCode.ts"

/** Why a file or folder couldn't be made. */
export class Unmade extends Error {
  readonly path: string

  constructor(path: string, error: unknown) {
    const code = codeOf(error)
    super(code === "EEXIST" || code === "ENOTDIR" || code === "EISDIR" ? "something is there already" : code)
    this.path = path
  }
}

/** What was made, so that it can be taken back, the last first. */
export class NewFiles {
  readonly #made: Array<() => Promise<void>> = []

  /** Makes a folder, with those above it, where there is none. */
  async folder(path: string): Promise<void> {
    const above = Path.dirname(path)
    if (above !== path && !(await isFolder(above))) await this.folder(above)
    try {
      await Fs.mkdir(path)
      this.#made.push(() => Fs.rmdir(path))
    } catch (error) {
      if (!(await isFolder(path))) throw new Unmade(path, error)
    }
  }

  /** Makes a file; where a link stands, also one that leads nowhere, something is there. */
  async file(path: string, content: string): Promise<void> {
    try {
      const file = await Fs.open(path, "wx")
      this.#made.push(() => Fs.rm(path))
      try {
        await file.writeFile(content)
      } finally {
        await file.close()
      }
    } catch (error) {
      throw new Unmade(path, error)
    }
  }

  /** Takes back what was made, as far as that can be. */
  async undo(): Promise<void> {
    for (const each of this.#made.toReversed()) await each().catch(() => {})
  }
}

const isFolder = (path: string): Promise<boolean> =>
  Fs.stat(path).then(
    (stats) => stats.isDirectory(),
    () => false
  )
