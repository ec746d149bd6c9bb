/** Packages on disk in a running host: exactly what was pinned runs, and nothing else ever begins to. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { Enablement, GrantStore, PluginHost, type PluginRuntime } from "mooring"
import { PackageFolders } from "mooring/node"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import { rowOf } from "../support/host.ts"
import { ECHO, MANIFEST, packageOf, write } from "./support/packages.ts"

const REF = "project:example.echo"
const DEADLINE_MS = 60_000

/** Runs nothing, and keeps what it would have run. */
const recorder = (ran: Array<string>, text: string): PluginRuntime.PluginRuntime => ({
  start: () =>
    Effect.sync(() => {
      ran.push(text)
      return { handle: () => Exit.void, stop: Effect.void }
    })
})

/** The package of a folder as a host is handed it: what would run is what was read. */
const loaded = (root: string, ran: Array<string>) =>
  Effect.match(PackageFolders.load(root, DEADLINE_MS), {
    onFailure: (error) => error,
    onSuccess: ({ digest, entry, manifest, suspects }) => ({
      digest,
      manifest,
      suspects,
      runtime: recorder(ran, entry.text)
    })
  })

/** What a host says of a folder that was enabled as it is and changed before it was loaded, or after; and what ran. */
const outcome = (change: { readonly before?: (root: string) => void; readonly after?: (root: string) => void }) =>
  Effect.gen(function* () {
    const root = yield* packageOf(ECHO)
    const { digest, manifest } = yield* PackageFolders.load(root, DEADLINE_MS)
    const enablement = Enablement.trusting({ digest, manifest })
    change.before?.(root)
    const ran: Array<string> = []
    const found = yield* loaded(root, ran)
    change.after?.(root)
    const host = TestHost.failingFast(
      PluginHost.layer({ plugins: [], enabled: [{ enablement, package: found }] })
    ).pipe(Layer.provide(GrantStore.layer([enablement])), Layer.provide(FakeWebSocket.layer))
    return yield* Effect.provide(
      Effect.gen(function* () {
        yield* Effect.flatMap(PluginHost.PluginHost, ({ idle }) => idle)
        const { lastError, lifecycle, retryAt } = yield* rowOf(REF)
        return { ran, row: [lifecycle, lastError?.tag ?? null, retryAt] }
      }),
      host
    )
  }).pipe(Effect.scoped, Effect.provide(PackageFolders.layer))

describe("a package on disk", () => {
  it.live("runs as it was read, also where it is swapped afterwards", () =>
    Effect.gen(function* () {
      const { ran, row } = yield* outcome({ after: (root) => write(root, { "plugin.js": "", "plugin.toml": "" }) })
      assert.deepStrictEqual(row, ["running", null, null])
      assert.deepStrictEqual(ran, [ECHO["plugin.js"]])
    })
  )

  it.live.each<readonly [what: string, before: (root: string) => void, tag: string]>([
    [
      "one byte is changed",
      (root) => write(root, { "plugin.js": "export const handleIngress = () => ([])\n" }),
      "DigestMismatch"
    ],
    ["a file is added", (root) => write(root, { "lib/extra.js": "" }), "DigestMismatch"],
    ["a hidden file is added", (root) => write(root, { ".DS_Store": "" }), "DigestMismatch"],
    [
      "a comment of the manifest is changed",
      (root) => write(root, { "plugin.toml": `${MANIFEST}#` }),
      "DigestMismatch"
    ],
    [
      "the version is another",
      (root) => write(root, { "plugin.toml": MANIFEST.replace("0.1.0", "0.1.1") }),
      "VersionMismatch"
    ],
    [
      "the id is another",
      (root) => write(root, { "plugin.toml": MANIFEST.replace(".echo", ".other") }),
      "ManifestInvalid"
    ],
    ["the code is renamed", (root) => fs.renameSync(`${root}/plugin.js`, `${root}/other.js`), "ManifestInvalid"],
    ["the manifest is gone", (root) => fs.rmSync(`${root}/plugin.toml`), "PackageUnreadable"],
    ["the manifest is cut", (root) => write(root, { "plugin.toml": MANIFEST.slice(0, 300) }), "ManifestInvalid"],
    [
      "the manifest is a folder",
      (root) => {
        fs.rmSync(`${root}/plugin.toml`)
        fs.mkdirSync(`${root}/plugin.toml`)
      },
      "PackageUnreadable"
    ],
    [
      "the code is a pipe",
      (root) => {
        fs.rmSync(`${root}/plugin.js`)
        execFileSync("mkfifo", [`${root}/plugin.js`])
      },
      "PackageUnreadable"
    ],
    [
      "the code is a link to the same content",
      (root) => {
        fs.renameSync(`${root}/plugin.js`, `${root}/real.js`)
        fs.symlinkSync("real.js", `${root}/plugin.js`)
      },
      "PackageUnreadable"
    ],
    [
      "the code is of another kind",
      (root) => write(root, { "plugin.toml": MANIFEST.replace('"javascript"', '"wasm-component"') }),
      "UnsupportedRuntime"
    ],
    ["the code is gone", (root) => fs.rmSync(`${root}/plugin.js`), "ManifestInvalid"]
  ])("is a row with its reason and runs none of its code where %s", ([, before, tag]) =>
    Effect.gen(function* () {
      const { ran, row } = yield* outcome({ before })
      assert.deepStrictEqual(row, ["failed", tag, null])
      assert.deepStrictEqual(ran, [])
    })
  )

  it("can't be enabled without a digest", () => {
    const refused = Enablement.decode({ id: REF, version: "0.1.0" })
    assert.isTrue(Result.isFailure(refused))
    if (Result.isFailure(refused))
      assert.deepStrictEqual(refused.failure.problems, [{ path: "digest", message: "required" }])
  })
})
