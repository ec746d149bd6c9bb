import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { PluginRef } from "mooring"
import { type Asked, enablementOf, grantsOf } from "../../../src/cli/internal/devGrants.ts"
import * as PackageManifest from "../../../src/node/PackageManifest.ts"
import { CODE, MANIFEST } from "../../node/support/packages.ts"

const REQUESTING = `${MANIFEST}
[[request]]
scheme = "https"
host = "api.example.com"
methods = ["GET", "POST"]
path_prefixes = ["/v1"]
`

const PERMISSION = '{ kind = "host_api", api = "request" },'

const loaded = (manifest = REQUESTING) => {
  const files = [
    { path: "plugin.js", bytes: Buffer.from(CODE) },
    { path: "plugin.toml", bytes: Buffer.from(manifest) }
  ]
  const runnable = Result.getOrThrow(PackageManifest.decode(files))
  return { files, digest: PluginRef.DIGEST_WITHOUT_FILES, suspects: [], ...runnable }
}

const granted = (change: Partial<Asked> = {}, manifest = REQUESTING) => {
  const asked: Asked = { grantPrivate: false, config: {}, secrets: new Map(), sources: new Map(), ...change }
  const enablement = Result.getOrThrow(enablementOf(loaded(manifest), asked))
  return { enablement, lines: grantsOf(loaded(manifest), enablement) }
}

const notes = (manifest: string) => granted({}, manifest).lines.filter((line) => line.startsWith("note: "))

describe("what mooring dev grants", () => {
  it("is every request that the manifest asks for, and no secret unless one is given", () => {
    const { enablement, lines } = granted()
    assert.deepStrictEqual(enablement.grants.request, loaded().manifest.request)
    assert.deepStrictEqual(enablement.grants.sign, [])
    assert.include(
      lines,
      'request { scheme = "https", host = "api.example.com", path_prefixes = ["/v1"], methods = ["GET", "POST"] }'
    )
    assert.isFalse(lines.some((line) => line.startsWith("sign ")))
  })

  it("is noted to allow no request where the manifest doesn't ask for the permission", () => {
    assert.deepStrictEqual(
      notes(REQUESTING.replace('{ kind = "surface", surface = "service" },', "$&\n" + PERMISSION)),
      []
    )
    const [note, ...others] = notes(REQUESTING)
    assert.deepStrictEqual(others, [])
    assert.match(
      note ?? "",
      /^note: plugin\.toml:\d+:1: permissions: nothing may be requested: .*; allowed by \{ kind = "host_api", api = "request" \}/
    )
  })

  it("is told with what would allow a source that the manifest doesn't cover", () => {
    const sources = new Map([["gateway", ["ws://127.0.0.1:7801/v5"]]])
    const { lines } = granted({ sources })
    assert.isTrue(lines.some((line) => /^gateway [0-9a-f]{8} ws:.* is stopped: TargetUndeclared$/.test(line)))
    const toml =
      '{ scheme = "ws", host = "127.0.0.1", port = 7801, path_prefixes = ["/v5"] } among websocket in plugin.toml'
    assert.isTrue(
      lines.some((line) => line.includes(`covers ws://127.0.0.1:7801/v5; allowed by ${toml}`)),
      lines.join("\n")
    )
    assert.isFalse(granted().lines.some((line) => line.includes("allowed by { scheme")))
  })

  it("is each secret for every target of the package, and for signing", () => {
    const secrets = new Map([
      ["token", "TOKEN"],
      ["key", "KEY"]
    ])
    const { enablement, lines } = granted({ secrets, grantPrivate: true })
    const { request, sign, websocket } = enablement.grants
    for (const target of [...request, ...websocket]) {
      assert.deepStrictEqual([target.secrets, target.privateAddresses], [["token", "key"], true])
    }
    assert.deepStrictEqual(sign, ["token", "key"])
    assert.include(lines, 'sign ["token", "key"]')
    assert.isTrue(lines.some((line) => /^request .*secrets = \["token", "key"\].*private_addresses = true/.test(line)))
  })
})
