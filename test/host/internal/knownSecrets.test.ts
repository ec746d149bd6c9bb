import { assert, describe, it } from "@effect/vitest"
import * as Masking from "../../../src/diagnostics/internal/masking.ts"
import { KnownSecrets } from "../../../src/host/internal/knownSecrets.ts"

const A = "project:test.a"
const B = "project:test.b"

const key = (value: string): ReadonlyMap<string, string> => new Map([["key", value]])

const long = (nth: number) => `${nth}-`.padEnd(8192, "k")

/** Whether a value is masked, looked up as it is each time. */
const masking = (known: KnownSecrets) => {
  const mask = Masking.masker([known.words])
  return (value: string) => mask(`x ${value} y`, false) === "x *** y"
}

describe("what is known of a host's secrets", () => {
  it("has what each entry has, and what it had once that is another value, or gone with its name or its entry", () => {
    const known = new KnownSecrets()
    const isMasked = masking(known)
    assert.isFalse(isMasked("value-a-one"))
    known.set(A, key("value-a-one"))
    known.set(B, new Map([...key("value-b-one"), ["other", "value-b-two"]]))
    known.set(A, key("value-a-two"))
    known.set(B, key("value-b-one"))
    known.set(B, new Map())
    for (const value of ["value-a-one", "value-a-two", "value-b-one", "value-b-two"]) assert.isTrue(isMasked(value))
    assert.isFalse(isMasked("value-a-three"))
    assert.deepStrictEqual(known.valuesOf(A, "key"), ["value-a-one", "value-a-two"])
    assert.deepStrictEqual(known.valuesOf(B, "other"), ["value-b-two"])
    assert.deepStrictEqual(known.valuesOf(A, "other"), [])
  })

  it("is nothing new where a secret has a value that it had", () => {
    const known = new KnownSecrets()
    const values = ["value-one", "value-one", "value-two", "value-one", "value-two"]
    assert.deepStrictEqual(
      values.map((value) => known.set(A, key(value))),
      [true, false, true, false, false]
    )
    assert.deepStrictEqual(known.valuesOf(A, "key"), ["value-one", "value-two"])
    const { version } = known.words
    known.set(A, key("value-one"))
    known.set(A, new Map())
    assert.strictEqual(known.words.version, version)
    // The same value of another entry's is new to that.
    assert.isTrue(known.set(B, key("value-one")))
  })

  it("keeps a thousand former values, and loses the oldest of the secret that has the most", () => {
    const known = new KnownSecrets()
    const isMasked = masking(known)
    known.set(B, key("quiet-before"))
    known.set(B, key("quiet-now"))
    for (let nth = 0; nth <= 3000; nth++) known.set(A, key(`rotating-${nth}-`))
    const kept = known.valuesOf(A, "key")
    assert.strictEqual(kept.length, 1000)
    assert.deepStrictEqual([kept[0], kept.at(-1)], ["rotating-2001-", "rotating-3000-"])
    for (const value of ["quiet-before", "quiet-now", "rotating-2001-", "rotating-3000-"]) {
      assert.isTrue(isMasked(value), value)
    }
    assert.isFalse(isMasked("rotating-2000-"))
  })

  it("keeps fewer where they are long, and never loses what a secret has now", () => {
    const known = new KnownSecrets()
    const isMasked = masking(known)
    const refs = Array.from({ length: 40 }, (_, nth) => `project:test.p${nth}`)
    for (const [nth, ref] of refs.entries()) known.set(ref, key(long(nth)))
    for (let nth = 100; nth < 140; nth++) known.set(A, key(long(nth)))
    assert.strictEqual(known.valuesOf(A, "key").length, 33)
    for (const nth of [...refs.keys(), 107, 139]) assert.isTrue(isMasked(long(nth)), String(nth))
    assert.isFalse(isMasked(long(106)))
  })
})
