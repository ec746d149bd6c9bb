/**
 * What a guest can do with one event to hurt itself or others, what is said of
 * it, and how it ends. Each is a row of the table in `docs/sandbox.md`, by its
 * name. Taken from outside where it says so.
 */

/**
 * `soft`: stopped from inside at its deadline. `hard`: its worker is ended 50 ms
 * later. `soft, hard`: one of both, as the machine has it. `full`: when its memory
 * is. `soon`: by itself.
 */
export type End = "soft" | "hard" | "soft, hard" | "full" | "soon"

export type Abuse = readonly [name: string, code: string, tag: string, end: End]

const BOMB = "const bomb = []; for (;;) bomb.push"
const DEEP = "let deep = []; for (let level = 0; level < 100000; level++) deep = [deep];"
const NATIVE = "[].join.call({ length: 2 ** 32 - 1 })"
const BUFFER = "const b = new ArrayBuffer(1024, { maxByteLength: 65536 }); const t = new Uint8Array(b);"

/** Loops that are stopped from inside. */
const LOOPS: ReadonlyArray<Abuse> = [
  ["`while (true)`", "while (true);", "DispatchTimeout", "soft"],
  ["a loop that goes on in its `catch`", "try { for (;;); } catch { for (;;); }", "DispatchTimeout", "soft"],
  ["a loop that goes on in its `finally`", "try { for (;;); } finally { for (;;); }", "DispatchTimeout", "soft"],
  [
    "a `finally` that takes back each return",
    "(() => { for (;;) { try { return 1 } finally { continue } } })()",
    "DispatchTimeout",
    "soft"
  ],
  ["a catastrophic regular expression", "/(a+)+$/.test('a'.repeat(40) + 'b')", "DispatchTimeout", "soft"],
  // quickjs-ng/quickjs #1672: they ask since.
  ["`indexOf` of an array-like", "[].indexOf.call({ length: 2 ** 53 - 1 }, 99)", "DispatchTimeout", "soft"],
  ["`every` of an array-like", "[].every.call({ length: 2 ** 53 - 1 }, () => 1)", "DispatchTimeout", "soft"],
  ["a proxy that spins", "new Proxy({}, { ownKeys() { for (;;); } })", "DispatchTimeout", "soft"],
  [
    "an endless native iterator",
    "new Set({ [Symbol.iterator]: () => ({ next: () => ({ value: 1 }) }) })",
    "DispatchTimeout",
    "soft"
  ],
  [
    "a generator that is dropped for ever",
    "(function* () { for (;;) yield 1 })().drop(2 ** 53 - 1).next()",
    "DispatchTimeout",
    "soft"
  ],
  [
    "an iterator that `using` spins to close",
    "{ using x = { [Symbol.dispose]() { for (;;); } } }",
    "DispatchTimeout",
    "soft"
  ],
  [
    "recursion that begins anew where it is caught",
    "(function f() { try { f() } catch { f() } })()",
    "DispatchTimeout",
    "soft"
  ],
  [
    "a FinalizationRegistry whose callback spins",
    "globalThis.kept = new FinalizationRegistry(() => { for (;;); }); (() => { kept.register({}, 1) })(); 'x'",
    "DispatchTimeout",
    "soft"
  ],
  [
    "a FinalizationRegistry whose callback registers anew",
    "globalThis.kept = new FinalizationRegistry(() => { kept.register({}, 1) }); kept.register({}, 1); 'x'",
    "DispatchTimeout",
    "soft"
  ],
  [
    "a WeakRef that is asked for ever",
    "const weak = new WeakRef({}); while (true) weak.deref()",
    "DispatchTimeout",
    "soft"
  ],
  ["WeakRefs without end", "for (;;) new WeakRef({})", "DispatchTimeout", "soft"],
  [
    "a resizable buffer that grows and shrinks for ever",
    "const b = new ArrayBuffer(8, { maxByteLength: 8e6 }); for (;;) { b.resize(8e6); b.resize(0) }",
    "DispatchTimeout",
    "soft, hard"
  ],
  [
    "random numbers without end",
    "const a = new Uint8Array(65536); for (;;) crypto.getRandomValues(a)",
    "DispatchTimeout",
    "soft"
  ],
  ["lines for the console without end", "for (;;) console.log(1)", "DispatchTimeout", "soft"]
]

