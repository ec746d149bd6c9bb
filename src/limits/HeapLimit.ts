/**
 * How large the engine's heap may grow, against which what waits in queues is
 * bounded: texts that nobody takes must not end the process.
 *
 * @since 0.2.0
 */
import * as Context from "effect/Context"

/**
 * The limit of this process's heap in bytes, null where the engine doesn't
 * tell: the core runs without Node, too.
 *
 * @category references
 * @since 0.2.0
 */
export const HeapLimit: Context.Reference<number | null> = Context.Reference("mooring/limits/HeapLimit", {
  defaultValue: () => {
    try {
      return globalThis.process === undefined ? null : limitIn(globalThis.process)
    } catch {
      return null
    }
  }
})

const MIB = 1024 * 1024
const OLD_SPACE = /^--max[-_]old[-_]space[-_]size=(\d+)$/

/** @internal What the limit is read from. */
export type Source = Pick<NodeJS.Process, "env" | "execArgv"> & {
  readonly getBuiltinModule: (id: "node:v8") => {
    readonly getHeapStatistics: () => { readonly heap_size_limit: number }
  }
}

/**
 * @internal What V8 says, or less where the old space was limited by an option:
 * what it says has up to 192 MiB for young objects in it then, and what waits
 * grows old.
 */
export const limitIn = ({ env, execArgv, getBuiltinModule }: Source): number | null => {
  const { heap_size_limit: bytes } = getBuiltinModule("node:v8").getHeapStatistics()
  // The one that stands last counts, and the command line before the environment.
  const options = [...(env["NODE_OPTIONS"] ?? "").split(/\s+/), ...execArgv]
  const given = options.flatMap((option) => OLD_SPACE.exec(option)?.[1] ?? []).at(-1)
  const limit = given === undefined ? bytes : Math.min(bytes, Number(given) * MIB)
  return Number.isSafeInteger(limit) && limit > 0 ? limit : null
}
