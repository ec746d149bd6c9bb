/**
 * What runs in a guest before any of its own code: takes away what isn't
 * ECMAScript nor promised, adds what is promised, and keeps for itself the
 * functions through which the guest is called. It holds on to what it needs of
 * the globals, so that a guest that changes them changes nothing here.
 *
 * A guest is called with texts and answers with texts: a letter for what it is,
 * and what it says. So the host never touches an object of the guest's.
 */
import { READ_TEXT } from "../../diagnostics/Redaction.ts"
import type { ConsoleLevel } from "../../plugin/PluginConsole.ts"

/** What an answer's first letter says. */
export const ANSWER = {
  value: "v",
  bound: "b",
  threw: "e",
  memory: "m",
  large: "l",
  invalid: "i"
} as const

/** The exports of a plugin that are called, in the order in which `bound` tells of them. */
export const EXPORTS = ["start", "handleIngress", "status", "stop"] as const

/** The engine's own, and what is of no use without `Atomics`. */
const TAKEN_AWAY = ["performance", "DOMException", "InternalError", "SharedArrayBuffer"]
const TAKEN_FROM_ERROR = ["captureStackTrace", "stackTraceLimit", "prepareStackTrace"]
const TAKEN_FROM_FUNCTIONS = ["fileName", "lineNumber", "columnNumber"]
const TAKEN_FROM_ITERATORS = ["chunks", "windows", "includes", "join"]
const TAKEN_FROM_BUFFERS = ["immutable", "sliceToImmutable", "transferToImmutable"]

/** How much is read of what a guest threw, in UTF-16 units. */
const MOST_TEXT = 2048
const MOST_STACK = 8192
/** The functions of `console`. */
const LEVELS: ReadonlyArray<ConsoleLevel> = ["debug", "error", "info", "log", "trace", "warn"]
/** As Web Crypto bounds it. */
const MOST_RANDOM = 65_536

/**
 * An expression: a function of two functions of the host's (random bytes, a line was written), of a number, and of
 * whether somebody wants to know what is written.
 */
