/** A descriptor that takes texts when it is told to, as often as it is told to. */
import type { Descriptor } from "../../../src/cli/internal/descriptor.ts"

export const fakeDescriptor = () => {
  const waiting: Array<{ readonly text: string; readonly done: (error: NodeJS.ErrnoException | null) => void }> = []
  let total = 0
  let written = ""
  const descriptor: Descriptor = {
    write: (text, done) => void waiting.push({ text, done }),
    taken: () => total,
    finish: () => {}
  }
  return {
    descriptor,
    /** Takes the oldest text that waits, or refuses it. */
    settle: (code?: string) => {
      const [first] = waiting
      if (first === undefined) return
      waiting.shift()
      if (code !== undefined) return first.done(Object.assign(new Error(code), { code }))
      written += first.text
      total += first.text.length
      first.done(null)
    },
    /** Takes one byte of it. */
    trickle: () => void total++,
    waiting: () => waiting.length,
    written: () => written
  }
}