/** Promises and jobs. */
const PROMISES: ReadonlyArray<Abuse> = [
  ["endless microtasks", "const f = () => { Promise.resolve().then(f) }; f()", "DispatchTimeout", "soft"],
  ["endless microtasks behind its answer", "const g = () => queueMicrotask(g); g(); 'x'", "DispatchTimeout", "soft"],
  [
    "a thenable that resolves to another for ever",
    "const make = () => ({ then(r) { r(make()) } }); make()",
    "DispatchTimeout",
    "soft"
  ],
  ["imports without end", "(async () => { for (;;) await import('mooring/guest') })()", "DispatchTimeout", "soft"],
  ["a promise that never settles", "new Promise(() => {})", "DispatchTimeout", "soon"],
  [
    "an asynchronous iterator that never settles",
    "(async () => { for await (const x of { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }); })()",
    "DispatchTimeout",
    "soon"
  ],
  ["a rejected promise", "Promise.reject(new TypeError('no'))", "GuestError", "soon"]
]

/** What the host has to read: answers and errors. */
const ANSWERS: ReadonlyArray<Abuse> = [
  ["a getter in the answer that spins", "({ get status() { for (;;); } })", "DispatchTimeout", "soft"],
  ["`toJSON` that spins", "({ status: { toJSON() { for (;;); } } })", "DispatchTimeout", "soft"],
  ["`then` that spins", "({ get then() { for (;;); } })", "DispatchTimeout", "soft"],
  ["`toJSON` that spins natively", `({ toJSON() { return ${NATIVE} } })`, "DispatchTimeout", "hard"],
  [
    "`toJSON` that answers with another for ever",
    "const deeper = () => ({ x: { toJSON: deeper } }); deeper()",
    "DispatchTimeout",
    "soft, hard"
  ],
  ["a thrown getter that spins", "throw { get message() { for (;;); } }", "DispatchTimeout", "soft"],
  [
    "a thrown `stack` that spins",
    "throw Object.defineProperty(new Error('x'), 'stack', { get() { for (;;); } })",
    "DispatchTimeout",
    "soft"
  ],
  ["a thrown `toString` that spins", "throw { message: { toString() { for (;;); } } }", "DispatchTimeout", "soft"],
  ["a thrown proxy that spins", "throw new Proxy({}, { get() { for (;;); } })", "DispatchTimeout", "soft"],
  ["a rejection that spins", "Promise.reject({ get name() { for (;;); } })", "DispatchTimeout", "soft"],
  ["a thrown getter that spins natively", `throw { get message() { return ${NATIVE} } }`, "DispatchTimeout", "hard"],
  [
    "a thrown getter that fills the memory",
    "throw { get message() { const a = []; for (;;) a.push(new Array(100)) } }",
    "OutOfMemory",
    "full"
  ],
  ["a getter that throws", "({ get status() { throw new Error('no') } })", "GuestError", "soon"],
  ["`toJSON` that throws", "({ toJSON() { throw new Error('no') } })", "GuestError", "soon"],
  [
    "a thrown getter that throws",
    "throw { get message() { throw { get message() { throw 1 } } } }",
    "GuestError",
    "soon"
  ],
  [
    "a revoked proxy that is thrown",
    "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy",
    "GuestError",
    "soon"
  ],
  [
    "an error of 3 MB",
    "throw Object.assign(new Error('x'.repeat(3e6)), { name: 'y'.repeat(3e6) })",
    "GuestError",
    "soon"
  ],
  ["a thrown symbol", "throw Symbol('x')", "GuestError", "soon"],
  ["`undefined` that is thrown", "throw undefined", "GuestError", "soon"],
  ['an error that says "interrupted"', "throw new Error('interrupted')", "GuestError", "soon"],
  ['an error that says "out of memory"', "throw new Error('out of memory')", "GuestError", "soon"],
  ["a bigint as state", "({ state: 10n })", "GuestError", "soon"],
  ["a cycle", "const cycle = {}; cycle.state = cycle; cycle", "GuestError", "soon"],
  ["a function as output", "(() => 1)", "OutputInvalid", "soon"],
  ["null as output", "null", "OutputInvalid", "soon"],
  ["a list as output", "[]", "OutputInvalid", "soon"],
  ["an unknown field", "({ commands: [] })", "OutputInvalid", "soon"],
  ["`__proto__` as a field", `JSON.parse('{"__proto__":{"accepted":false}}')`, "OutputInvalid", "soon"],
  ["`constructor` as a field", "({ constructor: { prototype: { accepted: false } } })", "OutputInvalid", "soon"],
  ["commands that are none", "({ output_commands: {} })", "OutputInvalid", "soon"],
  ["`accepted: false`", "({ accepted: false })", "DispatchFailed", "soon"],
  [
    "a promise that is answered twice, with a text",
    "({ then(resolve, reject) { resolve('x'); reject(1); resolve({}) } })",
    "OutputInvalid",
    "soon"
  ],
  ["another module", "import('fs')", "GuestError", "soon"]
]

