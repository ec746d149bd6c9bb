/**
 * The folder of a package as an argument, and how it is read.
 */
import { Argument } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Limits from "../../limits/Limits.ts"
import * as PackageFolders from "../../node/PackageFolders.ts"

export const packageFolder = Argument.String("folder").pipe(
  // Nothing: a variable of the shell's that isn't set.
  Argument.withSchema(Schema.NonEmptyString),
  Argument.withDescription("The folder of a package")
)

/** Provides what reads folders, to whoever is given how long that may take. */
export const withFolders = <A, E>(use: (deadlineMs: number) => Effect.Effect<A, E, PackageFolders.PackageFolders>) =>
  Effect.provide(use(Limits.defaults.startDeadlineMs), PackageFolders.layer)
