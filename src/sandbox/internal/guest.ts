/**
 * One guest: the code of one plugin in a WebAssembly instance of its own, with
 * hard limits on memory and stack. It is loaded once and then called with texts.
 *
 * A call that is past its deadline, or that ends in anything but an answer or an
 * exception of the engine's, ends the guest: nothing of it may be used again.
 */
import { EvalFlags, JSException, QuickJS, type ExtensionDescriptor, type JSValueHandle } from "quickjs-wasi"
import type { ConsoleLevel } from "../../plugin/PluginConsole.ts"
import type { Signer } from "../../secrets/Signer.ts"
import { Budget } from "./budget.ts"
import { CLONING } from "./cloning.ts"
import { GUEST_MODULE, GUEST_MODULE_TEXT } from "./guestModule.ts"
import { hostFunctions, OUT_OF_MEMORY } from "./hostFunctions.ts"
import { moduleFunctions } from "./moduleFunctions.ts"
import { Positions } from "./position.ts"
import { ANSWER, EXPORTS, PRELUDE } from "./prelude.ts"
import { WEB_PARTS } from "./searchParams.ts"

/** What a guest is made from, and bounded by. */
export interface Settings {
  readonly wasm: WebAssembly.Module
  readonly extensions: ReadonlyArray<ExtensionDescriptor>
  /** The entry's name and text, and its source map where there is one. */
  readonly name: string
  readonly entry: string
  readonly map: string | undefined
  readonly memoryBytes: number
  readonly stackBytes: number
  readonly outputBytes: number
  /** Whether nobody waits for it any more. */
  readonly isUnwanted: () => boolean
  /**
   * A guest asks whether it may go on, and may for so many milliseconds. A native loop doesn't ask. `usedMs` is the
   * processor time that the thread has used, where that is known already.
   */
  readonly asked: (leftMs: number, usedMs?: number) => void
  /** Takes what it writes to its console, where somebody wants that. */
  readonly written?: ((level: ConsoleLevel, text: string) => void) | undefined
  /** What time it is for the guest, in Unix milliseconds; deadlines don't go by it. */
  readonly now: () => number
  /** Makes the signatures that it asks for. */
  readonly signer: Signer
}

/** Takes an answer's text, in UTF-8; false where it can't. What it is given is the guest's memory: for this moment only. */
export type Copy = (utf8: Uint8Array) => boolean

/** A function that a plugin exports. */
export type Export = (typeof EXPORTS)[number]

/** How a call ended. `late`, `lost` and `unwanted` end the guest. */
export type Answer =
  | { readonly kind: "answered"; readonly text: string }
  | { readonly kind: "threw"; readonly name: string; readonly message: string; readonly position: string | undefined }
  | { readonly kind: "memory" }
  | { readonly kind: "large"; readonly bytes: number }
  | { readonly kind: "invalid"; readonly message: string }
  | { readonly kind: "late" }
  | { readonly kind: "unwanted" }
  | { readonly kind: "lost"; readonly message: string }

// QuickJS takes the limit as a 32-bit number.
const MOST_MEMORY = 0xffff_0000
const NOTHING: Answer = { kind: "answered", text: "" }
const VALUE = ANSWER.value.charCodeAt(0)

export class Guest {
  readonly #vm: QuickJS
  readonly #settings: Settings
  readonly #budget: Budget
  readonly #watch: Watch
  readonly #positions: Positions
  readonly #entry: JSValueHandle
  readonly #call: JSValueHandle
  readonly #answer: JSValueHandle
  readonly #names: Readonly<Record<Export, JSValueHandle>>
  #exports: ReadonlySet<Export> = new Set()
  /** Where the engine writes how long a text is; 0 until it was needed. */
  #lengthAt = 0
  readonly #lines: () => number