/** Native loops that ask nobody. */
const NATIVES: ReadonlyArray<Abuse> = [
  [
    "`indexOf` of a text with a long needle",
    "'a'.repeat(2e6).indexOf('a'.repeat(1e6) + 'b')",
    "DispatchTimeout",
    "hard"
  ],
  ["`split` by a long needle", "'a'.repeat(4e6).split('a'.repeat(2e6) + 'b')", "DispatchTimeout", "hard"],
  ["`join` of an array-like", NATIVE, "DispatchTimeout", "hard"],
  ["`reverse` of an array-like", "[].reverse.call({ length: 2 ** 52 })", "DispatchTimeout", "hard"],
  ["`copyWithin` of an array-like", "[].copyWithin.call({ length: 2 ** 52 }, 1, 0)", "DispatchTimeout", "hard"],
  ["`sort` of an array-like", "[].sort.call({ length: 2 ** 53 - 1 })", "DispatchTimeout", "hard"],
  ["`flat` of an array-like", "[].flat.call({ length: 2 ** 53 - 1 })", "DispatchTimeout", "hard"],
  [
    "an array with one element far away, reversed",
    "const a = []; a[2 ** 32 - 2] = 1; a.reverse()",
    "DispatchTimeout",
    "hard"
  ],
  // justjake/quickjs-emscripten #219.
  ["an empty array of 1,000,000,000 as a text", "new Array(1_000_000_000) + ''", "DispatchTimeout", "hard"],
  ["`String.raw` of an array-like", "String.raw({ raw: { length: 2 ** 53 - 1 } })", "DispatchTimeout", "hard"],
  // bellard/quickjs #546: what it raises is bounded at a million bits, so one ends and a hundred don't.
  ["BigInt `**` without end", "for (;;) 3n ** 600000n", "DispatchTimeout", "hard"],
  ["a long BigInt as a text", "(3n ** 600000n).toString().length", "DispatchTimeout", "hard"],
  [
    "`normalize` of many marks",
    "('a' + '\\u0315\\u0300'.repeat(5e5)).normalize('NFC').length",
    "DispatchTimeout",
    "hard"
  ],
  [
    "a class of a million ranges in a regular expression",
    "new RegExp('[' + 'a-z'.repeat(500000) + ']', 'ui')",
    "DispatchTimeout",
    "hard"
  ],
  [
    "a function of 70,000 names",
    "eval('(function(){' + Array.from({ length: 70000 }, (_, i) => 'let a' + i + '=1;').join('') + '})()')",
    "DispatchTimeout",
    "hard"
  ]
]

