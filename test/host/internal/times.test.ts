import { assert, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Times } from "../../../src/host/internal/times.ts"

const Millis = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 }))

it.prop(
  "a time as text is what the time is, however often and in whatever order others are asked for",
  { asked: Schema.Array(Millis) },
  ({ asked }) => {
    const times = new Times()
    for (const at of [...asked, ...asked]) assert.strictEqual(times.of(at), new Date(at).toISOString())
    for (let at = 0; at < 1000; at++) assert.strictEqual(times.of(at), new Date(at).toISOString())
    for (const at of asked) assert.strictEqual(times.orNull(at), new Date(at).toISOString())
    assert.isNull(times.orNull(null))
  }
)

it("a time as text is none after the year 9999", () => {
  const times = new Times()
  for (const at of [Infinity, 1e300, Date.UTC(10_000, 0)]) {
    assert.strictEqual(times.of(at), "9999-12-31T23:59:59.999Z")
    assert.strictEqual(times.of(at), "9999-12-31T23:59:59.999Z")
  }
})
