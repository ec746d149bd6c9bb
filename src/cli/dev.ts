/**
 * `mooring dev`: runs one package for its author, anew whenever it has changed.
 */
import { Command, Flag } from "effect/cli"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs/promises"
import * as Limits from "../limits/Limits.ts"
import { Name } from "../manifest/Permission.ts"
import * as SocketUrl from "../manifest/SocketUrl.ts"
import type { LoadedPackage, PackageFolder } from "../node/PackageFolders.ts"
import * as BoundedFile from "../node/internal/boundedFile.ts"
import { codeOf } from "../node/internal/errorCode.ts"
import * as SystemSecrets from "../node/SystemSecrets.ts"
import { BUILT, SOURCE } from "./internal/builtEntry.ts"
import { clean } from "./internal/cells.ts"
import * as Contents from "./internal/contents.ts"
import { enablementOf, grantsOf, type Asked } from "./internal/devGrants.ts"
import * as DevHost from "./internal/devHost.ts"
import { DevLines } from "./internal/devLines.ts"
import * as Drafts from "./internal/drafts.ts"
import { packageFolder } from "./internal/folder.ts"
import { Output } from "./internal/output.ts"
import { Unwell } from "./internal/unwell.ts"
import { WrongUsage } from "./internal/wrongUsage.ts"

/** What takes longer than this is waited for, too. */
const ANSWERS_WITHIN_MS = 1000

/** Fails where there is no folder that can be read; what is wrong inside is waited for. */
const readable = (folder: string): Effect.Effect<void, Unwell> =>
  Effect.tryPromise({
    try: async () => (await Fs.opendir(folder)).close(),
    catch: (error) => new Unwell({ problem: clean(`${folder}: Expected a folder that can be read: ${codeOf(error)}`) })
  }).pipe(Effect.timeoutOrElse({ duration: ANSWERS_WITHIN_MS, orElse: () => Effect.void }))

/** Shows a package, and each content of it that comes after. */
const follow = (folder: string, asked: Asked, lines: DevLines) =>
  Effect.gen(function* () {
    const host = yield* DevHost.make(asked, lines)
    const at = yield* Contents.folderAt(folder, Limits.defaults.startDeadlineMs)
    const contents = yield* Contents.make(at)
    let known: PackageFolder | undefined
    let running: LoadedPackage | undefined
    let granted = ""

    /** Whether it runs now, by whichever content. */
    const take = (loaded: LoadedPackage) =>
      Effect.gen(function* () {
        if (loaded.digest === running?.digest) {
          lines.say("dev", "that is what runs already")
          return true
        }
        const made = enablementOf(loaded, asked)
        if (Result.isFailure(made)) {
          for (const problem of Drafts.problemsOf(made.failure)) lines.say("error", problem)
          return false
        }
        const grants = grantsOf(loaded, made.success)
        if (grants.join("\n") !== granted) {
          granted = grants.join("\n")
          for (const grant of grants) lines.say("granted", grant)
        }
        const isTaken = yield* host.run(loaded, made.success)
        if (isTaken) running = loaded
        return isTaken
      })

    for (let isFirst = true; ; isFirst = false) {
      const draft = yield* Effect.flatMap(contents.next, (content) => Drafts.draft(folder, content))
      if (draft.folder !== undefined) {
        const names = Drafts.differences(known, draft.folder)
        if (!isFirst && names !== "") lines.say("dev", names)
        if (draft.hasBuilt) {
          lines.say("dev", `${BUILT} is made of ${SOURCE}`)
          contents.know(draft.folder.digest)
        }
        known = draft.folder
      }
      if (Result.isFailure(draft.loaded)) for (const problem of draft.loaded.failure) lines.say("error", problem)
      if (Result.isSuccess(draft.loaded) && (yield* take(draft.loaded.success))) continue
      lines.say(
        "dev",
        running === undefined ? "nothing runs until this is mended" : "what ran before runs on until this is mended"
      )
    }
  })

const SHAPE = /^([^=]+)=(.+)$/su

