/**
 * Replaces secrets in what a server says, text for text as it comes: in one pass
 * over the text, and one more for each kind of escapes that it has. A value is
 * found as it is, in either case, as JSON and percent-escapes write it, also one
 * inside the other, and as base64 does of it and of either, wherever in it the
 * value begins.
 *
 * What people are shown is searched more thoroughly, by `Redaction`; that takes
 * a hundred times as long.
 *
 * @since 0.3.0
 */
import * as Base64 from "effect/encoding/Base64"
import * as Automaton from "../internal/automaton.ts"

/**
 * Replaces what is masked in a text. A text without any is given back as it is.
 * `instead` has what stands in place of each of the values that are masked, by
 * their places among them; without it that is `***`.
 *
 * **Details**
 *
 * Of values that lie upon one another the one that begins first is told, the
 * longest of those; nothing is left of the others.
 *
 * @category models
 * @since 0.3.0
 */
export type Mask = (text: string, instead?: ReadonlyArray<string>) => string

/**
 * What stands in place of a value unless something else is said.
 *
 * @category constants
 * @since 0.5.0
 */
export const MASK = "***"

/** How often escapes are undone: once, and once inside of that. */
const DEPTH = 2

/**
 * Masks these values.
 *
 * @category constructors
 * @since 0.3.0
 */
export const make = (values: ReadonlyArray<string>): Mask => {
  const forms = values.flatMap((value, place) => formsOf(value).map((form) => ({ form, place })))
  const automaton = Automaton.make(forms.map(({ form }) => form))
  const placeOf = (state: number) => forms[automaton.which(state)]?.place ?? 0
  return (text, instead) => {
    const found = new Found(text.length)
    search({ automaton, placeOf, found }, { units: text, length: text.length, from: null, to: null }, DEPTH)
    return found.isAny ? found.replaced(text, instead) : text
  }
}

const utf8 = new TextEncoder()

/** How a value stands where nothing is escaped, or where escapes have been undone. */
const formsOf = (value: string): ReadonlyArray<string> => {
  const bytes = utf8.encode(value)
  // Percent-escapes give its bytes back, and a form writes a space as a plus.
  const octets = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")
  // What base64 has inside may be the value as it was sent in a URL, or as JSON has it.
  const inside = new Set([value, encodeURIComponent(value.toWellFormed()), JSON.stringify(value).slice(1, -1)])
  // A header's characters are bytes, which some servers read as UTF-8.
  const read = isLatin(value) ? fromUtf8.decode(Uint8Array.from(value, (unit) => unit.charCodeAt(0))) : value
  const encoded = [...inside.add(read)].flatMap((text) => base64Of(utf8.encode(text)))
  return [value, read, octets, octets.replaceAll(" ", "+"), ...encoded].filter((form) => form !== "")
}

const fromUtf8 = new TextDecoder()

const isLatin = (text: string): boolean => /^[\0-\xff]*$/.test(text)

/** What base64 makes of bytes, whatever stands before and behind them: from each of three places, in both alphabets. */
const base64Of = (bytes: Uint8Array): ReadonlyArray<string> =>
  [0, 1, 2].flatMap((before) => {
    const whole = new Uint8Array(before + bytes.length)
    whole.set(bytes, before)
    // The characters at either end have bits of something else in them.
    const inner = Base64.encode(whole).slice(Math.ceil((before * 8) / 6), Math.floor((whole.length * 8) / 6))
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")]
  })

/** A text, or what it reads once escapes in it are undone, with the places of the text that each unit came from. */
interface Reading {
  readonly units: string | Uint16Array
  readonly length: number
  readonly from: Int32Array | null
  readonly to: Int32Array | null
}

/**
 * What was found in a text, once something was: for each unit the end of the longest that begins there, and the place of
 * the value that it is of. A text of nothing else takes no more.
 */
class Found {
  #ends: Int32Array | undefined
  #places: Int32Array | undefined
  readonly #length: number

  constructor(length: number) {
    this.#length = length
  }

  get isAny(): boolean {
    return this.#ends !== undefined
  }

