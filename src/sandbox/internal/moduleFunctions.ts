/**
 * The functions of the host's that the module `mooring/guest` calls: signatures,
 * since the host alone has the keys, and base64, which takes an engine without a
 * compiler a hundred times as long. A guest that gets hold of them has got
 * nothing that the module doesn't give it.
 */
import * as Result from "effect/Result"
import type { JSValueHandle, QuickJS } from "quickjs-wasi"
import { isBase64 } from "../../internal/base64.ts"
import type { Signed, Signer } from "../../secrets/Signer.ts"
import { handing, OUT_OF_MEMORY, Refusal, signed } from "./hostFunctions.ts"

/** The global where they stand when the module begins, which takes them from there. */
export const MODULE_FUNCTIONS = "mooring/guest"

/** What puts them there, whenever the engine loads the module: again where it had no memory for it. */
export const moduleFunctions = (vm: QuickJS, signer: Signer): (() => void) => {
  let made: JSValueHandle | undefined
  return () => {
    made ??= functionsOf(vm, signer)
    vm.global.defineProp(MODULE_FUNCTIONS, made, { configurable: true })
  }
}

const functionsOf = (vm: QuickJS, signer: Signer): JSValueHandle => {
  const handed = handing(vm.undefined)
  const text = (value: string): JSValueHandle => {
    const made = vm.newString(value)
    // What its memory has no room for becomes no string, and no exception.
    if (!made.isString) throw OUT_OF_MEMORY // oxlint-disable-line no-throw-literal
    return made
  }
  const functions = vm.newObject()
  const add = (name: string, make: (...given: ReadonlyArray<JSValueHandle | undefined>) => JSValueHandle) =>
    functions.setProp(
      name,
      vm.newFunction(name, (...given) => handed(() => make(...given)))
    )

  add("hmac", (name, said, algorithm, encoding) =>
    text(signatureOf(signer.hmac(signed(name), signed(said), signed(algorithm), signed(encoding))))
  )
  add("sign", (name, said, encoding) => text(signatureOf(signer.sign(signed(name), signed(said), signed(encoding)))))
  add("toBase64", (buffer) => text(buffer === undefined ? "" : Buffer.from(buffer.toArrayBuffer()).toString("base64")))
  add("fromBase64", (base64) => vm.newArrayBuffer(bytesOf(signed(base64))))
  return functions
}

/** A text that is thrown becomes an Error of the guest's own. */
const signatureOf = (made: Signed): string => {
  if (Result.isFailure(made)) throw new Refusal(made.failure.message) // oxlint-disable-line no-throw-literal
  return made.success
}

/** The bytes of what is base64 as the host takes it in a command: RFC 4648, section 4, and nothing besides. */
const bytesOf = (base64: string): Uint8Array => {
  // oxlint-disable-next-line no-throw-literal
  if (!isBase64(base64)) throw new Refusal("expected base64, of the standard alphabet and padded")
  return Buffer.from(base64, "base64")
}
