/** `URL` as guests have it, against the host's, over inputs and setters of the web platform tests. */
import { assert, describe, it } from "@effect/vitest"
import { handling, said, say } from "./support/guest.ts"

// From the web platform tests, url/resources/urltestdata.json: inputs, each read by itself and on each base.
const INPUTS: ReadonlyArray<string> = [
  "",
  "  \t",
  "http://example\t.\norg",
  "http://user:pass@foo:21/bar;par?b#c",
  "https://test:@test",
  "non-special://test:@test/x",
  "non-special://:@test/x",
  "http:foo.com",
  "\t   :foo.com   \n",
  "a:\t foo.com",
  "http://f:21/ b ? d # e ",
  "lolscheme:x x#x x",
  "http://f:00000000000000000000080/c",
  "http://f:b/c",
  "http://f:\n/c",
  "http://f:999999/c",
  "non-special://f:999999/c",
  ":foo.com\\",
  ":#",
  "#\\",
  "?",
  "/:23",
  "\\x",
  "\\\\x\\hello",
  "::23",
  "foo://",
  "http::@c:29",
  "http://&a:foo(b]c@d:2/",
  "http://::@c@d:2",
  "http://foo.com/\\@",
  "about:/../",
  "data:/../",
  "sc://ñ.test/",
  "sc://%/",
  "sc://te@s:t@/",
  "sc://:12/",
  "sc:\\../",
  "sc::a@example.net",
  "wow:%NBD",
  "wow:\uFFFF",
  "http://example.com/\uD800\uD801\uDFFE\uDFFF\uFDD0?\uD800\uDFFF#\uFFFE\uD800",
  "sc://a\0b/",
  "sc://a^b",
  "http://a\u0001b/",
  "http://ho%00st/",
  "http://ho%7Cst/",
  "http://a%b/",
  "http://!\"$&'()*+,-.;=_`{}~/",
  "sc://\u0001\u001f\u007f!\"$%&'()*+,-.;=_`{}~/",
  "ftp://example.com%80/",
  "https://faß.ExAmPlE/",
  "http://xn--/",
  "http://a.b.c.xn--pokxncvks/",
  "http://你好你好",
  "http://GOO\u200b\u2060\ufeffgoo.com",
  "http://\u3002x",
  "http://192.0x00A80001",
  "http://0xffffffffff",
  "http://256",
  "http://1.2.3.08.",
  "http://[1::2:3]:80/",
  "http://[::1.2.3.4x]",
  "http://[www.google.com]/",
  "http://[::127.0.0.1]",
  "file:///C|/a/../..",
  "file://C:/x",
  "//server/file",
  "/C|\\foo\\bar",
  "file:..",
  "file://localhost//a//../..//",
  "http://a/%2e%2E/.%2e/%2e./b/./c/..",
  "http://h//p/a/t/h/../../..///",
  "web+demo:/.//not-a-host/",
  "web+demo:/path/..//not-a-host",
  "web+demo://host/..//p",
  "blob:https://example.com:443/",
  "blob:d3958f5c:https://example.com/",
  'ws://x:80/?q=a\'b"<>`{}#`<>"',
  "wss://x:443",
  "javascript:/../",
  "mailto:a@b  ?x y#z z",
  "data:space   ",
  "data:text/html,test  #x",
  "http://a/?\u00fc'\u{1f4a9}#\u00fc'",
  "http://a:b@/www.example.com",
  "http://%25DOMAIN:foobar@foodomain.com/",
  "http://@@:::@x/",
  "http:\\\\x:y@z\\w",
  "..;/%2e%2e;",
  "h\nttp:/\t/x"
]
const BASES: ReadonlyArray<string | undefined> = [
  undefined,
  "http://example.org/foo/bar?q#h",
  "about:blank",
  "file:///C:/a/b",
  "sc://ñ/d/e",
  "non-special:opaque ",
  "?"
]

