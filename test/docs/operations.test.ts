/** What docs/operations.md tells operators, against the program, its status, its metrics and its files. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HostError, HostStatus } from "mooring"
import { Metrics } from "mooring/operate"
import * as fs from "node:fs"
import * as path from "node:path"
import { HostDocument } from "../../src/node/internal/hostDocument.ts"
import { folder } from "../cli/support/files.ts"
import { mooring } from "../cli/support/program.ts"
import { headingsOf, linksOf, read, ROOT, rowsOf } from "./markdown.ts"

const FILE = "docs/operations.md"
const text = read(FILE)

const namesOf = (schema: Schema.Codec<unknown, unknown>): ReadonlySet<string> =>
  new Set([...JSON.stringify(Schema.toJsonSchemaDocument(schema)).matchAll(/"(\w+)"/g)].map(([, name = ""]) => name))

const fields = namesOf(HostStatus.HostStatus)
const settings = namesOf(HostDocument)
const errors = namesOf(HostError.HostError)
const limits = new Set(rowsOf(read("docs/limits.md"), "key").map(([name = ""]) => name))
/** The control API's own tags. */
const refusals = rowsOf(read("docs/control-api.md"), "status").flatMap(([, tags = ""]) => tags.split(", "))
/** Fields of an error, and of a manifest. */
const pages = read("docs/errors.md") + read("docs/plugins.md") + read("docs/packages.md")

/** From a heading to the next one of its level. */
const sectionOf = (heading: string): string => {
  const from = text.indexOf(`\n## ${heading}\n`)
  assert.isAtLeast(from, 0, heading)
  const to = text.indexOf("\n## ", from + 1)
  return text.slice(from, to === -1 ? undefined : to)
}

const quoted = (of: string) => [...of.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name)

/** What is named by these words, if it is anything that there is. */
const kindOf = (name: string): string | undefined => {
  if (/^(?:mooring|journalctl) |^(?:top|ctl)$|^\/|^--/.test(name)) return "command"
  if (/^[A-Z]\w+=(?:\w+)?$|^(?:MOORING_CONTROL_TOKEN|EMFILE|Host|Origin|git)$/.test(name)) return "of the system"
  const [plain = "", value] = name
    .replaceAll(/[{}"[\]]/g, " ")
    .trim()
    .split(/ = | +/)
  if (Metrics.names.includes(plain)) return "metric"
  if (plain.startsWith("mooring_")) return undefined
  if (/^[A-Z]/.test(plain)) return errors.has(plain) || refusals.includes(plain) ? "tag" : undefined
  if (value !== undefined) return settings.has(plain) ? "setting" : undefined
  if (plain.split(".").every((part) => fields.has(part))) return "field"
  if (settings.has(plain) || limits.has(plain)) return "setting"
  return pages.includes(`\`${plain}\``) ? "field of an error or a manifest" : undefined
}

const codesOf = (document: string) => rowsOf(document, "exit code").map(([code]) => code)

/** The source, in which every line of the log has its fixed words. */
const sources = fs
  .globSync("src/**/*.ts", { cwd: ROOT })
  .map((file) => read(file))
  .join("\n")

describe("docs/operations.md", () => {
  it("has the symptoms by which people look, each led to at once", () => {
    const symptoms = headingsOf(text).flatMap((heading) => (heading.level === 3 ? [heading.text] : []))
    assert.includeMembers(symptoms, [
      "A plugin is failed",
      "A source is stopped",
      "Events are dropped",
      "It reconnects all the time",
      "Memory grows",
      "Nothing arrives",
      "Requests are refused",
      "The stop takes long"
    ])
    const led = rowsOf(text, "what is seen").map(([, to = ""]) => /^\[(.*)\]/.exec(to)?.[1])
    for (const heading of led) assert.include(symptoms, heading)
    assert.lengthOf(led, 10)
    // Before anything that is for setting it up.
    assert.isBelow(text.indexOf("## By symptom"), text.indexOf("## Under systemd"))
  })

  it("names fields, metrics, tags, settings and commands that there are", () => {
    const named = ["Look", "By symptom", "Act"].flatMap((heading) => quoted(sectionOf(heading)))
    assert.isAbove(new Set(named).size, 150)
    assert.deepStrictEqual(
      named.filter((name) => kindOf(name) === undefined),
      []
    )
  })

  it("finds what isn't there", () => {
    for (const name of ["mooring_queue_drops", "QueueDropped", "queue_drop", "config.stat", "no_such = true"]) {
      assert.isUndefined(kindOf(name), name)
    }
  })

  it("says each reason for which a source is stopped", () => {
    const status = read("docs/status.md")
    const reasons = rowsOf(status.slice(status.indexOf("### Stop reasons")), "stop_reason").map(([reason]) => reason)
    const told = rowsOf(text, "seen").flatMap(([seen = ""]) => /^stop_reason is (\w+)$/.exec(seen)?.[1] ?? [])
    // By itself, or by a policy that says so.
    assert.sameMembers([...told, "service", "never"], reasons)
  })

  it("quotes what the program says", () => {
    const lines = [...sectionOf("By symptom").matchAll(/"([a-zA-Z' ]{5,})"/g)].map(([, line = ""]) => line)
    assert.isAbove(lines.length, 4)
    for (const line of lines) assert.isTrue(errors.has(line) || sources.includes(line), line)
  })

  it.live("has commands of ctl that there are, and all that act", () =>
    Effect.gen(function* () {
      const { stdout } = yield* mooring(["ctl", "--help"])
      const verbs = [...stdout.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, verb = ""]) => verb)
      const named = [...text.matchAll(/mooring ctl ([a-z]+)/g)].map(([, verb = ""]) => verb)
      for (const verb of named) assert.include(verbs, verb)
      for (const verb of verbs) assert.include(named, verb)
    })
  )

  it("has the exit codes of the command line", () => {
    const all = codesOf(read("docs/command-line.md")).filter((code) => !code?.includes("130"))
    assert.deepStrictEqual(codesOf(text), all)
  })

  it("leads to each file that it describes", () => {
    const linked = linksOf(FILE).map(({ target }) => target)
    assert.includeMembers(linked, ["examples/operate/mooring.service", "examples/operate/Containerfile"])
  })

  it.live("checks a file before it takes the place of the one that is used", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "next.toml")
      fs.writeFileSync(file, "[plugins]\nenabled = []\n")
      assert.match(sectionOf("Reload"), /\nmooring check \S+\/next\.toml && mv /)
      assert.strictEqual((yield* mooring(["check", file])).code, 0)
    }).pipe(Effect.scoped)
  )
})
