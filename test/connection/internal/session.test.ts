import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Limits } from "mooring"
import {
  BinaryUnsupported,
  ConnectionClosed,
  ControlFlood,
  PeerStalled
} from "../../../src/connection/ConnectionError.ts"
import { type Owner, Session } from "../../../src/connection/internal/session.ts"
import type { ReadMode, Socket } from "../../../src/connection/WebSocketClient.ts"
import { unhandled } from "../../support/rejections.ts"

const URL = "ws://127.0.0.1:7700/"
const URL_ERROR = new ConnectionClosed({ url: URL, code: 1006, reason: "", clean: false })

const NOTHING: (mode: ReadMode) => void = () => {}
const NOTHING_STOOD: (ms: number) => void = () => {}

const utf8 = new TextDecoder()

/** A session whose owner and socket write down what they are told, under clocks of the test's own. */
const play = (limits: Partial<Limits.Values> = {}, source: Partial<Owner["source"]> = {}) => {
  const calls: Array<string> = []
  const timers = new Set<{ readonly ms: number; readonly due: () => void }>()
  const call = (name: string, ...facts: ReadonlyArray<unknown>) => void calls.push([name, ...facts].join(" "))
  const world = {
    now: 1000,
    monotonic: 50,
    queue: 0,
    mayOpen: true,
    bytesRead: 0,
    written: (_failed: boolean) => {},
    pinged: () => {},
    read: NOTHING,
    stood: NOTHING_STOOD,
    isData: true,
    takesBinary: false
  }
  const owner: Owner = {
    clocks: { now: () => world.now, monotonic: () => world.monotonic, random: () => 0.5 },
    time: {
      now: () => world.monotonic,
      after: (ms, due) => {
        const timer = { ms, due }
        timers.add(timer)
        return () => void timers.delete(timer)
      },
      listen: (listener) => {
        world.stood = (ms) => listener.stood(ms)
      },
      unlisten: () => {
        world.stood = NOTHING_STOOD
      }
    },
    turnNow: () => world.now - 1,
    mask: () => null,
    source: { display: URL, staleAfterMs: 0, staleReconnect: false, ...source },
    // Nothing is pinged unless a test says so.
    limits: { ...Limits.defaults, pingIntervalMs: 0, ...limits },
    sink: {
      opened: () => {},
      text: (text, bytes, at) => {
        call("text", text, bytes, at)
        return world.isData
      },
      binary: (bytes, at) => {
        if (world.takesBinary) call("binary", bytes.length, at)
        return world.takesBinary
      },
      rejected: (kind) => {
        call("rejected", kind)
        return kind === "text" || world.takesBinary
      },
      ended: () => {},
      dialFailed: () => {},
      revoked: () => {},
      ready: () => true
    },
    totals: {
      lastFrameAt: null,
      lastPongAt: null,
      roundTripMs: null,
      sentTextFrames: 0,
      sentBinaryFrames: 0,
      sendFailures: 0,
      unconfirmedFrames: 0,
      unconfirmedAtEnds: 0
    },
    stale: (error) => call("stale", error.url, error.afterMs),
    binary: (make) => call("unsupported", make() instanceof BinaryUnsupported, make().bytes, make().url),
    mayOpen: () => world.mayOpen,
    sessionOpened: (_socket, read) => {
      call("opened")
      world.read = read
    },
    sessionClosing: () => call("closing"),
    roundTrip: () => undefined,
    sessionEnded: () => call("ended")
  }
  const socket: Socket = {
    subprotocol: null,
    remoteAddress: null,
    peerCertificateExpiresAt: null,
    writeQueueSize: () => world.queue,
    bytesRead: () => world.bytesRead,
    send: (payload, kind, written) => {
      call("send", kind === "text" ? utf8.decode(payload) : payload)
      world.written = written
    },
    ping: (data, written) => {
      call("ping", utf8.decode(data))
      world.pinged = written
    },
    pong: (data) => call("pong", data.length),
    read: (mode) => call("read", mode),
    close: (code, reason) => call("close", code, reason),
    terminate: () => call("terminate")
  }
  const session = new Session(owner)
  return {
    session,
    owner,
    socket,
    world,
    timers,
    read: (mode: ReadMode) => world.read(mode),
    /** What was called since it was last asked. */
    calls: () => calls.splice(0)
  }
}

const opened = (limits?: Partial<Limits.Values>, source?: Partial<Owner["source"]>) => {
  const played = play(limits, source)
  played.session.open(played.socket)
  played.calls()
  return played
}