const PARTS = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port"] as const
const MORE = ["pathname", "search", "hash"] as const
const ALL = [...PARTS, ...MORE]

// From url/resources/setters_tests.json: URLs, and what their parts are set to.
const SET: ReadonlyArray<string> = [
  "a://example.net",
  "http://test@example.net",
  "https://x:y@example.net:1234/p?q#f",
  "http://foo.com:443/",
  "ssh://me@example.net",
  "nonsense:///test",
  "data:text/html,<p>Test",
  "unix:/run/foo.socket",
  "sc:///",
  "sc://test:12/",
  "view-source+http://example.net/path",
  "file:///folder/x?q",
  "file://y/",
  "javascript:alert(1)",
  "data:space  ?q#f",
  "web+demo:/.//not-a-host/"
]
const VALUES: ReadonlyArray<string> = [
  "",
  "b",
  "é",
  "0b",
  "bC0+-.",
  "b,c",
  "file",
  "https:foo : bar",
  "http",
  "view-source+data:foo : bar",
  "\0\u0001\t\n\r\u001f !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~\u007f\u0080Éé\ud800",
  "%c3%89té",
  "\t",
  " ",
  "#",
  "?",
  "/",
  "@",
  "ß",
  "example.com:8080",
  "example.com:",
  "0x7F000001:8080",
  "[::0:01]:2",
  "[::1.2.3.]",
  "example.com:80",
  "example.com\\stuff",
  "example.com:65536",
  "///bad.com",
  "8080+leet",
  "65536",
  "\t90\n80",
  "-2",
  "/..//p",
  "\\\\x",
  "?a=b&c=ü'",
  "#frag ment\u0000",
  "https://other.example/?z"
]

/** What everybody's `URL` says of these, one after the other; `null` where it refuses. */
const told = (
  Url: typeof URL,
  pairs: ReadonlyArray<readonly [string, string | null]>,
  parts: ReadonlyArray<string>
): ReadonlyArray<unknown> =>
  pairs.map(([input, base]) => {
    try {
      const url = base === null ? new Url(input) : new Url(input, base)
      const all = parts.map((part) => Reflect.get(url, part))
      return [...all, url.toString(), JSON.stringify(url), [...url.searchParams], Url.canParse(url.href)]
    } catch (error) {
      return [error instanceof TypeError, base === null ? Url.canParse(input) : Url.canParse(input, base)]
    }
  })

const changed = (
  Url: typeof URL,
  href: string,
  part: string,
  values: ReadonlyArray<string>,
  parts: ReadonlyArray<string>
): ReadonlyArray<unknown> =>
  values.map((value) => {
    const url = new Url(href)
    const params = url.searchParams
    let isRefused = false
    try {
      Reflect.set(url, part, value)
    } catch {
      isRefused = true
    }
    return [isRefused, ...parts.map((name) => Reflect.get(url, name)), [...params], params === url.searchParams]
  })