  add(from: number, to: number, place: number): void {
    this.#ends ??= new Int32Array(this.#length)
    this.#places ??= new Int32Array(this.#length)
    if (to <= (this.#ends[from] ?? 0)) return
    this.#ends[from] = to
    this.#places[from] = place
  }

  replaced(text: string, instead: ReadonlyArray<string> | undefined): string {
    let result = ""
    let shown = 0
    let isMask = false
    for (let index = this.#next(0); index < this.#length; index = this.#next(shown)) {
      const between = text.slice(shown, index)
      result += between
      isMask &&= between === ""
      shown = this.#endOf(index)
      // One lies directly behind the other: each is told.
      for (let at = index; at < shown && this.#end(at) > 0; at = this.#end(at)) {
        const each = instead?.[this.#places?.[at] ?? 0] ?? MASK
        if (each !== MASK || !isMask) result += each
        isMask = each === MASK
      }
    }
    return result + text.slice(shown)
  }

  #end(at: number): number {
    return this.#ends?.[at] ?? 0
  }

  /** Where the next one begins. */
  #next(from: number): number {
    let at = from
    while (at < this.#length && this.#end(at) === 0) at++
    return at
  }

  /** The end of all that lie upon the one that begins here, and upon those. */
  #endOf(index: number): number {
    let end = this.#end(index)
    for (let at = index; at < end; at++) end = Math.max(end, this.#end(at))
    return end
  }
}

const unitAt = ({ units }: Reading, index: number): number =>
  typeof units === "string" ? units.charCodeAt(index) : (units[index] ?? 0)

/** What is searched for, and where it is told. */
interface Search {
  readonly automaton: Automaton.Automaton
  /** The place of the value of which a form ends in a state. */
  readonly placeOf: (state: number) => number
  readonly found: Found
}

const search = (wanted: Search, reading: Reading, depth: number): void => {
  scan(wanted, reading)
  if (depth === 0) return
  for (const [escape, read] of ESCAPES) {
    if (!has(reading, escape)) continue
    const undone = undo(reading, escape, read)
    if (undone !== undefined) search(wanted, undone, depth - 1)
  }
}

const has = ({ units }: Reading, unit: number): boolean =>
  typeof units === "string" ? units.includes(String.fromCharCode(unit)) : units.includes(unit)

const scan = ({ automaton, found, placeOf }: Search, reading: Reading): void => {
  const { from, length, to } = reading
  let state = 0
  for (let index = 0; index < length; index++) {
    state = automaton.step(state, Automaton.fold(unitAt(reading, index)))
    const units = state === 0 ? 0 : automaton.found(state)
    if (units === 0) continue
    const first = index + 1 - units
    found.add(from?.[first] ?? first, to?.[index] ?? index + 1, placeOf(state))
  }
}

/** The unit that an escape stands for and how long it is, packed as unit * 8 + length; 0 where it is none. */
type Read = (reading: Reading, index: number) => number

const packed = (unit: number, length: number): number => unit * 8 + length

/** A reading with its escapes undone; undefined where there are none. */
const undo = (reading: Reading, escape: number, read: Read): Reading | undefined => {
  const units = new Uint16Array(reading.length)
  const from = new Int32Array(reading.length)
  const to = new Int32Array(reading.length)
  let length = 0
  let isAny = false
  for (let index = 0; index < reading.length; length++) {
    const unit = unitAt(reading, index)
    const found = unit === escape ? read(reading, index) : 0
    const size = found === 0 ? 1 : found % 8
    isAny ||= found !== 0
    units[length] = found === 0 ? unit : Math.floor(found / 8)
    from[length] = reading.from?.[index] ?? index
    to[length] = reading.to?.[index + size - 1] ?? index + size
    index += size
  }
  return isAny ? { units: units.subarray(0, length), length, from, to } : undefined
}

/** The value of this many hexadecimal digits, negative where they aren't. */
const hex = (reading: Reading, start: number, digits: number): number => {
  if (start + digits > reading.length) return -1
  let value = 0
  for (let index = start; index < start + digits; index++) {
    const unit = unitAt(reading, index)
    const lower = unit | 0x20
    const digit = unit >= 0x30 && unit <= 0x39 ? unit - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
    if (digit < 0) return -1
    value = value * 16 + digit
  }
  return value
}

// RFC 8259, section 7.
const SIMPLE_ESCAPES: ReadonlyMap<number, number> = new Map(
  [...'""\\\\//b\bf\fn\nr\rt\t'].flatMap((name, index, all) =>
    index % 2 === 0 ? [[name.charCodeAt(0), (all[index + 1] ?? "").charCodeAt(0)] as const] : []
  )
)

const SMALL_U = 0x75

const ofJson: Read = (reading, index) => {
  const escaped = index + 1 < reading.length ? unitAt(reading, index + 1) : 0
  const simple = SIMPLE_ESCAPES.get(escaped)
  if (simple !== undefined) return packed(simple, 2)
  const unit = escaped === SMALL_U ? hex(reading, index + 2, 4) : -1
  return unit < 0 ? 0 : packed(unit, 6)
}

// RFC 3986, section 2.1.
const ofPercent: Read = (reading, index) => {
  const byte = hex(reading, index + 1, 2)
  return byte < 0 ? 0 : packed(byte, 3)
}

const ESCAPES: ReadonlyArray<readonly [escape: number, read: Read]> = [
  [0x5c, ofJson],
  [0x25, ofPercent]
]
