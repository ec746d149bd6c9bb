/**
 * What can be done to, and asked of, the plugin of a reference.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import * as Source from "../../connection/Source.ts"
import type { Delivery } from "../../ingress/Delivery.ts"
import type { PluginInstance } from "../../plugin/PluginInstance.ts"
import { PluginUnknown, SourceUnknown } from "../LookupError.ts"
import type { Row } from "./assemble.ts"
import * as Report from "./report.ts"
import type { Roster } from "./roster.ts"
import type { Shared } from "./shared.ts"
import * as Waiting from "./waiting.ts"

/** Each member of the host that takes a reference. `signals`: something changed, or the host has ended. */
export const make = ({ clock, limits }: Shared, roster: Roster, signals: Stream.Stream<unknown>) => {
  const rowOf = (pluginRef: string): Effect.Effect<Row, PluginUnknown> =>
    Effect.suspend(() => Effect.fromResult(known(pluginRef, roster.find(pluginRef))))
  const told = (tell: (instance: PluginInstance) => void) => (pluginRef: string) =>
    Effect.map(rowOf(pluginRef), ({ instance }) => tell(instance))

  return {
    start: told((instance) => instance.start()),
    stop: told((instance) => instance.stop()),
    restart: told((instance) => instance.restart()),
    plugin: (pluginRef: string) =>
      Effect.map(rowOf(pluginRef), (row) => Report.plugin(row, limits, clock.currentTimeMillisUnsafe())),
    reconnect: (pluginRef: string, named: string) =>
      Effect.flatMap(rowOf(pluginRef), ({ instance }) => reconnect(instance, named, pluginRef)),
    deliver: (pluginRef: string, delivery: Delivery) =>
      Effect.flatMap(rowOf(pluginRef), (row) => deliver(row, delivery)),
    awaitRunning: (pluginRef: string) =>
      Waiting.until<PluginUnknown | Waiting.NotRunning>(signals, () => {
        const row = known(pluginRef, roster.find(pluginRef))
        return Result.isFailure(row) ? Result.fail(row.failure) : Waiting.isRunning(row.success.instance)
      }),
    stopped: (pluginRef: string) =>
      Effect.suspend(() => {
        const row = known(pluginRef, roster.findLast(pluginRef))
        if (Result.isFailure(row)) return Effect.fail(row.failure)
        const { instance } = row.success
        return Waiting.until(signals, () => Waiting.hasStopped(instance))
      })
  }
}

const known = (pluginRef: string, row: Row | undefined): Result.Result<Row, PluginUnknown> =>
  row === undefined
    ? Result.fail(new PluginUnknown({ pluginRef: typeof pluginRef === "string" ? pluginRef : "" }))
    : Result.succeed(row)

const reconnect = ({ record }: PluginInstance, named: string, pluginRef: string) => {
  const isMeant = Source.isNamed(named)
  const meant = record.slots.filter(({ connection }) => isMeant(connection.source))
  for (const { connection } of meant) connection.redialNow()
  return meant.length === 0 ? Effect.fail(new SourceUnknown({ pluginRef })) : Effect.void
}

const deliver = ({ instance, log }: Row, delivery: Delivery) => {
  const delivered = instance.deliver(delivery)
  if (Result.isFailure(delivered)) log.add(delivered.failure)
  return Effect.fromResult(delivered)
}
