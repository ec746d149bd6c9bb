/**
 * The folder of a package as an argument, and how it is read.
 */
import { Argument } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Limits from "../../limits/Limits.ts"
import * as PackageFolders from "../../node/PackageFolders.ts"

export const packageFolder = Argument.String("folder").pipe(Argument.withDescription("The folder of a package"))

/** Provides what reads folders, to whoever is given how long that may take. */
export const withFolders = <A, E>(use: (deadlineMs: number) => Effect.Effect<A, E, PackageFolders.PackageFolders>) =>
  Effect.provide(use(Limits.defaults.startDeadlineMs), PackageFolders.layer)
