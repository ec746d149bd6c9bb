/** Time that is had when the test says so. */
import * as Effect from "effect/Effect"
import type { HadTime } from "../../../src/time/HadTime.ts"

interface Waiting {
  readonly at: number
  readonly due: () => void
}

export const make = () => {
  const waiting = new Set<Waiting>()
  let had = 0
  const time: HadTime = {
    now: () => had,
    after: (ms, due) => {
      const entry = { at: had + ms, due }
      waiting.add(entry)
      return () => waiting.delete(entry)
    },
    sleep: () => Effect.never,
    listen: () => {},
    unlisten: () => {}
  }
  return {
    time,
    waiting,
    /** It passes while the thread is busy: nothing comes due. */
    passes: (ms: number): void => {
      had += ms
    },
    /** The thread is free: what is due has its turn. */
    judges: (): void => {
      for (const entry of waiting) {
        if (entry.at <= had && waiting.delete(entry)) entry.due()
      }
    }
  }
}
