/**
 * `URLSearchParams`, and with it `URL`, as guests have them, and `TextEncoder` and
 * `TextDecoder` made to read their arguments before the engine takes hold of a
 * buffer. The engine's own extension knows no pairs, and ends the whole instance
 * where its memory does; this is code of the guest's, which ends in an exception.
 */
import { URL_CLASS } from "./url.ts"

/** An expression: a function of `located` of the host's, which sets them up before any code of the guest's own. */
export const WEB_PARTS = `((located) => {
  "use strict"
  const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Reflect
  const { isView } = ArrayBuffer
  const { keys } = Object
  const Types = TypeError
  const Bytes = Uint8Array
  const { encodeInto } = TextEncoder.prototype
  const { decode } = TextDecoder.prototype
  const encoder = new TextEncoder()
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  const { encode } = TextEncoder.prototype
  const percent = encodeURIComponent
  const put = (target, name, value) =>
    defineProperty(target, name, { value, writable: true, enumerable: target !== globalThis, configurable: true })

  // The engine goes by a view's first length, and looks at it before it reads what may be a getter that resizes it.
  const typed = getPrototypeOf(Bytes.prototype)
  const tagOf = getOwnPropertyDescriptor(typed, Symbol.toStringTag).get
  const partsOf = (proto) => ["buffer", "byteOffset", "byteLength"].map((name) => getOwnPropertyDescriptor(proto, name).get)
  const typedParts = partsOf(typed)
  const viewParts = partsOf(DataView.prototype)
  const asNow = (view) => {
    const [buffer, offset, length] = apply(tagOf, view, []) === undefined ? viewParts : typedParts
    return new Bytes(apply(buffer, view, []), apply(offset, view, []), apply(length, view, []))
  }
  put(TextEncoder.prototype, "encodeInto", {
    encodeInto(source, destination) {
      const text = \`\${source}\`
      return apply(encodeInto, this, [text, apply(tagOf, destination, []) === "Uint8Array" ? asNow(destination) : destination])
    }
  }.encodeInto)
  put(TextDecoder.prototype, "decode", {
    decode(input, options) {
      const stream = !!options?.stream
      return apply(decode, this, [input === undefined ? new Bytes() : isView(input) ? asNow(input) : input, { stream }])
    }
  }.decode)

  const textOf = (value) => \`\${value}\`.toWellFormed()
  const nibble = (code) =>
    code >= 48 && code <= 57 ? code - 48 : code >= 65 && code <= 70 ? code - 55 : code >= 97 && code <= 102 ? code - 87 : -1
  const read = (written) => {
    const text = written.replaceAll("+", " ")
    if (!text.includes("%")) return text
    const bytes = apply(encode, encoder, [text])
    let length = 0
    for (let at = 0; at < bytes.length; at++) {
      const [high, low] = bytes[at] === 37 ? [nibble(bytes[at + 1]), nibble(bytes[at + 2])] : [-1, -1]
      if (high >= 0 && low >= 0) {
        bytes[length++] = high * 16 + low
        at += 2
      } else bytes[length++] = bytes[at]
    }
    return apply(decode, decoder, [bytes.slice(0, length), { stream: false }])
  }
  const ESCAPED = { "!": "%21", "'": "%27", "(": "%28", ")": "%29", "~": "%7E", "%20": "+" }
  const written = (text) => percent(text).replace(/[!'()~]|%20/g, (found) => ESCAPED[found])
  const parsed = (query) => {
    const pairs = []
    const text = query[0] === "?" ? query.slice(1) : query
    for (let from = 0; from < text.length; ) {
      const next = text.indexOf("&", from)
      const end = next < 0 ? text.length : next
      if (end > from) {
        const pair = text.slice(from, end)
        const equals = pair.indexOf("=")
        pairs.push(equals < 0 ? [read(pair), ""] : [read(pair.slice(0, equals)), read(pair.slice(equals + 1))])
      }
      from = end + 1
    }
    return pairs
  }

  let linked
  let renew
  class URLSearchParams {
    #pairs = []
    #changed
    constructor(init = "") {
      if ((typeof init !== "object" && typeof init !== "function") || init === null) this.#pairs = parsed(textOf(init))
      else if (init[Symbol.iterator] === undefined || init[Symbol.iterator] === null) {
        for (const name of keys(init)) this.#pairs.push([textOf(name), textOf(init[name])])
      } else {
        for (const pair of init) {
          const both = [...pair]
          if (both.length !== 2) throw new Types("URLSearchParams: expected pairs of a name and a value")
          this.#pairs.push([textOf(both[0]), textOf(both[1])])
        }
      }
    }
    get size() { return this.#pairs.length }
    append(name, value) {
      this.#pairs.push([textOf(name), textOf(value)])
      this.#changed?.()
    }
    delete(name, value) {
      const is = matching(name, value)
      this.#pairs = this.#pairs.filter((pair) => !is(pair))
      this.#changed?.()
    }
    get(name) { return this.#pairs.find(matching(name))?.[1] ?? null }
    getAll(name) { return this.#pairs.filter(matching(name)).map(([, value]) => value) }
    has(name, value) { return this.#pairs.some(matching(name, value)) }
    set(name, value) {
      const is = matching(name)
      const pair = [textOf(name), textOf(value)]
      const at = this.#pairs.findIndex(is)
      if (at < 0) this.#pairs.push(pair)
      else this.#pairs = this.#pairs.flatMap((other, index) => (index === at ? [pair] : is(other) ? [] : [other]))
      this.#changed?.()
    }
    sort() {
      this.#pairs.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0))
      this.#changed?.()
    }
    forEach(each, self) {
      for (let index = 0; index < this.#pairs.length; index++) apply(each, self, [this.#pairs[index][1], this.#pairs[index][0], this])
    }
    *entries() {
      for (let index = 0; index < this.#pairs.length; index++) yield [...this.#pairs[index]]
    }
    *keys() {
      for (let index = 0; index < this.#pairs.length; index++) yield this.#pairs[index][0]
    }
    *values() {
      for (let index = 0; index < this.#pairs.length; index++) yield this.#pairs[index][1]
    }
    toString() { return this.#pairs.map(([name, value]) => written(name) + "=" + written(value)).join("&") }
    static {
      linked = (search, changed) => {
        const params = new URLSearchParams(search)
        params.#changed = () => changed(params.toString())
        return params
      }
      renew = (params, search) => { params.#pairs = parsed(search) }
    }
  }
  const matching = (name, value) => {
    const [wanted, only] = [textOf(name), value === undefined ? undefined : textOf(value)]
    return ([one, other]) => one === wanted && (only === undefined || other === only)
  }
  put(URLSearchParams.prototype, Symbol.iterator, URLSearchParams.prototype.entries)
  defineProperty(URLSearchParams.prototype, Symbol.toStringTag, { value: "URLSearchParams", configurable: true })
  put(globalThis, "URLSearchParams", URLSearchParams)

  ;${URL_CLASS}(located, linked, renew)
})`
