import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Outgoing } from "../../../src/connection/internal/outgoing.ts"
import { either, int, list, oneOf } from "../../support/arbitraries.ts"
import { heapUsed } from "../../support/memory.ts"

const KIB = 1024
const MIB = 1024 * KIB
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
const bytesOf = (text: string) => new TextEncoder().encode(text).length

/** What stands before binary frames on the wire. */
const BINARY = "#"

/** An outgoing buffer over a socket that writes down what it is handed and tells of a write when the test says so. */
const play = (options: { readonly bufferBytes?: number; readonly atOnce?: boolean } = {}) => {
  const wire: Array<string> = []
  const texts: Array<(failed: boolean) => void> = []
  const pongs: Array<() => void> = []
  const pings: Array<() => void> = []
  const world = { failures: 0, queue: 0, closed: () => {} }
  const outgoing: Outgoing = new Outgoing(
    {
      writeQueueSize: () => world.queue,
      send: (data, kind, written, isSecret = false) => {
        wire.push((kind === "binary" ? BINARY : "") + utf8.decode(data) + (isSecret ? "*" : ""))
        if (options.atOnce === true) written(false)
        else texts.push(written)
      },
      ping: (payload, written) => {
        wire.push(`<ping ${payload.length}>`)
        pings.push(written)
      },
      pong: (payload, written) => {
        wire.push(`<pong ${payload[0]}>`)
        pongs.push(written)
      },
      close: (code, reason) => {
        wire.push(`<close ${code} ${reason}>`)
        world.closed()
      }
    },
    options.bufferBytes ?? MIB,
    {
      sendsFailed: (frames) => {
        world.failures += frames
      }
    }
  )
  /** The system takes so many of the texts that are with the socket. */
  const written = (count = 1, failed = false) => {
    for (let left = count; left > 0 && texts.length > 0; left--) texts.shift()?.(failed)
  }
  return {
    outgoing,
    world,
    written,
    texts,
    pongs,
    pings,
    /** What the socket was handed since it was last asked. */
    wire: () => wire.splice(0).map((text) => text.trimEnd())
  }
}

describe("what is written in place of a text", () => {
  it("is asked for when the text is handed to the socket, and counts as the text", () => {
    const { outgoing, wire, written } = play()
    let value = "first"
    const filled = () => `<${value}>`
    outgoing.send("now", filled)
    assert.deepStrictEqual(wire(), ["<first>*"])
    assert.deepInclude(outgoing, { accepted: 1, handed: 1, handedBytes: 7, bytes: 3 })
    outgoing.send("x".repeat(64 * KIB))
    outgoing.send("later", filled)
    outgoing.send("last")
    value = "second"
    assert.deepStrictEqual([wire(), outgoing.bytes], [[], 3 + 64 * KIB + 5 + 4])
    written()
    assert.strictEqual(wire().join().length, 64 * KIB)
    written()
    assert.deepStrictEqual(wire(), ["<second>*", "last"])
    written(2)
    assert.strictEqual(outgoing.bytes, 0)
  })

  it("may be nothing any more by then: the write has failed, and what is behind it goes on", () => {
    const { outgoing, wire, world, written } = play()
    outgoing.send("x".repeat(64 * KIB))
    outgoing.send("shut", () => undefined)
    outgoing.send("open", () => "0PEN")
    outgoing.close(1000, "")
    wire()
    written()
    assert.deepStrictEqual(wire(), ["0PEN*", "<close 1000 >"])
    assert.deepInclude(outgoing, { bytes: 4, handed: 3 })
    assert.strictEqual(world.failures, 1)
  })

  it("belongs to its own text, also behind some that were thrown away", () => {
    const { outgoing, wire, world, written } = play()
    const asked: Array<string> = []
    const filled = (text: string) => () => {
      asked.push(text)
      return text.toUpperCase()
    }
    outgoing.send("x".repeat(64 * KIB))
    for (const text of ["one", "two"]) outgoing.send(text, filled(text))
    outgoing.discard()
    outgoing.send("three")
    outgoing.send("four", filled("four"))
    wire()
    written()
    assert.deepStrictEqual([wire(), asked, world.failures], [["three", "FOUR*"], ["four"], 2])
  })
})

const payload = (first: number) => Uint8Array.of(first)