/** What stands before and behind the first equals sign of each; the values aren't repeated, they may be secrets. */
const pairs = (
  flag: string,
  texts: ReadonlyArray<string>
): Result.Result<ReadonlyArray<readonly [string, string]>, WrongUsage> =>
  Result.all(
    texts.map((text) => {
      const [, name = "", value = ""] = SHAPE.exec(text) ?? []
      return Schema.is(Name)(name)
        ? Result.succeed([name, value] as const)
        : Result.fail(new WrongUsage({ problem: `--${flag}: Expected a name, '=' and what it stands for` }))
    })
  )

const secretsOf = (texts: ReadonlyArray<string>): Result.Result<Asked["secrets"], WrongUsage> =>
  Result.flatMap(pairs("secret", texts), (given) => {
    const unset = given.find(([, variable]) => process.env[variable] === undefined)
    return unset === undefined
      ? Result.succeed(new Map(given))
      : Result.fail(new WrongUsage({ problem: `--secret ${unset[0]}: Expected the name of a variable that is set` }))
  })

const sourcesOf = (texts: ReadonlyArray<string>): Result.Result<Asked["sources"], WrongUsage> =>
  Result.flatMap(pairs("source", texts), (given) => {
    const wrong = given.find(([, url]) => Result.isFailure(SocketUrl.parse(url)))
    if (wrong !== undefined) {
      return Result.fail(new WrongUsage({ problem: `--source ${wrong[0]}: Expected a URL, ws://… or wss://…` }))
    }
    const sources = new Map<string, ReadonlyArray<string>>()
    for (const [ingress, url] of given) sources.set(ingress, [...(sources.get(ingress) ?? []), url])
    return Result.succeed(sources)
  })

const reasonOf = (error: unknown): string => {
  if (error instanceof BoundedFile.Unreadable) return `it is ${error.message}`
  return error instanceof SyntaxError || error instanceof TypeError ? "it is none" : codeOf(error)
}

const MOST_CONFIG_BYTES = 1_048_576

const configOf = (file: Option.Option<string>): Effect.Effect<Schema.Json, WrongUsage> =>
  Option.match(file, {
    onNone: () => Effect.succeed({}),
    onSome: (path) =>
      Effect.tryPromise({
        try: async () =>
          JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await BoundedFile.read(path, MOST_CONFIG_BYTES))),
        catch: (error) => {
          return new WrongUsage({ problem: clean(`--config ${path}: Expected a file of JSON: ${reasonOf(error)}`) })
        }
      })
  })

/** The subcommand. */
export const dev = Command.make(
  "dev",
  {
    folder: packageFolder,
    grantPrivate: Flag.Boolean("grant-private").pipe(
      Flag.withDescription("Let granted names resolve to private addresses, those of this machine too"),
      Flag.withDefault(false)
    ),
    config: Flag.String("config").pipe(
      Flag.withMetavar("file.json"),
      Flag.withDescription("The configuration that the plugin is started with"),
      Flag.optional
    ),
    secret: Flag.String("secret").pipe(
      Flag.withMetavar("name=variable"),
      Flag.withDescription("A secret, and the variable that has it; may be given several times"),
      Flag.atLeast(0)
    ),
    source: Flag.String("source").pipe(
      Flag.withMetavar("ingress=url"),
      Flag.withDescription("What an ingress listens to in place of what the manifest says; may be given several times"),
      Flag.atLeast(0)
    )
  },
  Effect.fnUntraced(function* ({ config, folder, grantPrivate, secret, source }) {
    const { screen } = yield* Output
    const asked = {
      grantPrivate,
      config: yield* configOf(config),
      secrets: yield* Effect.fromResult(secretsOf(secret)),
      sources: yield* Effect.fromResult(sourcesOf(source))
    }
    yield* readable(folder)
    const lines = new DevLines(screen.log, yield* Clock.clockWith(Effect.succeed))
    yield* follow(folder, asked, lines).pipe(Effect.scoped, Effect.provide(SystemSecrets.layer()))
  })
).pipe(Command.withDescription("Run one package for its author, anew whenever it has changed"))
