/** Counts what a contestant has handled, and says what that cost. The first fifth is uncounted: code is compiled in it. */

const UNCOUNTED = 1 / 5
const LOOK_MS = 100
/** What hasn't come for so long was lost. */
const LOST_AFTER_LOOKS = 15

/** Says the figures, and ends the process. */
export const report = (figures: object): void => {
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0))
}

const now = () => ({ cpu: process.cpuUsage(), at: performance.now() })
type Moment = ReturnType<typeof now>

export interface Clock {
  /** One more was handled. */
  readonly tick: () => void
  /** The figures, once all are handled or no more come. */
  readonly done: Promise<{ readonly [name: string]: number }>
}

export const make = (expected: number): Clock => {
  const from = Math.floor(expected * UNCOUNTED)
  const { promise, resolve } = Promise.withResolvers<{ readonly [name: string]: number }>()
  let count = 0
  let began: Moment | undefined
  const finish = (end: Moment) => {
    clearInterval(looking)
    const { at, cpu } = began ?? end
    const used = end.cpu.user + end.cpu.system - cpu.user - cpu.system
    const counted = Math.max(1, count - from)
    resolve({
      cpuUs: used / counted,
      wallUs: ((end.at - at) * 1000) / counted,
      missing: expected - count,
      peakMib: process.resourceUsage().maxRSS / 1024
    })
  }
  let seen = 0
  let seenAt = now()
  let looks = 0
  const looking = setInterval(() => {
    if (count === 0) return
    if (count !== seen) [seen, seenAt, looks] = [count, now(), 0]
    else if (++looks === LOST_AFTER_LOOKS) finish(seenAt)
  }, LOOK_MS)
  return {
    tick: () => {
      count++
      if (count === from) began = now()
      if (count === expected) finish(now())
    },
    done: promise
  }
}