const thrown = (value: unknown): never => {
  throw value
}

const DATA = new Uint8Array([1, 2, 3])

describe("a session", () => {
  it("is open from the turn in which the upgrade completes", () => {
    const { calls, session, socket, world } = play()
    world.monotonic = 77
    assert.strictEqual(session.bufferedBytes, 0)
    session.open(socket)
    assert.deepStrictEqual(calls(), ["opened"])
    assert.deepInclude(session, { wasOpen: true, hasEnded: false, openedAt: 77, code: 1006, reason: "", clean: false })
    session.send("grüße")
    assert.strictEqual(session.bufferedBytes, 7)
  })

  it("breaks off a socket that opens though it may not any more, or after it was given up, and is told nothing of it", () => {
    const late = play()
    late.session.abandon()
    const unwanted = play()
    unwanted.world.mayOpen = false
    for (const { calls, owner, session, socket } of [late, unwanted]) {
      session.open(socket)
      session.text("a", 1)
      session.binary(new Uint8Array(1))
      session.ping(DATA)
      session.pong(DATA)
      session.send("b")
      session.closing()
      session.closed(1000, "", true)
      assert.deepStrictEqual(calls(), ["terminate"])
      assert.deepInclude(session, { wasOpen: false, hasEnded: true, code: 1006 })
      assert.deepInclude(owner.totals, {
        lastFrameAt: null,
        lastPongAt: null,
        sentTextFrames: 0,
        sentBinaryFrames: 0
      })
    }
  })

  it("hands texts on with their length and the time of their turn", () => {
    const { calls, owner, session } = opened()
    session.text("grüße", 7)
    assert.deepStrictEqual(calls(), ["text grüße 7 999"])
    assert.strictEqual(owner.totals.lastFrameAt, 999)
  })

  it("reports a binary frame that isn't taken, also while the connection closes", () => {
    const { calls, owner, session } = opened()
    session.binary(new Uint8Array(9))
    assert.deepStrictEqual(calls(), [`unsupported true 9 ${URL}`])
    assert.strictEqual(owner.totals.lastFrameAt, 999)
    session.reject()
    session.binary(new Uint8Array(8))
    assert.deepStrictEqual(calls(), ["rejected binary", `unsupported true 8 ${URL}`])
  })

  it("hands a binary frame that is taken on with the time of its turn, and none while the connection closes", () => {
    const { calls, owner, session, world } = opened()
    world.takesBinary = true
    session.binary(new Uint8Array(9))
    assert.deepStrictEqual(calls(), ["binary 9 999"])
    assert.strictEqual(owner.totals.lastFrameAt, 999)
    session.reject()
    session.binary(new Uint8Array(8))
    assert.deepStrictEqual(calls(), ["rejected binary"])
  })

  it("counts binary frames that it sends by themselves", () => {
    const { calls, owner, session } = opened()
    session.send("a")
    session.send(Uint8Array.of(1, 2))
    assert.deepStrictEqual(calls(), ["send a", "send 1,2"])
    assert.deepInclude(owner.totals, { sentTextFrames: 1, sentBinaryFrames: 1, unconfirmedFrames: 2 })
  })

  it("counts what it sends and what of that can't be written", () => {
    const { calls, owner, session, world } = opened()
    session.send("a")
    world.written(false)
    session.send("b")
    session.send("c")
    assert.deepStrictEqual(calls(), ["send a", "send b", "send c"])
    world.written(true)
    assert.deepInclude(owner.totals, { sentTextFrames: 3, unconfirmedFrames: 3, sendFailures: 1, unconfirmedAtEnds: 0 })
    session.closed(1000, "", true)
    // It may be known only after the end.
    world.written(true)
    assert.deepInclude(owner.totals, { unconfirmedFrames: 0, sendFailures: 2, unconfirmedAtEnds: 3 })
    session.send("d")
    assert.deepStrictEqual(calls(), ["ended"])
    assert.strictEqual(owner.totals.sentTextFrames, 3)
  })

  for (const [name, stop, told] of [
    [
      "its own close",
      ({ session }: ReturnType<typeof opened>) => session.close(4000, "bye"),
      ["read full", "close 4000 bye"]
    ],
    ["being broken off", ({ session }: ReturnType<typeof opened>) => session.terminate(), ["terminate"]]
  ] as const) {
    it(`delivers nothing more after ${name}: texts are counted as rejected, pings not answered, the pace is its own`, () => {
      const played = opened()
      const { calls, owner, read, session } = played
      read("off")
      assert.deepStrictEqual(calls(), ["read off"])
      stop(played)
      assert.deepStrictEqual(calls(), [...told])
      session.text("late", 4)
      session.ping(DATA)
      read("off")
      assert.deepStrictEqual(calls(), ["rejected text"])
      assert.strictEqual(owner.totals.lastFrameAt, 1000)
      session.closed(4001, "late", true)
      assert.deepStrictEqual(calls(), ["ended"])
      assert.deepInclude(session, { code: 4001, reason: "late", clean: true })
    })
  }

  it("goes on answering pings while its plugin is told nothing more, and while its close waits behind what was sent", () => {
    const { calls, session, world } = opened()
    session.reject()
    session.ping(DATA)
    session.text("late", 4)
    assert.deepStrictEqual(calls(), ["pong 3", "rejected text"])
    for (let text = 0; text < 2; text++) session.send("x".repeat(60_000))
    session.close(1000, "")
    calls()
    session.ping(DATA)
    assert.deepStrictEqual(calls(), ["pong 3"])
    world.written(false)
    assert.deepStrictEqual(calls().at(-1), "close 1000 ")
    session.ping(DATA)
    assert.deepStrictEqual(calls(), [])
  })

  it("ends once, with the first cause and the code of the end, and hears nothing after it", () => {
    const { calls, owner, read, session } = opened()
    session.failed(URL_ERROR)
    session.failed(new ConnectionClosed({ url: URL, code: 1, reason: "", clean: true }))
    session.closing()
    session.closed(4001, "bye", true)
    assert.deepStrictEqual(calls(), ["closing", "ended"])
    session.closed(4002, "again", false)
    session.closing()
    session.text("late", 4)
    session.binary(new Uint8Array(1))
    session.ping(DATA)
    session.pong(DATA)
    session.close(1000, "")
    session.terminate()
    session.abandon()
    read("full")
    assert.deepStrictEqual(calls(), [])
    assert.deepInclude(session, { hasEnded: true, code: 4001, reason: "bye", clean: true, error: URL_ERROR })
    assert.strictEqual(session.bufferedBytes, 0)
    assert.isNull(owner.totals.lastFrameAt)
  })

  it("is ended and broken off at once when it is given up", () => {
    const { calls, session } = opened()
    session.abandon()
    assert.deepStrictEqual(calls(), ["ended", "terminate"])
    session.closed(4001, "", true)
    assert.deepInclude(session, { hasEnded: true, code: 1006, clean: false })
    assert.deepStrictEqual(calls(), [])
  })

  it("answers pings with their data, also where texts have used up the buffer", () => {
    const { calls, owner, session } = opened({ sendBufferBytes: 1024 })
    session.send("x".repeat(1024))
    calls()
    session.ping(DATA)
    session.ping(DATA)
    assert.deepStrictEqual(calls(), ["pong 3", "pong 3"])
    assert.strictEqual(owner.totals.lastFrameAt, 1000)
    assert.isNull(owner.totals.lastPongAt)
  })

  it("answers no more pings than the buffer would hold of a peer that takes in none of the answers", () => {
    const { calls, session } = opened({ sendBufferBytes: 1024 })
    for (let ping = 0; ping < 50; ping++) session.ping(DATA)
    assert.deepStrictEqual(calls(), ["pong 3", "pong 3", "pong 3", "pong 3"])
  })

  it("throws away what waits when its grant is lost, and closes behind what is with the socket", () => {
    const { calls, owner, session, world } = opened()
    for (let text = 0; text < 5; text++) session.send("x".repeat(60_000))
    assert.lengthOf(calls(), 1)
    session.revoke()
    assert.deepStrictEqual(calls(), [])
    assert.strictEqual(session.bufferedBytes, 60_000)
    session.close(1001, "")
    assert.deepStrictEqual(calls(), ["read full", "close 1001 "])
    world.written(false)
    session.closed(1001, "", true)
    assert.deepStrictEqual(calls(), ["ended"])
    assert.deepInclude(owner.totals, { sentTextFrames: 5, sendFailures: 4, unconfirmedAtEnds: 5 })
  })

  it("counts what still waits as not written when it ends, before it says that it has", () => {
    const { calls, owner, session } = opened()
    for (let text = 0; text < 5; text++) session.send("x".repeat(60_000))
    calls()
    session.closing()
    assert.strictEqual(owner.totals.sendFailures, 4)
    session.send("late")
    assert.strictEqual(owner.totals.sentTextFrames, 5)
    session.closed(1000, "", true)
    assert.deepStrictEqual(calls(), ["closing", "ended"])
  })

  it("breaks off a peer that takes nothing for too long", () => {
    const { calls, owner, session, timers, world } = opened({ sendStallMs: 1500 })
    const pass = (ms: number) => {
      const [timer] = timers
      assert.strictEqual(timer?.ms, ms)
      world.monotonic += ms
      if (timer !== undefined) timers.delete(timer)
      timer?.due()
    }
    session.send("grüße")
    assert.strictEqual(timers.size, 1)
    pass(1000)
    assert.isNull(session.error)
    pass(500)
    assert.deepEqual(session.error, new PeerStalled({ url: URL, stalledMs: 1500, bufferedBytes: 7 }))
    assert.deepStrictEqual(calls(), ["send grüße", "closing", "terminate"])
    assert.strictEqual(timers.size, 0)
    world.written(true)
    assert.strictEqual(owner.totals.sendFailures, 1)
  })

  for (const [name, act] of [
    ["is closed", ({ session }: ReturnType<typeof opened>) => session.close(1000, "")],
    ["is closed by the peer", ({ session }: ReturnType<typeof opened>) => session.closing()],
    ["is broken off", ({ session }: ReturnType<typeof opened>) => session.terminate()],
    ["is given up", ({ session }: ReturnType<typeof opened>) => session.abandon()],
    ["has ended", ({ session }: ReturnType<typeof opened>) => session.closed(1006, "", false)]
  ] as const) {
    it(`waits for nothing any more once it ${name}`, () => {
      const played = opened({ pingIntervalMs: 30_000 })
      played.session.send("a")
      // That of what it sends, and that of its pings.
      assert.strictEqual(played.timers.size, 2)
      act(played)
      assert.strictEqual(played.timers.size, 0)
    })
  }

  it("hears of no ping, pong or clock of its own once it has ended", () => {
    const { calls, owner, session, timers, world } = opened({ pingIntervalMs: 1000, pongDeadlineMs: 500 })
    const elapse = (ms: number) => {
      world.monotonic += ms
      const over = [...timers]
      timers.clear()
      for (const { due } of over) due()
    }
    session.send("a")
    elapse(1000)
    assert.deepStrictEqual(calls(), ["send a", "ping 1"])
    world.pinged()
    assert.strictEqual(owner.totals.unconfirmedFrames, 1)
    session.closed(1006, "", false)
    assert.strictEqual(timers.size, 0)
    assert.strictEqual(world.stood, NOTHING_STOOD)
    // Another epoch has sent something meanwhile.
    owner.totals.unconfirmedFrames = 5
    session.pong(new TextEncoder().encode("1"))
    world.pinged()
    elapse(10_000)
    assert.deepInclude(owner.totals, { unconfirmedFrames: 5, lastPongAt: null, roundTripMs: null })
    assert.deepStrictEqual(calls(), ["ended"])
    assert.isNull(session.error)
  })

  it("notes when a pong came", () => {
    const { calls, owner, session, world } = opened()
    world.now = 2000
    session.pong(DATA)
    assert.deepInclude(owner.totals, { lastFrameAt: 2000, lastPongAt: 2000 })
    assert.deepStrictEqual(calls(), [])
  })

  for (const [name, send] of [
    ["pings", (session: Session) => session.ping(DATA)],
    ["pongs", (session: Session) => session.pong(DATA)]
  ] as const) {
    it(`breaks off a peer that floods ${name}, by the clock that is never set`, () => {
      const { calls, owner, session, world } = opened({ controlFramesPerSecond: 10 })
      for (let frame = 0; frame < 10; frame++) {
        // The wall clock is set forward by an hour each time.
        world.now += 3_600_000
        send(session)
      }
      assert.isNull(session.error)
      // For that time a second's worth has come back.
      world.monotonic += 1000
      for (let frame = 0; frame < 10; frame++) {
        world.now -= 3_600_000
        send(session)
      }
      assert.isNull(session.error)
      calls()
      const { lastPongAt } = owner.totals
      world.now += 7
      send(session)
      assert.deepStrictEqual(calls(), ["closing", "terminate"])
      assert.strictEqual(owner.totals.lastPongAt, lastPongAt)
      assert.deepEqual(session.error, new ControlFlood({ url: URL, limit: 10 }))
      assert.deepInclude(session, { hasEnded: false })
      // What the same read still brings costs nothing and changes nothing.
      world.now += 5
      const { lastFrameAt } = owner.totals
      send(session)
      assert.deepInclude(owner.totals, { lastFrameAt, lastPongAt })
      session.text("late", 4)
      assert.deepStrictEqual(calls(), ["rejected text"])
    })
  }

  it("counts the time since the open for a peer whose control frames begin late", () => {
    const { session, world } = opened({ controlFramesPerSecond: 10 })
    world.monotonic += 5000
    for (let frame = 0; frame < 60; frame++) session.ping(DATA)
    assert.isNull(session.error)
    session.ping(DATA)
    assert.deepEqual(session.error, new ControlFlood({ url: URL, limit: 10 }))
  })

  for (const [member, act] of [
    ["writeQueueSize", ({ session }: ReturnType<typeof opened>) => session.send("a")],
    ["send", ({ session }: ReturnType<typeof opened>) => session.send("a")],
    ["pong", ({ session }: ReturnType<typeof opened>) => session.ping(DATA)],
    ["read", ({ read }: ReturnType<typeof opened>) => read("off")],
    ["close", ({ session }: ReturnType<typeof opened>) => session.close(1000, "")],
    ["terminate", ({ session }: ReturnType<typeof opened>) => session.terminate()]
  ] as const) {
    it.effect.each([
      ["throws", () => assert.fail("boom") as never],
      ["throws a promise", () => thrown(Promise.reject(new Error("boom")))]
    ] as const)(`ends where its socket's ${member} %s`, ([, fail]) =>
      Effect.gen(function* () {
        const played = play()
        played.session.open({ ...played.socket, [member]: fail })
        played.calls()
        assert.deepStrictEqual(yield* unhandled(Effect.sync(() => act(played))), [])
        assert.deepStrictEqual(
          played.calls().filter((call) => call !== "read full" && call !== "send a"),
          member === "terminate" ? ["ended"] : ["ended", "terminate"]
        )
        const { error } = played.session
        assert.deepInclude(error, { _tag: "DialFailed", phase: "client", code: "EDEFECT" })
        assert.deepInclude(played.session, { hasEnded: true, code: 1006, clean: false })
        assert.strictEqual(played.owner.totals.sendFailures, member === "send" ? 1 : 0)
        assert.strictEqual(played.timers.size, 0)
      })
    )

    it.effect(`takes care of a promise that its socket's ${member} returns`, () =>
      Effect.gen(function* () {
        const played = play()
        played.session.open({ ...played.socket, [member]: () => Promise.reject(new Error("boom")) })
        assert.deepStrictEqual(yield* unhandled(Effect.sync(() => act(played))), [])
        // What is buffered can't be known of it.
        assert.strictEqual(played.session.hasEnded, member === "writeQueueSize")
      })
    )
  }

  for (const [member, limits] of [
    ["writeQueueSize", { sendStallMs: 1000 }],
    ["bytesRead", { pingIntervalMs: 1000, pongDeadlineMs: 1000 }]
  ] as const) {
    it(`waits for nothing, and is broken off once, where its socket's ${member} throws when a clock is over`, () => {
      const played = play(limits)
      let isBroken = false
      const broken = () => (isBroken ? assert.fail("boom") : 0)
      played.session.open({ ...played.socket, [member]: broken })
      const over = () => {
        played.world.monotonic += 1000
        const due = [...played.timers]
        played.timers.clear()
        for (const timer of due) timer.due()
      }
      if (member === "writeQueueSize") played.session.send("a")
      else {
        over()
        played.world.pinged()
      }
      played.calls()
      isBroken = true
      over()
      assert.deepStrictEqual(played.calls(), ["ended", "terminate"])
      assert.strictEqual(played.timers.size, 0)
      assert.strictEqual(played.session.error?._tag, "DialFailed")
    })
  }

  it("breaks off a second socket, and stays with the first, whatever the other one says of its end", () => {
    const { calls, session, socket } = opened()
    let terminated = 0
    session.open({
      ...socket,
      terminate: () => {
        terminated++
        session.closed(1006, "", false)
        throw new Error("boom")
      }
    })
    assert.strictEqual(terminated, 1)
    session.send("a")
    assert.deepStrictEqual(calls(), ["send a"])
    assert.deepInclude(session, { hasEnded: false, error: null })
    session.abandon()
    assert.deepStrictEqual(calls(), ["ended", "terminate"])
  })
})
