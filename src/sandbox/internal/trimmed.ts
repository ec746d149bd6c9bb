/**
 * The engine's module as guests get it: with a maximum of its memory, which it
 * comes without, and without the exports that nobody calls. Each export is an
 * object in every instance, and there are hundreds.
 *
 * What is read and written here is WebAssembly 1.0, sections 5.5.2 (sections),
 * 5.5.8 (memory) and 5.5.10 (exports).
 */
const HEADER_BYTES = 8
const MEMORY_SECTION = 5
const EXPORT_SECTION = 7
const HAS_MAXIMUM = 1

/** The module with at most so many pages of memory, and of its exports those that are wanted. */
export const trimmed = (module: Uint8Array, pages: number, isWanted: (name: string) => boolean): Uint8Array => {
  const parts: Array<ReadonlyArray<number> | Uint8Array> = [module.subarray(0, HEADER_BYTES)]
  let isBounded = false
  for (let at = HEADER_BYTES; at < module.length;) {
    const id = module[at] ?? 0
    const size = unsigned(module, at + 1)
    const end = size.end + size.value
    const body = module.subarray(size.end, end)
    isBounded ||= id === MEMORY_SECTION
    const written =
      id === MEMORY_SECTION ? memory(body, pages) : id === EXPORT_SECTION ? exported(body, isWanted) : body
    parts.push([id, ...encoded(written.length)], written)
    at = end
  }
  if (!isBounded) throw new Error("the engine has no memory of its own")
  return Buffer.concat(parts.map((part) => Uint8Array.from(part)))
}

const memory = (body: Uint8Array, pages: number): ReadonlyArray<number> => {
  // One memory: how many there are, its flags, its minimum.
  const minimum = unsigned(body, 2)
  return [1, HAS_MAXIMUM, ...encoded(minimum.value), ...encoded(pages)]
}

const exported = (body: Uint8Array, isWanted: (name: string) => boolean): Uint8Array => {
  const count = unsigned(body, 0)
  const kept: Array<Uint8Array> = []
  let from = count.end
  for (let index = 0; index < count.value; index++) {
    const length = unsigned(body, from)
    const nameEnd = length.end + length.value
    // Its kind is one byte, and then comes its index.
    const { end } = unsigned(body, nameEnd + 1)
    if (isWanted(Buffer.from(body.subarray(length.end, nameEnd)).toString())) kept.push(body.subarray(from, end))
    from = end
  }
  return Buffer.concat([Uint8Array.from(encoded(kept.length)), ...kept])
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