export const PRELUDE = `((random, lineWritten, mostOutput, isHeard) => {
  "use strict"
  const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, has } = Reflect
  const { parse, stringify } = JSON
  const { isError } = Error
  const { create, freeze } = Object
  const { slice } = String.prototype
  const Bytes = Uint8Array
  const Types = TypeError
  const Ranges = RangeError
  const memoryProto = InternalError.prototype

  // Errors of atob still lead to it.
  delete DOMException.prototype.constructor
  for (const name of ${JSON.stringify(TAKEN_AWAY)}) delete globalThis[name]
  for (const name of ${JSON.stringify(TAKEN_FROM_ERROR)}) delete Error[name]
  for (const name of ${JSON.stringify(TAKEN_FROM_FUNCTIONS)}) delete Function.prototype[name]
  for (const name of ${JSON.stringify(TAKEN_FROM_ITERATORS)}) delete Iterator.prototype[name]
  for (const name of ${JSON.stringify(TAKEN_FROM_BUFFERS)}) delete ArrayBuffer.prototype[name]
  delete memoryProto.constructor

  const add = (target, name, value) =>
    defineProperty(target, name, { value, writable: true, enumerable: target !== globalThis, configurable: true })

  const written = {}
  for (const name of ${JSON.stringify(LEVELS)}) {
    add(written, name, { [name](...values) { lineWritten(name, isHeard ? lineOf(values) : "") } }[name])
  }
  add(globalThis, "console", written)

  const typed = getPrototypeOf(Bytes.prototype)
  const getter = (name) => getOwnPropertyDescriptor(typed, name).get
  const tagOf = getter(Symbol.toStringTag)
  const [bufferOf, lengthOf, offsetOf] = ["buffer", "byteLength", "byteOffset"].map(getter)
  const INTEGERS = create(null)
  for (const name of ["Int8", "Uint8", "Uint8Clamped", "Int16", "Uint16", "Int32", "Uint32", "BigInt64", "BigUint64"]) {
    INTEGERS[name + "Array"] = true
  }
  const HEX = []
  for (let byte = 0; byte < 256; byte++) HEX[byte] = (byte < 16 ? "0" : "") + byte.toString(16)
  freeze(HEX)
  add(globalThis, "crypto", {
    getRandomValues(array) {
      if (INTEGERS[apply(tagOf, array, [])] !== true) throw new Types("getRandomValues: expected an array of integers")
      const length = apply(lengthOf, array, [])
      if (length > ${MOST_RANDOM}) throw new Ranges("getRandomValues: at most ${MOST_RANDOM} bytes at once")
      const bytes = new Bytes(apply(bufferOf, array, []), apply(offsetOf, array, []), length)
      const filled = new Bytes(random(length))
      for (let index = 0; index < length; index++) bytes[index] = filled[index]
      return array
    },
    randomUUID() {
      const bytes = new Bytes(random(16))
      bytes[6] = (bytes[6] & 0x0f) | 0x40
      bytes[8] = (bytes[8] & 0x3f) | 0x80
      let text = ""
      for (let index = 0; index < 16; index++) {
        text += (index === 4 || index === 6 || index === 8 || index === 10 ? "-" : "") + HEX[bytes[index]]
      }
      return text
    }
  })

  const cut = (value, most) => apply(slice, typeof value === "string" ? value : \`\${value}\`, [0, most])
  const isMemory = (thrown) =>
    isError(thrown) &&
    getPrototypeOf(thrown) === memoryProto &&
    getOwnPropertyDescriptor(thrown, "message")?.value === "out of memory"
  const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function"
  const NULL = "null, as where memory is so short that there is none for an error"
  const errorOf = (thrown) => {
    const name = isObject(thrown) ? thrown.name : undefined
    // Where there is no memory even for an error, the engine throws null.
    const message = isObject(thrown) ? thrown.message : thrown === null ? NULL : thrown
    const stack = isError(thrown) ? thrown.stack : undefined
    return (
      '{"name":' + stringify(cut(name ?? "Error", ${MOST_TEXT})) +
      ',"message":' + stringify(cut(typeof message === "symbol" ? "a symbol" : (message ?? ""), ${MOST_TEXT})) +
      ',"stack":' + stringify(typeof stack === "string" ? cut(stack, ${MOST_STACK}) : "") + "}"
    )
  }
  const describe = (thrown) => {
    if (isMemory(thrown)) return "${ANSWER.memory}"
    try {
      return "${ANSWER.threw}" + errorOf(thrown)
    } catch (inner) {
      return isMemory(inner) ? "${ANSWER.memory}" : '${ANSWER.threw}{"name":"Error","message":"what can\\'t be read","stack":""}'
    }
  }

  const symbolText = Symbol.prototype.toString
  const shown = (value) => {
    try {
      if (typeof value === "string") return value
      if (typeof value === "symbol") return apply(symbolText, value, [])
      if (typeof value === "function") return "[function " + cut(value.name, ${MOST_TEXT}) + "]"
      if (!isObject(value)) return \`\${value}\`
      if (!isError(value)) return stringify(value) ?? "undefined"
      const message = cut(value.message, ${MOST_TEXT})
      return cut(value.name, ${MOST_TEXT}) + (message === "" ? "" : ": " + message) + "\\n" + cut(value.stack, ${MOST_STACK})
    } catch {
      return "[what can't be shown]"
    }
  }
  const lineOf = (values) => {
    let line = ""
    for (let index = 0; index < values.length && line.length < ${READ_TEXT}; index++) {
      line += (index === 0 ? "" : " ") + cut(shown(values[index]), ${READ_TEXT})
    }
    return cut(line, ${READ_TEXT})
  }

  let answer
  const said = (value) => {
    if (value === undefined) return "${ANSWER.value}"
    const text = stringify(value)
    if (text === undefined) return "${ANSWER.invalid}Expected a JSON value"
    return text.length > mostOutput ? "${ANSWER.large}" + text.length : "${ANSWER.value}" + text
  }
  const settled = async (promise, told) => {
    try {
      answer = told(await promise)
    } catch (thrown) {
      answer = describe(thrown)
    }
  }

  const exported = create(null)
  const bound = (namespace) => {
    let flags = "${ANSWER.bound}"
    for (const name of ${JSON.stringify(EXPORTS)}) {
      const isThere = has(namespace, name)
      if (isThere && typeof namespace[name] !== "function") return "${ANSWER.invalid}Expected a function: " + name
      if (isThere) exported[name] = namespace[name]
      flags += isThere ? 1 : 0
    }
    return flags
  }

  const interface_ = create(null)
  interface_.entry = (promise) => {
    answer = undefined
    settled(promise, bound)
  }
  interface_.call = (name, text) => {
    answer = undefined
    try {
      const value = apply(exported[name], undefined, parse(text))
      if (isObject(value) && typeof value.then === "function") settled(value, said)
      else answer = said(value)
    } catch (thrown) {
      answer = describe(thrown)
    }
    return answer
  }
  interface_.answer = () => answer
  return interface_
})`
