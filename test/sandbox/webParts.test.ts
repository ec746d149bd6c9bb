/** What a guest has of the web's platform, against that of the process that runs the test. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { runInThisContext } from "node:vm"
import { handling, said, say } from "./support/guest.ts"

const SHORT = "null, as where memory is so short that there is none for an error"

/** Expressions that say the same here and there. */
const PARAMS: ReadonlyArray<string> = [
  // From the web platform tests, url/urlsearchparams-constructor.any.js and its neighbours.
  `new URLSearchParams("a=b")`,
  `new URLSearchParams("?a=b&c=d&&=&==x&a=b=c")`,
  `new URLSearchParams("??a")`,
  `new URLSearchParams("a=b+c&d=%2B&e=%20")`,
  `new URLSearchParams("%61+%4d%4D=")`,
  `new URLSearchParams("id=0&value=%&x=%4&y=%zz&%=%%41")`,
  `new URLSearchParams("a=%e2%8e%84&b=%ff%fe&c=%f0%9f%92%a9&d=\\u{1f4a9}&e=\\0&f=%00&g=%ef%bb%bftest")`,
  `new URLSearchParams("b=%2sf%2a&b=%2%2af%2a&b=%%2a")`,
  `new URLSearchParams({ a: "b", c: 1, "\\u{fc} ": null, "": undefined })`,
  `new URLSearchParams([["a", "b"], ["a", "c"]])`,
  `new URLSearchParams(new Map([["a", "b"]]))`,
  `new URLSearchParams(new URLSearchParams("a=1&b=2"))`,
  `new URLSearchParams(undefined)`,
  `new URLSearchParams(null)`,
  `new URLSearchParams(() => 1)`,
  `new URLSearchParams({ a: "!'()~*-._ %&=+?#/\\ud800" })`,
  `(() => { const p = new URLSearchParams("a=1&b=2&a=3&c"); p.set("a", "x"); p.append("d", "\\ud83d"); p.delete("b"); return p })()`,
  `(() => { const p = new URLSearchParams("a=1&a=2&b=1"); p.delete("a", "2"); p.set("new", 1); return p })()`,
  `(() => { const p = new URLSearchParams("z=b&a=b&z=a&a=a&\\uffff=1&\\u{1f308}=2"); p.sort(); return p })()`,
  `(() => { const p = new URLSearchParams("a=1&b=2&a=3"); return [p.get("a"), p.get("x"), p.getAll("a"), p.getAll("x"), p.has("a"), p.has("a", "2"), p.has("b", 2), p.size] })()`,
  `(() => { const p = new URLSearchParams("a=1&b=2"); const all = []; p.forEach(function (v, k, of) { all.push(v, k, of === p, this.x) }, { x: 1 }); return [all, [...p], [...p.keys()], [...p.values()], [...p.entries()]] })()`,
  `(() => { const p = new URLSearchParams("a=1&b=2&c=3"); const seen = []; for (const [name] of p) { seen.push(name); p.delete("b") } return seen })()`,
  `Object.prototype.toString.call(new URLSearchParams())`,
  `(() => { const u = new URL("http://x/?a=1#h"); u.searchParams.append("b", "\\u{fc} ~'"); u.searchParams.set("a", 2); return [u.href, u.search, u.searchParams === u.searchParams] })()`,
  `(() => { const u = new URL("http://x/?a=1"); const p = u.searchParams; u.search = "?c=d"; const one = String(p); u.href = "http://y/?e=f"; return [one, String(p), p === u.searchParams] })()`,
  `(() => { const u = new URL("http://x/?a=1"); u.searchParams.delete("a"); return u.href })()`,
  `[["a"], [["a"]], [["a", "b", "c"]], 1n].map((bad) => { try { return String(new URLSearchParams(bad)) } catch (e) { return e.name } })`
]