describe("what a connection sends", () => {
  it("goes to an idle socket at once, and counts until it is written", () => {
    const { outgoing, wire, written } = play()
    outgoing.send("grüße")
    assert.deepStrictEqual(wire(), ["grüße"])
    assert.deepInclude(outgoing, { accepted: 1, handed: 1, handedBytes: 7, bytes: 7 })
    written()
    assert.deepInclude(outgoing, { accepted: 1, handed: 1, handedBytes: 7, bytes: 0 })
  })

  for (const [name, text, bytes] of [
    ["nothing", "", 1],
    ["a byte", "a", 1],
    ["two bytes a character", "éé", 4],
    ["three", "€", 3],
    ["four", "😀", 4],
    ["a byte order mark", "\uFEFFa", 4],
    ["a zero", "\0", 1],
    ["more than may be with the socket", "é".repeat(100_000), 200_000],
    ["what fits exactly", "a".repeat(64 * KIB), 64 * KIB]
  ] as const) {
    it(`is the text that was given, and counts its bytes in UTF-8: ${name}, at once and after it waited`, () => {
      const { outgoing, wire, written } = play()
      outgoing.send("a".repeat(64 * KIB))
      outgoing.send(text)
      assert.strictEqual(outgoing.bytes, 64 * KIB + bytes)
      assert.strictEqual(outgoing.handed, 1)
      written()
      assert.deepStrictEqual(wire().slice(1), [text])
      assert.strictEqual(outgoing.bytes, bytes)
      written()
      outgoing.send(text)
      assert.deepStrictEqual(wire(), [text])
      assert.deepInclude(outgoing, { bytes, handed: 3, handedBytes: 64 * KIB + 2 * bytesOf(text) })
    })
  }

  it("is with the socket up to 64 KiB at a time, the rest waits, in order", () => {
    const { outgoing, wire, written } = play()
    const texts = Array.from({ length: 40 }, (_, nth) => `${nth} `.padEnd(10 * KIB, "x"))
    for (const text of texts) outgoing.send(text)
    assert.deepStrictEqual(wire(), texts.slice(0, 6))
    assert.deepInclude(outgoing, { accepted: 40, handed: 6, bytes: 400 * KIB })
    written()
    assert.deepStrictEqual(wire(), texts.slice(6, 7))
    written(3)
    assert.deepStrictEqual(wire(), texts.slice(7, 10))
    // What came later stays behind what waits, however little it is.
    outgoing.send("last")
    assert.deepStrictEqual(wire(), [])
    for (let left = outgoing.bytes; left > 0; left = outgoing.bytes) written()
    assert.deepStrictEqual(wire(), [...texts.slice(10), "last"])
  })

  it("is one text alone with the socket where that is larger, and nothing beside it", () => {
    const { outgoing, wire, written } = play()
    const large = "x".repeat(MIB)
    for (const text of ["a", large, "b", large]) outgoing.send(text)
    assert.deepStrictEqual(wire(), ["a"])
    written()
    assert.deepStrictEqual(wire(), [large])
    written()
    assert.deepStrictEqual(wire(), ["b"])
    written()
    assert.deepStrictEqual(wire(), [large])
  })

  it("is no more than a thousand texts with the socket, however short", () => {
    const { outgoing, wire, written } = play()
    const texts = Array.from({ length: 5000 }, (_, nth) => (nth % 2 === 0 ? "" : "a"))
    for (const text of texts) outgoing.send(text)
    assert.lengthOf(wire(), 1024)
    assert.strictEqual(outgoing.bytes, 5000)
    written(1024)
    assert.lengthOf(wire(), 1024)
    for (let left = outgoing.bytes; left > 0; left = outgoing.bytes) written(1000)
    assert.deepInclude(outgoing, { accepted: 5000, handed: 5000, bytes: 0 })
  })

  it("may be written in the turn in which the socket is handed it, however many times", () => {
    const { outgoing, wire } = play({ atOnce: true })
    for (let text = 0; text < 1e5; text++) outgoing.send("")
    assert.lengthOf(wire(), 1e5)
    assert.deepInclude(outgoing, { handed: 1e5, bytes: 0 })
  })

  it("follows what waits even if the socket begins to tell of each write in the same turn", () => {
    const there = play()
    const { outgoing, texts } = there
    const many = Array.from({ length: 50_000 }, (_, nth) => String(nth))
    for (const text of many) outgoing.send(text)
    // Each is written as soon as it is handed over.
    const push = texts.push.bind(texts)
    texts.push = (...added) => {
      for (const done of added) done(false)
      return 0
    }
    there.written(1024)
    texts.push = push
    assert.deepStrictEqual(there.wire(), many)
    assert.strictEqual(outgoing.bytes, 0)
  })

  it("is never less than nothing, whatever a socket tells", () => {
    const { outgoing, texts, wire, world } = play()
    outgoing.send("abc")
    const [told] = texts
    for (let times = 0; times < 3; times++) told?.(false)
    told?.(true)
    assert.deepInclude(outgoing, { bytes: 0 })
    assert.strictEqual(world.failures, 0)
    outgoing.send("abc")
    assert.deepInclude(outgoing, { bytes: 3 })
    assert.lengthOf(wire(), 2)
  })

  it("moves when something was written, when the system took a part of a text, and when a ping was answered", () => {
    const { outgoing, world, written } = play()
    outgoing.send("a".repeat(MIB))
    const seen = new Set([outgoing.progress])
    assert.strictEqual(seen.has(outgoing.progress), true)
    world.queue = 5
    seen.add(outgoing.progress)
    world.queue = 4
    seen.add(outgoing.progress)
    outgoing.send("b")
    assert.strictEqual(seen.has(outgoing.progress), true)
    written()
    world.queue = 4
    seen.add(outgoing.progress)
    outgoing.answered()
    seen.add(outgoing.progress)
    assert.strictEqual(seen.size, 5)
  })
})