describe("`URL` in a guest", () => {
  it("reads what the host's reads, by itself and on a base", async () => {
    const guest = await handling("told(URL, e, ALL)", `const ALL = ${JSON.stringify(ALL)}\nconst told = ${told}`)
    for (const base of BASES) {
      const pairs = INPUTS.map((input) => [input, base ?? null] as const)
      const answer = say(guest, pairs)
      const ours = answer.kind === "answered" ? (JSON.parse(answer.text) as ReadonlyArray<unknown>) : []
      const theirs = JSON.parse(JSON.stringify(told(URL, pairs, ALL))) as ReadonlyArray<unknown>
      for (const [index, pair] of pairs.entries()) {
        assert.deepStrictEqual(ours[index], theirs[index], JSON.stringify(pair))
      }
    }
  })

  for (const part of ALL) {
    it(`sets its ${part} as the host's does`, async () => {
      const guest = await handling(
        "changed(URL, ...e, ALL)",
        `const ALL = ${JSON.stringify(ALL)}\nconst changed = ${changed}`
      )
      for (const href of SET) {
        const answer = say(guest, [href, part, VALUES])
        const ours = answer.kind === "answered" ? (JSON.parse(answer.text) as ReadonlyArray<unknown>) : []
        const theirs = JSON.parse(JSON.stringify(changed(URL, href, part, VALUES, ALL))) as ReadonlyArray<unknown>
        for (const [index, value] of VALUES.entries()) {
          assert.deepStrictEqual(ours[index], theirs[index], JSON.stringify([href, value]))
        }
      }
    })
  }

  it("has the properties of everybody's", async () => {
    const shape = `((p) => Object.getOwnPropertyNames(p).filter((n) => n !== "constructor").sort().map((n) => {
      const { enumerable, configurable, get, set, value } = Object.getOwnPropertyDescriptor(p, n)
      return [n, enumerable, configurable, typeof get, typeof set, typeof value]
    }))(URL.prototype)`
    assert.deepStrictEqual(
      await said(shape),
      JSON.parse(JSON.stringify((0, eval)(shape))) // oxlint-disable-line no-eval
    )
    assert.deepStrictEqual(
      await said(`[URL.parse("?"), URL.parse("a:b")?.href, URL.parse("x", "http://y")?.href, String(new URL("a:b"))]`),
      [null, "a:b", "http://y/x", "a:b"]
    )
    assert.deepStrictEqual(
      await said(`["href", "searchParams", "toString"].map((n) => {
        const { get, value } = Object.getOwnPropertyDescriptor(URL.prototype, n)
        try { return (get ?? value).call({}) } catch (e) { return e.name }
      })`),
      ["TypeError", "TypeError", "TypeError"]
    )
  })

  it("shows nothing of the host: neither its errors nor what was poisoned on the way", async () => {
    const poison = `const poison = () => {
      const put = (o, k, value) => Object.defineProperty(o, k, { value, writable: true, configurable: true })
      for (const { prototype } of [String, Array, Object]) put(prototype, "toJSON", () => "poisoned")
      put(JSON, "parse", () => { throw "poisoned" })
      put(JSON, "stringify", () => { throw "poisoned" })
      put(String.prototype, "toWellFormed", () => "poisoned:")
      globalThis.URLSearchParams = class { get size() { throw "poisoned" } }
    }`
    assert.deepStrictEqual(
      await said(
        `(poison(), [((u) => { u.hash = "x"; u.search = "a=b"; return u.href })(new URL("http://h/?a=1")),
          (() => { try { new URL("?") } catch (e) { return [e.constructor === TypeError, e.message, e.stack.includes("file:"), Object.getOwnPropertyNames(e).length] } })()
        ].join())`,
        null,
        poison
      ),
      "http://h/?a=b#x,true,Invalid URL,false,1"
    )
  })

  it("is refused where it is too long, and leaves nothing behind", async () => {
    assert.deepStrictEqual(
      await said(`[() => new URL("http://x/" + "a".repeat(2e6)), () => new URL("x", "http://x/" + "a".repeat(2e4)),
        () => { new URL("http://x/").hash = "a".repeat(2e4) }, () => URL.canParse("http://x/" + "a".repeat(2e4)),
        () => new URL("http://x/" + "a".repeat(16000)).href.length].map((f) => { try { return f() } catch (e) { return e.name } })`),
      ["RangeError", "RangeError", "RangeError", "RangeError", 16_009]
    )
    // Each is a text that the host hands over, and together they are more than its memory.
    const guest = await handling(
      `((n) => { for (let i = 0; i < n; i++) e === 0 ? crypto.randomUUID() : new URL("http://x/" + i); return n })(3e4)`
    )
    for (const event of [0, 1, 0, 1, 0, 1]) assert.strictEqual(say(guest, event).kind, "answered")
  })
})
