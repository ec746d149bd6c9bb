/** What docs/operations.md tells operators, against the program and the status that they have. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HostError, HostStatus } from "mooring"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { folder } from "../cli/support/files.ts"
import { mooring } from "../cli/support/program.ts"
import { blocksOf, headingsOf, read, rowsOf } from "./markdown.ts"

const FILE = "docs/operations.md"
const text = read(FILE)
const blocks = blocksOf(FILE, text)
const blockOf = (language: string) => blocks.find((block) => block.language === language)?.text ?? assert.fail(language)

const status = JSON.stringify(Schema.toJsonSchemaDocument(HostStatus.HostStatus))
const errors = JSON.stringify(Schema.toJsonSchemaDocument(HostError.HostError))

const codesOf = (document: string) => rowsOf(document, "exit code").map(([code]) => code)

/** Through a shell, for which a program that isn't there is no error of its own. */
const systemd = (...args: ReadonlyArray<string>) =>
  spawnSync("sh", ["-c", 'systemd-analyze "$@"', "sh", ...args], { encoding: "utf8" })

const canVerify = systemd("--version").status === 0

describe("docs/operations.md", () => {
  it("has the symptoms by which people look", () => {
    const symptoms = headingsOf(text).flatMap((heading) => (heading.level === 3 ? [heading.text] : []))
    assert.includeMembers(symptoms, [
      "A plugin is failed",
      "A source is stopped",
      "Events are dropped",
      "It reconnects all the time",
      "Memory grows"
    ])
  })

  it.for(rowsOf(text, "field").map(([field = ""]) => field))("%s: is a field of the status", (field) => {
    const [names = "", values = ""] = field.split(" is ")
    for (const name of names.split(", ")) assert.include(status, `"${name}"`)
    const known = names === "stop_reason" ? status : errors
    for (const [value] of values.matchAll(/[A-Z]\w+|^[a-z_]+$/g)) assert.include(known, `"${value}"`)
  })

  it("has the exit codes of the command line", () => {
    const all = codesOf(read("docs/command-line.md")).filter((code) => !code?.includes("130"))
    assert.deepStrictEqual(codesOf(text), all)
  })

  it("has a unit that reloads by SIGHUP and limits no address space", () => {
    const unit = blockOf("ini")
    assert.include(unit, "\nType=exec\n")
    assert.include(unit, "\nExecReload=/bin/kill -HUP $MAINPID\n")
    assert.notMatch(unit, /LimitAS|MemoryDenyWriteExecute/)
  })

  it.live.skipIf(!canVerify)("has a unit that systemd takes (skipped where there is none)", () =>
    Effect.gen(function* () {
      const unit = path.join(yield* folder, "mooring.service")
      fs.writeFileSync(unit, blockOf("ini").replace("/usr/local/bin/mooring", process.execPath))
      const { stderr } = systemd("verify", "--man=no", unit)
      assert.deepStrictEqual(
        stderr.split("\n").filter((line) => line.includes("mooring.service")),
        []
      )
    }).pipe(Effect.scoped)
  )

  it.live("has commands that the program knows", () =>
    Effect.gen(function* () {
      const words = JSON.parse(blockOf("dockerfile").replace(/^CMD /, "")) as ReadonlyArray<string>
      const root = yield* folder
      const file = path.join(root, "next.toml")
      fs.writeFileSync(file, "[plugins]\nenabled = []\n")
      const given = words.slice(1).map((word) => (word.endsWith(".toml") ? file : word))
      const ran = yield* mooring([...given, "--for", "100ms"])
      assert.deepStrictEqual([ran.code, ran.stdout], [0, ""])
      assert.match(blockOf("sh"), /^mooring check \S+\/next\.toml && mv /)
      assert.strictEqual((yield* mooring(["check", file])).code, 0)
    }).pipe(Effect.scoped)
  )
})
