/**
 * Every TypeScript block of the documents and of the JSDoc in src is checked
 * against the project, and those marked `run` are run. `file=name.ts` gives a
 * block a name under which the other blocks of its document may import it.
 */
import { assert, afterAll, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { blocksOf, documents, jsdocBlocksOf, read, ROOT, type Block } from "./markdown.ts"

const blocks = [
  ...documents.flatMap((file) => blocksOf(file, read(file))),
  ...globSync("src/**/*.ts", { cwd: ROOT })
    .toSorted()
    .flatMap((file) => jsdocBlocksOf(file, read(file)))
].filter(({ language }) => language === "ts")

/** Where a block is written to: a folder for each file that has blocks. */
const pathOf = (block: Block): string => {
  const folder = block.file.replaceAll(/[/.]/g, "_")
  const name = block.words.find((word) => word.startsWith("file="))?.slice("file=".length)
  return path.join(folder, name ?? `line-${block.line}.ts`)
}

const titleOf = (block: Block): string => `${block.file}:${block.line}`

/** Runs a program with Node; its exit code and everything that it wrote. */
const node = (directory: string, ...args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number; readonly output: string }>((resolve) => {
    const options = { cwd: directory, timeout: 20_000, env: { ...process.env, NODE_NO_WARNINGS: "1" } }
    execFile(process.execPath, [...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: `${stdout}${stderr}` })
    })
  })

/** What the blocks import: the installed packages, and the project's sources under its published name. */
const linkPackages = (directory: string) => {
  const packages = path.join(directory, "node_modules")
  mkdirSync(path.join(packages, "mooring"), { recursive: true })
  for (const name of readdirSync(path.join(ROOT, "node_modules"))) {
    if (!name.startsWith(".")) symlinkSync(path.join(ROOT, "node_modules", name), path.join(packages, name))
  }
  symlinkSync(path.join(ROOT, "src"), path.join(packages, "mooring", "src"))
  const exports = {
    ".": "./src/index.ts",
    "./node": "./src/node/index.ts",
    "./operate": "./src/operate/index.ts",
    "./sandbox": "./src/sandbox/index.ts",
    "./testing": "./src/testing/index.ts"
  }
  writeFileSync(path.join(packages, "mooring", "package.json"), JSON.stringify({ type: "module", exports }))
  const tsconfig = {
    extends: path.join(ROOT, "test", "tsconfig.json"),
    compilerOptions: {
      rootDir: "/",
      typeRoots: [path.join(ROOT, "node_modules", "@types")],
      paths: {
        mooring: [path.join(ROOT, "src/index.ts")],
        "mooring/node": [path.join(ROOT, "src/node/index.ts")],
        "mooring/operate": [path.join(ROOT, "src/operate/index.ts")],
        "mooring/sandbox": [path.join(ROOT, "src/sandbox/index.ts")],
        "mooring/testing": [path.join(ROOT, "src/testing/index.ts")]
      }
    },
    include: ["*/*.ts"]
  }
  mkdirSync(path.join(directory, "plugins"))
  symlinkSync(path.join(ROOT, "docs/examples/tally"), path.join(directory, "plugins/tally"))
  writeFileSync(path.join(directory, "tsconfig.json"), JSON.stringify(tsconfig))
  writeFileSync(path.join(directory, "package.json"), JSON.stringify({ type: "module" }))
}

describe("the TypeScript in the documentation", () => {
  let directory = ""
  let problems: ReadonlyArray<string> = []

  beforeAll(async () => {
    directory = realpathSync(mkdtempSync(path.join(tmpdir(), "mooring-docs-")))
    linkPackages(directory)
    for (const block of blocks) {
      const file = path.join(directory, pathOf(block))
      mkdirSync(path.dirname(file), { recursive: true })
      writeFileSync(file, block.text)
    }
    const tsc = path.join(ROOT, "node_modules", ".bin", "tsc")
    const { output } = await node(directory, tsc, "-p", "tsconfig.json", "--pretty", "false")
    problems = output.split("\n")
  })

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it("is written to files of its own", () => {
    const paths = blocks.map(pathOf)
    assert.deepStrictEqual(
      paths.filter((file, index) => paths.indexOf(file) < index),
      []
    )
    assert.isAbove(blocks.filter(({ words }) => words.includes("run")).length, 3)
  })

  it.for(blocks.map((block) => [titleOf(block), block] as const))("%s type-checks", ([, block]) => {
    const found = problems.filter((line) => line.startsWith(`${pathOf(block)}(`))
    assert.deepStrictEqual(found, [])
  })

  it.for(blocks.filter(({ words }) => words.includes("run")).map((block) => [titleOf(block), block] as const))(
    "%s runs",
    { concurrent: true },
    async ([, block]) => {
      const { code, output } = await node(directory, path.join(directory, pathOf(block)))
      assert.strictEqual(code, 0, output)
    }
  )

  it("has no problem that belongs to no block", () => {
    // Problems of src are for the project's own check.
    const files = new Set(blocks.map(pathOf))
    const strange = problems.filter((line) => {
      const file = /^(.+)\(\d+,\d+\): error/.exec(line)?.[1]
      if (file === undefined) return /error TS/.test(line)
      return !files.has(file) && !path.resolve(directory, file).startsWith(path.join(ROOT, "src"))
    })
    assert.deepStrictEqual(strange, [])
  })
})
