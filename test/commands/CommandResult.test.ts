import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CommandError, CommandResult } from "mooring"
import { int } from "../support/arbitraries.ts"

const origin = { key: "run-0-0", source: "websocket:ws://h/", id: "1b2c3d4e", url: "ws://h/", ingressName: "gateway" }

const recorded = (index: number, change: Partial<CommandResult.Recorded> = {}): CommandResult.Recorded => ({
  origin,
  sequence: 7,
  index,
  ids: {},
  kind: "websocket_send",
  status: "executed",
  error: null,
  at: 0,
  ...change
})

describe("CommandResult", () => {
  it.effect.prop(
    "rule 3: the last so many results are kept, the oldest first",
    { capacity: int(1, 8), count: int(0, 30) },
    ({ capacity, count }) =>
      Effect.sync(() => {
        const results = new CommandResult.Results(capacity)
        const ids = Array.from({ length: count }, (_, index) => `id-${index}`)
        for (const [index, commandId] of ids.entries()) results.add(recorded(index, { ids: { commandId } }))
        assert.deepStrictEqual(
          results.all().map(({ commandId }) => commandId),
          ids.slice(-capacity)
        )
      }),
    { arbitrary: { runs: 200 } }
  )

  it("fills in the ids that the plugin didn't give, from the event and the position", () => {
    const [first, second] = [recorded(0), recorded(1)].map(CommandResult.fromRecorded)
    assert.strictEqual(first?.correlationId, "run-0-0.7")
    assert.strictEqual(first?.sourceEventId, "run-0-0.7")
    assert.match(first?.commandId ?? "", /^[A-Za-z0-9._:-]{1,128}$/)
    assert.notStrictEqual(first?.commandId, second?.commandId)
  })

  it("keeps the ids that the plugin gave, and says which event it answers", () => {
    const ids = { commandId: "reply-1", correlationId: "flow-9" }
    const result = CommandResult.fromRecorded(recorded(3, { ids }))
    assert.strictEqual(result.commandId, "reply-1")
    assert.strictEqual(result.correlationId, "flow-9")
    assert.strictEqual(result.sourceEventId, "run-0-0.7")
  })

  it("says of an error what it is, and how long to wait where that is known", () => {
    const limited = { url: "ws://h/", per: "sends", limit: 1, retryAfterMs: 500 } as const
    assert.deepStrictEqual(CommandResult.errorOf(new CommandError.SendRateLimited(limited)), {
      tag: "SendRateLimited",
      message: "ws://h/ may be sent 1 texts a minute",
      retryAfterMs: 500
    })
    assert.deepStrictEqual(CommandResult.errorOf(new CommandError.TimerLimit({ limit: 8 })), {
      tag: "TimerLimit",
      message: "8 timers are allowed, and none of them has this name"
    })
  })

  it("rule 11: masks for good the ids that the plugin made up, and nothing else", () => {
    const results = new CommandResult.Results(2)
    results.add(recorded(0, { ids: { commandId: "secret-1", correlationId: "secret-2" } }))
    results.add(recorded(1))
    const [, before] = results.all()
    results.mask((id) => id.replace("secret", "***"))
    const [first, second] = results.all()
    assert.deepInclude(first, {
      commandId: "***-1",
      correlationId: "***-2",
      kind: "websocket_send",
      status: "executed"
    })
    assert.deepStrictEqual(second, before)
  })

  it("is a value of its own for each reader", () => {
    const error = { tag: "CommandMalformed", message: "no" }
    const results = new CommandResult.Results(1)
    results.add(recorded(0, { status: "rejected", error }))
    const [first] = results.all()
    Object.assign(first?.error ?? {}, { message: Symbol("edited") })
    assert.deepStrictEqual(results.all()[0]?.error, error)
  })

  it("has on the wire the form of the contract, with an error only where something is not well", () => {
    const encode = Schema.encodeSync(CommandResult.CommandResult)
    assert.deepStrictEqual(encode(CommandResult.fromRecorded(recorded(0, { ids: { commandId: "a" } }))), {
      command_id: "a",
      correlation_id: "run-0-0.7",
      source_event_id: "run-0-0.7",
      kind: "websocket_send",
      status: "executed",
      recorded_at: "1970-01-01T00:00:00.000Z"
    })
    const error = { tag: "CommandMalformed", message: "no" }
    const rejected = encode(CommandResult.fromRecorded(recorded(0, { kind: null, status: "rejected", error })))
    assert.isNull(rejected.kind)
    assert.deepStrictEqual(rejected.error, error)
  })
})