describe("what a connection can't write any more", () => {
  it("is counted, that with the socket as it is told, that which waits at the end", () => {
    const { outgoing, wire, world, written } = play()
    for (let text = 0; text < 100; text++) outgoing.send("x".repeat(10 * KIB))
    written(1, true)
    assert.strictEqual(world.failures, 1)
    assert.lengthOf(wire(), 7)
    outgoing.end()
    assert.strictEqual(world.failures, 1 + 93)
    assert.strictEqual(outgoing.bytes, 60 * KIB)
    written(100, true)
    assert.strictEqual(world.failures, 100)
    assert.strictEqual(outgoing.bytes, 0)
    outgoing.end()
    outgoing.send("late")
    outgoing.close(1000, "")
    outgoing.ping(payload(1), () => {})
    outgoing.pong(payload(1))
    assert.deepStrictEqual(wire(), [])
    assert.deepInclude(outgoing, { accepted: 100, handed: 7 })
    assert.isFalse(outgoing.isOpen)
  })

  it("is what waits when the grant is lost: it is thrown away, and what is with the socket is not", () => {
    const { outgoing, wire, world, written } = play()
    for (let text = 0; text < 10; text++) outgoing.send("x".repeat(60 * KIB))
    wire()
    outgoing.discard()
    assert.strictEqual(world.failures, 9)
    assert.strictEqual(outgoing.bytes, 60 * KIB)
    outgoing.close(1001, "")
    written()
    assert.deepStrictEqual(wire(), ["<close 1001 >"])
    assert.deepInclude(outgoing, { accepted: 10, handed: 1, bytes: 0 })
  })
})

