/** A host with one of the example packages, by the host file beside it: as it is there, but for the addresses. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { HostFile, PackageFolders } from "mooring/node"
import { Sandbox } from "mooring/sandbox"
import { StaticSecrets } from "mooring/testing"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { ROOT } from "../../docs/markdown.ts"
import { eventually, the } from "../../integration/support/host.ts"
import { hosted } from "./host.ts"

export const EXAMPLES = Path.join(ROOT, "docs", "examples")

interface Setup {
  readonly name: string
  /** What stands in manifest and host file, and what stands there in its place. */
  readonly instead: ReadonlyArray<readonly [string | RegExp, string]>
  /** What stands in the host file alone. */
  readonly inHost: Setup["instead"]
  /** TOML behind the host file's. */
  readonly more: string
  readonly secrets: StaticSecrets.Values
}

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "mooring-"))),
  (made) => Effect.sync(() => Fs.rmSync(made, { recursive: true }))
)

const replaced = (text: string, instead: Setup["instead"]): string =>
  instead.reduce((so, [what, by]) => {
    assert.isTrue(typeof what === "string" ? so.includes(what) : what.test(so), `there is no ${what}`)
    return so.replaceAll(what, by)
  }, text)

export const runPackage = ({ inHost, instead, more, name, secrets }: Setup) =>
  Effect.gen(function* () {
    const made = yield* folder
    const inPackage = Path.join(made, name)
    Fs.cpSync(Path.join(EXAMPLES, name), inPackage, { recursive: true })
    const manifest = Path.join(inPackage, "plugin.toml")
    Fs.writeFileSync(manifest, replaced(Fs.readFileSync(manifest, "utf8"), instead))
    // Both end with the test, not with what is run here.
    const services = yield* Layer.build(Layer.merge(Sandbox.layer, PackageFolders.layer))
    const loaded = yield* Effect.provideContext(PackageFolders.load(inPackage, 20_000), services)
    const file = Path.join(made, "host.toml")
    const written = Fs.readFileSync(Path.join(EXAMPLES, `${name}.host.toml`), "utf8")
    const pinned = replaced(written, [[/sha256:[0-9a-f]{64}/g, loaded.digest]])
    Fs.writeFileSync(file, `${replaced(pinned, [...instead, ...inHost])}\n${more}`)
    const { entries, limits, problems } = yield* HostFile.read(file)
    assert.deepStrictEqual(problems, [])
    const { enablement } = the(entries[0])
    const { package: packageOf } = Context.get(services, Sandbox.Sandbox)
    const pkg = packageOf(PackageFolders.codeOf(loaded))
    const running = yield* hosted(pkg, enablement, limits, StaticSecrets.layer(secrets))
    // Many workers that begin at once take their time on a busy machine; what is waited for comes after that.
    yield* eventually(running.seen, ({ lifecycle }) => lifecycle === "running", 20_000)
    return running
  })
