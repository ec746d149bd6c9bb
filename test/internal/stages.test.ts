/** The direction of imports between the folders of src, as docs/architecture.md tells it. */
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import * as path from "node:path"
import { ROOT } from "../docs/markdown.ts"

/** What any stage may use; of one another, those say themselves. */
const ANYBODYS = ["internal", "diagnostics", "limits", "time"]

/** Each stage after all that it may use. */
const LINE = ["manifest", "grants", "connection", "ingress", "commands", "requests", "plugin", "host"]

const before = (stage: string): ReadonlyArray<string> => LINE.slice(0, LINE.indexOf(stage))

const MAY_USE: { readonly [stage: string]: ReadonlyArray<string> } = {
  internal: [],
  time: ["internal"],
  limits: ["internal"],
  diagnostics: ["internal"],
  secrets: ["internal"],
  guest: [],
  ...Object.fromEntries(
    LINE.map((stage) => [
      stage,
      [...ANYBODYS, ...before(stage), ...(before(stage).includes("grants") ? ["secrets"] : [])]
    ])
  ),
  node: [...ANYBODYS, ...LINE, "secrets"],
  sandbox: [...ANYBODYS, ...LINE, "secrets"],
  operate: [...ANYBODYS, ...LINE, "secrets"],
  testing: [...ANYBODYS, ...LINE, "secrets", "node", "sandbox"],
  cli: [...ANYBODYS, ...LINE, "secrets", "node", "sandbox", "operate"]
}

const stageOf = (file: string): string => path.relative(path.join(ROOT, "src"), file).split(path.sep)[0] ?? ""

/** Every import of another folder, types included. */
const imports = globSync("src/*/**/*.ts", { cwd: ROOT }).flatMap((name) => {
  const file = path.join(ROOT, name)
  return [...readFileSync(file, "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].flatMap(([, target = ""]) => {
    const used = stageOf(path.resolve(path.dirname(file), target))
    return used === stageOf(file) ? [] : [{ name, stage: stageOf(file), used }]
  })
})

describe("the stages", () => {
  it("use no stage after them", () => {
    assert.isAbove(imports.length, 300)
    assert.deepStrictEqual(
      imports.filter(({ stage, used }) => MAY_USE[stage]?.includes(used) !== true),
      []
    )
  })
})
