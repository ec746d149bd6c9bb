/**
 * The host file: which packages an operator enables, with what authority and
 * configuration, and the limits and the proxy of the host.
 *
 * Everything that is wrong with it is listed at once, each with line, column,
 * key path and what was expected, and never a piece of the file. What is wrong
 * costs no more than what it stands in: a limit keeps its default, an entry is
 * denied by itself, a proxy that can't be used lets nothing go around it. Only a
 * file that isn't TOML or says nothing of plugins is unreadable as a whole.
 *
 * @since 0.3.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import * as Path from "node:path"
import * as Wire from "../internal/wire.ts"
import type { Outside } from "../manifest/Outside.ts"
import { HeapLimit } from "../limits/HeapLimit.ts"
import type * as Limits from "../limits/Limits.ts"
import { SecretUnavailable, Secrets } from "../secrets/Secrets.ts"
import * as Usable from "../secrets/Usable.ts"
import * as BoundedFile from "./internal/boundedFile.ts"
import { codeOf } from "./internal/errorCode.ts"
import * as HostDocument from "./internal/hostDocument.ts"
import * as Looks from "./internal/looks.ts"
import * as Toml from "./internal/toml.ts"
import * as ControlSettings from "./ControlSettings.ts"
import * as ProxySettings from "./ProxySettings.ts"
import * as TelemetrySettings from "./TelemetrySettings.ts"

export type { Entry } from "./internal/hostDocument.ts"

/**
 * The most that is read of a host file, in bytes.
 *
 * @category constants
 * @since 0.3.0
 */
export const MOST_BYTES = 1_048_576

interface Proxy extends ProxySettings.ProxySettings {
  readonly authorization?: Redacted.Redacted<string>
}

/**
 * What a host file says, as far as it can be used, and all that is wrong with
 * it. `digest` is that of the file.
 *
 * @category models
 * @since 0.3.0
 */
export interface HostFile {
  readonly digest: string
  readonly limits: Limits.Values
  /** With the credentials that there were when it was read. */
  readonly proxy: Proxy | "unusable" | undefined
  /** What stands in it of that. */
  readonly proxyTable: ProxySettings.Table | "unusable" | undefined
  /** What stands in it of the control API. */
  readonly controlTable: ControlSettings.Table | "unusable" | undefined
  /** Its tables `[metrics]` and `[traces]`. */
  readonly telemetry: TelemetrySettings.Tables
  readonly entries: ReadonlyArray<HostDocument.Entry>
  readonly problems: ReadonlyArray<Wire.Problem>
  /** Says of what else was found in it where it stands. */
  readonly located: <Found extends Wire.Problem>(found: ReadonlyArray<Found>) => ReadonlyArray<Found>
}

/**
 * The file as a whole is of no use: it can't be read, isn't TOML or says nothing
 * of plugins.
 *
 * @category errors
 * @since 0.3.0
 */
export class HostFileUnreadable extends Schema.TaggedError<HostFileUnreadable>("mooring/node/HostFileUnreadable")(
  "HostFileUnreadable",
  { problems: Schema.Array(Wire.Problem) }
) {
  override get message(): string {
    return this.problems.map(Wire.formatProblem).join("; ")
  }
}

/**
 * The folder where relative paths of a host file begin: that of the path that
 * was given, not where a link leads.
 *
 * @category getters
 * @since 0.3.0
 */
export const folderOf = (file: string): string => Path.dirname(Path.resolve(file))

/**
 * Reads a host file. The proxy's credentials are asked for at `Secrets`, whose
 * relative paths are to begin at {@link folderOf}.
 *
 * @category constructors
 * @since 0.3.0
 */
