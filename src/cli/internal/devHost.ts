/**
 * A host that runs one package, and another content of it in its place: what
 * passes between host and plugin is shown as it comes.
 *
 * What is to take the place of a plugin that runs is started on trial first, in
 * a sandbox of its own, with what the plugin handed over last: one that doesn't
 * start leaves the plugin that runs alone.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import * as SentWords from "../../connection/SentWords.ts"
import type { Diagnostic } from "../../diagnostics/Diagnostic.ts"
import * as Redaction from "../../diagnostics/Redaction.ts"
import * as GrantStore from "../../grants/GrantStore.ts"
import type { PluginStatus } from "../../host/HostStatus.ts"
import * as PluginHost from "../../host/PluginHost.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import * as PackageFolders from "../../node/PackageFolders.ts"
import * as Clients from "../../node/Clients.ts"
import { PluginConsole, type ConsoleLevel } from "../../plugin/PluginConsole.ts"
import { GuestError } from "../../plugin/PluginError.ts"
import type { PluginPackage } from "../../plugin/PluginRuntime.ts"
import * as Sandbox from "../../sandbox/Sandbox.ts"
import type { Asked } from "./devGrants.ts"
import type { DevLines } from "./devLines.ts"
import * as HeardSecrets from "./heardSecrets.ts"
import { LastStart, observed } from "./observed.ts"
import { tellChanges } from "./rowChanges.ts"

/** So many results are there to be shown when there is time for it. */
const RESULTS_KEPT = 256
const FLUSH_EVERY_MS = 250

export interface DevHost {
  /** Runs a package in place of the one that runs. Whether it does; if not, why has been said. */
  readonly run: (loaded: PackageFolders.LoadedPackage, enablement: Enablement) => Effect.Effect<boolean>
}

/** A host in the scope; it says all there is to say on these lines. */
export const make = Effect.fnUntraced(function* (asked: Asked, lines: DevLines) {
  const heard = HeardSecrets.make()
  const urls = [...asked.sources.values()].flat()
  lines.mask(Redaction.make({ secrets: heard.words, config: [asked.config, ...urls.flatMap(SentWords.ofQuery)] }))
  const last = new LastStart({ event: (event) => lines.event(event), output: (output) => lines.output(output) })
  const console = { listens: () => true, line: ({ level, text }: Line) => lines.say("console", labelled(level, text)) }
  let granted: GrantStore.Grant | undefined
  // Asked at each start alone: what runs keeps its own until it has ended.
  const grants = Layer.succeed(GrantStore.GrantStore, {
    lookup: () => Effect.sync(() => Option.fromUndefinedOr(granted)),
    changes: Stream.never
  })
  const built = yield* Layer.build(
    PluginHost.layer({ plugins: [], enabled: [], limits: { commandResultsKept: RESULTS_KEPT } }).pipe(
      Layer.provide(grants),
      Layer.provide(Clients.layer),
      Layer.provide(Layer.succeed(PluginConsole, console)),
      Layer.provide(heard.layer),
      // All that the host would log is said here in more words.
      Layer.provide(Layer.succeed(References.MinimumLogLevel, "None"))
    )
  )
  const host = Context.get(built, PluginHost.PluginHost)
  const [sandbox, trials] = [yield* Sandbox.make, yield* Sandbox.make]
  yield* Effect.forkScoped(told(host, lines), { startImmediately: true })

  const isRunning = Effect.map(host.status, ({ plugins }) => plugins.some(({ lifecycle }) => lifecycle === "running"))

  const run = (loaded: PackageFolders.LoadedPackage, enablement: Enablement) =>
    Effect.gen(function* () {
      if ((yield* isRunning) && !(yield* startsOnTrial(packageIn(trials, loaded), last, lines))) return false
      granted = GrantStore.grantOf(enablement)
      yield* host.apply({ enabled: [{ enablement, package: observed(packageIn(sandbox, loaded), last) }] })
      return true
    })
  return { run } satisfies DevHost
})

interface Line {
  readonly level: ConsoleLevel
  readonly text: string
}

const labelled = (level: ConsoleLevel, text: string): string => (level === "log" ? text : `${level}: ${text}`)

const packageIn = (sandbox: Sandbox.Sandbox["Service"], loaded: PackageFolders.LoadedPackage): PluginPackage => ({
  ...sandbox.package(PackageFolders.codeOf(loaded)),
  suspects: loaded.suspects
})

/** Whether a package starts where another one runs; if not, says why, with what it wrote to its console. */
const startsOnTrial = (trial: PluginPackage, { start, state }: LastStart, lines: DevLines): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    if (start === undefined) return true
    const written: Array<Line> = []
    const console = (level: ConsoleLevel, text: string) => void written.push({ level, text })
    const exit = yield* Effect.exit(
      Effect.scoped(trial.runtime.start({ ...start, key: `${start.key} on trial`, reason: "reload", state, console }))
    )
    if (Exit.isSuccess(exit)) return true
    for (const { level, text } of written) lines.foreign("console", labelled(level, text))
    lines.foreign("error", `it can't be started: ${reasonOf(Cause.squash(exit.cause))}`)
    return false
  })

const reasonOf = (error: unknown): string => {
  if (error instanceof GuestError) return guestError(error)
  if (!(error instanceof Error)) return "for no reason that could be shown"
  return `${Predicate.hasProperty(error, "_tag") ? String(error._tag) : error.name}: ${error.message}`
}

/** What a guest threw, and where. */
const guestError = ({
  message,
  name,
  position
}: {
  readonly name: unknown
  readonly message: unknown
  readonly position?: unknown
}): string => `${String(name)}: ${String(message)}${position === undefined ? "" : ` (${String(position)})`}`

/** Tells all that changes and goes wrong, for as long as the host runs. */
const told = (host: PluginHost.PluginHost["Service"], lines: DevLines): Effect.Effect<void> => {
  let known: PluginStatus | undefined
  const changes = Stream.runForEach(host.changes, ({ plugins }) =>
    Effect.sync(() => {
      const [now] = plugins
      tellChanges(known, now, lines)
      known = now
    })
  )
  const diagnostics = Stream.runForEach(host.diagnostics, ({ diagnostic, skipped }) =>
    Effect.sync(() => {
      if (skipped > 0) lines.say("warning", `${skipped} diagnostics were skipped`)
      lines.say(diagnostic.severity, diagnosis(diagnostic))
    })
  )
  const flushing = Effect.forever(
    Effect.andThen(
      Effect.sleep(FLUSH_EVERY_MS),
      Effect.sync(() => lines.flush())
    )
  )
  return Effect.raceFirst(Effect.all([changes, diagnostics], { concurrency: "unbounded" }), flushing)
}

/** What says more than the message does, which the host has masked. */
const FACTS: ReadonlySet<string> = new Set(["cause", "reason", "file", "suspects"])

const diagnosis = ({ error, message, sourceId }: Diagnostic): string => {
  const from = sourceId === undefined ? "" : `${sourceId} `
  if (error._tag === "GuestError") {
    return `GuestError: ${guestError({ name: error["name"], message, position: error["position"] })}`
  }
  const facts = Object.entries(error).filter(([key, value]) => FACTS.has(key) && value !== "")
  const more = facts.length === 0 ? "" : ` ${JSON.stringify(Object.fromEntries(facts))}`
  return `${from}${error._tag}: ${message}${more}`
}
