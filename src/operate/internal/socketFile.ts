/**
 * The file of a unix socket, which is its own lock: whoever listens has it, and
 * one that nobody listens by is what a program left that was killed.
 *
 * It is born beside its place, with its mode and group, and linked there only
 * then: so there is no moment in which others could open it, and a file that is
 * there is never written over. It is removed only where it is still this one:
 * what Node unlinks when it closes is the name beside it, which is gone.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { promises as Fs } from "node:fs"
import type * as Http from "node:http"
import * as Net from "node:net"
import * as Path from "node:path"

/** The file of a socket; `mode` is 0600 unless given. */
export interface SocketFile {
  readonly path: string
  readonly mode?: number
  readonly group?: number
}

export const TAKEN = "somebody else listens there"

/** What an address of a socket holds, without the zero byte behind it. */
const MOST_PATH_BYTES = process.platform === "linux" ? 107 : 103

const PRIVATE = 0o600
const ALL = 0o777

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "UNKNOWN"

const attempt = <A>(ask: () => Promise<A>): Effect.Effect<A, string> => Effect.tryPromise({ try: ask, catch: codeOf })

/** Listens; fails with the code of why it doesn't. */
export const listening = (server: Http.Server, start: () => void): Effect.Effect<void, string> =>
  Effect.callback((resume) => {
    const failed = (error: Error) => resume(Effect.fail(codeOf(error)))
    server.once("error", failed)
    server.once("listening", () => {
      server.off("error", failed)
      resume(Effect.void)
    })
    start()
  })

/** Listens by a file for as long as the scope is open; the failure says why it doesn't. */
export const listen = (server: Http.Server, file: SocketFile): Effect.Effect<void, string, Scope.Scope> =>
  Effect.gen(function* () {
    const { group, path } = file
    // A name as short as may be: whoever has a place there has one beside it.
    const beside = Path.join(Path.dirname(path), `.${randomBytes(4).toString("hex")}`)
    if ([path, beside].some((name) => Buffer.byteLength(name) > MOST_PATH_BYTES)) {
      return yield* Effect.fail(`its path has more than ${MOST_PATH_BYTES} bytes`)
    }
    yield* Effect.mapError(
      listening(server, () => listenWithMode(server, beside, file.mode ?? PRIVATE)),
      // Node says of a folder that isn't there that it mayn't be used.
      (code) => (code === "EACCES" ? "its folder isn't there, or nothing may be made in it: EACCES" : code)
    )
    yield* Effect.addFinalizer(() => Effect.ignore(attempt(() => Fs.unlink(beside))))
    if (group !== undefined) {
      yield* Effect.mapError(
        attempt(() => Fs.chown(beside, -1, group)),
        (code) => `its file can't be given to the group: ${code}`
      )
    }
    const own = yield* attempt(() => identity(beside))
    yield* Effect.acquireRelease(placed(beside, path), () => removeOwn(path, own))
    yield* attempt(() => Fs.unlink(beside))
  })

/** The file is made while this runs, and nothing else in this process is made meanwhile. */
const listenWithMode = (server: Http.Server, path: string, mode: number): void => {
  const before = process.umask(ALL & ~mode)
  try {
    server.listen({ path })
  } finally {
    process.umask(before)
  }
}

/** Gives the file its place, where nobody has it. */
const placed = (beside: string, path: string): Effect.Effect<void, string> => {
  const linked = attempt(() => Fs.link(beside, path))
  return Effect.catch(linked, (code) =>
    code === "EEXIST"
      ? Effect.andThen(
          takeAway(path, `${beside}-`),
          Effect.mapError(linked, (again) => (again === "EEXIST" ? TAKEN : again))
        )
      : Effect.fail(code)
  )
}

/** Takes away the file of somebody who doesn't listen any more; fails where it is anything else. */
const takeAway = (path: string, aside: string): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    const found = yield* attempt(() => Fs.lstat(path))
    if (!found.isSocket()) return yield* Effect.fail("there is a file that is no socket")
    const asked = yield* attempt(() => identity(path))
    const code = yield* answering(path)
    if (code === undefined) return yield* Effect.fail(TAKEN)
    if (code !== "ECONNREFUSED") return yield* Effect.fail(`there is a socket that can't be asked: ${code}`)
    yield* attempt(() => Fs.rename(path, aside))
    const taken = yield* attempt(() => identity(aside))
    // Somebody else took it away meanwhile, and what is there now is theirs.
    if (taken !== asked) yield* Effect.ignore(attempt(() => Fs.link(aside, path)))
    yield* attempt(() => Fs.unlink(aside))
    if (taken !== asked) return yield* Effect.fail(TAKEN)
  })

/** Why nobody answers there; undefined where somebody does. */
const answering = (path: string): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    const socket = Net.connect({ path })
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.undefined)
    })
    socket.once("error", (error) => resume(Effect.succeed(codeOf(error))))
    return Effect.sync(() => socket.destroy())
  })

/** Which file it is, whatever it is called. */
const identity = async (path: string): Promise<string> => {
  const { dev, ino } = await Fs.lstat(path, { bigint: true })
  return `${dev}:${ino}`
}

const removeOwn = (path: string, own: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    if ((yield* attempt(() => identity(path))) === own) yield* attempt(() => Fs.unlink(path))
  }).pipe(Effect.ignore)
