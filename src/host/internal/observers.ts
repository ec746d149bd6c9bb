/**
 * Those who look on at a host. Each is told what it wants to know; while there
 * are none, every question costs a look at an empty list.
 */
import type { Connection } from "../../connection/Connection.ts"
import type { Source } from "../../connection/Source.ts"
import type { Redaction } from "../../diagnostics/Redaction.ts"
import type { PluginWatch } from "../../plugin/PluginWatch.ts"
import type { SourceSlot } from "../../plugin/SourceSlot.ts"
import type { ObservedRow, ObservedSource, Observer } from "../Observer.ts"
import type { Row } from "./assemble.ts"

type Shown = Pick<Row, "ref" | "log" | "redaction">

interface RowWatch extends PluginWatch {
  readonly diagnosed: (tag: string) => void
}

const never = (): boolean => false

export class Observers {
  #all: ReadonlyArray<Observer> = []
  /** What is asked before each dispatch: mostly one of them, or nobody. */
  #wants: () => boolean = never
  /** Of the rows of a reference the one that is told of, by its log: one that is being stopped may be there beside it. */
  readonly #present = new Map<string, Row["log"]>()

  /** Begins to tell it, first of the rows that there are. */
  add(observer: Observer, rows: ReadonlyArray<Row>): void {
    this.#set([...this.#all, observer])
    const known = new Set<string>()
    // Behind those that are enabled stand those that are being stopped, maybe of the same reference.
    for (const row of rows) {
      if (!known.has(row.ref)) observer.row?.(rowOf(row, row.instance.record.slots))
      known.add(row.ref)
    }
  }

  remove(observer: Observer): void {
    this.#set(this.#all.filter((each) => each !== observer))
  }

  #set(observers: ReadonlyArray<Observer>): void {
    this.#all = observers
    const [first = never, ...others] = observers.flatMap(({ wantsDispatch }) => wantsDispatch ?? [])
    // Each is asked, for it may count.
    this.#wants = others.length === 0 ? first : () => others.reduce((isWanted, wants) => wants() || isWanted, first())
  }

  /** A row is there that wasn't before, whatever there was of its reference. */
  entered({ instance, log, redaction, ref }: Row): void {
    this.gone(ref)
    this.#present.set(ref, log)
    this.#row({ ref, log, redaction }, instance.record.slots)
  }

  gone(ref: string): void {
    this.#present.delete(ref)
    for (const { gone } of this.#all) gone?.(ref)
  }

  dialled(ref: string, { id, ingress }: Source, ms: number, failure: string | null): void {
    const source = { ingressName: ingress, id }
    for (const { dialled } of this.#all) dialled?.(ref, { source, ms, failure })
  }

  roundTrip(ref: string, { id, ingress }: Source, ms: number): void {
    for (const { roundTrip } of this.#all) roundTrip?.(ref, { ingressName: ingress, id }, ms)
  }

  /** What is told of one plugin, which is shown as it is when it is told. */
  watch(ref: string, shown: () => Shown): RowWatch {
    const isPresent = () => this.#present.get(ref) === shown().log
    return {
      diagnosed: (tag) => {
        if (isPresent()) for (const { diagnosed } of this.#all) diagnosed?.(ref, tag)
      },
      sources: (slots) => {
        if (isPresent()) this.#row(shown(), slots)
      },
      wants: () => this.#wants(),
      dispatched: (timed) => {
        for (const { dispatched } of this.#all) dispatched?.(ref, timed)
      },
      requested: (asker) => {
        const watched = this.#all.flatMap(({ requested }) => requested?.(ref, asker) ?? [])
        if (watched.length === 0) return undefined
        return {
          traceparent: watched.find(({ traceparent }) => traceparent !== undefined)?.traceparent,
          ended: (ms, failure) => {
            for (const { ended } of watched) ended(ms, failure)
          }
        }
      },
      executed: (result) => {
        for (const { executed } of this.#all) executed?.(ref, result)
      }
    }
  }

  #row(shown: Shown, slots: ReadonlyArray<SourceSlot>): void {
    if (this.#all.length === 0) return
    const told = rowOf(shown, slots)
    for (const { row } of this.#all) row?.(told)
  }
}

const rowOf = ({ log, redaction, ref }: Shown, slots: ReadonlyArray<SourceSlot>): ObservedRow => ({
  pluginRef: ref,
  sources: slots.map(({ connection }) => sourceOf(connection, redaction)),
  tags: Object.keys(log.counts())
})

const sourceOf = ({ source: { display, id, ingress } }: Connection, redaction: Redaction): ObservedSource => ({
  ingressName: ingress,
  id,
  url: redaction.own(display)
})
