/**
 * A text as it reads once percent-escapes, JSON's escapes or base64 in it are
 * undone, with the place in the text that each character of it came from. So a
 * value is found in whichever of these forms it stands, in either case of its
 * escapes, escaped in part only, and inside something longer.
 */

/** UTF-16 units, and for each where it begins and ends in the text that is read. */
export interface Reading {
  readonly units: ReadonlyArray<number>
  readonly from: ReadonlyArray<number>
  readonly to: ReadonlyArray<number>
}

class Builder implements Reading {
  readonly units: Array<number> = []
  readonly from: Array<number> = []
  readonly to: Array<number> = []

  push(unit: number, from: number, to: number): void {
    this.units.push(unit)
    this.from.push(from)
    this.to.push(to)
  }

  copy({ from, to, units }: Reading, index: number): void {
    this.push(units[index] ?? 0, from[index] ?? 0, to[index] ?? 0)
  }
}

export const plain = (text: string): Reading => {
  const reading = new Builder()
  for (let index = 0; index < text.length; index++) reading.push(text.charCodeAt(index), index, index + 1)
  return reading
}

/**
 * Every reading that something is undone for once more. `shortest` is the least
 * that is looked for; where the text `isCut`, less of it may stand at its end.
 */
export const undone = (reading: Reading, shortest: number, isCut: boolean): ReadonlyArray<Reading> => [
  ...percent(reading),
  ...json(reading),
  ...base64(reading, shortest, isCut)
]

/** A place inside of an escape, and how many units on from there something may begin that it is about. */
export interface Inside {
  readonly at: number
  readonly early: number
}

/**
 * Where a reading may begin inside of an escape: what looks like one may be a
 * `%` or a backslash that stands by itself before what is looked for. `begins`
 * says of a character whether that may begin with it.
 */
export const insideEscapes = ({ units }: Reading, begins: (unit: number) => boolean): ReadonlyArray<Inside> => {
  const found: Array<Inside> = []
  for (const [index, unit] of units.entries()) {
    if (unit !== PERCENT && unit !== BACKSLASH) continue
    const next = units[index + 1] ?? 0
    // Of backslashes in a row the first may stand by itself before the others.
    const isFirst = unit === BACKSLASH && next === BACKSLASH && units[index - 1] !== BACKSLASH
    if (isFirst) found.push({ at: index + 1, early: runAt(units, index) + MOST_ESCAPED })
    else if (begins(next)) found.push({ at: index + 1, early: MOST_ESCAPED })
  }
  return found
}

/** How many backslashes stand in a row. */
const runAt = (units: Reading["units"], start: number): number => {
  let end = start
  while (units[end] === BACKSLASH) end++
  return end - start
}

/** So many units of a reading that begin inside of an escape. */
export const fromInside = (reading: Reading, { at }: Inside, length: number): ReadonlyArray<Reading> => {
  const rest = part(reading, at, length)
  const readings = reading.units[at - 1] === PERCENT ? percent(rest) : json(rest)
  // There may be escapes further on.
  return readings.length === 0 ? [rest] : readings
}

const part = ({ from, to, units }: Reading, start: number, length: number): Reading => ({
  units: units.slice(start, start + length),
  from: from.slice(start, start + length),
  to: to.slice(start, start + length)
})

/** The most characters in which one stands escaped: four bytes of UTF-8 as percent-escapes. */
export const MOST_ESCAPED = 12
const BACKSLASH = 0x5c
const PERCENT = 0x25
const PLUS = 0x2b
const SPACE = 0x20
const SMALL_U = 0x75
const REPLACEMENT = 0xfffd

const digit = (unit: number | undefined): number => {
  if (unit === undefined) return -1
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30
  const lower = unit | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** The value of this many hexadecimal digits, negative where they aren't. */
const hex = (units: Reading["units"], start: number, digits: number): number => {
  let value = 0
  for (let index = start; index < start + digits; index++) {
    const next = digit(units[index])
    if (next < 0) return -1
    value = value * 16 + next
  }
  return value
}

/** RFC 3986, section 2.1; a plus also as the space that it is in a form. */
const percent = (reading: Reading): ReadonlyArray<Reading> => {
  const hasEscapes = reading.units.includes(PERCENT)
  const hasPlus = reading.units.includes(PLUS)
  if (!hasEscapes && !hasPlus) return []
  const bytes = unescaped(reading, false)
  const asForm = hasPlus ? textsOf(unescaped(reading, true)) : []
  return hasEscapes ? [...textsOf(bytes), ...asForm] : asForm
}

/** Bytes stand for themselves here, other units are marked by being more than a byte. */
interface Bytes extends Reading {
  readonly isByte: ReadonlyArray<boolean>
}

const unescaped = (reading: Reading, isForm: boolean): Bytes => {
  const { units } = reading
  const built = new Builder()
  const isByte: Array<boolean> = []
  for (let index = 0; index < units.length; index++) {
    const byte = units[index] === PERCENT ? hex(units, index + 1, 2) : -1
    isByte.push(byte >= 0)
    if (byte >= 0) {
      built.push(byte, reading.from[index] ?? 0, reading.to[index + 2] ?? 0)
      index += 2
    } else if (isForm && units[index] === PLUS) {
      built.push(SPACE, reading.from[index] ?? 0, reading.to[index] ?? 0)
    } else {
      built.copy(reading, index)
    }
  }
  return { units: built.units, from: built.from, to: built.to, isByte }
}

const SIMPLE_ESCAPES: ReadonlyMap<number, number> = new Map([
  [0x22, 0x22],
  [BACKSLASH, BACKSLASH],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09]
])

