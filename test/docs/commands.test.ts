/** Every command line of the documentation is one that the program understands: its subcommand, and each of its flags. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mooring } from "../cli/support/program.ts"
import { blocksOf, documents, read } from "./markdown.ts"

const SHELLS = new Set(["sh", "dockerfile", "ini", "console"])

/** The words behind `mooring`, up to where the shell's next command begins. */
const commandsIn = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  text
    // As a list, so that no shell stands between.
    .replaceAll(/CMD \[(.*)\]/g, (_, list: string) => list.replaceAll(/[",]/g, " "))
    .split("\n")
    // There it is a package.
    .filter((line) => !/\bnpm (?:install|pkg|init)\b/.test(line))
    .flatMap((line) => [...line.matchAll(/(?:^|[\s(/])mooring +([^|;&>)]+)/g)])
    .map(([, words = ""]) => words.trim().split(/\s+/))

/** Those of blocks, and those in sentences. */
const commands = documents
  .filter((file) => file !== "CHANGELOG.md")
  .flatMap((file) => {
    const text = read(file)
    const blocks = blocksOf(file, text).filter(({ language }) => SHELLS.has(language))
    const spans = [...text.matchAll(/`((?:npx )?mooring [^`]+)`/g)].map(([, span = ""]) => span)
    return [...blocks.map((block) => block.text), ...spans].flatMap((each) =>
      commandsIn(each).map((words) => ({ file, words }))
    )
  })
  .filter(({ words: [name = ""] }) => /^[a-z]+$/.test(name))

/** Its name, with that of what `ctl` is to do. */
const nameOf = ([name = "", next = ""]: ReadonlyArray<string>): string =>
  name === "ctl" && /^[a-z]+$/.test(next) ? `ctl ${next}` : name

it.live(
  "each command of the documentation is one, with flags that it has",
  () =>
    Effect.gen(function* () {
      assert.isAbove(commands.length, 40)
      const names = [...new Set(commands.map(({ words }) => nameOf(words)))]
      const { stdout: all } = yield* mooring(["--help"])
      for (const name of names) assert.match(all, new RegExp(`^  ${name.replace(/ .*/, "")} `, "m"))
      const help = new Map(
        yield* Effect.forEach(names, (name) =>
          Effect.map(mooring([...name.split(" "), "--help"]), ({ code, stdout }) => {
            assert.strictEqual(code, 0, name)
            return [name, stdout] as const
          })
        )
      )
      for (const { file, words } of commands) {
        for (const word of words) {
          const [, flag] = /^\[?(--[a-z-]+)/.exec(word) ?? []
          if (flag !== undefined)
            assert.include(help.get(nameOf(words)), `${flag} `, `${file}: mooring ${words.join(" ")}`)
        }
      }
    }),
  60_000
)
