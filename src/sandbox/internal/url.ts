/**
 * `URL` as guests have it: a class of the guest's own, whose texts the host's
 * `URL` makes. Texts go in and texts come out, so nothing of the host is seen;
 * and a parser in each guest, which the engine has, costs more memory than all
 * the rest of it.
 */

/** How long a text may be: what parses it can't be interrupted. A command's URL may have half of that. */
const MOST_URL = 16_384

/** What a URL says of itself, in the order in which the guest has it. */
const PARTS = [
  "href",
  "origin",
  "protocol",
  "username",
  "password",
  "host",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash"
] as const

/** What is asked for instead of a part: what a text is by itself, and on a base. */
const ALONE = ""
const BASED = "based"

/** Stands before each text that the guest hands over, so that one that got lost on the way isn't taken for another. */
export const SIGN = "="

/** The parts of a URL as JSON, or of what it becomes where one of its parts is another; undefined where it is none. */
export const located = (part: string, text: string, other: string): string | undefined => {
  try {
    const url = part === BASED ? new URL(text, other) : new URL(text)
    // The guest's class has setters of its parts only.
    if (part !== ALONE && part !== BASED) Reflect.set(url, part, other)
    return JSON.stringify(PARTS.map((name) => url[name]))
  } catch {
    return undefined
  }
}

/** An expression: a function of the host's `located`, which is given texts behind a sign, and of what ties queries to a URL. */
export const URL_CLASS = `((located, linked, renew) => {
  "use strict"
  const { apply, defineProperty, getOwnPropertyDescriptor } = Reflect
  const { parse } = JSON
  const { toWellFormed } = String.prototype
  const [Types, Ranges] = [TypeError, RangeError]
  const NAMES = ${JSON.stringify(PARTS)}
  const [HREF, ORIGIN, SEARCH] = ["href", "origin", "search"].map((name) => NAMES.indexOf(name))

  const textOf = (value) => apply(toWellFormed, \`\${value}\`, [])
  const partsOf = (part, text, other = "") => {
    if (text.length + other.length > ${MOST_URL}) throw new Ranges("a URL has at most ${MOST_URL} characters")
    const said = located(part, "${SIGN}" + text, "${SIGN}" + other)
    return said === undefined ? undefined : parse(said)
  }
  const read = (url, base) => {
    const text = textOf(url)
    return base === undefined ? partsOf("${ALONE}", text) : partsOf("${BASED}", text, textOf(base))
  }

  class URL {
    #parts
    #params
    constructor(url, base) {
      this.#parts = read(url, base)
      if (this.#parts === undefined) throw new Types("Invalid URL")
    }
    get searchParams() {
      this.#params ??= linked(this.#parts[SEARCH], (text) => this.#set("search", text))
      return this.#params
    }
    toString() { return this.#parts[HREF] }
    toJSON() { return this.#parts[HREF] }
    #set(name, text) {
      const parts = partsOf(name, this.#parts[HREF], text)
      if (parts === undefined) throw new Types("Invalid URL")
      this.#parts = parts
    }
    static canParse(url, base) { return read(url, base) !== undefined }
    static parse(url, base) {
      const parts = read(url, base)
      return parts === undefined ? null : new URL(parts[HREF])
    }
    static {
      for (let index = 0; index < NAMES.length; index++) {
        const name = NAMES[index]
        const isQuery = index === HREF || index === SEARCH
        const both = {
          get [name]() { return this.#parts[index] },
          set [name](value) {
            this.#set(name, textOf(value))
            if (isQuery && this.#params !== undefined) renew(this.#params, this.#parts[SEARCH])
          }
        }
        const { get, set } = getOwnPropertyDescriptor(both, name)
        defineProperty(URL.prototype, name, { get, set: index === ORIGIN ? undefined : set, enumerable: true, configurable: true })
      }
      for (const name of ["searchParams", "toString", "toJSON"]) defineProperty(URL.prototype, name, { enumerable: true })
      for (const name of ["canParse", "parse"]) defineProperty(URL, name, { enumerable: true })
      defineProperty(URL.prototype, Symbol.toStringTag, { value: "URL", configurable: true })
    }
  }
  defineProperty(globalThis, "URL", { value: URL, writable: true, enumerable: false, configurable: true })
})`
