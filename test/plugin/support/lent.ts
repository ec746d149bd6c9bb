/**
 * The reference for events that are lent in batches: what waits, and whose turn
 * it is, as if nothing were ever lent before it begins.
 */
import { Model } from "../../ingress/support/model.ts"

export interface HandedOver {
  readonly sequence: number
  readonly frame: number
  readonly droppedBefore: number
}

interface Loan {
  readonly source: string
  readonly event: HandedOver
  /** The number of its batch. */
  readonly dispatch: number
}

/** A copy that may be played through. */
const copyOf = (model: Model): Model =>
  Object.assign(Object.create(Model.prototype) as Model, model, {
    waiting: [...model.waiting],
    lost: new Set(model.lost)
  })

export class Reference {
  readonly sources: ReadonlyMap<string, Model>
  readonly count = { dispatched: 0, failed: 0, timedOut: 0, interrupted: 0 }
  /** Whose turn it is. */
  ring: ReadonlyArray<string> = []
  /** The batch that is out: what hasn't begun. */
  lent: ReadonlyArray<Loan> = []
  isOut = false
  dispatches = 0
  /** What is with the plugin, and the virtual time at which it began. */
  begun: ReadonlyArray<{ readonly loan: Loan; readonly at: number }> = []

  constructor(names: ReadonlyArray<string>, capacity: number) {
    this.sources = new Map(names.map((name) => [name, new Model(capacity, 1_000_000, 1_000_000_000)]))
  }

  of(name: string): Model {
    const model = this.sources.get(name)
    if (model === undefined) throw new Error(`no source ${name}`)
    return model
  }

  sum(of: (model: Model) => number): number {
    return [...this.sources.values()].reduce((sum, model) => sum + of(model), 0)
  }

  /** Something may have come to wait. */
  join(name: string): void {
    if (this.#unlent(name) > 0 && !this.ring.includes(name)) this.ring = [...this.ring, name]
  }

  /** Lends as many as fit. */
  lend(size: number): void {
    const dispatch = this.dispatches + 1
    const copies = new Map([...this.sources].map(([name, model]) => [name, copyOf(model)]))
    while (this.lent.length < size) {
      const source = this.ring[0]
      if (source === undefined) break
      const copy = copies.get(source)
      const isTimer = copy?.next?.kind === "timer"
      if (isTimer && this.lent.length > 0) break
      this.ring = this.ring.slice(1)
      const event = copy?.take()
      if (event === undefined) continue
      this.lent = [...this.lent, { source, event, dispatch }]
      this.join(source)
    }
    this.isOut = this.lent.length > 0
    if (this.isOut) this.dispatches = dispatch
  }

  begin(at: number): void {
    const [loan, ...rest] = this.lent
    if (loan === undefined) throw new Error("nothing is lent that could begin")
    this.lent = rest
    const taken = this.of(loan.source).take()
    if (JSON.stringify(taken) !== JSON.stringify(loan.event)) throw new Error("what was lent is not what is next")
    this.begun = [...this.begun, { loan, at }]
  }

  /** The oldest that is with the plugin isn't any more. */
  settle(): Loan | undefined {
    const [first, ...rest] = this.begun
    this.begun = rest
    return first?.loan
  }

  /** Nothing is with the plugin any more; how many that were. */
  drop(): number {
    const { length } = this.begun
    this.begun = []
    return length
  }

  /** What hasn't begun is at the head again. */
  giveBack(): void {
    const names = [...new Set(this.lent.map(({ source }) => source))]
    this.ring = [...names, ...this.ring.filter((name) => !names.includes(name))]
    this.lent = []
  }

  #unlent(name: string): number {
    return this.of(name).waiting.length - this.lent.filter(({ source }) => source === name).length
  }
}