  private constructor(vm: QuickJS, settings: Settings, watch: Watch, budget: Budget) {
    this.#vm = vm
    this.#settings = settings
    this.#watch = watch
    this.#budget = budget
    this.#positions = new Positions(settings.name, settings.map)
    let lines = 0
    this.#lines = () => lines
    const { written: tell } = settings
    const own = hostFunctions(vm, (level, text) => {
      lines++
      if (text?.isString === true) tell?.(level, text.toString())
    })
    const isHeard = tell === undefined ? vm.false : vm.true
    vm.callFunction(vm.evalCode(WEB_PARTS, "<mooring>"), vm.undefined, own.located).dispose()
    vm.evalCode(CLONING, "<mooring>").dispose()
    const prelude = vm.evalCode(PRELUDE, "<mooring>")
    const most = vm.newNumber(settings.outputBytes)
    const made = vm.callFunction(prelude, vm.undefined, own.random, own.lineWritten, most, isHeard)
    this.#entry = made.getProp("entry")
    this.#call = made.getProp("call")
    this.#answer = made.getProp("answer")
    this.#names = {
      start: vm.newString("start"),
      handleIngress: vm.newString("handleIngress"),
      status: vm.newString("status"),
      stop: vm.newString("stop")
    }
  }

  /** Makes a guest that has run nothing of its own yet. Rejects where there is no room for it. */
  static async make(settings: Settings): Promise<Guest> {
    const watch: Watch = { isOn: false, isLate: false, isUnwanted: false }
    const budget = new Budget()
    const clock = { isSeed: true, now: settings.now }
    const module = { begins: () => {} }
    const vm = await QuickJS.create({
      wasm: settings.wasm,
      extensions: [...settings.extensions],
      wasi: (memory) => outside(memory, clock),
      memoryLimit: Math.min(settings.memoryBytes, MOST_MEMORY),
      maxStackSize: settings.stackBytes,
      timezoneOffset: 0,
      interruptHandler: () => {
        if (!watch.isOn) return false
        if (settings.isUnwanted()) watch.isUnwanted = true
        else if (budget.isOver) watch.isLate = true
        settings.asked(budget.left)
        return watch.isLate || watch.isUnwanted
      },
      moduleLoader: {
        normalize: (_base, specifier) => {
          if (specifier === GUEST_MODULE) return specifier
          // An Error would take this file's path into the guest.
          throw `there is no module but ${GUEST_MODULE}` // oxlint-disable-line no-throw-literal
        },
        load: () => {
          module.begins()
          return GUEST_MODULE_TEXT
        }
      }
    })
    module.begins = moduleFunctions(vm, settings.signer)
    clock.isSeed = false
    return new Guest(vm, settings, watch, budget)
  }

  /** How many lines it has written to its console. */
  get lines(): number {
    return this.#lines()
  }

  has(name: Export): boolean {
    return this.#exports.has(name)
  }

  /** Runs the entry. Answers with nothing where all is well. */
  load(budgetMs: number): Answer {
    const { entry, name } = this.#settings
    const answer = this.#within(budgetMs, () => {
      const loading = this.#vm.evalCode(entry, name, EvalFlags.TYPE_MODULE)
      const said = this.#vm.callFunction(this.#entry, this.#vm.undefined, loading)
      loading.dispose()
      return said
    })
    if (answer.kind !== "answered") return answer
    this.#exports = new Set(EXPORTS.filter((_, index) => answer.text[index] === "1"))
    return this.has("handleIngress") ? answer : { kind: "invalid", message: "Expected an export handleIngress" }
  }

  /** Runs the entry, and then `start` with these arguments where there is one, on one budget. */
  start(args: string, budgetMs: number): Answer {
    const from = performance.now()
    const loaded = this.load(budgetMs)
    if (loaded.kind !== "answered") return loaded
    if (!this.has("start")) return { kind: "answered", text: "" }
    return this.call("start", args, Math.max(1, budgetMs - (performance.now() - from)))
  }

  /**
   * Calls an export with arguments, a JSON array. Where there is `copy`, an answer's text is offered to that as it stands
   * in the guest's memory, and is empty here where it was taken.
   */
  call(name: Export, args: string, budgetMs: number, copy?: Copy): Answer {
    return this.#within(
      budgetMs,
      () => {
        const vm = this.#vm
        const text = vm.newString(args)
        // What its memory has no room for becomes no string, and no exception.
        if (!text.isString) throw OUT_OF_MEMORY // oxlint-disable-line no-throw-literal
        const said = vm.callFunction(this.#call, vm.undefined, this.#names[name], text)
        text.dispose()
        return said
      },
      copy
    )
  }

  #within(budgetMs: number, begin: () => JSValueHandle, copy?: Copy): Answer {
    this.#budget.begin(budgetMs)
    this.#settings.asked(budgetMs, this.#budget.usedBefore)
    this.#watch.isOn = true
    const answer = this.#attempt(begin, copy)
    // A native loop asks nobody, so it may have ended late.
    const isOver = this.#budget.isOver
    this.#watch.isOn = false
    if (this.#watch.isUnwanted) return { kind: "unwanted" }
    return isOver || this.#watch.isLate ? { kind: "late" } : answer
  }

  #attempt(begin: () => JSValueHandle, copy: Copy | undefined): Answer {
    try {
      let said = begin()
      this.#drain()
      // It wasn't settled before the jobs had run.
      if (said.isUndefined) said = this.#vm.callFunction(this.#answer, this.#vm.undefined)
      // Nothing can settle it any more.
      if (said.isUndefined) this.#watch.isLate = true
      const answer = said.isString ? this.#read(said, copy) : NOTHING
      said.dispose()
      return answer
    } catch (thrown) {
      if (thrown === OUT_OF_MEMORY) return { kind: "memory" }
      if (!(thrown instanceof JSException)) return { kind: "lost", message: lossOf(thrown) }
      const { message, name, stack } = thrown
      thrown.dispose()
      return message === OUT_OF_MEMORY ? { kind: "memory" } : this.#threw(name, message, stack)
    }
  }

  /** Runs the jobs that wait, and those that they make, on the same budget. */
  #drain(): void {
    const exports = this.#vm._getExports()
    while (exports.qjs_is_job_pending() !== 0) {
      if (this.#budget.isOver) this.#watch.isLate = true
      // What a job throws nobody waits for.
      else if (exports.qjs_execute_pending_job() < 0) this.#vm.getException().dispose()
      if (this.#watch.isLate || this.#watch.isUnwanted) return
    }
  }

  #read(said: JSValueHandle, copy: Copy | undefined): Answer {
    if (copy !== undefined && this.#isCopied(said, copy)) return NOTHING
    const text = said.toString()
    const rest = text.slice(1)
    switch (text[0]) {
      case ANSWER.threw: {
        // Made by the prelude, of texts.
        const { message, name, stack } = JSON.parse(rest) as Record<"name" | "message" | "stack", string>
        return this.#threw(name, message, stack)
      }
      case ANSWER.memory:
        return { kind: "memory" }
      case ANSWER.large:
        return { kind: "large", bytes: Number(rest) }
      case ANSWER.invalid:
        return { kind: "invalid", message: rest }
      default: {
        const bytes = Buffer.byteLength(rest)
        return bytes > this.#settings.outputBytes ? { kind: "large", bytes } : { kind: "answered", text: rest }
      }
    }
  }

  /** Whether it is an answer within its bounds that was taken. */
  #isCopied({ ptr }: JSValueHandle, copy: Copy): boolean {
    const { memory, qjs_free_cstring, qjs_get_string_len, wasm_malloc } = this.#vm._getExports()
    this.#lengthAt ||= wasm_malloc(4)
    // Where the memory has no room for it, it is the other way's to say so.
    const at = this.#lengthAt === 0 ? 0 : qjs_get_string_len(ptr, this.#lengthAt)
    if (at === 0) return false
    const length = new DataView(memory.buffer).getUint32(this.#lengthAt, true) - 1
    const utf8 = new Uint8Array(memory.buffer, at, length + 1)
    const isTaken = utf8[0] === VALUE && length <= this.#settings.outputBytes && copy(utf8.subarray(1))
    qjs_free_cstring(at)
    return isTaken
  }

  #threw(name: string, message: string, stack: string | undefined): Answer {
    return { kind: "threw", name, message, position: this.#positions.of(stack ?? "") }
  }
}

/** What the interrupt handler has to look at, and what it has seen: a guest can forge its message, not this. */
interface Watch {
  isOn: boolean
  isLate: boolean
  isUnwanted: boolean
}

/** What a guest has of the outside: the time, and nothing that is written anywhere. */
const outside = (memory: WebAssembly.Memory, clock: { readonly isSeed: boolean; readonly now: Settings["now"] }) => ({
  clock_time_get: (_id: number, _precision: bigint, at: number): number => {
    // The engine seeds Math.random with the time at which it is made.
    const nanos = clock.isSeed
      ? crypto.getRandomValues(new BigUint64Array(1))[0]
      : BigInt(Math.floor(clock.now())) * 1_000_000n
    new DataView(memory.buffer).setBigUint64(at, nanos ?? 0n, true)
    return 0
  },
  fd_write: (_descriptor: number, vectors: number, count: number, written: number): number => {
    const view = new DataView(memory.buffer)
    let bytes = 0
    for (let index = 0; index < count; index++) bytes += view.getUint32(vectors + index * 8 + 4, true)
    view.setUint32(written, bytes, true)
    return 0
  }
})

/** What became of the instance, without a path of ours. */
const lossOf = (thrown: unknown): string => (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : "unknown")
