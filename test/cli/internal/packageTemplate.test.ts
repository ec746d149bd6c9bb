import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { filesFor, idOf } from "../../../src/cli/internal/packageTemplate.ts"
import * as PackageManifest from "../../../src/node/PackageManifest.ts"
import { NAMES } from "../support/names.ts"

describe("a new package", () => {
  it.for(NAMES)("in a folder %j has the id %s, and is one whatever the folder is called", ([name, id]) => {
    assert.strictEqual(idOf(name), id)
    for (const isTypeScript of [false, true]) {
      const files = filesFor(name, isTypeScript).map(([path, content]) => ({ path, bytes: Buffer.from(content) }))
      const decoded = PackageManifest.decode(files)
      assert.isTrue(Result.isSuccess(decoded), String(Result.isFailure(decoded) && decoded.failure.message))
      if (Result.isSuccess(decoded)) assert.deepInclude(decoded.success.manifest, { id, name })
    }
  })
})
