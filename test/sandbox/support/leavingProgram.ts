/** Starts two plugins in two workers, one of which has to be ended, closes the scope, and has nothing to end it by itself. */
import * as Effect from "effect/Effect"
import { defaults } from "../../../src/limits/Limits.ts"
import type { Manifest } from "../../../src/manifest/Manifest.ts"
import type { Start } from "../../../src/plugin/PluginRuntime.ts"
import * as Sandbox from "../../../src/sandbox/Sandbox.ts"

const start = (key: string): Start => ({
  key,
  limits: { ...defaults, sandboxWorkers: 2, dispatchDeadlineMs: 100, startDeadlineMs: 3000 },
  config: null,
  reason: "first",
  state: null,
  secrets: {},
  keys: { names: [], valueOf: () => undefined, listen: () => () => {} },
  deliver: () => {
    throw new Error("nothing is delivered here")
  }
})

const program = Effect.scoped(
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.make
    const entry = new TextEncoder().encode(
      `export function handleIngress() {}; export function status() { [].join.call({ length: 2 ** 32 - 1 }) }`
    )
    // Nothing else of the manifest is looked at.
    const manifest = { runtime: { kind: "javascript", entry: "plugin.js" } } as Manifest
    const { runtime } = sandbox.package({ manifest, digest: "", entry })
    const instances = [yield* runtime.start(start("a")), yield* runtime.start(start("b"))]
    const workers = new Set(instances.map(({ sandbox: where }) => where?.().worker))
    process.stdout.write(`running in ${workers.size} workers\n`)
    const [first, second] = instances
    if (first?.status !== undefined) yield* Effect.exit(first.status)
    if (second?.status !== undefined) yield* Effect.forkScoped(second.status)
    yield* Effect.sleep(20)
  })
)

await Effect.runPromise(program)
process.stdout.write("closed\n")
