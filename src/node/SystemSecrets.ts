/**
 * Secrets from the environment and from files.
 *
 * A file is read through links, whole, as UTF-8, and only if it is a regular one
 * of at most 1 MiB. Every file that was asked for is looked at four times a
 * second: one that has become another and then stayed the same for half a
 * second is a change. The environment of a process doesn't change.
 *
 * @since 0.3.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Path from "node:path"
import { SecretUnavailable, Secrets } from "../secrets/Secrets.ts"
import { MOST_BYTES } from "../secrets/Usable.ts"
import * as BoundedFile from "./internal/boundedFile.ts"
import { codeOf } from "./internal/errorCode.ts"
import * as Looks from "./internal/looks.ts"

/**
 * Where relative paths begin (the working directory unless given), and the
 * variables that there are (those of the process).
 *
 * @category models
 * @since 0.3.0
 */
export interface Options {
  readonly folder?: string
  readonly env?: { readonly [name: string]: string | undefined }
}

const unavailable = (problem: string) => new SecretUnavailable({ problem: `Expected ${problem}` })

const failure = (error: unknown): SecretUnavailable => {
  if (error instanceof BoundedFile.Unreadable) return unavailable(`a file that can be read: it is ${error.message}`)
  if (error instanceof TypeError) return unavailable("a file of UTF-8")
  return unavailable(`a file that can be read: ${codeOf(error)}`)
}

const contentOf = (path: string): Effect.Effect<string, SecretUnavailable> =>
  Effect.tryPromise({
    try: async () =>
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await BoundedFile.read(path, MOST_BYTES)),
    catch: failure
  })

/** The files that were asked for, each with what it was then. */
type Asked = ReadonlyMap<string, string>

/** What files are now. One that doesn't answer is asked no further time, for each question holds a thread. */
class Identities {
  readonly #awaited = new Map<string, Promise<string>>()

  of(path: string): Effect.Effect<string> {
    return Effect.promise(() => {
      const awaited = this.#awaited.get(path) ?? BoundedFile.identity(path).finally(() => this.#awaited.delete(path))
      this.#awaited.set(path, awaited)
      return awaited
    })
  }
}

/** Completes once a file has become another and then stayed the same for a while. One that is silent holds up no other. */
const nextChange = (asked: Asked, looks: Map<string, Looks.Look>, identities: Identities): Effect.Effect<void> => {
  const look = ([path, first]: readonly [path: string, first: string]) =>
    identities.of(path).pipe(
      Effect.map((seen) => {
        const now = Looks.next(looks.get(path) ?? Looks.first(first), seen)
        looks.set(path, now.look)
        return now.isNew
      }),
      Effect.timeoutOrElse({ duration: Looks.LOOK_EVERY_MS, orElse: () => Effect.succeed(false) })
    )
  return Effect.gen(function* () {
    for (let isChanged = false; !isChanged;) {
      yield* Effect.sleep(Looks.LOOK_EVERY_MS)
      isChanged = (yield* Effect.forEach([...asked], look, { concurrency: "unbounded" })).includes(true)
    }
  })
}

/**
 * Provides secrets from the environment and from files.
 *
 * @category layers
 * @since 0.3.0
 */
export const layer = ({ env = process.env, folder = process.cwd() }: Options = {}): Layer.Layer<never> =>
  Layer.sync(Secrets, () => {
    const asked = new Map<string, string>()
    const identities = new Identities()
    return {
      lookup: ({ from }) => {
        if ("env" in from) {
          const value = Object.hasOwn(env, from.env) ? env[from.env] : undefined
          return value === undefined
            ? Effect.fail(unavailable("a variable that is set"))
            : Effect.succeed(Redacted.make(value))
        }
        const path = Path.resolve(folder, from.file)
        // What changes while it is read is told.
        return Effect.flatMap(identities.of(path), (identity) => {
          asked.set(path, identity)
          return Effect.map(contentOf(path), (content) => Redacted.make(content))
        })
      },
      changes: Stream.suspend(() => {
        const looks = new Map<string, Looks.Look>()
        return Stream.fromEffectRepeat(nextChange(asked, looks, identities))
      })
    }
  })
