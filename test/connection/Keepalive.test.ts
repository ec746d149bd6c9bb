import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Listening from "../../src/connection/internal/listening.ts"
import * as Keepalive from "../../src/connection/Keepalive.ts"
import { bool, either, int, list, oneOf } from "../support/arbitraries.ts"

const USUAL: Keepalive.Settings = { intervalMs: 30_000, deadlineMs: 10_000 }

type Found = Extract<Keepalive.Verdict, { readonly kind: "timedOut" }> & {
  readonly at: number
  readonly heardMs: number
}

/** A connection on a line of the test's own: times are milliseconds since the open. */
class Line {
  /** What the peer does about a ping that was written. */
  peer: (line: Line, number: number) => void = (line, number) => line.answer(number)
  /** Whether a ping is written as soon as it is handed over. */
  isWritable = true
  now = 0
  bytesRead = 0
  bytesWritten = 0
  framesWritten = 0
  found: Found | undefined = undefined
  readonly pings: Array<number> = []
  readonly answers: Array<Keepalive.Answer | null> = []
  readonly settings: Keepalive.Settings
  state: Keepalive.State
  #listening = Listening.begun(0)
  readonly #unheard: Array<() => void> = []
  readonly #events: Array<{ readonly at: number; readonly act: () => void }> = []

  constructor(settings = USUAL, random = 0.5) {
    this.settings = settings
    this.state = Keepalive.opened(settings, 0, random)
  }

