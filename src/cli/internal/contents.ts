/**
 * The content of a folder as it changes, for whoever edits it: told once it has
 * become another one and then stayed the same for 200 ms, however it was
 * written. The same bytes again, a touch or an editor's own files are no change.
 *
 * The folder's looks are cheap and say that something may have changed; what has
 * is told by reading.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { PackageUnreadable } from "../../manifest/ManifestError.ts"
import { read } from "../../node/internal/packageFiles.ts"
import * as PackageFolders from "../../node/PackageFolders.ts"
import { monotonic } from "../../internal/monotonic.ts"
import { folderLook } from "./folderLook.ts"
import { isPassing } from "./passing.ts"

const LOOK_EVERY_MS = 50
const SAME_FOR_MS = 200
/** A large folder is looked at less often: a look at 1,000 files takes tens of milliseconds of everybody's time. */
const MS_FOR_CHARACTERS = 200

/** What is in the folder, or why that is no package. */
export type Content = Result.Result<PackageFolders.PackageFolder, PackageUnreadable>

/** Where looks and contents come from. */
export interface Folder {
  readonly look: Effect.Effect<string>
  readonly read: Effect.Effect<Content>
}

export interface Contents {
  /** The content at once, and then whenever it has become another than was told or is known. */
  readonly next: Effect.Effect<Content>
  /** It has this digest from now on, by whoever asks: that is no change. */
  readonly know: (digest: string) => void
}

const keyOf = (content: Content): string =>
  Result.match(content, {
    onSuccess: ({ digest }) => digest,
    onFailure: ({ file = "", message }) => `${message}\0${file}`
  })

/** Follows a folder. */
export const make = ({ look, read: readContent }: Folder): Effect.Effect<Contents> =>
  Clock.clockWith((clock) =>
    Effect.sync(() => {
      const now = monotonic(clock)
      let told: string | undefined
      let seen = { look: "", lookedSo: 0, isReread: false, key: "", since: 0 }

      const reread = Effect.map(readContent, (content) => {
        const key = keyOf(content)
        if (key !== seen.key) seen = { ...seen, key, since: now() }
        return content
      })

      const first = Effect.gen(function* () {
        // What changes from here on is seen by the next look.
        const at = yield* look
        const content = yield* readContent
        told = keyOf(content)
        seen = { look: at, lookedSo: now(), isReread: false, key: told, since: now() }
        return content
      })

      const change = Effect.gen(function* () {
        for (;;) {
          yield* Effect.sleep(Math.max(LOOK_EVERY_MS, seen.look.length / MS_FOR_CHARACTERS))
          const at = yield* look
          if (at !== seen.look) {
            seen = { ...seen, look: at, lookedSo: now(), isReread: false }
            yield* reread
          } else if (!seen.isReread && now() - seen.lookedSo >= SAME_FOR_MS) {
            // What was written within the same tick of the file system's clock as what was read looks the same.
            seen = { ...seen, isReread: true }
            yield* reread
          }
          const { key } = seen
          if (key === told || now() - seen.since < SAME_FOR_MS) continue
          const content = yield* reread
          if (seen.key !== key) continue
          told = key
          return content
        }
      })

      return {
        next: Effect.suspend(() => (told === undefined ? first : change)),
        know: (digest) => {
          told = digest
        }
      }
    })
  )

/** Reads packages as their authors have them: without what passes. */
const layer: Layer.Layer<PackageFolders.PackageFolders> = Layer.effect(
  PackageFolders.PackageFolders,
  PackageFolders.make((folder, signal) => read(folder, signal, isPassing))
)

/** How a folder looks that doesn't answer. */
const SILENT = "\0"

/**
 * A folder that is said not to answer once a look at it has taken so many
 * milliseconds. Meanwhile it isn't asked again, for each question holds a thread.
 */
export const patient = (
  { look, read: readContent }: { readonly look: () => Promise<string>; readonly read: Folder["read"] },
  deadlineMs: number
): Folder => {
  let asked: Promise<string> | undefined
  let isSilent = false
  const late = Result.fail(new PackageUnreadable({ problem: `no answer within ${deadlineMs} ms` }))
  const answer = () => {
    asked ??= look().finally(() => {
      asked = undefined
    })
    return asked
  }
  return {
    look: Effect.suspend(() =>
      Effect.promise(answer).pipe(
        Effect.timeoutOrElse({
          duration: isSilent ? LOOK_EVERY_MS : deadlineMs,
          orElse: () => Effect.succeed(SILENT)
        }),
        Effect.tap((seen) =>
          Effect.sync(() => {
            isSilent = seen === SILENT
          })
        )
      )
    ),
    read: Effect.suspend(() => (isSilent ? Effect.succeed(late) : readContent))
  }
}

/** A folder of the file system; a look at it and a reading have this long. */
export const folderAt = (path: string, deadlineMs: number) =>
  Effect.map(
    Effect.flatMap(Layer.build(layer), (context) => Effect.provide(PackageFolders.PackageFolders, context)),
    (folders) =>
      patient({ look: () => folderLook(path), read: Effect.result(folders.read(path, deadlineMs)) }, deadlineMs)
  )
