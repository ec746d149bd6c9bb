/**
 * Promises where somebody was to hand over something else: nobody waits for
 * them, and a rejection that nobody takes care of would end the process.
 *
 * Only real promises (ECMA-262, 27.2) are looked for. Any other thenable has no
 * rejection that the engine would report, and asking one for its outcome may
 * begin its work: the queries of many database libraries run when `then` is
 * called.
 */

/** How many values are looked at in one that may hold promises. */
const MOST_VALUES = 256

const ignored = (): void => {}

/** Takes care of one promise; false where the value is none. */
const abandonOne = (value: unknown): boolean => {
  // One of another realm is no instance of ours, and has the same tag.
  if (Object.prototype.toString.call(value) !== "[object Promise]" && !(value instanceof Promise)) return false
  Reflect.apply(Promise.prototype.then, value, [ignored, ignored])
  return true
}

/** Takes care of every promise in a value that isn't used; whether there is one. */
export const abandon = (value: unknown): boolean => {
  let hasPromise = false
  const waiting = [value]
  for (let looked = 0; looked < MOST_VALUES && looked < waiting.length; looked++) {
    const next = waiting[looked]
    if (typeof next !== "object" || next === null) continue
    try {
      if (abandonOne(next)) hasPromise = true
      else waiting.push(...Object.values(next).slice(0, MOST_VALUES), next instanceof Error ? next.cause : undefined)
    } catch {
      // It can't be looked at.
    }
  }
  return hasPromise
}
