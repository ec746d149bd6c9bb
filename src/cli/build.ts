/**
 * `mooring build`: makes `plugin.js` of `plugin.ts`.
 */
import { Command } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Path from "node:path"
import * as BoundedFile from "../node/internal/boundedFile.ts"
import { codeOf } from "../node/internal/errorCode.ts"
import { MOST_BYTES } from "../node/internal/packageFiles.ts"
import * as BuiltEntry from "./internal/builtEntry.ts"
import { clean } from "./internal/cells.ts"
import { packageFolder } from "./internal/folder.ts"
import { Output } from "./internal/output.ts"
import { typeless } from "./internal/typeless.ts"
import { Unwell } from "./internal/unwell.ts"

const unwell = (problem: string) => new Unwell({ problem: clean(problem) })

const reasonOf = (error: unknown): string => {
  if (error instanceof BoundedFile.Unreadable) return `it is ${error.message}`
  if (error instanceof TypeError) return "it is not UTF-8"
  const code = codeOf(error)
  return code === "ENOENT" ? "there is none" : code
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const textOf = async (file: string): Promise<string> => utf8.decode(await BoundedFile.read(file, MOST_BYTES))

/** The subcommand. */
export const build = Command.make(
  "build",
  { folder: packageFolder },
  Effect.fnUntraced(function* ({ folder }) {
    const { screen } = yield* Output
    const [source, built] = [Path.join(folder, BuiltEntry.SOURCE), Path.join(folder, BuiltEntry.BUILT)]
    const text = yield* Effect.tryPromise({
      try: () => textOf(source),
      catch: (error) => unwell(`${source}: ${reasonOf(error)}`)
    })
    const content = yield* Effect.mapError(Effect.fromResult(typeless(text)), ({ column, line, message }) =>
      unwell(`${source}:${line}:${column}: ${message}`)
    )
    const before = yield* Effect.promise(() => textOf(built).catch(() => undefined))
    if (before === content) return screen.log(clean(`${built} is as ${BuiltEntry.SOURCE} makes it`))
    yield* Effect.tryPromise({
      try: () => BuiltEntry.save(folder, content),
      catch: (error) => unwell(`${built}: it can't be written: ${codeOf(error)}`)
    })
    screen.log(clean(`${built} written`))
  })
).pipe(Command.withDescription("Write plugin.js from plugin.ts, without its types"))
