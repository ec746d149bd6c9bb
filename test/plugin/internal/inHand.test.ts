/** What a plugin's code is busy with, by itself. */
import { assert, describe, it } from "@effect/vitest"
import * as Accounting from "../../../src/ingress/Accounting.ts"
import { WebSocketText } from "../../../src/ingress/IngressEvent.ts"
import { Turns, type EventQueue } from "../../../src/ingress/Turns.ts"
import { InHand } from "../../../src/plugin/internal/inHand.ts"

const ORIGIN = { key: "a-0-0", source: "websocket:ws://h/", id: "0badc0de", url: "ws://h/", ingressName: "main" }

const queueOf = (events: Array<WebSocketText>): EventQueue => ({
  inTurn: false,
  nextInTurn: undefined,
  take: () => events.shift(),
  lend: () => undefined,
  begin: () => {},
  giveBack: () => {}
})

const text = (sequence: number) => new WebSocketText(ORIGIN, sequence, 3, 0, 1, "a", 1)

const holding = (...queues: ReadonlyArray<Array<WebSocketText>>) => {
  const accounting = Accounting.make()
  const turns = new Turns<EventQueue>(() => {})
  for (const events of queues) turns.join(queueOf(events))
  return { accounting, turns, hand: new InHand(accounting) }
}

describe("what a plugin has in its hands", () => {
  it("is the next event, past queues that were discarded, and in flight until it is taken out of them once", () => {
    const event = text(7)
    const { accounting, hand, turns } = holding([], [], [event])
    assert.isFalse(hand.isBusy)
    assert.strictEqual(hand.take(turns), event)
    assert.deepStrictEqual([hand.isBusy, accounting.inFlight], [true, 1])
    assert.strictEqual(hand.release(), event)
    assert.strictEqual(hand.release(), undefined)
    assert.deepStrictEqual([hand.isBusy, accounting.inFlight], [false, 0])
  })

  it("is nothing where nothing waits", () => {
    const { accounting, hand, turns } = holding([], [])
    assert.isUndefined(hand.take(turns))
    assert.deepStrictEqual([hand.isBusy, accounting.inFlight], [false, 0])
  })

  it("is remembered as it was, whatever the handler does to it", () => {
    const event = text(7)
    const { hand, turns } = holding([event])
    hand.take(turns)
    Reflect.set(event, "sequence", 99)
    hand.release()
    assert.deepStrictEqual(hand.answered, { origin: ORIGIN, sequence: 7, epoch: 3 })
  })

  it("is, where the plugin is asked for its status, no event in flight", () => {
    const { accounting, hand } = holding()
    hand.ask()
    assert.deepStrictEqual([hand.isBusy, accounting.inFlight], [true, 0])
    assert.strictEqual(hand.release(), "status")
    assert.deepStrictEqual([hand.isBusy, accounting.inFlight], [false, 0])
  })
})