  get heardMs(): number {
    return Listening.heardMs(this.#listening, this.now)
  }

  get isRead(): boolean {
    return this.#listening.since !== null
  }

  get facts(): Keepalive.Facts {
    const { bytesRead, bytesWritten, framesWritten, heardMs, now } = this
    return { now, heardMs, bytesRead, bytesWritten, framesWritten }
  }

  read(isRead: boolean): this {
    this.#listening = Listening.turned(this.#listening, isRead, this.now)
    if (isRead) for (const look of this.#unheard.splice(0)) look()
    return this
  }

  send(bytes: number): this {
    this.bytesWritten += bytes
    this.framesWritten++
    return this
  }

  /** The peer's bytes come, which aren't a pong. */
  receive(bytes = 1): void {
    this.bytesRead += bytes
  }

  /** A pong comes. */
  answer(number: number | null): void {
    this.bytesRead += 6
    const [state, answer] = Keepalive.pong(this.state, number, this.now)
    this.state = state
    this.answers.push(answer)
  }

  write(number = this.pings.length): this {
    this.state = Keepalive.written(this.state, this.settings, number, this.facts)
    this.peer(this, number)
    return this
  }

  in(ms: number, act: () => void): void {
    this.#events.push({ at: this.now + ms, act })
    this.#events.sort((one, other) => one.at - other.at)
  }

  /** In so much time in which the socket is read. */
  heardIn(ms: number, act: () => void): void {
    const at = this.heardMs + ms
    const look = () => {
      if (this.heardMs >= at) act()
      else if (this.isRead) this.in(at - this.heardMs, look)
      else this.#unheard.push(look)
    }
    look()
  }

  every(ms: number, act: () => void): this {
    this.in(ms, () => {
      act()
      this.every(ms, act)
    })
    return this
  }

  /** Lets time pass, until a clock fires at the most. */
  pass(ms: number): this {
    const end = this.now + ms
    while (this.found === undefined) {
      const dueAt = this.now + Keepalive.restMs(this.state, this.settings, this.facts, this.isRead)
      const event = this.#events[0]
      const next = Math.min(dueAt, event?.at ?? Infinity)
      if (next > end) break
      this.now = next
      if (event !== undefined && event.at <= dueAt) {
        this.#events.shift()
        event.act()
      } else {
        this.#due()
      }
    }
    if (this.found === undefined) this.now = end
    return this
  }

  #due(): void {
    const [state, verdict] = Keepalive.due(this.state, this.settings, this.facts)
    this.state = state
    if (verdict.kind === "timedOut") this.found = { ...verdict, at: this.now, heardMs: this.heardMs }
    if (verdict.kind !== "ping") return
    this.pings.push(this.now)
    assert.strictEqual(verdict.number, this.pings.length)
    if (this.isWritable) this.write(verdict.number)
  }
}

const DAY = 86_400_000

const never = () => {}
const late =
  (ms: number): Line["peer"] =>
  (line, number) =>
    line.in(ms, () => line.answer(number))

/** Answers the first so many, and from then on does something else. */
const first =
  (count: number, then: Line["peer"] = never): Line["peer"] =>
  (line, number) =>
    number <= count ? line.answer(number) : then(line, number)

/** A peer of which the host hears nothing more from a time on, whatever was under way. */
const goneAt =
  (at: number): Line["peer"] =>
  (line, number) =>
    line.now < at ? line.answer(number) : undefined

describe("pings", () => {
  it("go out every interval, the first about a second after the open", () => {
    assert.deepStrictEqual(new Line().pass(91_000).pings, [1000, 31_000, 61_000, 91_000])
    for (const [random, at] of [
      [0, 500],
      [0.999, 1499]
    ] as const) {
      assert.deepStrictEqual(new Line(USUAL, random).pass(30_000 + at).pings, [at, 30_000 + at])
    }
  })

  it("don't wait for a second where the interval is shorter", () => {
    assert.deepStrictEqual(new Line({ intervalMs: 40, deadlineMs: 10 }).pass(130).pings, [40, 80, 120])
  })

  it("go out after a standstill within a second, and then in the phase that they had", () => {
    const line = new Line().pass(40_000)
    line.state = Keepalive.stoodStill(line.state, line.now, 0.25)
    assert.deepStrictEqual(line.pass(60_000).pings, [1000, 31_000, 40_250, 61_000, 91_000])
  })

  it("are not put off by a standstill that comes right before them", () => {
    const line = new Line().pass(30_990)
    line.state = Keepalive.stoodStill(line.state, line.now, 0.999)
    assert.deepStrictEqual(line.pass(31_000).pings, [1000, 31_000, 61_000])
  })

  it("go out while the socket is paused, too", () => {
    assert.lengthOf(new Line().read(false).pass(300_000).pings, 10)
  })

  it("don't pile up behind one that waits to be written, and no clock runs for it", () => {
    const line = new Line()
    line.isWritable = false
    assert.deepStrictEqual(line.pass(600_000).pings, [1000])
    assert.isUndefined(line.found)
    line.isWritable = true
    line.write().pass(20_000)
    assert.deepStrictEqual(line.pings, [1000, 601_000])
  })

  it("carry their number in digits", () => {
    assert.deepStrictEqual([...Keepalive.payload(40)], [0x34, 0x30])
    for (const number of [1, 9, 10, 123_456_789, Number.MAX_SAFE_INTEGER]) {
      assert.strictEqual(Keepalive.numberOf(Keepalive.payload(number)), number)
    }
  })

  it.each(["", "0", "01", "-1", "1.0", "1e3", " 1", "1 ", "one", "1\0", "\u0661", "0x1", "12345678901234567"])(
    "have another payload than %j",
    (text) => assert.isNull(Keepalive.numberOf(new TextEncoder().encode(text)))
  )
})

interface Case {
  readonly settings?: Keepalive.Settings
  readonly peer?: Line["peer"]
  /** What else happens, from the open on. */
  readonly also?: (line: Line) => void
  /** What is found and when, or nothing within a day. */
  readonly found: [what: "silent" | "unanswered", at: number, afterMs: number] | null
}

const cases: { readonly [name: string]: Case } = {
  "a lively peer": { found: null },
  "one that answers at the last moment": { peer: late(9999), found: null },
  "one that is gone from the open on": { peer: never, found: ["silent", 11_000, 10_000] },
  "one that is gone right after a pong": { peer: first(1), found: ["silent", 41_000, 10_000] },
  "one that is gone in the middle of an interval": { peer: goneAt(50_000), found: ["silent", 71_000, 10_000] },
  "one that is gone just after its last byte, with a ping out": {
    peer: first(1),
    also: (line) => line.in(31_500, () => line.receive()),
    // That byte was after the second ping, so the third one finds out.
    found: ["silent", 71_000, 10_000]
  },
  "a dead way out beside a lively way in": {
    peer: first(1),
    also: (line) => line.every(700, () => line.receive(100)),
    found: ["unanswered", 121_000, 90_000]
  },
  "a dead way out beside a way in on which only our pings' interval passes": {
    peer: first(1),
    also: (line) => line.every(9000, () => line.receive()),
    found: ["unanswered", 121_000, 90_000]
  },
  "a hole for large packets, behind which small texts come and no pong": {
    peer: first(3),
    also: (line) => line.send(1_000_000).every(5000, () => line.receive(20)),
    found: ["unanswered", 181_000, 90_000]
  },
  "a text of 600 kB that comes for 75 s on 64 kbit, the pong behind it": {
    peer: first(1, late(75_000)),
    also: (line) => line.every(175, () => line.receive(1400)),
    found: null
  },
  "one that answers no pings at all and sends texts": {
    peer: never,
    also: (line) => line.every(9999, () => line.receive()),
    found: null
  },
  "one that answers no pings at all and sends a text now and then": {
    peer: never,
    also: (line) => line.every(45_000, () => line.receive()),
    found: ["silent", 11_000, 10_000]
  },
  "one that answers every ping without its payload": { peer: (line) => line.answer(null), found: null },
  "one that answers one ping and then all without their payload": {
    peer: first(1, (line) => line.answer(null)),
    found: ["unanswered", 121_000, 90_000]
  },
  "one that answers with the number of the ping before": {
    peer: (line, number) => line.answer(number - 1),
    found: null
  },
  "one that answers every third ping only": {
    peer: (line, number) => (number % 3 === 0 ? line.answer(number) : line.receive()),
    found: null
  },
  "one that answers every fourth ping only": {
    // Then the one behind an answered one has been out for three intervals, as the fourth is written.
    peer: (line, number) => (number % 4 === 1 ? line.answer(number) : line.receive()),
    found: ["unanswered", 121_000, 90_000]
  },
  "pongs that nobody asked for": {
    peer: first(1),
    also: (line) => line.every(1000, () => line.answer(1)),
    found: ["unanswered", 121_000, 90_000]
  },
  "pongs for pings that are to come": {
    peer: first(1),
    also: (line) => line.every(1000, () => line.answer(line.pings.length + 1)),
    found: ["unanswered", 121_000, 90_000]
  },
  "silence with a deadline longer than the interval": {
    settings: { intervalMs: 1000, deadlineMs: 5000 },
    peer: goneAt(20_500),
    found: ["silent", 26_000, 5000]
  },
  "silence with a deadline as long as the interval": {
    settings: { intervalMs: 5000, deadlineMs: 5000 },
    peer: goneAt(20_500),
    found: ["silent", 26_000, 5000]
  },
  "answers that take as long as a deadline of many intervals allows": {
    settings: { intervalMs: 1000, deadlineMs: 20_000 },
    peer: late(19_999),
    found: null
  },
  "silence after a ping with more than 16 KiB before it": {
    peer: first(1),
    also: (line) => line.in(30_000, () => line.send(16_385)),
    found: ["silent", 91_000, 60_000]
  },
  "silence after a ping with 16 KiB before it": {
    peer: first(1),
    also: (line) => line.in(30_000, () => line.send(16_384)),
    found: ["silent", 41_000, 10_000]
  },
  "silence after a ping, and much that is written behind it": {
    peer: first(1),
    also: (line) => line.in(31_001, () => line.send(1_000_000)),
    found: ["silent", 41_000, 10_000]
  },
  "silence after a ping, with what was written before an answered one": {
    peer: first(2),
    also: (line) => line.in(30_000, () => line.send(1_000_000)),
    found: ["silent", 71_000, 10_000]
  },
  "silence of a young connection that has sent much": {
    peer: never,
    also: (line) => line.send(20_000),
    found: ["silent", 61_000, 60_000]
  },
  "a pause of an hour, in which what has come isn't read": {
    peer: (line, number) => (line.isRead ? line.answer(number) : undefined),
    also: (line) => {
      line.in(31_500, () => line.read(false))
      line.in(3_600_000, () => {
        line.read(true)
        line.in(9000, () => line.answer(line.pings.length))
      })
    },
    found: null
  },
  "a pause of an hour, after which the peer is gone": {
    peer: first(1),
    also: (line) => {
      // 4 s of the deadline have passed.
      line.in(35_000, () => line.read(false))
      line.in(3_635_000, () => line.read(true))
    },
    found: ["silent", 3_641_000, 10_000]
  },
  "a socket that is read for one second in ten": {
    peer: first(1),
    also: (line) => {
      line.read(false)
      line.every(10_000, () => {
        line.read(true)
        line.in(1000, () => line.read(false))
      })
    },
    // The second ping is written at 31 s; the tenth second more is over at 131 s, and that is seen in the next one.
    found: ["silent", 140_000, 10_000]
  }
}

describe("a peer", () => {
  for (const [name, { also, found, peer, settings }] of Object.entries(cases)) {
    it(`is found out, or left alone: ${name}`, () => {
      const line = new Line(settings)
      if (peer !== undefined) line.peer = peer
      also?.(line)
      line.pass(DAY / 4)
      assert.deepStrictEqual(
        line.found === undefined ? null : [line.found.what, line.found.at, line.found.afterMs],
        found
      )
    })
  }

  it("that answers nothing for a day costs no more than 32 pings", () => {
    const line = new Line()
    line.peer = never
    line.every(1000, () => line.receive()).pass(DAY)
    assert.lengthOf(line.state.out, 32)
    assert.lengthOf(line.pings, 2880)
  })

  it("is judged by the oldest ping that is out, also where younger ones are forgotten", () => {
    const line = new Line({ intervalMs: 1000, deadlineMs: 60_000 })
    line.peer = first(1)
    line.every(500, () => line.receive()).pass(DAY)
    assert.deepStrictEqual(line.found, {
      kind: "timedOut",
      what: "unanswered",
      afterMs: 60_000,
      at: 62_000,
      heardMs: 62_000
    })
  })
})

/** Four pings with a frame before each, none answered. */
const fourOut = () => {
  const line = new Line()
  line.peer = never
  line.every(1000, () => line.receive())
  for (const at of [500, 30_500, 60_500, 90_500]) line.in(at, () => line.send(10))
  return line.pass(92_000)
}

describe("a pong", () => {
  it("confirms what was handed to the socket before its ping, and says how long it took", () => {
    const line = fourOut()
    line.answer(1)
    line.answer(2)
    line.pass(1000).answer(4)
    assert.deepStrictEqual(line.answers, [
      { frames: 1, roundTripMs: 91_000 },
      { frames: 2, roundTripMs: 61_000 },
      { frames: 4, roundTripMs: 2000 }
    ])
  })

  it("answers every earlier ping, whose own pongs are nothing then", () => {
    const line = fourOut()
    for (const number of [3, 1, 2, 3]) line.answer(number)
    assert.deepStrictEqual(line.answers, [{ frames: 3, roundTripMs: 31_000 }, null, null, null])
    assert.deepStrictEqual(
      line.state.out.map(({ number }) => number),
      [4]
    )
  })

  it.each([
    ["of no ping", null],
    ["of one that never was", 5],
    ["with the number zero", 0],
    ["with a number beyond all", Number.MAX_SAFE_INTEGER]
  ])("%s is nothing", (_, number) => {
    const line = fourOut()
    const { state } = line
    line.answer(number)
    assert.deepStrictEqual(line.answers, [null])
    assert.strictEqual(line.state, state)
  })

  it("of a ping that still waits to be written is nothing, and is nothing to the clocks of it", () => {
    const line = new Line()
    line.peer = never
    line.isWritable = false
    line.pass(1000).answer(1)
    assert.deepStrictEqual(line.answers, [null])
    line.write().pass(DAY)
    assert.deepStrictEqual([line.found?.what, line.found?.at], ["silent", 11_000])
  })

  it("of a ping that was forgotten confirms what came before the one that is remembered, and answers it", () => {
    const line = new Line({ intervalMs: 1000, deadlineMs: 100_000 })
    line.peer = never
    line.every(500, () => {
      line.receive()
      line.send(1)
    })
    line.pass(40_000)
    assert.lengthOf(line.pings, 40)
    line.answer(5)
    // The first was remembered, and two frames were sent before it.
    assert.deepStrictEqual(line.answers, [{ frames: 2, roundTripMs: null }])
    line.answer(5)
    assert.isNull(line.answers.at(-1))
    line.answer(40)
    assert.deepInclude(line.answers.at(-1), { roundTripMs: 0 })
    assert.deepStrictEqual(line.state.out, [])
  })

  it("that is told to be written twice, or out of turn, is out once", () => {
    const line = new Line()
    line.peer = never
    line.isWritable = false
    line.pass(1000).write(2)
    assert.lengthOf(line.state.out, 0)
    line.write(1).write(1)
    assert.lengthOf(line.state.out, 1)
  })
})

const anySettings = Arbitrary.flatMap(int(16, 60_000), (intervalMs) =>
  // From a sixteenth of the interval to six of them.
  Arbitrary.map(int(1, 96), (sixteenths): Keepalive.Settings => ({
    intervalMs,
    deadlineMs: Math.floor((intervalMs * sixteenths) / 16)
  }))
)
const anyRandom = Arbitrary.map(int(0, 999), (thousandths) => thousandths / 1000)

/** What may happen to a line beside its peer. Times are in hundredths of the deadline. */
const happening = either<(line: Line) => void>(
  Arbitrary.map(int(0, 400), (hundredths) => (line) => {
    line.pass(Math.round((hundredths / 100) * line.settings.deadlineMs))
  }),
  Arbitrary.map(bool, (isRead) => (line) => void line.read(isRead)),
  Arbitrary.map(int(1, 40_000), (bytes) => (line) => void line.send(bytes)),
  Arbitrary.map(oneOf(0, 0.3, 0.99), (when) => (line) => {
    line.state = Keepalive.stoodStill(line.state, line.now, when)
  }),
  Arbitrary.map(int(0, 0), () => (line) => {
    line.isWritable = !line.isWritable
    if (line.isWritable && line.state.waiting !== null) line.write()
  })
)

const happeningOrPong = either<(line: Line) => void>(
  happening,
  happening,
  Arbitrary.map(oneOf<ReadonlyArray<number | null>>([null], [1, 0, -1], [1e6, 1e9]), (numbers) => (line) => {
    // Of nothing, of the past, of what is to come.
    for (const number of numbers) line.answer(number)
  })
)

/** Answers within the deadline, of which only the time counts in which the socket is read. */
const dutiful =
  (hundredths: ReadonlyArray<number>): Line["peer"] =>
  (line, number) => {
    const share = (hundredths[number % hundredths.length] ?? 0) / 100
    line.heardIn(Math.floor(share * line.settings.deadlineMs), () => line.answer(number))
  }

describe("whatever happens", () => {
  it.prop(
    "a peer that answers every ping within the deadline is never found dead",
    {
      settings: anySettings,
      random: anyRandom,
      delays: list(int(0, 99), 1, 5),
      happenings: list(happeningOrPong, 1, 40)
    },
    ({ delays, happenings, random, settings }) => {
      const line = new Line(settings, random)
      line.peer = dutiful(delays)
      for (const happens of happenings) happens(line)
      line.pass(4 * settings.deadlineMs)
      assert.isUndefined(line.found, JSON.stringify(line.found))
    },
    { arbitrary: { runs: 1000 } }
  )

  it.prop(
    "a peer of which nothing is read after some time is found dead within an interval and a deadline of listening",
    { settings: anySettings, random: anyRandom, before: list(happeningOrPong, 0, 10), after: list(happening, 0, 20) },
    ({ after, before, random, settings }) => {
      const line = new Line(settings, random)
      for (const happens of before) happens(line)
      if (!line.isWritable) line.write()
      line.isWritable = true
      const gone = line.heardMs
      line.peer = never
      for (const happens of after) {
        happens(line)
        line.isWritable = true
        if (line.state.waiting !== null) line.write()
      }
      line.read(true).pass(2 * settings.intervalMs + 7 * settings.deadlineMs)
      assert.isDefined(line.found)
      // The first ping is half a second late at most, and rounded up.
      const within = Math.max(settings.intervalMs, Math.min(1000, settings.intervalMs) * 1.5 + 1)
      assert.isAtMost((line.found?.heardMs ?? Infinity) - gone, within + 6 * settings.deadlineMs)
    },
    { arbitrary: { runs: 1000 } }
  )
})