describe("a close frame", () => {
  it("goes at once where nothing waits, whatever is with the socket", () => {
    const { outgoing, wire } = play()
    outgoing.send("a")
    outgoing.close(4000, "bye")
    assert.deepStrictEqual(wire(), ["a", "<close 4000 bye>"])
    assert.isFalse(outgoing.isOpen)
  })

  it("follows everything that was sent before it, and nothing follows it", () => {
    const { outgoing, wire, written } = play()
    const texts = Array.from({ length: 20 }, (_, nth) => `${nth}`.padEnd(10 * KIB))
    const names = texts.map((text) => text.trimEnd())
    for (const text of texts) outgoing.send(text)
    outgoing.close(4000, "bye")
    outgoing.close(4001, "again")
    assert.isFalse(outgoing.isOpen)
    outgoing.send("late")
    outgoing.pong(payload(7))
    outgoing.ping(payload(8), () => {})
    assert.deepStrictEqual(wire(), [...names.slice(0, 6), "<pong 7>", "<ping 1>"])
    written(13)
    assert.deepStrictEqual(wire(), names.slice(6, 19))
    written(1)
    assert.deepStrictEqual(wire(), [...names.slice(19), "<close 4000 bye>"])
    written(100)
    outgoing.pong(payload(7))
    assert.deepStrictEqual(wire(), [])
  })

  it("doesn't wait for what is thrown away", () => {
    const { outgoing, wire } = play()
    for (let text = 0; text < 3; text++) outgoing.send("x".repeat(60 * KIB))
    outgoing.close(1001, "")
    wire()
    outgoing.discard()
    assert.deepStrictEqual(wire(), ["<close 1001 >"])
  })

  it("isn't sent any more once the peer's has come", () => {
    const { outgoing, wire, world, written } = play()
    for (let text = 0; text < 3; text++) outgoing.send("x".repeat(60 * KIB))
    outgoing.close(1001, "")
    wire()
    outgoing.end()
    written(3)
    assert.deepStrictEqual(wire(), [])
    assert.strictEqual(world.failures, 2)
  })

  it("is sent once, by a socket that says in the same turn that it closes", () => {
    const { outgoing, wire, world } = play()
    world.closed = () => outgoing.end()
    outgoing.close(1001, "")
    assert.deepStrictEqual(wire(), ["<close 1001 >"])
    assert.strictEqual(world.failures, 0)
  })
})

describe("control frames", () => {
  it("go out at once however much waits, and count as nothing", () => {
    const { outgoing, pings, wire } = play()
    for (let text = 0; text < 100; text++) outgoing.send("x".repeat(10 * KIB))
    wire()
    const { bytes } = outgoing
    outgoing.pong(payload(1))
    let written = 0
    outgoing.ping(new Uint8Array(5), () => written++)
    outgoing.pong(payload(2))
    assert.deepStrictEqual(wire(), ["<pong 1>", "<ping 5>", "<pong 2>"])
    assert.strictEqual(outgoing.bytes, bytes)
    // All that this ping comes after.
    assert.strictEqual(outgoing.handed, 6)
    pings[0]?.()
    assert.strictEqual(written, 1)
  })

  it("are bounded as pongs that nobody takes, of which the last that has no room is kept", () => {
    const { outgoing, pongs, wire } = play({ bufferBytes: 1024 })
    for (let ping = 1; ping <= 100; ping++) outgoing.pong(payload(ping))
    assert.deepStrictEqual(wire(), ["<pong 1>", "<pong 2>", "<pong 3>", "<pong 4>"])
    pongs.shift()?.()
    assert.deepStrictEqual(wire(), ["<pong 100>"])
    pongs.shift()?.()
    assert.deepStrictEqual(wire(), [])
    outgoing.pong(payload(101))
    outgoing.pong(payload(102))
    assert.deepStrictEqual(wire(), ["<pong 101>"])
    outgoing.end()
    for (const done of pongs.splice(0)) done()
    assert.deepStrictEqual(wire(), [])
  })
})

const sum = (texts: ReadonlyArray<string>) => texts.reduce((total, text) => total + Math.max(1, text.length), 0)

const SIZES = [1, 63, 5000, 16_379, 16_380, 16_381, 30_000, 65_535, 65_536, 65_537, 100_000]

type Action =
  | { readonly kind: "send"; readonly bytes: number; readonly times: number }
  | { readonly kind: "written" | "failed"; readonly times: number }
  | { readonly kind: "pong" | "ping" | "ponged" | "discard" | "end" | "close" }

const action: Arbitrary.Arbitrary<Action> = either<Action>(
  Arbitrary.map(oneOf(0, ...SIZES), (bytes): Action => ({ kind: "send", bytes, times: 1 })),
  Arbitrary.map(int(1, 3000), (times): Action => ({ kind: "send", bytes: times % 3, times })),
  Arbitrary.map(int(1, 4), (times): Action => ({ kind: "written", times })),
  Arbitrary.map(int(1, 2000), (times): Action => ({ kind: "written", times })),
  Arbitrary.map(int(1, 2), (times): Action => ({ kind: "failed", times })),
  Arbitrary.map(oneOf("pong", "pong", "ponged", "ping"), (kind): Action => ({ kind })),
  Arbitrary.map(oneOf("discard", "close", "pong", "ping", "ping", "ping", "end"), (kind): Action => ({ kind }))
)

