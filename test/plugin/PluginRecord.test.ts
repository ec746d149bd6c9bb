import { assert, describe, it } from "@effect/vitest"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { GrantError, Limits, Manifest, OutputCommand, PluginError } from "mooring"
import type { CommandResult } from "../../src/ingress/IngressEvent.ts"
import * as DiagnosticLog from "../../src/diagnostics/DiagnosticLog.ts"
import type { Authority } from "../../src/grants/Grants.ts"
import * as EntrySecrets from "../../src/secrets/EntrySecrets.ts"
import { PluginRecord, type PluginDiagnostic } from "../../src/plugin/PluginRecord.ts"
import type { SourceSlot } from "../../src/plugin/SourceSlot.ts"
import * as RequestCredentials from "../../src/requests/RequestCredentials.ts"
import { noRequests } from "../support/requests.ts"
import { destination, eventOf, NOW } from "../commands/support/executor.ts"

const OWN = "ws://127.0.0.1:7700/own"

const manifest = Result.getOrThrow(
  Manifest.decode({
    schema_version: 1,
    id: "test.plugin",
    name: "Plugin",
    version: "1.0.0",
    surfaces: ["service", "ingress"],
    services: [{ name: "main", lifecycle: "host-managed" }],
    ingresses: [
      {
        name: "main",
        event_kinds: ["websocket_text", "command_result"],
        auto_replies: [{ text: "ping", reply: "pong" }]
      },
      { name: "twin" }
    ]
  })
)

/** A source whose queue is a few fields, and what was asked of it. */
const slotOf = (ingress = "main", url = OWN) => {
  const { connection } = destination(ingress, url)
  const slide = () => void Object.assign(backpressure, { flow: "sliding", slidesAt: null })
  const backpressure = { flow: "flowing", slidesAt: null as number | null, slide }
  const asked: Array<string> = []
  const queue = { backpressure, discard: () => asked.push("discard"), timer: () => ({}), withdraw: () => {} }
  // No more of it is looked at here.
  return { slot: { connection, queue, epochSince: 0 } as unknown as SourceSlot, connection, backpressure, asked }
}

const recording = (sources = [slotOf()], limits: Partial<Limits.Values> = {}) => {
  const time = { wall: NOW, monotonic: 0 }
  const clock = {
    currentTimeMillisUnsafe: () => time.wall,
    monotonicTimeNanosUnsafe: () => BigInt(Math.round(time.monotonic * 1e6))
  } as Clock.Clock
  const granted = { ingresses: new Set(["main", "twin"]) }
  const authority = {
    rateOf: () => undefined,
    ingress: (name: string) =>
      granted.ingresses.has(name)
        ? Result.void
        : Result.fail(new GrantError.PermissionMissing({ permission: `ingress ${name}`, missing: "grant" }))
  } as unknown as Authority
  const log = DiagnosticLog.make<PluginDiagnostic>({
    capacity: 256,
    now: () => time.wall,
    encode: ({ _tag, message }) => ({ stage: "command", tag: _tag, severity: "warning", message, error: { _tag } }),
    recorded: () => {}
  })
  const count = { changed: 0, woken: 0 }
  const record = new PluginRecord({
    key: "run-0",
    limits: { ...Limits.defaults, ...limits },
    clock,
    log,
    hostBytes: { used: 0, limit: 1e9 },
    requests: noRequests(),
    changed: () => void count.changed++,
    woken: () => void count.woken++
  })
  record.manifest = manifest
  record.adopt(
    sources.map(({ slot }) => slot),
    adopted(authority, record.limits)
  )
  const answer = (commands: ReadonlyArray<unknown>, from: Parameters<typeof eventOf>[0] | undefined = undefined) => {
    record.begun()
    const event = eventOf(
      from ?? { connection: sources[0]?.connection ?? destination("main", OWN).connection, epochSince: 0 }
    )
    record.answered(event, { commands, status: undefined, state: undefined }, time.wall)
  }
  return { record, time, granted, authority, log, count, answer }
}

const adopted = (authority: Authority, limits: Limits.Values) => ({
  authority,
  limits,
  secrets: EntrySecrets.none,
  credentials: RequestCredentials.none
})

