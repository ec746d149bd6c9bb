/** A plugin with one quiet source, and beside it one that does no good: in the process, or in the sandbox. */
import * as Effect from "effect/Effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Sandbox } from "mooring/sandbox"
import * as Clock from "./clock.ts"
import type { Contestant, Given } from "./contestant.ts"
import { echo, ignore, packaged, runHost } from "./hosted.ts"

const NANOS = 1e6

/** What a guest does at each event, beside the flood of a server to one that does nothing at all. */
const GUESTS: { readonly [_ in Exclude<NonNullable<Contestant["neighbour"]>, "floods">]: string } = {
  loops: "for (;;);",
  allocates: "const held = []; for (;;) held.push(new Array(4096).fill(held.length))",
  refuses: "return { accepted: false }"
}

/** The package of the neighbour, if there is one. */
const neighbourOf = (sandbox: Sandbox.Sandbox["Service"], { neighbour, port }: Given) => {
  if (neighbour === undefined) return []
  const path = neighbour === "floods" ? "/flood" : "/paced"
  const declared = packaged(port, { name: "beside", urls: [`ws://127.0.0.1:${port}${path}`], handlers: ignore })
  if (neighbour === "floods") return [declared]
  const code = `export function handleIngress(name, event) {
    if (event.kind !== "websocket_text") return
    ${GUESTS[neighbour]}
  }`
  return [
    sandbox.package({
      manifest: { ...declared.manifest, runtime: { kind: "javascript", entry: "plugin.js" } },
      digest: declared.digest,
      entry: new TextEncoder().encode(code)
    })
  ]
}

const beside = (given: Given, urls: ReadonlyArray<string>, program: Effect.Effect<unknown>): void => {
  const running = Effect.map(Sandbox.Sandbox, (sandbox) =>
    runHost([...neighbourOf(sandbox, given), packaged(given.port, { name: "quiet", urls, handlers: echo })], program)
  )
  Effect.runFork(Effect.andThen(running, Effect.never).pipe(Effect.provide(Sandbox.layer)))
}

/** Answers its pulse; the server is the judge. */
export const quiet = (given: Given): void => beside(given, [`ws://127.0.0.1:${given.port}/pulse`], Effect.void)

/** It measures from one look to the next, a millisecond apart. */
const late = (nanos: number) => Math.max(0, nanos / NANOS - 1)

/** How late the host's own event loop is meanwhile. */
export const loop = (given: Given): void => {
  const { forMs = 3000, port } = given
  const program = Effect.gen(function* () {
    yield* Effect.sleep(1000)
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    yield* Effect.sleep(forMs)
    delay.disable()
    Clock.report({ p50Ms: late(delay.percentile(50)), p99Ms: late(delay.percentile(99)), maxMs: late(delay.max) })
  })
  beside(given, [`ws://127.0.0.1:${port}/idle`], program)
}
