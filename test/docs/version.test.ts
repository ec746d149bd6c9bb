import { assert, it } from "@effect/vitest"
import { VERSION } from "../../src/internal/version.ts"
import { headingsOf, read } from "./markdown.ts"

const { version }: { readonly version: string } = JSON.parse(read("package.json"))

it("the version in the code is that of the package", () => {
  assert.strictEqual(VERSION, version)
})

it("the changelog begins with this version", () => {
  assert.isTrue((headingsOf(read("CHANGELOG.md"))[1]?.text ?? "").startsWith(version))
})
