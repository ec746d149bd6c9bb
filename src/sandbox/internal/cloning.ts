/**
 * `structuredClone` as guests have it. The engine's own extension recurses until
 * the whole instance is lost, and is quadratic in the number of objects; this is
 * code of the guest's, without recursion, so it ends in an exception where the
 * guest's memory or time does.
 *
 * What can't be told from within is treated as a plain object: a proxy, a
 * generator, what is of another kind than its prototype says.
 */

/** A program that sets it up in a guest, before any code of the guest's own, and after `URLSearchParams`. */
export const CLONING = `(() => {
  "use strict"
  const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Reflect
  const { create, defineProperty: define, hasOwn, keys } = Object
  const { isArray } = Array
  const { push } = Array.prototype
  const { isView } = ArrayBuffer
  const { isError } = Error
  const { isPrototypeOf } = Object.prototype
  const [Buffers, Bytes, Dates, Maps, Objects, Patterns, Sets, Types, Views] =
    [ArrayBuffer, Uint8Array, Date, Map, Object, RegExp, Set, TypeError, DataView]
  const plain = Object.prototype
  const getter = (proto, name) => getOwnPropertyDescriptor(proto, name).get
  const typed = getPrototypeOf(Bytes.prototype)
  const tagOf = getter(typed, Symbol.toStringTag)
  const partsOf = (proto, length) => [getter(proto, "buffer"), getter(proto, "byteOffset"), getter(proto, length)]
  const typedParts = partsOf(typed, "length")
  const viewParts = partsOf(Views.prototype, "byteLength")
  const { maxByteLength, resizable } = Object.getOwnPropertyDescriptors(Buffers.prototype)
  const sizeOfBuffer = getter(Buffers.prototype, "byteLength")
  const { slice } = Buffers.prototype
  const { set: setBytes } = Bytes.prototype
  const sizeOfMap = getter(Maps.prototype, "size")
  const sizeOfSet = getter(Sets.prototype, "size")
  const { forEach: eachEntry, set: setEntry, get: entryOf } = Maps.prototype
  const { add: addValue, forEach: eachValue } = Sets.prototype
  const { getTime } = Dates.prototype
  const sourceOf = getter(Patterns.prototype, "source")
  const flagsOf = getter(Patterns.prototype, "flags")
  const WRAPPED = [Number, String, Boolean, BigInt].map(({ prototype }) => prototype.valueOf)
  const KINDS = create(null)
  for (const name of ["Int8", "Uint8", "Uint8Clamped", "Int16", "Uint16", "Int32", "Uint32", "Float16", "Float32", "Float64", "BigInt64", "BigUint64"]) {
    KINDS[name + "Array"] = globalThis[name + "Array"]
  }
  const ERRORS = create(null)
  for (const kind of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) ERRORS[kind.name] = kind
  const { Error: Errors } = ERRORS
  const REFUSED = [Promise, WeakMap, WeakSet, WeakRef, FinalizationRegistry, URL, URLSearchParams, TextEncoder, TextDecoder]
    .map(({ name, prototype }) => [name, prototype])

  const refusal = (what) =>
    define(new Types("The object could not be cloned: " + what), "name", {
      value: "DataCloneError", writable: true, enumerable: false, configurable: true
    })
  const put = (target, key, value, enumerable = true) =>
    defineProperty(target, key, { value, writable: true, enumerable, configurable: true })

  const copied = (buffer) => {
    const copy = apply(slice, buffer, [0])
    if (!apply(resizable.get, buffer, [])) return copy
    const made = new Buffers(apply(sizeOfBuffer, buffer, []), { maxByteLength: apply(maxByteLength.get, buffer, []) })
    apply(setBytes, new Bytes(made), [new Bytes(copy)])
    return made
  }

  const clone = (root) => {
    const seen = new Maps()
    // What is to be filled yet: a function that does it, and whether it is the last.
    let waiting
    const later = (fill) => { waiting = { fill, next: waiting } }

    /** A function of one kind of objects, asked of any: undefined where it isn't of that kind. */
    const asked = (of, value) => {
      try { return [apply(of, value, [])] } catch { return undefined }
    }
    const viewOf = (value) => {
      const tag = apply(tagOf, value, [])
      const [buffer, offset, length] = tag === undefined ? viewParts : typedParts
      const Kind = tag === undefined ? Views : KINDS[tag]
      return new Kind(cloned(apply(buffer, value, [])), apply(offset, value, []), apply(length, value, []))
    }
    const errorOf = (value) => {
      const { message, name } = value
      const Kind = (typeof name === "string" ? ERRORS[name] : undefined) ?? Errors
      const made = message === undefined ? new Kind() : new Kind(\`\${message}\`)
      if (hasOwn(value, "cause")) later(() => put(made, "cause", cloned(value.cause), false))
      return made
    }
    /** What is more than its properties; undefined where it is nothing of that sort. */
    const special = (value) => {
      for (let index = 0; index < REFUSED.length; index++) {
        if (apply(isPrototypeOf, REFUSED[index][1], [value])) throw refusal("a " + REFUSED[index][0])
      }
      if (isView(value)) return viewOf(value)
      const time = asked(getTime, value)
      if (time !== undefined) return new Dates(time[0])
      if (asked(sizeOfBuffer, value) !== undefined) return copied(value)
      if (asked(sizeOfMap, value) !== undefined) {
        const made = new Maps()
        later(() => apply(eachEntry, value, [(inner, key) => apply(setEntry, made, [cloned(key), cloned(inner)])]))
        return made
      }
      if (asked(sizeOfSet, value) !== undefined) {
        const made = new Sets()
        later(() => apply(eachValue, value, [(inner) => apply(addValue, made, [cloned(inner)])]))
        return made
      }
      for (let index = 0; index < WRAPPED.length; index++) {
        const inner = asked(WRAPPED[index], value)
        if (inner !== undefined) return Objects(inner[0])
      }
      const source = value === Patterns.prototype ? undefined : asked(sourceOf, value)
      return source === undefined ? undefined : new Patterns(source[0], apply(flagsOf, value, []))
    }
    const shell = (value) => {
      if (isError(value)) return errorOf(value)
      const isList = isArray(value)
      const proto = isList ? plain : getPrototypeOf(value)
      const made = proto === plain || proto === null ? undefined : special(value)
      if (made !== undefined) return made
      const target = isList ? [] : {}
      later(() => {
        let length = 0
        // What has no holes needs no names.
        if (isList) for (; length < value.length && hasOwn(value, length); length++) apply(push, target, [cloned(value[length])])
        if (isList && length === value.length) return
        if (isList) target.length = value.length
        const names = keys(value)
        for (let index = 0; index < names.length; index++) {
          if (hasOwn(value, names[index])) put(target, names[index], cloned(value[names[index]]))
        }
      })
      return target
    }
    const cloned = (value) => {
      if (typeof value === "symbol") throw refusal("a Symbol value")
      if (typeof value === "function") throw refusal("a function")
      if (typeof value !== "object" || value === null) return value
      const known = apply(entryOf, seen, [value])
      if (known !== undefined) return known
      const made = shell(value)
      apply(setEntry, seen, [value, made])
      return made
    }

    const made = cloned(root)
    while (waiting !== undefined) {
      const { fill } = waiting
      waiting = waiting.next
      fill()
    }
    return made
  }

  const { structuredClone } = {
    structuredClone(value, options) {
      if (arguments.length === 0) throw new Types("structuredClone requires at least 1 argument")
      if (options?.transfer?.length > 0) throw refusal("nothing can be transferred")
      return clone(value)
    }
  }
  defineProperty(structuredClone, "length", { value: 1, configurable: true })
  put(globalThis, "structuredClone", structuredClone, false)
})()`
