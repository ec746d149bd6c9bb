/**
 * The functions of the host's that a guest's own parts call: each takes and
 * answers with texts, numbers and bytes. An Error of the host's would take its
 * stack into the guest, so what is thrown here is a text.
 */
import type { JSValueHandle, QuickJS } from "quickjs-wasi"
import type { ConsoleLevel } from "../../plugin/PluginConsole.ts"
import { located, SIGN } from "./url.ts"

export const OUT_OF_MEMORY = "out of memory"

export interface HostFunctions {
  /** So many random bytes. */
  readonly random: JSValueHandle
  /** A line was written to the console. */
  readonly lineWritten: JSValueHandle
  /** The parts of a URL. */
  readonly located: JSValueHandle
}

export const hostFunctions = (
  vm: QuickJS,
  written: (level: ConsoleLevel, text: JSValueHandle | undefined) => void
): HostFunctions => {
  const handed = handing(vm.undefined)
  return {
    random: vm.newFunction("random", (length) => handed(() => vm.newArrayBuffer(randomBytes(length)))),
    lineWritten: vm.newFunction("lineWritten", (level, text) => {
      // The prelude calls it with the name of one of its functions.
      if (level !== undefined) written(level.toString() as ConsoleLevel, text)
      return vm.undefined
    }),
    located: vm.newFunction("located", (part, text, other) =>
      handed(() => {
        const parts = located(textOf(part), signed(text), signed(other))
        return parts === undefined ? undefined : vm.newString(parts)
      })
    )
  }
}

/** What a guest is told instead of a value. All else that is thrown meanwhile is the engine's, of memory that it hasn't got. */
export class Refusal {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Hands values over, or nothing. What is handed over is copied, so each is given back when the next is made. */
export const handing = (nothing: JSValueHandle): ((make: () => JSValueHandle | undefined) => JSValueHandle) => {
  let last: JSValueHandle | undefined
  return (make) => {
    last?.dispose()
    last = undefined
    try {
      last = make()
    } catch (thrown) {
      // An Error would take this file's path into the guest.
      throw thrown instanceof Refusal ? thrown.text : OUT_OF_MEMORY // oxlint-disable-line no-throw-literal
    }
    return last ?? nothing
  }
}

const randomBytes = (length: JSValueHandle | undefined): Uint8Array =>
  crypto.getRandomValues(new Uint8Array(length === undefined ? 0 : length.toNumber()))

const textOf = (value: JSValueHandle | undefined): string => value?.toString() ?? ""

/** What stands behind a sign: a text that the memory had no room to hand over comes without. */
export const signed = (value: JSValueHandle | undefined): string => {
  const text = textOf(value)
  if (!text.startsWith(SIGN)) throw new Error(OUT_OF_MEMORY)
  return text.slice(SIGN.length)
}
