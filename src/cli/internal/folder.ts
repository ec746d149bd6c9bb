/**
 * The folder of a package as an argument, and how it is read.
 */
import { Argument } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Limits from "../../limits/Limits.ts"
import * as PackageFolders from "../../node/PackageFolders.ts"

export const packageFolder = Argument.String("folder").pipe(Argument.withDescription("The folder of a package"))

/** Reads a folder once. */
export const readFolder = (folder: string) =>
  Effect.flatMap(PackageFolders.PackageFolders, ({ read }) => read(folder, Limits.defaults.startDeadlineMs)).pipe(
    Effect.provide(PackageFolders.layer)
  )