/** RFC 8259, section 7. */
const json = (reading: Reading): ReadonlyArray<Reading> => {
  const { from, to, units } = reading
  if (!units.includes(BACKSLASH)) return []
  const built = new Builder()
  for (let index = 0; index < units.length; index++) {
    const escaped = units[index] === BACKSLASH ? units[index + 1] : undefined
    const simple = escaped === undefined ? undefined : SIMPLE_ESCAPES.get(escaped)
    const unit = escaped === SMALL_U ? hex(units, index + 2, 4) : -1
    if (simple !== undefined) {
      built.push(simple, from[index] ?? 0, to[index + 1] ?? 0)
      index++
    } else if (unit >= 0) {
      built.push(unit, from[index] ?? 0, to[index + 5] ?? 0)
      index += 5
    } else {
      built.copy(reading, index)
    }
  }
  return [built]
}

/** RFC 4648, sections 4 and 5; negative for what isn't in either alphabet. */
const sextet = (unit: number): number => {
  if (unit >= 0x41 && unit <= 0x5a) return unit - 0x41
  if (unit >= 0x61 && unit <= 0x7a) return unit - 0x47
  if (unit >= 0x30 && unit <= 0x39) return unit + 4
  if (unit === PLUS || unit === 0x2d) return 62
  return unit === 0x2f || unit === 0x5f ? 63 : -1
}

const isLineEnd = (unit: number | undefined): boolean => unit === 0x0d || unit === 0x0a
const SEXTETS = 4

/** Nobody says where base64 begins inside a word: it is undone from each of four places. */
const base64 = (reading: Reading, shortest: number, isCut: boolean): ReadonlyArray<Reading> => {
  const readings: Array<Reading> = []
  const { units } = reading
  let run: Array<number> = []
  for (let index = 0; index <= units.length; index++) {
    const unit = units[index]
    if (unit !== undefined && sextet(unit) >= 0) run.push(index)
    // Long base64 is broken into lines.
    else if (run.length > 0 && !isLineEnd(unit)) {
      if (run.length * 3 >= shortest * SEXTETS || (isCut && index === units.length)) {
        for (let skipped = 0; skipped < SEXTETS; skipped++) {
          readings.push(...textsOf(octets(reading, run.slice(skipped))))
        }
      }
      run = []
    }
  }
  return readings
}

const octets = ({ from, to, units }: Reading, run: ReadonlyArray<number>): Bytes => {
  const built = new Builder()
  let bits = 0
  let held = 0
  for (const [place, index] of run.entries()) {
    held = ((held << 6) | sextet(units[index] ?? 0)) & 0xffff
    bits += 6
    if (bits < 8) continue
    bits -= 8
    built.push((held >> bits) & 0xff, from[run[place - 1] ?? 0] ?? 0, to[index] ?? 0)
  }
  return { units: built.units, from: built.from, to: built.to, isByte: built.units.map(() => true) }
}

/** The bytes as UTF-8, and as Latin-1 where that is something else. */
const textsOf = (bytes: Bytes): ReadonlyArray<Reading> =>
  bytes.units.some((unit, index) => unit >= 0x80 && bytes.isByte[index] === true) ? [utf8(bytes), bytes] : [bytes]

const utf8 = (bytes: Bytes): Reading => {
  const built = new Builder()
  for (let index = 0; index < bytes.units.length;) {
    const length = bytes.isByte[index] === true ? lengthAt(bytes, index) : 1
    const from = bytes.from[index] ?? 0
    const to = bytes.to[index + length - 1] ?? 0
    const unit = bytes.units[index] ?? 0
    const point = bytes.isByte[index] === true && unit >= 0x80 ? pointAt(bytes, index, length) : unit
    for (const half of point > 0xffff ? halves(point) : [point]) built.push(half, from, to)
    index += length
  }
  return built
}

/** How many bytes the character here has; 1 where it isn't one. */
const lengthAt = ({ isByte, units }: Bytes, index: number): number => {
  const lead = units[index] ?? 0
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
  for (let next = index + 1; next < index + length; next++) {
    if (isByte[next] !== true || ((units[next] ?? 0) & 0xc0) !== 0x80) return 1
  }
  return length
}

const pointAt = ({ units }: Bytes, index: number, length: number): number => {
  if (length === 1) return REPLACEMENT
  let point = (units[index] ?? 0) & (0xff >> (length + 1))
  for (let next = index + 1; next < index + length; next++) point = (point << 6) | ((units[next] ?? 0) & 0x3f)
  return point
}

const halves = (point: number): ReadonlyArray<number> => [
  0xd800 + ((point - 0x10000) >> 10),
  0xdc00 + ((point - 0x10000) & 0x3ff)
]
