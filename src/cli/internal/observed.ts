/**
 * A package whose runs somebody watches: which events its plugin is handed, what
 * it answers, and what it was last started with.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import type { AnyEvent } from "../../ingress/IngressEvent.ts"
import type { BatchingInstance, Instance, Output, PluginPackage, Start, Told } from "../../plugin/PluginRuntime.ts"

/** Who watches. Neither call may wait or throw. */
export interface Observer {
  readonly started: (start: Start) => void
  readonly event: (event: AnyEvent) => void
  readonly output: (output: Output) => void
}

/** The package, watched. */
export const observed = (watched: PluginPackage, observer: Observer): PluginPackage => ({
  ...watched,
  runtime: {
    ...watched.runtime,
    start: (start) =>
      Effect.suspend(() => {
        observer.started(start)
        return Effect.map(watched.runtime.start(start), (instance) => {
          if (instance.initial !== undefined) observer.output(instance.initial)
          return instance.handle === undefined ? batching(instance, observer) : single(instance, observer)
        })
      })
  }
})

const single = (instance: Instance, observer: Observer): Instance => ({
  ...instance,
  handle: (event) =>
    Effect.suspend(() => {
      observer.event(event)
      return Effect.tap(instance.handle(event), (output) =>
        Effect.sync(() => {
          if (output !== undefined) observer.output(output)
        })
      )
    })
})

const batching = (instance: BatchingInstance, observer: Observer): BatchingInstance => {
  const { batches } = instance
  return {
    ...instance,
    batches: {
      get mostEvents() {
        return batches.mostEvents
      },
      get mostBytes() {
        return batches.mostBytes
      },
      dispatch: (events, told) => batches.dispatch(events, watching(events, told, observer))
    }
  }
}

const watching = (events: ReadonlyArray<AnyEvent>, told: Told, observer: Observer): Told => {
  const waiting = events.values()
  return {
    begun: () => {
      const { value } = waiting.next()
      if (value !== undefined) observer.event(value)
      told.begun()
    },
    done: (exit) => {
      if (Exit.isSuccess(exit) && exit.value !== undefined) observer.output(exit.value)
      told.done(exit)
    },
    ended: (ms) => told.ended(ms)
  }
}

/** What a plugin handed over last, and what it was last started with: for whoever starts another in its place. */
export class LastStart implements Observer {
  start: Start | undefined = undefined
  state: Schema.Json = null
  readonly #next: Omit<Observer, "started">

  constructor(next: Omit<Observer, "started">) {
    this.#next = next
  }

  started(start: Start): void {
    this.start = start
    this.state = start.state
  }

  event(event: AnyEvent): void {
    this.#next.event(event)
  }

  output(output: Output): void {
    if (output.accepted !== false && output.state !== undefined) this.state = output.state
    this.#next.output(output)
  }
}
