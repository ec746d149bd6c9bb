/**
 * A package's `plugin.js`, where its author writes `plugin.ts`.
 */
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"

/** What is written by hand, and what is made of it. */
export const SOURCE = "plugin.ts"
export const BUILT = "plugin.js"

/**
 * Writes `plugin.js`: whoever reads it sees the one from before or this one, whole, and one that can't be written leaves
 * the one from before.
 */
export const save = async (folder: string, content: string): Promise<void> => {
  // What is left of it when the machine fails is recognised as what belongs to no package.
  const beside = Path.join(folder, `.${BUILT}.${randomBytes(4).toString("hex")}~`)
  try {
    await Fs.writeFile(beside, content, { flag: "wx" })
    await Fs.rename(beside, Path.join(folder, BUILT))
  } catch (error) {
    await Fs.rm(beside, { force: true }).catch(() => {})
    throw error
  }
}