describe("rule 3: what waits to be written", () => {
  it.prop(
    "is what a plain list of it says, whatever is sent, written, failed, closed and thrown away",
    { actions: list(action, 1, 60) },
    ({ actions }) => {
      const there = play({ bufferBytes: 1024 })
      const { outgoing, world } = there
      let waiting: Array<readonly [text: string, mark: string]> = []
      const withSocket: Array<string> = []
      const expected: Array<string> = []
      let [accepted, handed, failures, pongs, nth] = [0, 0, 0, 0, 0]
      let unanswered: string | undefined
      let state: "open" | "closing" | "ended" = "open"
      const go = () => {
        for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
          const [text, mark] = next
          const fits = withSocket.length < 1024 && sum([...withSocket, text]) <= 64 * KIB
          if (withSocket.length > 0 && !fits) return
          waiting = waiting.slice(1)
          withSocket.push(text)
          expected.push(mark + text)
          handed++
        }
        if (state !== "closing") return
        state = "ended"
        expected.push("<close 4000 bye>")
      }
      const discard = () => {
        failures += waiting.length
        waiting = []
        go()
      }
      const step = (next: Action) => {
        switch (next.kind) {
          case "send":
            for (let time = 0; time < next.times; time++) {
              const text = `${nth++}`.padEnd(next.bytes, "x").slice(0, next.bytes)
              const isBinary = nth % 2 === 1
              outgoing.send(isBinary ? new TextEncoder().encode(text) : text)
              if (state !== "open") continue
              accepted++
              waiting.push([text, isBinary ? BINARY : ""])
              go()
            }
            return
          case "written":
          case "failed":
            for (let time = 0; time < next.times && there.texts.length > 0; time++) {
              there.written(1, next.kind === "failed")
              withSocket.shift()
              if (next.kind === "failed") failures++
              go()
            }
            return
          case "pong":
            nth = (nth + 1) % 256
            outgoing.pong(payload(nth))
            if (state === "ended") return
            if (pongs === 4) unanswered = `<pong ${nth}>`
            else {
              pongs++
              expected.push(`<pong ${nth}>`)
            }
            return
          case "ponged":
            if (pongs === 0) return
            there.pongs.shift()?.()
            pongs--
            if (unanswered === undefined || state === "ended") return
            expected.push(unanswered)
            pongs++
            unanswered = undefined
            return
          case "ping":
            outgoing.ping(payload(0), () => {})
            if (state !== "ended") expected.push("<ping 1>")
            return
          case "discard":
            outgoing.discard()
            return discard()
          case "close":
            outgoing.close(4000, "bye")
            if (state !== "open") return
            state = "closing"
            return go()
          case "end":
            outgoing.end()
            state = "ended"
            return discard()
        }
      }
      for (const next of actions) {
        step(next)
        assert.deepStrictEqual(there.wire(), expected.splice(0), next.kind)
        assert.strictEqual(outgoing.bytes, sum(waiting.map(([text]) => text)) + sum(withSocket))
        assert.strictEqual(world.failures, failures)
        assert.deepInclude(outgoing, { accepted, handed, isOpen: state === "open" })
      }
    },
    { arbitrary: { runs: 150 }, timeout: 30_000 }
  )

  it("takes a few times its bytes of memory, however short the texts are, and whatever they were cut from", () => {
    for (const [name, text, count] of [
      ["a byte", (nth: number) => String(nth % 10), 1e6],
      ["two bytes, each a text of its own", (nth: number) => `${nth % 10}x`, 5e5],
      ["parts of long ones", (nth: number) => `${nth} ${"x".repeat(10_000)}`.slice(2, 22), 50_000]
    ] as const) {
      const { outgoing } = play()
      const before = heapUsed()
      const external = process.memoryUsage().arrayBuffers
      for (let nth = 0; nth < count; nth++) outgoing.send(text(nth))
      const held = heapUsed() - before + process.memoryUsage().arrayBuffers - external
      assert.isAtMost(held, 8 * MIB, name)
      assert.isAtLeast(outgoing.bytes, 1e6)
    }
  }, 30_000)
})
