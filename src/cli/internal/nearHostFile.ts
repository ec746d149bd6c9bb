/**
 * The host file to which the path of a package is to be relative: whoever is
 * told of a package types its path from where he stands, and a host file reads
 * it from where that is.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"

const NAME = "host.toml"

const isAt = (path: string): Promise<boolean> =>
  Fs.stat(path).then(
    (stats) => stats.isFile(),
    () => false
  )

const isIn = (folder: string, above: string): boolean => {
  const [first] = Path.relative(above, folder).split(Path.sep)
  return first !== ".."
}

/** The folders in which it may be: those above the package, the nearest first, up to where somebody stands; else that one. */
const candidates = (folder: string, cwd: string): ReadonlyArray<string> => {
  const above = Path.dirname(folder)
  if (!isIn(above, cwd)) return [above, cwd]
  const found = [above]
  for (let at = above; at !== cwd; at = Path.dirname(at)) found.push(Path.dirname(at))
  return found
}

export interface Place {
  /** As it is written in the host file; absolute where there is no host file. */
  readonly path: string
  /** The host file, by its path from where somebody stands. */
  readonly hostFile: string | undefined
}

/** How a host file names a package whose folder was typed in `cwd`. */
export const placeOf = async (folder: string, cwd: string): Promise<Place> => {
  const absolute = Path.resolve(cwd, folder)
  for (const candidate of candidates(absolute, cwd)) {
    const file = Path.join(candidate, NAME)
    if (candidate === absolute || !(await isAt(file))) continue
    const path = Path.relative(candidate, absolute)
    return { path: path.startsWith(`..${Path.sep}`) ? path : `./${path}`, hostFile: Path.relative(cwd, file) }
  }
  return { path: absolute, hostFile: undefined }
}