/** Memory. */
const BOMBS: ReadonlyArray<Abuse> = [
  ["a bomb of arrays", `${BOMB}(new Array(100).fill(0))`, "OutOfMemory", "full"],
  ["a bomb of typed arrays", `${BOMB}(new Uint8Array(1e6))`, "OutOfMemory", "full"],
  ["a bomb of texts", `let text = 'x'; ${BOMB}((text += text.slice(0, 1e6)))`, "OutOfMemory", "full"],
  ["a bomb of symbols", `${BOMB}(Symbol('x'.repeat(1000)))`, "OutOfMemory", "full"],
  [
    "a bomb of promises",
    "const all = []; (async () => { for (;;) all.push(new Promise(() => {})) })()",
    "OutOfMemory",
    "full"
  ],
  ["a bomb of microtasks", "for (;;) queueMicrotask(() => 1)", "OutOfMemory", "full"],
  ["a bomb of WeakRefs", `${BOMB}(new WeakRef({}))`, "OutOfMemory", "full"],
  [
    "a bomb of queries",
    `const p = new URLSearchParams(); for (;;) p.append('a', 'b'.repeat(1e6))`,
    "OutOfMemory",
    "full"
  ],
  [
    "a bomb that goes on in its `finally`",
    "const a = []; const more = () => { for (;;) a.push(new Array(100)) }; try { more() } finally { more() }",
    "OutOfMemory, GuestError",
    "full"
  ],
  [
    "a resizable buffer that grows too far",
    "new ArrayBuffer(8, { maxByteLength: 1e9 }).resize(1e9)",
    "OutOfMemory",
    "full"
  ],
  ["a million parameters for `URLSearchParams`", "new URLSearchParams('a&'.repeat(1e6)).size", "OutOfMemory", "full"],
  [
    "`structuredClone` of something 1,000,000 deep",
    `${DEEP.replace("100000", "1000000")} structuredClone(deep)`,
    "OutOfMemory",
    "full"
  ],
  ["8 MiB of output", "({ status: 'x'.repeat(8388608) })", "OutOfMemory", "full"],
  ["1 MiB of output", "({ status: 'x'.repeat(1048576) })", "OutputTooLarge", "soon"],
  ["output that is too large in UTF-8 only", "({ status: 'ü'.repeat(200000) })", "OutputTooLarge", "soon"],
  ["a status over its limit", "({ status: 'x'.repeat(5000) })", "OutputInvalid", "soon"],
  ["500-deep JSON", "let d = []; for (let n = 0; n < 500; n++) d = [d]; ({ state: d })", "OutputInvalid", "soon"],
  ["100,000-deep JSON", `${DEEP} ({ state: deep })`, "DispatchTimeout", "soft, hard"],
  ["100,000-deep JSON that is parsed", "JSON.parse('['.repeat(100000))", "GuestError", "soon"],
  ["100,000 parentheses", "eval('('.repeat(100000) + ')'.repeat(100000))", "GuestError", "soon"],
  [
    "100,000 groups in a regular expression",
    "new RegExp('(?:'.repeat(100000) + 'a' + ')*'.repeat(100000))",
    "GuestError",
    "soon"
  ],
  ["deep recursion", "(function f() { f() })()", "GuestError", "soon"],
  ["deep recursion through native functions", "(function f() { [2, 1].sort(f) })()", "GuestError", "soon"],
  ["deep recursion of getters", "const p = new Proxy({}, { get: (t, k, r) => r[k] }); p.x", "GuestError", "soon"]
]

export const ABUSES: ReadonlyArray<Abuse> = [...LOOPS, ...NATIVES, ...PROMISES, ...ANSWERS, ...BOMBS]

