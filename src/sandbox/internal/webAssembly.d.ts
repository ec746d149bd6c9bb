/**
 * As much of WebAssembly as is used here: TypeScript declares it for browsers
 * only, and without it the types of `quickjs-wasi` silently become `any`.
 */
declare namespace WebAssembly {
  interface Module {
    readonly [Symbol.toStringTag]: "WebAssembly.Module"
  }
  const Module: {
    new (bytes: Uint8Array): Module
    imports(module: Module): ReadonlyArray<{ readonly name: string }>
    exports(module: Module): ReadonlyArray<{ readonly name: string }>
  }
  interface Memory {
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
  interface Global {
    value: unknown
  }
  interface Table {
    readonly length: number
  }
  interface Instance {
    readonly exports: unknown
  }
}

type BufferSource = ArrayBufferView | ArrayBuffer
