/**
 * Documents that differ from a given one in one place: every key left out or
 * spelled otherwise, a key too many in every object, every value replaced by
 * each of a table of values at or beyond some bound.
 */
import type * as Schema from "effect/Schema"

type Json = Schema.Json

const repeated = (text: string, ...counts: ReadonlyArray<number>) => counts.map((count) => text.repeat(count))

// prettier-ignore
const NUMBERS: ReadonlyArray<number> = [
  -1, 0, 0.5, 1, 2, 7, 8, 9, 99, 100, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000,
  4999, 5000, 65_535, 65_536, 86_400_000, 86_400_001, 2_147_483_647, 2_147_483_648, 9_007_199_254_740_991,
  9_007_199_254_740_992, -9_007_199_254_740_992, 1e300
]

// prettier-ignore
const NAMES: ReadonlyArray<string> = [
  "", " ", "a", "A", "_", "-a", ".a", "a b", "a\n", "\na", "a\u0000", "\u00e4", "\u{1f600}", "\ud800", "any", "*",
  "project:a", "user:A", "builtin:a.b", "Project:a", "project:", "websocket_open", "websocket_text", "websocket_binary",
  "timer", "command_result", "host_response", "Websocket_text", "own_kind", "service", "javascript", "wasm", "ws", "WS",
  "constructor", "__proto__",
  ...repeated("a", 63, 64, 65, 123, 124, 127, 128, 129, 255, 256, 1024, 1025, 4096, 4097),
  ...repeated("\u{1f600}", 16, 17, 30, 31, 62, 2048, 2049, 4096, 4097),
  ...repeated("\u00e4", 61, 62, 32, 33, 123, 124)
]

// prettier-ignore
const VERSIONS: ReadonlyArray<string> = [
  "1.2", "1.2.3", "01.2.3", "1.2.3-01", "1.2.3-a.01", "1.2.3-0", "1.2.3-rc.1+b.01", "1.2.3-", "1.2.3+", "v1.2.3",
  "^1.2.3", "1.2.3\n", "99999999999.0.0", `1.0.0-${"a".repeat(122)}`, `1.0.0-${"a".repeat(123)}`,
  `sha256:${"0".repeat(64)}`, `sha256:${"A".repeat(64)}`, `sha256:${"0".repeat(63)}`, `SHA256:${"0".repeat(64)}`
]

// prettier-ignore
const TIMES: ReadonlyArray<string> = [
  "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000+01:00", "2026-01-01T23:59:60.000Z",
  "2026-13-01T00:00:00.000Z", "2026-01-32T00:00:00.000Z", "2026-01-01T24:00:00.000Z", "2026-01-01 00:00:00.000Z",
  "2026-01-01t00:00:00.000z", "2026-1-1T00:00:00.000Z", "+012026-01-01T00:00:00.000Z", "yesterday"
]

/** Texts that are hosts, and many that nearly are. */
// prettier-ignore
export const HOSTS: ReadonlyArray<string> = [
  "localhost", "LOCALHOST", "example.com", "example.com.", "example.com..", ".example.com", "a..b", "*.example.com",
  "*.com", "*.", "*.*.com", "a.*.com", "*example.com", "*.example.com.", "127.0.0.1", "127.1", "0x7f.1", "2130706433",
  "256.0.0.1", "*.127.0.0.1", "::1", "[::1]", "[::1", "::g", "fe80::1%eth0", "::ffff:127.0.0.1", "a%2eb", "a:80",
  "a/b", "a?b", "a#b", "a@b", "a\\b", "a b", "a\tb", "xn--bcher-kva.example", "b\u00fccher.example", "xn--a",
  "a_b.example", "-a.example", "a..", "\u3002", "a\u3002b", "\uff0a", `${"a".repeat(64)}.example`, "a,b", "a|b", "a<b",
  "a^b", "a`b", "a\"b", "a{b}", "%"
]