export const read = Effect.fnUntraced(function* (file: string): Effect.fn.Return<HostFile, HostFileUnreadable> {
  const bytes = yield* bytesOf(file)
  const text = yield* textOf(bytes, file)
  const document = yield* Effect.mapError(Effect.fromResult(Toml.parse(text, file)), (problem) => unreadable([problem]))
  const content = yield* Effect.mapError(
    Effect.fromResult(HostDocument.read(document, { folder: folderOf(file), heapBytes: yield* HeapLimit })),
    (problems) => unreadable(problems)
  )
  const proxy = yield* proxyOf(content.proxy)
  const { metrics, traces } = content.telemetry
  const headers = [
    yield* TelemetrySettings.headersOf(metrics?.otlp, "metrics.otlp"),
    yield* TelemetrySettings.headersOf(traces?.otlp, "traces.otlp")
  ]
  const refused = document.located([
    ...(Result.isFailure(proxy) ? [proxy.failure] : []),
    ...(yield* tokenProblems(content.control)),
    ...headers.flatMap(({ problems }) => problems)
  ])
  return {
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    limits: content.limits,
    proxy: Result.getOrElse(proxy, () => "unusable" as const),
    proxyTable: content.proxy,
    controlTable: content.control,
    telemetry: content.telemetry,
    entries: content.entries,
    problems: [
      ...((yield* isOrphan(file)) ? [{ path: "", message: ORPHAN, file }] : []),
      ...content.problems,
      ...refused
    ],
    located: document.located
  }
})

const tokenProblems = (table: HostFile["controlTable"]) =>
  Effect.gen(function* () {
    if (typeof table !== "object" || table.token === undefined) return []
    const found = yield* tokenAt(table.token)
    return Result.isFailure(found) ? [found.failure] : []
  })

/** What a host file says, or why it is of no use. */
type Found = Result.Result<HostFile, HostFileUnreadable>

/**
 * What is told of a file that is followed; `isAsked`: because somebody wanted
 * to know, and not because it is another one.
 *
 * @category models
 * @since 0.4.0
 */
export interface Told {
  readonly found: Found
  readonly isAsked: boolean
}

/**
 * Follows a host file: what it says now, at once, and whenever it has changed
 * and then stayed the same for half a second, however it was replaced: written
 * anew, renamed over, or behind links that lead elsewhere now. The same bytes
 * again are no change. Where it is of no use for a while, that is one element,
 * and what it says after that another.
 *
 * @category following
 * @since 0.3.0
 */
export const follow = (file: string): Stream.Stream<Found> =>
  Stream.map(followFrom(file, undefined, Effect.never), ({ found }) => found)

/**
 * Follows a host file from what was read of it before, which isn't told again;
 * and reads it again whenever `asked` completes, whose answer is told in any
 * case: at once, or, where somebody has been writing it, when it has stayed the
 * same for half a second.
 *
 * @category following
 * @since 0.4.0
 */
export const followFrom = (
  file: string,
  known: HostFile | undefined,
  asked: Effect.Effect<void>
): Stream.Stream<Told> =>
  Stream.suspend(() => {
    const identity = Effect.promise(() => BoundedFile.identity(file))
    let look: Looks.Look | undefined
    let last = known === undefined ? undefined : sameness(known)
    let isAsked = false

    /** Whether it is to be read now. What changes while it is read is seen by the next look. */
    const looked = Effect.gen(function* () {
      if (look === undefined) {
        look = Looks.first(yield* identity)
        return true
      }
      const hasPassed = Effect.as(Effect.sleep(Looks.LOOK_EVERY_MS), false)
      const isEarly = yield* isAsked ? hasPassed : Effect.raceFirst(hasPassed, Effect.as(asked, true))
      isAsked ||= isEarly
      const seen = yield* identity
      if (isAsked && seen === look.told) return true
      // Between looks nobody knows for how long it has stayed the same.
      if (isEarly) return false
      const now = Looks.next(look, seen)
      look = now.look
      return now.isNew
    })

    const change = Effect.gen(function* () {
      for (;;) {
        if (!(yield* looked)) continue
        const found = yield* Effect.result(read(file))
        const told = { found, isAsked }
        const before = last
        last = Result.isSuccess(found) ? sameness(found.success) : undefined
        isAsked = false
        if (told.isAsked || last === undefined || last !== before) return told
      }
    })
    return Stream.fromEffectRepeat(change)
  })

