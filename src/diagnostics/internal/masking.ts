/**
 * Masks every known value in a text, in each form in which it can stand there:
 * as it is, and as JSON, percent-escapes and base64 write it, also one inside
 * another.
 */
import * as Automaton from "../../internal/automaton.ts"
import type { Words } from "../Words.ts"
import * as Reading from "./reading.ts"

/** What stands in place of a value. */
export const MASK = "***"

/** How much is read from inside of an escape before it is looked whether anything began there. */
const READ_FIRST = 16

/** How often escapes are undone: once, and once inside of that. */
const DEPTH = 2

/** What is masked in a text, a flag for each of its UTF-16 units. */
interface Hidden {
  readonly units: Uint8Array
  isAny: boolean
}

/**
 * Masks all of these words in texts, those of one where those of another overlap
 * them, too. `isCut`: the text was longer, so what may be the beginning of a
 * word at its end is masked, too. A text without any is given back as it is.
 */
export const masker =
  (words: ReadonlyArray<Words>): ((text: string, isCut: boolean) => string) =>
  (text, isCut) => {
    const automata = words.map(({ automaton }) => automaton).filter(({ isEmpty }) => !isEmpty)
    if (automata.length === 0) return text
    const hidden: Hidden = { units: new Uint8Array(text.length), isAny: false }
    explore(automata, Reading.plain(text), hidden, isCut, DEPTH)
    return hidden.isAny ? masked(text, hidden.units) : text
  }

const explore = (
  automata: ReadonlyArray<Automaton.Automaton>,
  reading: Reading.Reading,
  hidden: Hidden,
  isCut: boolean,
  depth: number
): void => {
  for (const automaton of automata) scan(automaton, reading, hidden, isCut)
  if (depth === 0) return
  for (const automaton of automata) {
    const begins = (unit: number) => automaton.step(0, Automaton.fold(unit)) !== 0
    for (const inside of Reading.insideEscapes(reading, begins)) lookInside(automaton, reading, inside, hidden)
  }
  const shortest = Math.min(...automata.map((automaton) => automaton.shortest))
  for (const inner of Reading.undone(reading, shortest, isCut)) explore(automata, inner, hidden, isCut, depth - 1)
}

/** Reads on for as long as something goes on that began there, so that many such places cost no more than what they hold. */
const lookInside = (
  automaton: Automaton.Automaton,
  reading: Reading.Reading,
  inside: Reading.Inside,
  hidden: Hidden
): void => {
  const most = automaton.longest * Reading.MOST_ESCAPED
  const few = inside.early + READ_FIRST
  for (let length = few, goesOn = true; goesOn; length *= 4) {
    goesOn = false
    for (const inner of Reading.fromInside(reading, inside, length)) {
      if (scan(automaton, inner, hidden, false, inside.early)) goesOn = true
    }
    if (length >= most || inside.at + length >= reading.units.length) return
  }
}

/** Hides what is found. Whether something goes on at the end, near enough, that began early. */
const scan = (
  automaton: Automaton.Automaton,
  { from, to, units }: Reading.Reading,
  hidden: Hidden,
  isCut: boolean,
  early = 0
): boolean => {
  const hide = (first: number, end: number) => {
    hidden.units.fill(1, from[first] ?? 0, end)
    hidden.isAny = true
  }
  const cutFrom = isCut ? units.length - Reading.MOST_ESCAPED : units.length
  let state = 0
  let wentOn = 0
  for (let index = 0; index < units.length; index++) {
    state = automaton.step(state, Automaton.fold(units[index] ?? 0))
    if (index + 1 - automaton.begun(state) <= early) wentOn = index + 1
    const length = automaton.found(state)
    if (length > 0) hide(index + 1 - length, to[index] ?? 0)
    const begun = index < cutFrom ? 0 : automaton.begun(state)
    if (begun > 0) hide(index + 1 - begun, hidden.units.length)
  }
  // What stands last may be the half of an escape.
  return wentOn >= units.length - Reading.MOST_ESCAPED
}

const masked = (text: string, hidden: Uint8Array): string => {
  let result = ""
  let shown = 0
  for (let index = 0; index < text.length; index++) {
    if (hidden[index] === 0) continue
    result += text.slice(shown, index) + MASK
    while (hidden[index] === 1) index++
    shown = index
  }
  return result + text.slice(shown)
}
