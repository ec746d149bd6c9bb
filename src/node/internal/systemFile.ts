/**
 * A small file of the system, read again when it has become another one. It is
 * read at once, without one of the few threads that a slow disk could hold.
 */
import * as Fs from "node:fs"
import { codeOf } from "./errorCode.ts"

const OUT_OF_DESCRIPTORS = new Set(["EMFILE", "ENFILE"])

/** `EMFILE` or `ENFILE` where no file can be opened now. */
export const outOfDescriptors = (): string | undefined => {
  try {
    Fs.closeSync(Fs.openSync(process.execPath, "r"))
    return undefined
  } catch (error) {
    return OUT_OF_DESCRIPTORS.has(codeOf(error)) ? codeOf(error) : undefined
  }
}

export class SystemFile<A> {
  readonly #path: string
  readonly #parse: (text: string) => A
  #identity = ""
  #value: A

  constructor(path: string, parse: (text: string) => A) {
    this.#path = path
    this.#parse = parse
    this.#value = parse("")
  }

  /** What stands in it; of a file that isn't there, nothing does. One that can't be read is as it was. */
  get current(): A {
    try {
      const { ctimeNs, dev, ino, mtimeNs, size } = Fs.statSync(this.#path, { bigint: true })
      const identity = [dev, ino, size, mtimeNs, ctimeNs].join()
      if (identity !== this.#identity) {
        this.#value = this.#parse(Fs.readFileSync(this.#path, "utf8"))
        this.#identity = identity
      }
    } catch (error) {
      if (codeOf(error) !== "ENOENT") return this.#value
      this.#identity = ""
      this.#value = this.#parse("")
    }
    return this.#value
  }
}
