/**
 * The consoles of plugins among the log lines: those that were asked for.
 */
import type * as Cause from "effect/Cause"
import { Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as LogLevel from "effect/LogLevel"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as PluginRef from "../../manifest/PluginRef.ts"
import { PluginConsole, type ConsoleLevel, type ConsoleLine } from "../../plugin/PluginConsole.ts"

const isRef = (text: string): boolean => {
  const [id, ...instance] = text.split("#")
  return (
    Schema.is(PluginRef.QualifiedId)(id) && instance.length < 2 && instance.every(Schema.is(PluginRef.InstanceName))
  )
}

/** The references of plugins whose consoles are shown; none of them need be enabled yet. */
export const consoleFlag = Flag.String("console").pipe(
  Flag.withMetavar("plugin_ref"),
  Flag.withSchema(
    Schema.String.check(
      Schema.makeFilter(isRef, {
        expected: "a plugin's reference, like project:example.echo or project:example.echo#one"
      })
    )
  ),
  Flag.withDescription("Show the console of this plugin among the log lines; may be given several times"),
  Flag.atLeast(0)
)

const LEVELS: { readonly [level in ConsoleLevel]: LogLevel.Severity } = {
  debug: "Debug",
  error: "Error",
  info: "Info",
  log: "Info",
  trace: "Debug",
  warn: "Warn"
}

/** Lines wait here for the logger, which is quicker than they may come. */
const MOST_WAITING = 1000

/** Logs the consoles of these plugins; once the scope closes, what was written until then. */
export const layer = (refs: ReadonlyArray<string>): Layer.Layer<never> =>
  Layer.effect(
    PluginConsole,
    Effect.gen(function* () {
      const asked = new Set(refs)
      const lines = yield* Queue.sliding<ConsoleLine, Cause.Done>(MOST_WAITING)
      yield* Effect.acquireRelease(Effect.forkDetach(logged(lines)), (fiber) =>
        Effect.andThen(Queue.end(lines), Fiber.await(fiber))
      )
      return {
        listens: (pluginRef) => asked.has(pluginRef),
        line: (line) => void Queue.offerUnsafe(lines, line)
      }
    })
  )

const logged = (lines: Queue.Dequeue<ConsoleLine, Cause.Done>): Effect.Effect<void> =>
  Queue.take(lines).pipe(
    Effect.flatMap(({ level, pluginRef, text }) =>
      Effect.annotateLogs(Effect.logWithLevel(LEVELS[level])(text), { plugin: pluginRef, console: level })
    ),
    Effect.forever,
    Effect.ignore
  )

/** Says of which plugins that were asked for there is none. */
export const unknown = (asked: ReadonlyArray<string>, enabled: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(
    asked.filter((ref) => !enabled.includes(ref)),
    (ref) => Effect.logWarning(`no plugin ${ref} is enabled, whose console was asked for`),
    { discard: true }
  )
