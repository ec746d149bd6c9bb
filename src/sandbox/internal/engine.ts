/**
 * The engine that guests run in, compiled once a process for each bound on
 * memory: `quickjs-wasi` and its extensions, as modules that workers share.
 */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { trimmed } from "./trimmed.ts"

/** The engine with a bound on its memory, and its extensions by name. */
export interface Engine {
  readonly wasm: WebAssembly.Module
  readonly extensions: ReadonlyArray<{ readonly name: string; readonly wasm: WebAssembly.Module }>
}

const EXTENSIONS = ["encoding"]
const PAGE = 65_536
const MOST_PAGES = 65_536
/** What an instance needs beside what its guest allocates: the engine, its stack, and texts on their way. */
const BESIDE_BYTES = 33_554_432
/** What the host calls, and what an extension needs to be linked. */
const OURS = /^(qjs_|wasm_|_|memory$|malloc$)/

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
    const [engine = new Uint8Array(), ...files] = await this.#files
    const extensions = EXTENSIONS.map((name, index) => ({
      name,
      wasm: new WebAssembly.Module(files[index] ?? new Uint8Array())
    }))
    const imported = new Set(extensions.flatMap(({ wasm }) => WebAssembly.Module.imports(wasm).map(({ name }) => name)))
    const isWanted = (name: string): boolean => OURS.test(name) || imported.has(name)
    return { wasm: new WebAssembly.Module(trimmed(engine, pages, isWanted)), extensions }
  }
}

const read = (name: string): Promise<Uint8Array> =>
  readFile(createRequire(import.meta.url).resolve(`quickjs-wasi/${name}`))
