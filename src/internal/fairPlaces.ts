/**
 * Places that plugins share in turns: a free place goes to the plugin whose
 * last turn is longest ago, so each waits for no more than one turn of each of
 * the others, however many wait before it.
 *
 * Where there are several plugins, the last quarter of the places is kept for
 * those that hold none: plugins whose places take long leave the others some.
 */

const KEPT_SHARE = 4

/** Somebody who waits for a place, or holds one. */
export class Turn {
  isWaiting = true
  /** Whether it holds one of the shared places; its member's own it holds until it leaves. */
  isSharing = false
  readonly member: Member
  begin: (() => void) | undefined = undefined

  constructor(member: Member) {
    this.member = member
  }
}

/** A plugin. */
class Member {
  most: number
  held = 0
  servedAt = 0
  readonly waiting: Array<Turn> = []

  constructor(most: number) {
    this.most = most
  }
}

export type { Member }

export class FairPlaces {
  readonly #kept: number
  readonly #later: (serve: () => void) => void
  readonly #mayBegin: () => boolean
  readonly #waiting = new Set<Member>()
  #free: number
  #members = 0
  #turns = 0
  #isServing = false
  #isDue = false

  /**
   * `later` does something in another turn of the event loop; `mayBegin` is asked for each turn last, and answers true
   * only if it is to begin now.
   */
  constructor(places: number, later: (serve: () => void) => void, mayBegin: () => boolean = () => true) {
    this.#later = later
    this.#free = places
    this.#kept = Math.floor(places / KEPT_SHARE)
    this.#mayBegin = mayBegin
  }

  /** One more plugin, which holds at most so many places. */
  join(most: number): Member {
    this.#members++
    return new Member(most)
  }

  /** Waits for a place; `begin` is called when it has one, in this call at the earliest. */
  ask(turn: Turn, begin: () => void): void {
    turn.begin = begin
    turn.member.waiting.push(turn)
    this.#waiting.add(turn.member)
    this.serve()
  }

  /** Gives the shared place back before the turn is over. */
  release(turn: Turn): void {
    if (!turn.isSharing) return
    turn.isSharing = false
    this.#free++
    this.#serveLater()
  }

  /** Gives back what it holds, or waits no more. */
  leave(turn: Turn): void {
    const { member } = turn
    if (turn.isWaiting) {
      const at = member.waiting.indexOf(turn)
      if (at >= 0) member.waiting.splice(at, 1)
      if (member.waiting.length === 0) this.#waiting.delete(member)
      return
    }
    member.held--
    if (turn.isSharing) this.#free++
    turn.isSharing = false
    this.#serveLater()
  }

  /** Many end at once where a plugin ends: none of them is to have the turn that another gives up. */
  #serveLater(): void {
    if (this.#isDue || this.#waiting.size === 0) return
    this.#isDue = true
    this.#later(() => {
      this.#isDue = false
      this.serve()
    })
  }

  /** Begins every turn that may begin. What ends in the turn in which it begins makes room for the next. */
  serve(): void {
    if (this.#isServing) return
    this.#isServing = true
    try {
      for (let turn = this.#next(); turn !== undefined && this.#mayBegin(); turn = this.#next()) this.#begin(turn)
    } finally {
      this.#isServing = false
    }
  }

  #begin(turn: Turn): void {
    const { member } = turn
    member.waiting.shift()
    if (member.waiting.length === 0) this.#waiting.delete(member)
    member.held++
    member.servedAt = ++this.#turns
    turn.isWaiting = false
    turn.isSharing = true
    this.#free--
    turn.begin?.()
  }

  #next(): Turn | undefined {
    if (this.#free === 0) return undefined
    const forEverybody = this.#members === 1 || this.#free > this.#kept
    let next: Member | undefined
    for (const member of this.#waiting) {
      if (member.held >= member.most || (member.held > 0 && !forEverybody)) continue
      if (next === undefined || member.servedAt < next.servedAt) next = member
    }
    return next?.waiting[0]
  }
}
