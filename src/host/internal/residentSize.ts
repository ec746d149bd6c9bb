/**
 * How much memory of the process is resident. The system is asked with a file,
 * which it may have none left of: then it is what it was when it last said so.
 */

/** Bytes; null where the system has never told. */
export const residentSize = (): (() => number | null) => {
  let last: number | null = null
  return () => {
    try {
      last = globalThis.process?.memoryUsage.rss() ?? null
    } catch {
      // The last one is better than none.
    }
    return last
  }
}
