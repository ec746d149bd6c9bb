/**
 * Every value that a host's secrets have, and those that they had: whichever
 * entry it is of, it is masked in whatever is shown of anybody's words.
 *
 * Values that are none any more are kept up to a bound, so that a secret that
 * rotates for years doesn't fill the memory. Beyond it goes the oldest of the
 * secret that takes the most, so that one that rotates often costs another that
 * doesn't nothing.
 */
import { Words } from "../../diagnostics/Words.ts"

const MOST_FORMER = 1000
/** In UTF-16 units: there may be keys of thousands among them. */
const MOST_FORMER_LENGTH = 262_144

/** By the names of an entry's secrets. */
type Values = ReadonlyMap<string, string>

/** What a secret had, the oldest first. */
interface Former {
  readonly values: Set<string>
  length: number
}

export class KnownSecrets {
  /** All of them, to be masked. */
  readonly words = new Words(() => this.#all())
  readonly #current = new Map<string, Values>()
  readonly #former = new Map<string, Former>()
  #formerValues = 0
  #formerLength = 0

  /** What an entry has now, nothing where it is disabled. Whether a secret has a value that it isn't known to have had. */
  set(ref: string, values: Values): boolean {
    const before = this.#current.get(ref) ?? new Map<string, string>()
    if (values.size > 0) this.#current.set(ref, values)
    else this.#current.delete(ref)
    for (const [name, value] of before) if (values.get(name) !== value) this.#keep(keyOf(ref, name), value)
    let hasNew = false
    for (const [name, value] of values) {
      if (before.get(name) !== value && !this.#takeBack(keyOf(ref, name), value)) hasNew = true
    }
    if (this.#forgot() || hasNew) this.words.changed()
    return hasNew
  }

  /** The values that a secret has had, the one that it has last. */
  valuesOf(ref: string, name: string): ReadonlyArray<string> {
    const current = this.#current.get(ref)?.get(name)
    return [...(this.#former.get(keyOf(ref, name))?.values ?? []), ...(current === undefined ? [] : [current])]
  }

  #all(): ReadonlyArray<string> {
    return [
      ...[...this.#current.values()].flatMap((values) => [...values.values()]),
      ...[...this.#former.values()].flatMap(({ values }) => [...values])
    ]
  }

  #keep(key: string, value: string): void {
    const former = this.#former.get(key) ?? { values: new Set(), length: 0 }
    this.#former.set(key, former)
    former.values.add(value)
    this.#count(former, 1, value)
  }

  /** Whether it was a former one. */
  #takeBack(key: string, value: string): boolean {
    const former = this.#former.get(key)
    if (former === undefined || !former.values.delete(value)) return false
    this.#count(former, -1, value)
    if (former.values.size === 0) this.#former.delete(key)
    return true
  }

  #count(former: Former, by: 1 | -1, { length }: string): void {
    former.length += by * length
    this.#formerLength += by * length
    this.#formerValues += by
  }

  #forgot(): boolean {
    let hasForgotten = false
    while (this.#formerValues > MOST_FORMER || this.#formerLength > MOST_FORMER_LENGTH) {
      const [key, { values }] = [...this.#former].reduce((most, each) =>
        each[1].length > most[1].length ? each : most
      )
      const [oldest = ""] = values
      this.#takeBack(key, oldest)
      hasForgotten = true
    }
    return hasForgotten
  }
}

// No reference has a zero byte.
const keyOf = (ref: string, name: string): string => `${ref}\0${name}`
