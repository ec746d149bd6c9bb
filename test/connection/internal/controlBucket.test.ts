import { assert, describe, it } from "@effect/vitest"
import { ControlBucket } from "../../../src/connection/internal/controlBucket.ts"
import { int, list } from "../../support/arbitraries.ts"

const BEGAN = 1234

/** How many of so many frames at once are taken. */
const taken = (bucket: ControlBucket, now: number, frames = 100_000): number => {
  let count = 0
  while (count < frames && bucket.take(now)) count++
  return count
}

describe("the bucket of control frames", () => {
  for (const [name, gapMs, expected] of [
    ["a second's worth at the open", 0, 10],
    ["half a second more after half a second", 500, 15],
    ["a minute more after a minute", 60_000, 610],
    ["no more than that after an hour", 3_600_000, 610]
  ] as const) {
    it(`takes ${name}`, () => {
      assert.strictEqual(taken(new ControlBucket(10, BEGAN), BEGAN + gapMs), expected)
    })
  }

  it("fills up no more than to a second's worth while frames come, however long they do", () => {
    const bucket = new ControlBucket(10, BEGAN)
    let now = BEGAN
    for (let second = 0; second < 600; second++) assert.isTrue(bucket.take((now += 1000)))
    assert.isAtMost(taken(bucket, now), 20)
    assert.strictEqual(taken(bucket, now), 0)
    // One a tenth of a second is what it fills with.
    assert.strictEqual(taken(bucket, now + 99), 0)
    assert.strictEqual(taken(bucket, now + 100), 1)
    assert.strictEqual(taken(bucket, now + 1100), 10)
  })

  it("lets what a gap has filled be used up in many reads", () => {
    const bucket = new ControlBucket(10, BEGAN)
    let now = BEGAN + 60_000
    for (let frame = 0; frame < 600; frame++) assert.isTrue(bucket.take((now += 1)))
    assert.isAtMost(taken(bucket, now), 16)
  })

  it("takes a frame a second of a limit of one, however late the one before it came", () => {
    for (let late = 0; late < 1000; late++) {
      const bucket = new ControlBucket(1, BEGAN)
      for (const at of [0, 1000 + late, 2000]) assert.isTrue(bucket.take(BEGAN + at), `${late} ms late, at ${at}`)
    }
  })

  const schedule = {
    perSecond: int(1, 50),
    // How often the peer pings, in percent of what is allowed, and how long the line stood still, again and again.
    percent: int(10, 100),
    stalls: list(int(0, 59_000), 1, 12),
    flowing: list(int(0, 20_000), 1, 5)
  }

  it.prop(
    "never takes a peer for a flood that keeps to the limit, wherever the line stands still for up to a minute",
    schedule,
    ({ flowing, percent, perSecond, stalls }) => {
      const bucket = new ControlBucket(perSecond, BEGAN)
      const everyMs = 1000 / ((perSecond * percent) / 100)
      let sent = 0
      let now = BEGAN
      const arrive = (until: number) => {
        for (; BEGAN + sent * everyMs <= until; sent++) {
          now = Math.max(now, BEGAN + sent * everyMs)
          assert.isTrue(bucket.take(now), `frame ${sent}`)
        }
      }
      stalls.forEach((stall, index) => {
        arrive(now + (flowing[index % flowing.length] ?? 0))
        now += stall
        arrive(now)
      })
    }
  )

  it.prop(
    "takes in all never more than the time allows: a second's worth, and what the rate makes of the time",
    { perSecond: int(1, 20), gaps: list(int(0, 90_000), 1, 20), bursts: list(int(0, 2000), 1, 20) },
    ({ bursts, gaps, perSecond }) => {
      const bucket = new ControlBucket(perSecond, BEGAN)
      let now = BEGAN
      let count = 0
      gaps.forEach((gap, index) => {
        now += gap
        count += taken(bucket, now, bursts[index % bursts.length])
        assert.isAtMost(count, perSecond * (1 + (now - BEGAN) / 1000) + 1e-6)
      })
    }
  )
})
