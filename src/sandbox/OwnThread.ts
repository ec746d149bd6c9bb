/**
 * The sandbox for tests: the same guests, with the same bounds and the same
 * answers, on the thread of whoever runs it. So a test under virtual time knows
 * at each of its steps what a plugin has done, and the plugin's clock is the
 * test's.
 *
 * Deadlines are real time. There is no worker to be ended: a native loop, which
 * asks nobody whether it may go on, holds up the thread until it ends by itself.
 *
 * @since 0.4.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { monotonic } from "../internal/monotonic.ts"
import type { Instance, PluginRuntime, Start } from "../plugin/PluginRuntime.ts"
import { Signer } from "../secrets/Signer.ts"
import * as Answers from "./internal/answers.ts"
import { codeOf, noCode, type Code } from "./internal/code.ts"
import { Engines } from "./internal/engine.ts"
import { EventTexts } from "./internal/eventText.ts"
import { Guest, type Answer, type Export } from "./internal/guest.ts"
import type { Sandbox } from "./Sandbox.ts"

/** How a call ended, of which nobody can stop wanting to know. */
type Outcome = Exclude<Answer, { readonly kind: "unwanted" }>

/** How many lines a plugin has written to its console, through all its starts. */
interface Console {
  lines: number
}

/**
 * A sandbox on the thread that it is used on.
 *
 * @category constructors
 * @since 0.4.0
 */
export const make = (): Sandbox["Service"] => {
  const engines = new Engines()
  return {
    package: ({ digest, entry, manifest, sourceMap }) => ({
      manifest,
      digest,
      runtime: runtime(engines, codeOf(manifest, entry, sourceMap))
    })
  }
}

const runtime = (engines: Engines, code: Code | undefined): PluginRuntime => {
  const consoles = new Map<string, Console>()
  const consoleOf = (key: string): Console => {
    const known = consoles.get(key) ?? { lines: 0 }
    consoles.set(key, known)
    return known
  }
  return {
    keepsStartDeadline: true,
    start: (start) =>
      Effect.gen(function* () {
        if (code === undefined) return yield* Effect.fail(noCode())
        const guest = yield* made(engines, code, start)
        const { config, limits, reason, secrets, state } = start
        const answer = guest.start(JSON.stringify([config, { reason, state, secrets }]), limits.startDeadlineMs)
        return instance(guest, consoleOf(start.key), start, yield* Answers.started(answer, limits))
      })
  }
}

const made = (engines: Engines, code: Code, { console: written, keys, limits }: Start): Effect.Effect<Guest, Error> =>
  Clock.clockWith((clock) =>
    Effect.tryPromise({
      try: async () =>
        Guest.make({
          ...(await engines.of(limits.sandboxMemoryBytes)),
          ...code,
          memoryBytes: limits.sandboxMemoryBytes,
          stackBytes: limits.sandboxStackBytes,
          outputBytes: limits.outputBytes,
          // A call has returned before anybody could think so.
          isUnwanted: () => false,
          asked: () => {},
          now: () => clock.currentTimeMillisUnsafe(),
          written,
          signer: new Signer({ keyOf: keys.valueOf, now: monotonic(clock) })
        }),
      catch: Answers.noRoom
    })
  )

const instance = (guest: Guest, console: Console, { limits }: Start, initial: Instance["initial"]): Instance => {
  const linesBefore = console.lines
  const count = () => {
    console.lines = linesBefore + guest.lines
  }
  let isOver = false
  const called = (name: Export, args: string, budgetMs: number): Outcome => {
    if (isOver || !guest.has(name)) return { kind: "answered", text: "" }
    const answer = guest.call(name, args, budgetMs)
    count()
    if (answer.kind === "late" || answer.kind === "lost") isOver = true
    return answer.kind === "unwanted" ? { kind: "late" } : answer
  }
  const { dispatchDeadlineMs, startDeadlineMs } = limits
  const { of: written } = new EventTexts()
  const status = Effect.suspend(() => Answers.called(called("status", "[]", dispatchDeadlineMs), limits))
  count()
  return {
    handle: (event) =>
      Effect.suspend(() => Answers.dispatched(called("handleIngress", written(event), dispatchDeadlineMs), limits)),
    status: guest.has("status") ? Effect.flatMap(status, Answers.status) : undefined,
    stop: Effect.suspend(() => Answers.stopped(called("stop", "[]", startDeadlineMs), limits)),
    keepsDeadlines: true,
    initial,
    sandbox: () => ({ worker: null, consoleLines: console.lines })
  }
}
