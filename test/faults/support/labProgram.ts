/** Makes a lab, tells which processes it is made of, and waits until somebody ends it. */
import * as Effect from "effect/Effect"
import * as Lab from "./lab.ts"

const program = Effect.gen(function* () {
  const { host, far } = yield* Lab.make
  // What holds a namespace, as `nsenter -t` takes it.
  process.stdout.write(`${JSON.stringify({ pids: [host, far].map(([, , pid]) => Number(pid)) })}\n`)
  yield* Effect.never
})

await Effect.runPromise(Effect.scoped(program))
