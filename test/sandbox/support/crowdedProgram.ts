/** Starts plugins until there is no room for another, says what is said of it, and asks those that run. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { defaults } from "../../../src/limits/Limits.ts"
import type { Manifest } from "../../../src/manifest/Manifest.ts"
import type { BatchingInstance, Instance, Start } from "../../../src/plugin/PluginRuntime.ts"
import * as Sandbox from "../../../src/sandbox/Sandbox.ts"

const MOST = 20

const start = (key: string): Start => ({
  key,
  limits: { ...defaults, sandboxWorkers: 1 },
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
    const entry = new TextEncoder().encode("export function handleIngress() {}; export const status = () => 'well'")
    // Nothing else of the manifest is looked at.
    const manifest = { runtime: { kind: "javascript", entry: "plugin.js" } } as Manifest
    const { runtime } = sandbox.package({ manifest, digest: "", entry })
    const running: Array<Instance | BatchingInstance> = []
    let refusal = "none"
    while (running.length < MOST) {
      const started = yield* Effect.exit(runtime.start(start(String(running.length))))
      if (Exit.isFailure(started)) {
        const [reason] = started.cause.reasons
        refusal = reason?._tag === "Fail" ? String(reason.error) : "no failure"
        break
      }
      running.push(started.value)
    }
    const told = []
    for (const { status } of running) told.push(status === undefined ? "nothing" : yield* status)
    process.stdout.write(`${JSON.stringify({ refusal, running: running.length, told })}\n`)
  })
)

await Effect.runPromise(program)