const CLONES: ReadonlyArray<string> = [
  `structuredClone({ a: [1, "x", null, undefined, -0, NaN, 10n.toString()], b: { c: true } })`,
  `(() => { const o = { a: {} }; o.b = o.a; o.self = o; const c = structuredClone(o); return [c !== o, c.a === c.b, c.self === c] })()`,
  `(() => { const m = new Map([[{ k: 1 }, new Set([1, { v: 2 }])]]); const c = structuredClone(m); return [...c].map(([k, s]) => [k, [...s]]) })()`,
  `(() => { const c = structuredClone([1, , 3]); return [c.length, 1 in c, c] })()`,
  `structuredClone(Array(5)).length`,
  `structuredClone(new Date(5)).getTime()`,
  `(() => { const r = /x/giu; r.lastIndex = 3; const c = structuredClone(r); return [c.source, c.flags, c.lastIndex] })()`,
  `(() => { const c = structuredClone(new RangeError("m", { cause: { a: 1 } })); return [c.name, c.message, c.cause, c instanceof RangeError, Object.keys(c)] })()`,
  `(() => { const e = new Error("m"); e.name = "Own"; const c = structuredClone(e); return [c.name, c.message, Object.getPrototypeOf(c) === Error.prototype] })()`,
  `(() => { const b = new ArrayBuffer(8); const c = structuredClone({ a: new Uint16Array(b, 4), v: new DataView(b, 2, 3), b }); return [c.a.buffer === c.v.buffer, c.b === c.a.buffer, c.b !== b, c.a.byteOffset, c.a.length, c.v.byteOffset, c.v.byteLength] })()`,
  `(() => { const b = new ArrayBuffer(8, { maxByteLength: 16 }); new Uint8Array(b)[3] = 7; const c = structuredClone(b); return [c.resizable, c.byteLength, c.maxByteLength, new Uint8Array(c)[3]] })()`,
  `(() => { class A { x = 1; get y() { return 2 } } const c = structuredClone(new A()); return [c, Object.getPrototypeOf(c) === Object.prototype] })()`,
  `(() => { const c = structuredClone([Object(1), Object("x"), Object(false), Object(1n)]); return c.map((v) => [typeof v, String(v)]) })()`,
  `Object.getOwnPropertyNames(structuredClone(JSON.parse('{"__proto__":1,"constructor":2}')))`,
  `structuredClone(Object.create(null, { hidden: { value: 1 }, shown: { value: 2, enumerable: true } }))`,
  `(() => { const a = [1]; a.x = 2; const c = structuredClone(a); return [c, Array.isArray(c)] })()`,
  `[() => 1, Symbol("x"), new WeakMap(), new WeakSet(), new WeakRef({}), Promise.resolve(), { deep: [Symbol()] }].map((bad) => { try { structuredClone(bad); return "cloned" } catch (e) { return e.name } })`,
  `(() => { try { structuredClone() } catch (e) { return e.name } })()`
]

const CODING: ReadonlyArray<string> = [
  `(() => { const into = new Uint8Array(4); return [new TextEncoder().encodeInto("a\\u{fc}\\u20ac", into), [...into]] })()`,
  `(() => { const into = new Uint8Array(8); return [new TextEncoder().encodeInto("\\ud800", into.subarray(2)), [...into]] })()`,
  `(() => { const d = new TextDecoder(); return [d.decode(new Uint8Array([226, 130]), { stream: true }), d.decode(new Uint8Array([172]))] })()`,
  `new TextDecoder().decode(new DataView(new Uint8Array([65, 66, 67]).buffer, 1))`,
  `new TextDecoder().decode(new Uint8Array([65, 66]).buffer)`,
  `new TextDecoder().decode()`,
  `[1, {}, []].map((bad) => { try { return new TextDecoder().decode(bad) } catch (e) { return e.name } })`
]

const here = (expression: string): unknown => runInThisContext(`(${expression})`)

const reading = handling("((p) => [[...p], String(p)])(new URLSearchParams(e))")

/** An expression: something so many levels deep. */
const deep = (levels: number) => `(() => { let d = []; for (let n = 0; n < ${levels}; n++) d = [d]; return d })()`

/** As JSON tells it; undefined where there is nothing. */
const told = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