/** The same bytes may have become those of a file that was replaced outside of its mount. */
const sameness = ({ digest, problems }: HostFile): string => JSON.stringify([digest, problems])

const unreadable = (problems: ReadonlyArray<Wire.Problem>) => new HostFileUnreadable({ problems })

const bytesOf = (file: string): Effect.Effect<Uint8Array, HostFileUnreadable> =>
  Effect.tryPromise({
    try: () => BoundedFile.read(file, MOST_BYTES),
    catch: (error) => {
      const reason = error instanceof BoundedFile.Unreadable ? `it is ${error.message}` : codeOf(error)
      return unreadable([{ path: "", message: `Expected a file that can be read: ${reason}`, file }])
    }
  })

const textOf = (bytes: Uint8Array, file: string): Effect.Effect<string, HostFileUnreadable> =>
  Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    catch: () => unreadable([{ path: "", message: "Expected a file of UTF-8", file }])
  })

const ORPHAN =
  "Expected a file that is in a folder still: it was replaced outside of a mount of this file alone, which shows the old one for ever; mount its folder"

/** Whether what is read isn't what stands under the name outside. */
const isOrphan = (file: string): Effect.Effect<boolean> =>
  Effect.map(
    Effect.promise(() => BoundedFile.links(file)),
    (links) => links === 0
  )

const PROXY_AUTHORIZATION = "proxy.authorization"

type FoundProxy = Result.Result<HostFile["proxy"], Wire.Problem>

/** A value of the host's own as it is now, or what is wrong with it. */
const valueAt = (path: string, from: Outside): Effect.Effect<Result.Result<string, Wire.Problem>> =>
  Effect.gen(function* () {
    const port = yield* Secrets
    const found = yield* Effect.result(port.lookup({ pluginRef: "", path, from }))
    if (Result.isFailure(found)) {
      const problem = found.failure instanceof SecretUnavailable ? found.failure.problem : "Expected a value"
      return Result.fail({ path, message: problem })
    }
    const usable = Usable.check(Redacted.value(found.success), "secret", "file" in from)
    return Result.mapError(usable, (message) => ({ path, message }))
  })

/**
 * A proxy with its credentials as they are now, or what is wrong with these.
 *
 * @category reading
 * @since 0.4.0
 */
export const proxyOf = (table: HostFile["proxyTable"]): Effect.Effect<FoundProxy> =>
  Effect.gen(function* () {
    if (table === undefined || table === "unusable") return Result.succeed(table)
    const { authorization: from, connect } = table
    if (from === undefined) return Result.succeed({ connect })
    const found = yield* valueAt(PROXY_AUTHORIZATION, from)
    if (Result.isFailure(found)) return Result.fail(found.failure)
    const proxy = { connect, authorization: Redacted.make(found.success) }
    return ProxySettings.parse(proxy) === undefined
      ? Result.fail({ path: PROXY_AUTHORIZATION, message: "Expected printable Latin-1" })
      : Result.succeed(proxy)
  })

/**
 * The key path of the control API's token.
 *
 * @category constants
 * @since 0.5.0
 */
export const CONTROL_TOKEN = "control.token"

/**
 * The token of the control API as it is now, or what is wrong with it.
 *
 * @category reading
 * @since 0.5.0
 */
export const tokenAt = (from: Outside): Effect.Effect<Result.Result<Redacted.Redacted<string>, Wire.Problem>> =>
  Effect.map(valueAt(CONTROL_TOKEN, from), (found) =>
    Result.flatMap(found, (token) =>
      ControlSettings.isToken(token)
        ? Result.succeed(Redacted.make(token))
        : Result.fail({ path: CONTROL_TOKEN, message: "Expected visible characters of ASCII and no space" })
    )
  )