const send = OutputCommand.send({ url: OWN, ingressName: "main" }, "hi")

const results = (record: PluginRecord): ReadonlyArray<CommandResult> => {
  const taken: Array<CommandResult> = []
  for (let event = record.hostQueue.take(); event !== undefined; event = record.hostQueue.take()) {
    if (event.kind === "command_result" && "result" in event) taken.push(event)
  }
  return taken
}

describe("a plugin's record", () => {
  it("keeps the last state and status that were said, and when", () => {
    const { count, record, time } = recording()
    const event = eventOf("main")
    record.answered(event, { commands: [], status: "1", state: '"a"' }, 5)
    assert.deepInclude(record, { reportedStatus: "1", reportedAt: NOW, state: '"a"', lastDispatchAt: 5 })
    time.wall += 10
    record.answered(event, { commands: [], status: undefined, state: undefined }, 15)
    assert.deepInclude(record, { reportedStatus: "1", reportedAt: NOW, state: '"a"', lastDispatchAt: 15 })
    record.answered(event, { commands: [], status: "null", state: "null" }, 16)
    assert.deepInclude(record, { reportedStatus: "null", reportedAt: NOW + 10, state: "null" })
    assert.strictEqual(count.changed, 2)
  })

  it("has of an answer's status and its commands' the last one said", () => {
    const { record } = recording()
    const commands = [OutputCommand.reportStatus({ message: "m" })]
    record.answered(eventOf("main"), { commands, status: "1", state: undefined }, 0)
    assert.strictEqual(record.reportedStatus, '{"message":"m","status":null}')
  })

  it("keeps the last error with its time, and reports it", () => {
    const { log, record } = recording()
    record.fail(new PluginError.DispatchFailed({ during: "event" }))
    assert.deepStrictEqual(record.lastError, {
      tag: "DispatchFailed",
      message: "the handler didn't accept the event",
      at: NOW
    })
    assert.deepStrictEqual(log.counts(), { DispatchFailed: 1 })
  })

  it("executes commands, keeps their results, and reports what was refused with its source", () => {
    const source = slotOf()
    const { answer, log, record } = recording([source])
    answer([send, OutputCommand.send(OWN, "no", { epoch: 9 }), null])
    assert.deepStrictEqual(source.connection.asked, [["send", "hi"]])
    assert.deepStrictEqual(
      record.results.all().map(({ error, status }) => error?.tag ?? status),
      ["executed", "StaleEpoch", "CommandMalformed"]
    )
    assert.deepStrictEqual(
      log.entries().map(({ sourceId, tag }) => [tag, sourceId]),
      [
        ["StaleEpoch", source.connection.source.id],
        ["CommandMalformed", undefined]
      ]
    )
    record.adopt([], undefined)
    answer([send])
    assert.lengthOf(record.results.all(), 3)
  })

  it("rule 12: reports sends to places that a plugin made up as one place, and pushes nothing out", () => {
    const { answer, log, record } = recording()
    record.fail(new PluginError.DispatchFailed({ during: "event" }))
    for (let host = 0; host < 1000; host++) answer([OutputCommand.send(`ws://made-up-${host}.example/`, "x")])
    assert.deepStrictEqual(
      log.entries().map(({ count, tag }) => [tag, count]),
      [
        ["DispatchFailed", 1],
        ["CommandUngranted", 1000]
      ]
    )
  })

  it("rule 8: knows the dispatch during which an epoch began", () => {
    const [own, other] = [slotOf(), slotOf("main", "ws://127.0.0.1:7700/other")]
    const { answer, record } = recording([own, other])
    const toOther = OutputCommand.send("ws://127.0.0.1:7700/other", "x")
    const lastVerdict = () => record.results.all().at(-1)?.error?.tag ?? "executed"
    answer([toOther])
    assert.strictEqual(lastVerdict(), "executed")
    record.begun()
    record.epochBegan(other.slot)
    assert.strictEqual(other.slot.epochSince, 2)
    record.answered(
      eventOf({ connection: own.connection, epochSince: 0 }),
      { commands: [toOther], status: undefined, state: undefined },
      0
    )
    assert.strictEqual(lastVerdict(), "StaleEpoch")
    answer([toOther])
    assert.strictEqual(lastVerdict(), "executed")
  })

  it("ends the timers of an epoch when the next begins", () => {
    const source = slotOf()
    const { answer, record } = recording([source])
    answer([OutputCommand.setTimer("t", { afterMs: 100, url: OWN })])
    assert.lengthOf(record.timers.all, 1)
    record.epochBegan(source.slot)
    assert.lengthOf(record.timers.all, 0)
  })

  describe("hands results to", () => {
    it("an ingress that lists them, for the commands of its own events", () => {
      const { answer, count, record } = recording()
      answer([send, null])
      assert.deepStrictEqual(
        results(record).map(({ ingressName, result }) => [ingressName, result.status]),
        [
          ["main", "executed"],
          ["main", "rejected"]
        ]
      )
      assert.isAbove(count.woken, 0)
      answer([send], "twin")
      assert.deepStrictEqual(results(record), [])
    })

    it("none where they would answer a result themselves", () => {
      const { record } = recording()
      const event = eventOf("main")
      const origin = { ...event.origin, source: "host:command_result" }
      record.answered({ ...event, origin }, { commands: [send], status: undefined, state: undefined }, 0)
      assert.deepStrictEqual(results(record), [])
      assert.lengthOf(record.results.all(), 1)
    })

    it("none whose ingress isn't granted any more", () => {
      const { answer, granted, record } = recording()
      granted.ingresses.delete("main")
      answer([send])
      assert.deepStrictEqual(results(record), [])
    })

    it("none that another manifest doesn't list", () => {
      const { answer, authority, record } = recording()
      record.manifest = { ...manifest, ingresses: manifest.ingresses.filter(({ name }) => name === "twin") }
      record.adopt([slotOf().slot], adopted(authority, record.limits))
      answer([send])
      assert.deepStrictEqual(results(record), [])
      record.manifest = undefined
      record.adopt([], adopted(authority, record.limits))
      answer([send])
      assert.deepStrictEqual(results(record), [])
    })
  })

  it("rule 1: forgets what an ingress waits for that isn't granted any more, and nothing else", () => {
    const { answer, authority, granted, record } = recording()
    answer([OutputCommand.setTimer("main", { afterMs: 100 })])
    answer([OutputCommand.setTimer("twin", { afterMs: 100 })], "twin")
    record.hostQueue.deliver("main", "x", "1", 1)
    record.hostQueue.deliver("twin", "x", "1", 1)
    granted.ingresses.delete("main")
    record.revoke(authority)
    assert.deepStrictEqual(
      record.timers.all.map(({ name }) => name),
      ["twin"]
    )
    assert.strictEqual(record.hostQueue.take()?.ingressName, "twin")
    assert.isUndefined(record.hostQueue.take())
  })

  it("discards all that waits, everywhere", () => {
    const sources = [slotOf(), slotOf("twin")]
    const { answer, record } = recording(sources)
    answer([OutputCommand.setTimer("main", { afterMs: 100 })])
    record.hostQueue.deliver("main", "x", "1", 1)
    record.discardWaiting()
    assert.deepStrictEqual(record.timers.all, [])
    assert.strictEqual(record.hostQueue.waiting, 0)
    assert.deepStrictEqual(
      sources.map(({ asked }) => asked),
      [["discard"], ["discard"]]
    )
  })

  it("knows what its ingresses take, and what they say of texts", () => {
    const { record } = recording()
    assert.deepStrictEqual(
      [
        ["main", "websocket_text"],
        ["main", "websocket_open"],
        ["twin", "websocket_open"],
        ["twin", "command_result"],
        ["nowhere", "websocket_open"]
      ].map(([ingress = "", kind = ""]) => record.takes(ingress, kind)),
      [true, false, true, false, false]
    )
    assert.isNotNull(record.rules("main"))
    assert.isNull(record.rules("twin"))
    assert.isNull(record.rules("nowhere"))
  })

  it("takes nothing where nothing is enabled", () => {
    const { record } = recording()
    record.manifest = undefined
    assert.isFalse(record.takes("main", "websocket_text"))
    assert.isNull(record.rules("main"))
  })

  it("reports what slid out of its own queue", () => {
    const { log, record } = recording([slotOf()], { ingressQueueCapacity: 2 })
    for (const json of ["1", "2", "3"]) record.hostQueue.deliver("main", "x", json, 1)
    assert.deepStrictEqual(log.counts(), { QueueOverflow: 1 })
    assert.notProperty(log.entries()[0], "sourceId")
  })

  it.effect("fires its timers in time, whichever was set meanwhile", () =>
    Effect.gen(function* () {
      const { answer, record, time } = recording()
      yield* Effect.forkScoped(record.ticker.run)
      yield* Effect.yieldNow
      answer(
        [OutputCommand.setTimer("late", { afterMs: 500 }), OutputCommand.setTimer("soon", { afterMs: 100 })],
        "twin"
      )
      for (const [ms, name] of [
        [100, "soon"],
        [400, "late"]
      ] as const) {
        yield* Effect.forEach([1, 2, 3, 4], () => Effect.yieldNow)
        assert.strictEqual(record.hostQueue.waiting, record.hostQueue.depth)
        time.monotonic += ms
        yield* TestClock.adjust(ms)
        const event = record.hostQueue.take()
        assert.strictEqual(event?.kind === "timer" && "name" in event ? event.name : undefined, name)
      }
    })
  )

  it("numbers sources anew each time", () => {
    const { record } = recording()
    assert.deepStrictEqual([record.nextSource(), record.nextSource(), record.nextSource()], [0, 1, 2])
  })

  it("sends the host's own answers while the service runs", () => {
    const source = slotOf()
    const { record } = recording([source])
    assert.isFalse(record.reply(source.slot, "pong"))
    record.isRunning = true
    assert.isTrue(record.reply(source.slot, "pong"))
    record.adopt([], undefined)
    assert.isFalse(record.reply(source.slot, "pong"))
    assert.deepStrictEqual(source.connection.asked, [["send", "pong"]])
  })

  it.effect("rule 3: looks again when the next queue's patience ends, by itself", () =>
    Effect.gen(function* () {
      const [first, second] = [slotOf(), slotOf("twin")]
      const { record, time } = recording([first, second])
      Object.assign(first.backpressure, { flow: "paused", slidesAt: 1500 })
      Object.assign(second.backpressure, { flow: "paused", slidesAt: 1000 })
      yield* Effect.forkScoped(record.ticker.run)
      yield* Effect.forEach([1, 2, 3, 4], () => Effect.yieldNow)
      const flows = () => [first, second].map(({ backpressure }) => backpressure.flow)
      for (const [ms, expected] of [
        [1000, ["paused", "sliding"]],
        [500, ["sliding", "sliding"]]
      ] as const) {
        time.monotonic += ms
        yield* TestClock.adjust(ms)
        yield* Effect.forEach([1, 2, 3, 4], () => Effect.yieldNow)
        assert.deepStrictEqual<ReadonlyArray<string>>(flows(), expected)
      }
    })
  )

  it.effect("rule 3: lets a queue slide that has been paused for longer than the patience, each in its time", () =>
    Effect.gen(function* () {
      const [first, second, flowing] = [slotOf(), slotOf("twin"), slotOf("twin", "ws://127.0.0.1:7700/b")]
      const { record, time } = recording([first, second, flowing])
      const flows = () => [first, second, flowing].map(({ backpressure }) => backpressure.flow)
      Object.assign(first.backpressure, { flow: "paused", slidesAt: 1000 })
      Object.assign(second.backpressure, { flow: "paused", slidesAt: 1500 })
      yield* Effect.forkScoped(record.ticker.run)
      const look = Effect.suspend(() => {
        record.ticker.wake()
        return Effect.forEach([1, 2, 3, 4], () => Effect.yieldNow)
      })
      time.monotonic = 999
      yield* look
      assert.deepStrictEqual(flows(), ["paused", "paused", "flowing"])
      time.monotonic = 1000
      yield* look
      assert.deepStrictEqual(flows(), ["sliding", "paused", "flowing"])
      time.monotonic = 1500
      yield* look
      assert.deepStrictEqual(flows(), ["sliding", "sliding", "flowing"])
    })
  )
})
