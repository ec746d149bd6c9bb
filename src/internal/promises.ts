/**
 * Promises where somebody was to hand over something else: nobody waits for
 * them, and a rejection that nobody takes care of would end the process.
 *
 * Only real promises (ECMA-262, 27.2) are looked for. Any other thenable has no
 * rejection that the engine would report, and asking one for its outcome may
 * begin its work: the queries of many database libraries run when `then` is
 * called.
 */
import type * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

/** How many objects are looked into, and how many of what is in them is looked at. */
const MOST_OBJECTS = 4096
const MOST_VALUES = 1 << 20

const ignored = (): void => {}

const tagOf = (value: object): string => Object.prototype.toString.call(value)

/** Takes care of one promise; false where the value is none. */
export const abandonOne = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  // One of another realm is no instance of ours, and has the same tag.
  if (tagOf(value) !== "[object Promise]" && !(value instanceof Promise)) return false
  Reflect.apply(Promise.prototype.then, value, [ignored, ignored])
  return true
}

/** Takes care of every promise in a value that isn't used; whether there is one. */
export const abandon = (value: unknown): boolean => {
  let hasPromise = false
  let left = MOST_VALUES
  const objects = new Set<object>()
  const look = (inner: unknown): void => {
    left--
    if (typeof inner !== "object" || inner === null) return
    if (abandonOneOf(inner)) hasPromise = true
    else if (objects.size < MOST_OBJECTS) objects.add(inner)
  }
  look(value)
  // What is added on the way is looked into, too.
  for (const object of objects) {
    try {
      for (const inner of insideOf(object)) {
        if (left <= 0) return hasPromise
        look(inner)
      }
    } catch {
      // It can't be looked at.
    }
  }
  return hasPromise
}

const abandonOneOf = (value: object): boolean => {
  try {
    return abandonOne(value)
  } catch {
    return false
  }
}

function* insideOf(object: object): Generator {
  if (Array.isArray(object)) {
    for (let index = 0; index < object.length; index++) yield object[index]
    return
  }
  if (ArrayBuffer.isView(object)) return
  const tag = tagOf(object)
  if (tag === "[object Map]") for (const pair of Reflect.apply(Map.prototype.entries, object, [])) yield* pair
  if (tag === "[object Set]") yield* Reflect.apply(Set.prototype.values, object, [])
  if (tag === "[object Error]" || object instanceof Error) {
    yield Reflect.get(object, "cause")
    yield Reflect.get(object, "errors")
  }
  for (const key in object) if (Object.hasOwn(object, key)) yield Reflect.get(object, key)
}

/** Takes care of every promise in an outcome that isn't used. */
export const abandonExit = (exit: Exit.Exit<unknown, unknown>): void => {
  try {
    if (Exit.isSuccess(exit)) abandon(exit.value)
    else for (const reason of exit.cause.reasons) abandonReason(reason)
  } catch {
    // It can't be looked at.
  }
}

const abandonReason = (reason: Cause.Reason<unknown>): void => {
  if (reason._tag === "Fail") abandon(reason.error)
  else if (reason._tag === "Die") abandon(reason.defect)
}