describe("what a guest has of the web's platform", () => {
  for (const expression of PARAMS) {
    it(`is what everybody knows: ${expression.slice(0, 90)}`, async () => {
      const asText = `((v) => v instanceof URLSearchParams ? [String(v), [...v]] : v)(${expression})`
      assert.deepStrictEqual(await said(asText), told(here(asText)))
    })
  }

  for (const expression of [...CLONES, ...CODING]) {
    it(`is what everybody knows: ${expression.slice(0, 90)}`, async () => {
      assert.deepStrictEqual(await said(expression), told(here(expression)))
    })
  }

  it.effect.prop(
    "reads and writes queries as everybody does, whatever is in them",
    {
      any: Schema.String,
      parts: Schema.Array(Schema.Literals(["a", "=", "&", "+", "%", "4", "f", "F", " ", "ü", "'"]))
    },
    ({ any, parts }) =>
      Effect.gen(function* () {
        const guest = yield* Effect.promise(() => reading)
        for (const query of [any, parts.join(""), `a=${parts.join("")}${any}`]) {
          const answer = say(guest, query)
          // Node takes what stands beside an escape for bytes of Latin-1, unless it is escaped itself.
          const params = new URLSearchParams(query.toWellFormed().replace(/[^\0-\x7f]/gu, encodeURIComponent))
          assert.deepStrictEqual(answer.kind === "answered" ? JSON.parse(answer.text) : answer, [
            [...params],
            String(params)
          ])
        }
      })
  )

  it("says of memory so short that there is none for an error what may be known of it", async () => {
    const guest = await handling("e === null ? new URLSearchParams('a&'.repeat(1e6)).size : e")
    const answer = say(guest)
    // Which of both it is depends on the last few bytes.
    if (answer.kind !== "memory") assert.deepInclude(answer, { kind: "threw", message: SHORT })
    assert.deepStrictEqual(say(guest, 1), { kind: "answered", text: "1" })
    assert.deepInclude(say(await handling("(() => { throw null })()")), { kind: "threw", message: SHORT })
  })

  it("clones what is deep, and ends in an exception where the guest's memory or stack does", async () => {
    assert.deepStrictEqual(say(await handling(`(structuredClone(${deep(50_000)}), "cloned")`)).kind, "answered")
    for (const [expression, kind] of [
      [`structuredClone(${deep(1_000_000)})`, "memory"],
      ["structuredClone(new Uint8Array(9e6))", "memory"],
      ["((o) => structuredClone(o))({ get a() { return structuredClone(this) } })", "threw"],
      ["(() => { const p = new URLSearchParams(); for (;;) p.append('a', 'b'.repeat(1e6)) })()", "memory"],
      ["(() => { const p = new URL('http://x/'); for (;;) p.searchParams.append('a', 'b'.repeat(3e6)) })()", "threw"]
    ] as const) {
      const guest = await handling(`e === null ? ${expression} : e`)
      assert.strictEqual(say(guest).kind, kind, expression)
      assert.deepStrictEqual(say(guest, 1), { kind: "answered", text: "1" })
    }
  })

  it("looks at a buffer only after everything that may resize it", async () => {
    const buffer = "const b = new ArrayBuffer(64, { maxByteLength: 128 }); const t = new Uint8Array(b).fill(65);"
    for (const [expression, expected] of [
      ["new TextDecoder().decode(t, { get stream() { b.resize(0); return false } })", ""],
      ["new TextDecoder().decode(t, { get stream() { b.resize(2); return false } })", "AA"],
      ["(b.resize(1), new TextDecoder().decode(t))", "A"],
      ["new TextEncoder().encodeInto({ toString() { b.resize(1); return 'xyz' } }, t).written", 1],
      ["new TextEncoder().encodeInto({ toString() { b.transfer(0); return 'xyz' } }, t)", "TypeError"],
      ["new TextDecoder().decode(new Uint8Array(b, 8, 8), { get stream() { b.resize(0) } })", ""]
    ] as const) {
      const value = await said(`(() => { ${buffer} try { return ${expression} } catch (e) { return e.name } })()`)
      assert.strictEqual(value, expected, expression)
    }
  })
})
