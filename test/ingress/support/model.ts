/**
 * The reference for the queue of a source: one list of what waits, in the order
 * in which it came, and what CONTRACT says of it, word by word.
 */
const READ_BYTES = 65_536

export interface Waiting {
  readonly sequence: number
  readonly frame: number
  readonly kind: "frame" | "state" | "timer"
  readonly isUrgent: boolean
  /** UTF-16 units, twice that where it isn't ASCII; of a binary frame its bytes. */
  readonly memory: number
}

export class Model {
  readonly capacity: number
  readonly byteCapacity: number
  readonly hostLimit: number
  waiting: Array<Waiting> = []
  /** The sequences that were lost and not told yet. */
  lost = new Set<number>()
  /** What the other sources of the host hold. */
  neighbour = 0
  sequence = 0
  frame = 0
  received = 0
  receivedBinary = 0
  rejected = 0
  autoReplied = 0
  evicted = 0
  discarded = 0
  taken = 0
  flow: "flowing" | "paused" | "sliding" = "flowing"
  sincePause = 0
  inARow = 0
  dialError: Waiting | undefined = undefined

  constructor(capacity: number, byteCapacity: number, hostLimit: number) {
    this.capacity = capacity
    this.byteCapacity = byteCapacity
    this.hostLimit = hostLimit
  }

  get frames() {
    return this.waiting.filter(({ kind }) => kind === "frame")
  }

  get memory() {
    return this.frames.reduce((sum, { memory }) => sum + memory, 0)
  }

  /** Whether more waits than this part of what may. */
  over(part: number) {
    return this.frames.length > this.capacity * part || this.memory > this.byteCapacity * part
  }

  get isHalfFull() {
    return this.frames.length >= this.capacity / 2 || this.memory >= this.byteCapacity / 2
  }

  /** Who goes if somebody has to: the oldest that isn't urgent, then the oldest. */
  get first() {
    return this.frames.find(({ isUrgent }) => !isUrgent) ?? this.frames[0]
  }

  text(text: string, isUrgent: boolean) {
    this.received++
    const isAscii = [...text].every((char) => char.charCodeAt(0) < 128)
    this.came(text.length * (isAscii ? 1 : 2), new TextEncoder().encode(text).length, isUrgent)
  }

  binary(length: number) {
    this.receivedBinary++
    this.came(length, length, false)
  }

  came(memory: number, bytes: number, isUrgent: boolean) {
    const event: Waiting = { sequence: ++this.sequence, frame: ++this.frame, kind: "frame", isUrgent, memory }
    const before = this.waiting
    this.waiting = [...before, event]
    const isHostFull = () => this.memory + this.neighbour > this.hostLimit
    const mayExceed = this.flow === "paused" && this.sincePause <= READ_BYTES && memory <= this.byteCapacity
    const gone: Array<Waiting> = []
    if (!mayExceed || isHostFull()) {
      while (this.over(1) || isHostFull()) {
        const { first } = this
        if (first === undefined) break
        gone.push(first)
        this.waiting = this.waiting.filter((one) => one !== first)
      }
    }
    // If it has to go itself, nothing else needs to.
    if (gone.includes(event)) {
      this.waiting = before
      gone.splice(0, gone.length, event)
    }
    for (const { sequence } of gone) this.lost.add(sequence)
    this.evicted += gone.length
    if (gone.includes(event)) return
    if (this.flow !== "flowing") this.sincePause += bytes + 2
    else if (this.isHalfFull) this.pause()
  }

  state(kind: "state" | "timer" = "state") {
    const event: Waiting = { sequence: ++this.sequence, frame: 0, kind, isUrgent: false, memory: 0 }
    this.waiting.push(event)
    return event
  }

  /** A state event that isn't delivered. */
  silent() {
    this.lost.add(++this.sequence)
    this.discarded++
  }

  opened() {
    this.frame = 0
    this.flow = "flowing"
    if (this.isHalfFull) this.pause()
    this.state()
  }

  pause() {
    this.flow = "paused"
    if (!this.over(1)) this.sincePause = 0
  }

  relax() {
    if (!this.over(1 / 4)) this.flow = "flowing"
  }

  /** The next one: of what stands before the first state event or timer an urgent one, but not nine in a row. */
  get next(): Waiting | undefined {
    const barrier = this.waiting.findIndex(({ kind }) => kind !== "frame")
    const segment = barrier < 0 ? this.waiting : this.waiting.slice(0, barrier)
    const urgent = segment.find(({ isUrgent }) => isUrgent)
    const ordinary = segment.find(({ isUrgent }) => !isUrgent)
    if (segment.length === 0) return this.waiting[0]
    return this.inARow >= 8 ? (ordinary ?? urgent) : (urgent ?? ordinary)
  }

  take() {
    const { next } = this
    if (next === undefined) return undefined
    this.waiting = this.waiting.filter((event) => event !== next)
    this.taken++
    this.inARow = next.isUrgent ? this.inARow + 1 : 0
    if (next.kind === "frame") this.relax()
    const told = [...this.lost].filter((sequence) => sequence < next.sequence)
    for (const sequence of told) this.lost.delete(sequence)
    return { sequence: next.sequence, frame: next.frame, droppedBefore: told.length }
  }

  withdraw(sequence: number) {
    if (!this.waiting.some((event) => event.sequence === sequence)) return
    this.waiting = this.waiting.filter((event) => event.sequence !== sequence)
    this.lost.add(sequence)
    this.discarded++
  }

  discard() {
    for (const { sequence } of this.waiting) this.lost.add(sequence)
    this.discarded += this.waiting.length
    this.waiting = []
    this.relax()
  }
}
