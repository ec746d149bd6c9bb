/**
 * The engine that guests run in, compiled once a process for each bound on
 * memory: `quickjs-wasi` and its extensions, as modules that workers share.
 */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"

/** The engine with a bound on its memory, and its extensions by name. */
export interface Engine {
  readonly wasm: WebAssembly.Module
  readonly extensions: ReadonlyArray<{ readonly name: string; readonly wasm: WebAssembly.Module }>
}

const EXTENSIONS = ["encoding", "url"]
const PAGE = 65_536
const MOST_PAGES = 65_536
/** What an instance needs beside what its guest allocates: the engine, its stack, and texts on their way. */
const BESIDE_BYTES = 33_554_432
const HEADER_BYTES = 8
const MEMORY_SECTION = 5
const HAS_MAXIMUM = 1

/** Compiles what guests need that may allocate so many bytes each. */
export class Engines {
  readonly #byPages = new Map<number, Promise<Engine>>()
  #files: Promise<ReadonlyArray<Uint8Array>> | undefined = undefined

  of(memoryBytes: number): Promise<Engine> {
    const pages = Math.min(MOST_PAGES, Math.ceil((memoryBytes + BESIDE_BYTES) / PAGE))
    const known = this.#byPages.get(pages)
    if (known !== undefined) return known
    const compiling = this.#compile(pages)
    this.#byPages.set(pages, compiling)
    // What failed for want of something may be there another time.
    compiling.catch(() => this.#byPages.delete(pages))
    return compiling
  }

  async #compile(pages: number): Promise<Engine> {
    this.#files ??= Promise.all([read("quickjs.wasm"), ...EXTENSIONS.map((name) => read(`${name}.so`))])
    const [engine = new Uint8Array(), ...extensions] = await this.#files
    return {
      wasm: new WebAssembly.Module(bounded(engine, pages)),
      extensions: EXTENSIONS.map((name, index) => ({
        name,
        wasm: new WebAssembly.Module(extensions[index] ?? new Uint8Array())
      }))
    }
  }
}

const read = (name: string): Promise<Uint8Array> =>
  readFile(createRequire(import.meta.url).resolve(`quickjs-wasi/${name}`))

/** The module with a maximum of its memory, which it comes without (WebAssembly 1.0, sections 5.5.2 and 5.5.8). */
export const bounded = (module: Uint8Array, pages: number): Uint8Array => {
  let at = HEADER_BYTES
  while (at < module.length) {
    const id = module[at]
    const size = unsigned(module, at + 1)
    if (id === MEMORY_SECTION) {
      // One memory: how many there are, its flags, its minimum.
      const minimum = unsigned(module, size.end + 2)
      const section = [1, HAS_MAXIMUM, ...encoded(minimum.value), ...encoded(pages)]
      const rest = module.subarray(size.end + size.value)
      return Uint8Array.from([
        ...module.subarray(0, at),
        MEMORY_SECTION,
        ...encoded(section.length),
        ...section,
        ...rest
      ])
    }
    at = size.end + size.value
  }
  throw new Error("the engine has no memory of its own")
}

/** A number in LEB128, and where it ends. */
const unsigned = (bytes: Uint8Array, from: number): { readonly value: number; readonly end: number } => {
  let value = 0
  for (let at = from, shift = 0; ; at++, shift += 7) {
    const byte = bytes[at] ?? 0
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return { value, end: at + 1 }
  }
}

const encoded = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...encoded(value >>> 7)]