/** What a plugin may do to itself without harm: it is answered, and so is the next event. */
export const HARMLESS: ReadonlyArray<readonly [name: string, code: string]> = [
  ["recursion that is caught", "try { (function f() { f() })() } catch {} 'x'"],
  [
    "recursion that is caught a thousand times",
    "for (let n = 0; n < 1000; n++) try { (function f() { f() })() } catch {}; 'x'"
  ],
  ["out of memory that is caught", `try { ${BOMB}(new Array(100).fill(0)) } catch {} 'x'`],
  ["a FinalizationRegistry whose callback throws", "new FinalizationRegistry(() => { throw 1 }).register({}, 1); 'x'"],
  ["a microtask that throws", "queueMicrotask(() => { throw 1 }); 'x'"],
  ["a rejection that nobody handles", "Promise.reject(1); 'x'"],
  [
    "poisoned globals: `JSON`, `Promise`, `Array.prototype`, `Object.prototype`",
    `JSON.parse = () => { throw 1 }; JSON.stringify = () => 1; Promise = 1; Array.prototype.map = null;
     Promise.prototype = 1; Object.prototype.then = 1; Array.prototype[Symbol.iterator] = null;
     Object.prototype.toJSON = undefined; Reflect.apply = null; String.prototype.slice = null; 'x'`
  ],
  [
    "poisoned promises: `then`, `constructor`, `Symbol.species`",
    `Promise.prototype.then = () => { for (;;); }; Promise.prototype.constructor = function () { for (;;); };
     Object.defineProperty(Promise, Symbol.species, { get() { for (;;); } }); (async () => 1)(); 'x'`
  ],
  [
    "poisoned fields of every object: `value`, `get`, `done`, `message`",
    "for (const name of ['value', 'get', 'set', 'done', 'message', 'writable']) Object.prototype[name] = () => { throw 1 }; 'x'"
  ],
  // quickjs-ng/quickjs #1208, #1296, #1297, #1305 and bellard/quickjs #478: buffers that change under the engine's hands.
  [
    "a buffer that shrinks while it is sorted",
    `${BUFFER} let n = 0; t.sort((a, b) => { if (++n === 900) b_(); return a - b }); function b_() { b.resize(10) }; 'x'`
  ],
  [
    "a buffer that shrinks while a view of it is made",
    `${BUFFER} const shrinking = (of) => new Proxy(of, { get(f, k, r) { if (k === 'prototype') b.resize(8); return Reflect.get(f, k, r) } });
     for (const make of [() => Reflect.construct(Uint8Array, [b, 0, 1024], shrinking(Uint8Array)), () => Reflect.construct(Float64Array, [t], shrinking(Float64Array))]) {
       b.resize(1024); try { make() } catch {} } 'x'`
  ],
  ["a buffer that is gone while it is read", `${BUFFER} b.transfer(); try { t.fill(1) } catch {} String(t[0]); 'x'`],
  [
    "a buffer that shrinks while it is filled, copied, searched, joined, cut and decoded",
    `${BUFFER} const shrink = (value) => ({ valueOf() { b.resize(8); return value }, toString() { b.resize(8); return 'y' } });
     for (const of of [() => t.fill(shrink(1)), () => t.copyWithin(0, shrink(500), 1024), () => t.set({ length: 500, get 0() { b.resize(8); return 1 } }),
       () => t.lastIndexOf(1, shrink(1000)), () => t.includes(undefined, shrink(0)), () => t.join(shrink(',')), () => t.subarray(shrink(500)),
       () => new DataView(b).setFloat64(1000, shrink(1)), () => new TextEncoder().encodeInto(shrink(1), t),
       () => new TextDecoder().decode(t, { get stream() { b.resize(8); return false } })]) { b.resize(1024); try { of() } catch {} } 'x'`
  ],
  [
    "arrays that shrink under `map`, `sort`, `splice` and `concat`",
    `
     const cutting = (a) => { const kept = [...a]; return { a, cut() { a.length = 0; a.push(kept) } } };
     for (const of of [({ a, cut }) => a.map(cut), ({ a, cut }) => a.sort(() => { cut(); return 1 }),
       ({ a, cut }) => { a.constructor = { [Symbol.species]: function () { cut(); return [] } }; a.splice(0, 2) },
       ({ a, cut }) => { Object.defineProperty(a, 1, { get() { cut(); return 1 } }); [].concat(a) }]) of(cutting([1, 2, 3, 4])); 'x'`
  ]
]

/** What a module can be, and what is said of its plugin. */
export const MODULES: ReadonlyArray<readonly [name: string, code: string, tag: string]> = [
  ["a module that throws", "throw new RangeError('no')", "StartFailed"],
  ["a module that isn't JavaScript", "export function (", "StartFailed"],
  ["a module of 100,000 parentheses", `export const x = ${"(".repeat(100_000)}`, "StartFailed"],
  ["a module that imports another", "import fs from 'fs'; export function handleIngress() {}", "StartFailed"],
  ["a module without a handler", "export const x = 1", "StartFailed"],
  ["an export that is no function: the handler", "export const handleIngress = 1", "StartFailed"],
  ["an export that is no function: `stop`", "export function handleIngress() {}; export let stop", "StartFailed"],
  [
    "a start with an answer of another form",
    "export function handleIngress() {}; export const start = () => ({ x: 1 })",
    "StartFailed"
  ],
  [
    "a start with a state that is too large",
    "export function handleIngress() {}; export const start = () => ({ state: 'x'.repeat(20000) })",
    "StartFailed"
  ],
  [
    "a start with a state that is too deep",
    "export function handleIngress() {}; export const start = () => { let d = 1; for (let n = 0; n < 500; n++) d = [d]; return { state: d } }",
    "StartFailed"
  ],
  [
    "a start that throws",
    "export function handleIngress() {}; export const start = async () => { throw 1 }",
    "StartFailed"
  ],
  ["a module that fills its memory", `${BOMB}(new Array(100).fill(0))`, "StartFailed"],
  ["a module that spins", "for (;;);", "StartTimeout"],
  ["a module that spins natively", NATIVE, "StartTimeout"],
  [
    "a top-level `await` that never settles",
    "await new Promise(() => {}); export function handleIngress() {}",
    "StartTimeout"
  ],
  [
    "an export `then` that spins",
    "export function handleIngress() {}; export function then() { for (;;); }",
    "StartTimeout"
  ]
]
