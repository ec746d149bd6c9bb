/** The whole memory of guests on this thread, and what of a value stands in it, in whichever form. */

/** Which forms of these values stand in the memory of a guest that was made meanwhile. */
export type FormsOf = (values: ReadonlyArray<string>) => ReadonlyArray<string>

/** Keeps an eye on every guest that is made while something runs. Guests of others are none of this thread's. */
export const watching = async <A>(use: (formsOf: FormsOf) => Promise<A>): Promise<A> => {
  // The declarations of the project have no more of it than it uses.
  const wasm: any = WebAssembly // oxlint-disable-line no-explicit-any
  const { instantiate } = wasm
  const memories: Array<{ readonly buffer: ArrayBuffer }> = []
  wasm.instantiate = async (...given: ReadonlyArray<unknown>) => {
    const instance = await instantiate(...given)
    // Of what is linked to an engine, the memory is the engine's.
    if (instance.exports.memory !== undefined) memories.push(instance.exports.memory)
    return instance
  }
  try {
    return await use((values) => {
      if (memories.length === 0) throw new Error("no guest was made")
      const whole = memories.map(({ buffer }) => Buffer.from(buffer))
      return values.flatMap((value) =>
        formsOf(value).flatMap(([form, bytes]) => (whole.some((each) => each.includes(bytes)) ? [form] : []))
      )
    })
  } finally {
    wasm.instantiate = instantiate
  }
}

const formsOf = (value: string): ReadonlyArray<readonly [form: string, bytes: Buffer]> => {
  const texts = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value), ...partsOf(value)]
  const raw = [...texts.map((text) => Buffer.from(text)), ...keyBytesOf(value)]
  return [
    ...raw.map((bytes) => ["as it is", bytes] as const),
    ...texts.map((text) => ["in UTF-16", Buffer.from(text, "utf16le")] as const),
    ...texts.map((text) => ["in Latin-1", Buffer.from(text, "latin1")] as const),
    ...raw.flatMap((bytes) => [
      ["in hex", Buffer.from(bytes.toString("hex"))] as const,
      ["in HEX", Buffer.from(bytes.toString("hex").toUpperCase())] as const,
      ...base64Of(bytes).map((text) => ["in base64", Buffer.from(text)] as const)
    ])
  ]
}

/** Its base64, wherever in what is encoded it begins, without the characters that have bits of something else. */
const base64Of = (bytes: Buffer): ReadonlyArray<string> =>
  [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64")
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
  })

/** The lines of a PEM. */
const partsOf = (value: string): ReadonlyArray<string> =>
  value.split("\n").filter((line) => line.length > 16 && !line.startsWith("---") && line !== value)

/** What the key in a PEM is itself: all of it, and its last 32 bytes, which are those of an Ed25519 seed. */
const keyBytesOf = (value: string): ReadonlyArray<Buffer> => {
  const base64 = partsOf(value).join("")
  const der = value.startsWith("-----") ? Buffer.from(base64, "base64") : Buffer.alloc(0)
  return der.length === 0 ? [] : [der, der.subarray(-32)]
}
