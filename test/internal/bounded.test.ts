import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { runInNewContext } from "node:vm"
import * as Bounded from "../../src/internal/bounded.ts"
import * as Wire from "../../src/internal/wire.ts"

const nested = (levels: number, wrap: (inner: unknown) => unknown): unknown =>
  Array.from({ length: levels }).reduce<unknown>(wrap, 1)

const array = (inner: unknown) => [inner]
const table = (inner: unknown) => ({ a: inner })

const refusalOf = (value: unknown) => {
  const copied = Bounded.copy(value)
  return Result.isFailure(copied) ? copied.failure : undefined
}

describe("a bounded copy", () => {
  it.effect.prop(
    "is the same JSON, and nothing of it is the original's",
    { value: Arbitrary.schema(Schema.Json) },
    ({ value }) =>
      Effect.sync(() => {
        const copy = Result.getOrThrow(Bounded.copy(value))
        assert.deepStrictEqual(JSON.stringify(copy), JSON.stringify(value))
        if (typeof value === "object" && value !== null) assert.notStrictEqual<unknown>(copy, value)
      }),
    { arbitrary: { runs: 200 } }
  )

  it("copies at every level", () => {
    const value = { a: [{ b: 1 }], c: { d: [2] } }
    const copy = Result.getOrThrow(Bounded.copy(value)) as typeof value
    value.a[0] = { b: 7 }
    value.c.d.push(7)
    assert.deepStrictEqual(copy, { a: [{ b: 1 }], c: { d: [2] } })
  })

  it("ends where a value is nested too deeply, and says under which key", () => {
    for (const wrap of [array, table]) {
      assert.isUndefined(refusalOf(nested(Bounded.MAX_DEPTH, wrap)))
      assert.match(refusalOf(nested(Bounded.MAX_DEPTH + 1, wrap))?.expected ?? "", /128 deep/)
      assert.isDefined(refusalOf(nested(1_000_000, wrap)))
      assert.strictEqual(refusalOf({ fine: 1, deep: wrap(nested(Bounded.MAX_DEPTH, wrap)), other: 2 })?.key, "deep")
    }
    assert.isUndefined(refusalOf(nested(Bounded.MAX_DEPTH + 1, array))?.key)
    const cyclic: Array<unknown> = []
    cyclic.push(cyclic)
    assert.isDefined(refusalOf(cyclic))
  })

  it("ends where there is too much of it", () => {
    const few = Array.from({ length: Bounded.MAX_VALUES - 1 }, () => 0)
    assert.isUndefined(refusalOf(few))
    assert.match(refusalOf([...few, 0])?.expected ?? "", /262144 values/)
    assert.isDefined(refusalOf([few, few]))
    const sparse: Array<unknown> = []
    sparse.length = 4_000_000_000
    assert.isDefined(refusalOf(sparse))
    assert.isUndefined(refusalOf("a".repeat(Bounded.MAX_CHARACTERS)))
    assert.isDefined(refusalOf("a".repeat(Bounded.MAX_CHARACTERS + 1)))
    const half = "a".repeat(Bounded.MAX_CHARACTERS / 2)
    assert.isUndefined(refusalOf([half, half]))
    assert.isDefined(refusalOf([half, half, "a"]))
    assert.isUndefined(refusalOf({ [half]: 1 }))
    assert.isDefined(refusalOf({ [half]: half, a: "a" }))
    assert.isDefined(refusalOf({ a: half, [half]: "" }))
  })

  it("takes a key without a value for one that isn't there", () => {
    const copy = Result.getOrThrow(Bounded.copy({ a: undefined, b: { c: undefined, d: null }, e: [undefined] }))
    assert.deepStrictEqual<unknown>(copy, { b: { d: null }, e: [undefined] })
    assert.deepStrictEqual(Object.keys(copy as object), ["b", "e"])
  })

  it("makes every key one of the copy's own", () => {
    const value: unknown = JSON.parse('{"__proto__": {"admin": true}, "constructor": 1}')
    const copy = Result.getOrThrow(Bounded.copy(value)) as object
    assert.deepStrictEqual(Object.keys(copy), ["__proto__", "constructor"])
    assert.strictEqual(Object.getPrototypeOf(copy), Object.prototype)
    assert.isUndefined((copy as { readonly admin?: boolean }).admin)
  })

  it("copies plain objects of any realm, and leaves everything else to a schema", () => {
    const foreign = runInNewContext("({ a: [1], b: Object.create(null) })") as { readonly a: ReadonlyArray<number> }
    assert.deepStrictEqual<unknown>(Result.getOrThrow(Bounded.copy(foreign)), { a: [1], b: {} })
    assert.notStrictEqual(Result.getOrThrow(Bounded.copy(foreign)), foreign)
    const bare: unknown = Object.assign(Object.create(null) as object, { a: 1 })
    assert.deepStrictEqual<unknown>(Result.getOrThrow(Bounded.copy(bare)), { a: 1 })
    class Own {
      readonly a = 1
    }
    for (const value of [new Date(0), new Map([[1, 2]]), new Own(), () => 1, Symbol.iterator, 1n, null, undefined]) {
      assert.strictEqual(Result.getOrThrow(Bounded.copy(value)), value)
      assert.deepStrictEqual(Result.getOrThrow(Bounded.copy([value])), [value])
    }
  })

  it("is frozen at every level, where that is asked for", () => {
    const value = { a: [{ b: 1 }], c: null, d: "e" }
    assert.strictEqual(Bounded.freeze(value), value)
    for (const each of [value, value.a, value.a[0]]) assert.isTrue(Object.isFrozen(each))
    assert.strictEqual(Bounded.freeze(7), 7)
  })
})

describe("a decoder", () => {
  const Room = Wire.struct({ roomName: Schema.String, seats: Schema.optionalKey(Schema.Int) })

  it("lists what is wrong beside what the schema finds, of the value as it was written", () => {
    const seen: Array<unknown> = []
    const decode = Wire.decoder(Room, {
      prepare: (copy) => ({ ...(copy as object), seats: 1 }),
      problems: (copy) => {
        seen.push(copy)
        return [{ path: "door", message: "Expected a door" }]
      }
    })
    const paths = (decoded: ReturnType<typeof decode>) =>
      Result.isFailure(decoded) ? decoded.failure.map(({ path }) => path) : []
    assert.deepStrictEqual(paths(decode({ room_name: 1 })), ["room_name", "door"])
    assert.deepStrictEqual(paths(decode({ room_name: "a" })), ["door"])
    assert.deepStrictEqual(seen, [{ room_name: 1 }, { room_name: "a" }])
  })

  it("refuses what can't be looked at, and looks no further at what is too deep", () => {
    const decode = Wire.decoder(Room, { problems: () => assert.fail("too deep to look at") })
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const throwing = {
      get room_name() {
        throw new Error("SECRET123")
      }
    }
    for (const value of [proxy, throwing]) {
      assert.deepStrictEqual(decode(value), Result.fail([{ path: "", message: "Expected a value that can be read" }]))
    }
    assert.deepStrictEqual(
      decode({ room_name: nested(2500, table) }),
      Result.fail([{ path: "room_name", message: "Expected a value that is nested at most 128 deep" }])
    )
    assert.deepStrictEqual(
      decode(nested(2500, array)),
      Result.fail([{ path: "", message: "Expected a value that is nested at most 128 deep" }])
    )
  })
})
