/**
 * Series of a metric registry that belong to something, and go with it.
 *
 * What is read has hooks that read it when somebody collects, and costs nothing
 * until then. The names of labels are those of Prometheus.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { Measured, Read, States } from "./catalogue.ts"

export type Labels = { readonly [label: string]: string }

const NOTHING = (): void => {}

/** Where series are registered, and the labels that all of them have. */
export class Series {
  readonly #context: Context.Context<never>
  readonly #labels: Labels
  readonly #registrations: Array<Metric.Registration> = []
  readonly #parts = new Map<string, Series>()
  /** Those of what was measured at least once. */
  readonly #histograms = new Map<string, Metric.Histogram<number>>()

  constructor(context: Context.Context<never>, labels: Labels = {}) {
    this.#context = context
    this.#labels = labels
  }

  /** What belongs to a new part of this, with further labels. */
  part(name: string, labels: Labels): Series {
    const made = new Series(this.#context, { ...this.#labels, ...labels })
    this.#parts.set(name, made)
    return made
  }

  /** The names of its parts now. */
  get parts(): ReadonlyArray<string> {
    return [...this.#parts.keys()]
  }

  find(name: string): Series | undefined {
    return this.#parts.get(name)
  }

  /** A part is there no more. */
  drop(name: string): void {
    this.#parts.get(name)?.remove()
    this.#parts.delete(name)
  }

  /** All of them go. */
  remove(): void {
    for (const registration of this.#registrations.splice(0)) registration.remove()
    for (const histogram of this.#histograms.values()) Metric.removeUnsafe(histogram, this.#context)
    this.#histograms.clear()
    for (const name of this.parts) this.drop(name)
  }

  /** Something took so long. */
  measured({ boundaries, help: description, name }: Measured, ms: number): void {
    const histogram =
      this.#histograms.get(name) ?? Metric.histogram(name, { description, attributes: this.#labels, boundaries })
    this.#histograms.set(name, histogram)
    histogram.updateUnsafe(ms / 1000, this.#context)
  }

  /** What a thing says when it is asked; 0 once it isn't there. */
  read<Of>({ help, kind, name, read }: Read<Of>, of: () => Of | undefined): void {
    const now = () => {
      const found = of()
      return found === undefined ? 0 : read(found)
    }
    if (kind === "counter") this.counter(name, help, now)
    else this.gauge(name, help, now)
  }

  states<Of>({ help, name, read, states }: States<Of>, of: () => Of | undefined): void {
    for (const state of states) {
      const now = () => {
        const found = of()
        return found !== undefined && read(found) === state ? 1 : 0
      }
      this.gauge(name, help, now, { state })
    }
  }

  counter(name: string, description: string, now: () => number, labels: Labels = {}): void {
    const attributes = { ...this.#labels, ...labels }
    const metric = Metric.counter(name, { description, attributes, incremental: true })
    const get = () => ({ count: now(), incremental: true })
    this.#registrations.push(Metric.registerUnsafe(metric, this.#context, { get, update: NOTHING, modify: NOTHING }))
  }

  gauge(name: string, description: string, now: () => number, labels: Labels = {}): void {
    const metric = Metric.gauge(name, { description, attributes: { ...this.#labels, ...labels } })
    const get = () => ({ value: now() })
    this.#registrations.push(Metric.registerUnsafe(metric, this.#context, { get, update: NOTHING, modify: NOTHING }))
  }
}
