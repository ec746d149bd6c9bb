import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { bool, int, list, oneOf } from "../../support/arbitraries.ts"
import { type Act, play } from "../support/inMemory.ts"
import { cut } from "../support/received.ts"
import * as Streams from "../support/streams.ts"

const { LIMITS } = Streams

// The host reads at most about this in a turn, where `ws` reads on.
const PACED_FROM = 32_768

/** In reads of these sizes, but in hundreds of them at most. */
const readsOf = (stream: Buffer, sizes: ReadonlyArray<number>) =>
  cut(
    stream,
    sizes.map((size) => Math.max(size, stream.length >> 8))
  )

/** What is done at which of the texts, binary messages, pings and pongs. */
const acts = Arbitrary.map(
  list(Arbitrary.all({ at: int(0, 12), act: oneOf<Act>("pause", "pause", "send", "close", "terminate") }), 0, 3),
  (all) => new Map(all.map(({ act, at }) => [at, act]))
)

describe("the lane beside ws", () => {
  it.effect.prop(
    "makes of a stream, however it comes and whatever is done meanwhile, what ws makes of it, behind the collector and alone",
    {
      before: list(Streams.valid, 0, 6),
      end: Streams.anyEnd,
      after: list(Streams.valid, 0, 3),
      sizes: Streams.cuts,
      apart: bool,
      acts
    },
    ({ acts: does, after, apart, before, end, sizes }) =>
      Effect.promise(async () => {
        const stream = Streams.streamOf([...before, end, ...after])
        const plan = { reads: readsOf(stream, sizes), apart, acts: does, ...LIMITS }
        const [lane, beside, ws] = await Promise.all([play("lane", plan), play("beside", plan), play("ws", plan)])
        assert.deepStrictEqual(lane, beside)
        // How much was read when it broke the connection off is a matter of the pace.
        const isPaced = stream.length >= PACED_FROM && [...does.values()].includes("terminate")
        if (!isPaced) assert.deepStrictEqual(lane, ws)
      }),
    { arbitrary: { runs: 2000 } }
  )

  it.effect.prop(
    "lets nothing overtake what is inflated, for there it isn't",
    { all: list(Streams.validOrCompressed, 1, 8), end: Streams.anyEnd, sizes: Streams.cuts, apart: bool },
    ({ all, apart, end, sizes }) =>
      Effect.promise(async () => {
        const stream = Streams.streamOf([...all, end])
        const plan = {
          reads: readsOf(stream, sizes),
          apart,
          acts: new Map(),
          compression: "permessage-deflate",
          ...LIMITS
        }
        const [lane, ws] = await Promise.all([play("lane", plan), play("ws", plan)])
        // Whether anything can still be written when it was inflated is a matter of time.
        assert.deepStrictEqual(lane.told, ws.told)
      }),
    { arbitrary: { runs: 200 } }
  )
})