/** Texts that are paths, and many that nearly are. */
// prettier-ignore
export const PATHS: ReadonlyArray<string> = [
  "/", "//", "/a", "/a/", "/a//", "/a//b", "a", "/.", "/..", "/a/.", "/a/../b", "/..;x", "/.;x/a", "/;x/", "/;x",
  "/..%3bx", "/..%3Bx", "/%2e", "/%2E%2e", "/a%2fb", "/a%5Cb", "/a%25b", "/a%00", "/a%0d", "/a%7f", "/a%7C", "/a%20b",
  "/%", "/%2", "/%zz", "/.%%32%65/a", "/caf%c3%a9", "/%c3", "/%a9", "/%c0%ae", "/%e0%80%af", "/%ed%a0%80",
  "/%f4%90%80%80", "/%f0%9f%98%80", "/a?b", "/a#b", "/a\\b", "/a b", "/\u00e4", "/a\"b", "/a<b", "/a>b", "/a^b", "/a`b",
  "/a{b}", "/a|b", "/a'b", "/~a", "/a\n", "/...", "/..a", "/a..", "/a;..", "/.a;b/..c"
]

// prettier-ignore
const URLS: ReadonlyArray<string> = [
  "ws://a/b", "wss://a/b?c", "WS://a/b", "websocket:ws://a/b", "websocket:websocket:ws://a/b", "http://a/b", "ws:a",
  "ws://u@a/b", "ws://a/b#c", "ws:///b", "ws://a:0/b", "ws://a:70000/b"
]

// prettier-ignore
const TOKENS: ReadonlyArray<string> = ["chat.v1", "a,b", "a/b", "sec-websocket-key", "Host", "x-a", "pong", "ping\n"]

const TEXTS = [...NAMES, ...VERSIONS, ...TIMES, ...HOSTS, ...PATHS, ...URLS, ...TOKENS]

// prettier-ignore
const OTHERS: ReadonlyArray<Json> = [
  null, true, false, [], {}, [null], [[]], [""], ["a", "a"], Array.from({ length: 8 }, () => "a"),
  Array.from({ length: 9 }, (_, index) => String(index)), { a: 1 }
]

const FEW: ReadonlyArray<Json> = ["", "a", "*", 0, 1, -1]

const replacements = (value: Json): ReadonlyArray<Json> => {
  if (typeof value === "number") return [...NUMBERS, ...FEW, ...OTHERS]
  return typeof value === "string" ? [...TEXTS, ...FEW, ...OTHERS] : [...FEW, ...OTHERS]
}

const EXTRA_KEYS = ["surprise", "", "constructor", "kind", "Name", "__proto__"]

/** Every document that differs from this one in one place. */
export function* mutations(document: Json): Generator<Json> {
  yield* atRoot(document)
  for (const child of children(document)) {
    for (const mutated of mutations(child.value)) yield child.replace(mutated)
  }
}

/** One of them, chosen by a number. */
export const mutation = (document: Json, choice: number): Json => {
  const below = children(document)
  const child = below[choice % (below.length + 1)]
  if (child !== undefined) return child.replace(mutation(child.value, Math.floor(choice / (below.length + 1))))
  const all = [...atRoot(document)]
  return all[choice % all.length] ?? null
}

interface Child {
  readonly value: Json
  readonly replace: (value: Json) => Json
}

const isObject = (value: Json): value is Schema.JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const itemsOf = (value: Json): ReadonlyArray<Json> => (Array.isArray(value) ? value : [])

const children = (document: Json): ReadonlyArray<Child> => {
  if (isObject(document)) {
    const entries = Object.entries(document)
    return entries.map(([key, value], index) => ({
      value,
      replace: (other) => Object.fromEntries(entries.with(index, [key, other]))
    }))
  }
  const items = itemsOf(document)
  return items.map((value, index) => ({ value, replace: (other) => items.with(index, other) }))
}

function* atRoot(document: Json): Generator<Json> {
  yield* replacements(document)
  if (!isObject(document)) {
    const items = itemsOf(document)
    for (const index of items.keys()) yield items.toSpliced(index, 1)
    if (items.length > 0) yield [...items, ...items]
    return
  }
  const entries = Object.entries(document)
  for (const [index, [key, value]] of entries.entries()) {
    yield Object.fromEntries(entries.toSpliced(index, 1))
    for (const other of [key.toUpperCase(), camel(key), `${key} `]) {
      if (other !== key) yield Object.fromEntries(entries.with(index, [other, value]))
    }
  }
  for (const key of EXTRA_KEYS) {
    if (!Object.hasOwn(document, key)) yield Object.fromEntries([...entries, [key, "x"]])
  }
}

const camel = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
