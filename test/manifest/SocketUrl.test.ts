import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { SocketUrl } from "mooring"
import { isIP } from "node:net"
import * as Redaction from "../../src/diagnostics/Redaction.ts"
import { list, oneOf } from "../support/arbitraries.ts"
import { refusals } from "../support/refusals.ts"

const ok = (raw: string): SocketUrl.SocketUrl => {
  const parsed = SocketUrl.parse(raw)
  if (Result.isFailure(parsed)) throw new Error(`${raw} is refused: ${parsed.failure}`)
  return parsed.success
}

/** What URLs are made of, and what they are not. */
const PIECES =
  String.raw`a B 1 0x7f 127 xn--bcher-kva XN-- _ - . . .. : 80 [ ] ::1 ffff: / / / ? ; @ \ # % %2e %3b %41 %c3%a9 " { ^ | * é`.split(
    " "
  ) as [string]

describe("SocketUrl", () => {
  for (const [what, why, urls] of refusals) {
    it(`refuses ${what}`, () => {
      for (const url of urls) {
        const parsed = SocketUrl.parse(url)
        assert.isTrue(Result.isFailure(parsed), JSON.stringify(url))
        if (Result.isFailure(parsed)) assert.match(parsed.failure, why, JSON.stringify(url))
      }
    })
  }

  it("refuses backslashes where a browser would take them for slashes", () => {
    for (const url of ["ws:\\\\h/", "ws:/\\h/", "ws:\\/h/"]) assert.isTrue(Result.isFailure(SocketUrl.parse(url)), url)
  })

  it("never quotes the URL in its reason", () => {
    for (const [, , urls] of refusals) {
      for (const url of urls) {
        const parsed = SocketUrl.parse(url.replaceAll("h", "SECRET123"))
        if (Result.isFailure(parsed)) assert.notInclude(parsed.failure, "SECRET123")
      }
    }
  })

  it("takes in the query what it refuses in the path", () => {
    for (const query of ["%2e%2F%5c%25%00", "/../a", "a//b", "..;/", "u@h", "?", "http://x/"]) {
      assert.strictEqual(ok(`ws://h/a?${query}`).path, "/a", query)
      assert.strictEqual(ok(`ws://h?${query}`).path, "/", query)
    }
  })

  it("takes paths that only look like the refused ones", () => {
    for (const path of [
      "/",
      "/a/",
      "/a/b",
      "/...",
      "/.a",
      "/a.",
      "/a;..",
      "/a;b/c",
      "/a%3b..",
      "/a/;x",
      "/a/%3B",
      "/a%20b",
      "/%20",
      "/%20/a",
      "/...;/a",
      "/a%7Cb",
      "/a|b",
      "/caf%c3%a9",
      "/caf%C3%A9/%e2%82%ac/%f0%9f%98%80",
      "/%3f",
      "/%23/a",
      "/%22",
      "/%67",
      "/a%2d",
      "/a@b",
      "/a:b",
      "/~!$&'()*+,="
    ]) {
      assert.strictEqual(ok(`ws://h${path}`).path, path)
    }
    assert.strictEqual(ok("ws://h").path, "/")
  })

  it("takes a path as it goes over the wire", () => {
    assert.strictEqual(ok('ws://h/a"<b>^`{c}').path, "/a%22%3Cb%3E%5E%60%7Bc%7D")
    assert.strictEqual(ok("ws://h/{key}?a={key}").canonical, "ws://h:80/%7Bkey%7D?a={key}")
    assert.strictEqual(ok("ws://h/{key}?a={key}").display, "ws://h/{key}")
  })

  it.each([
    ["ws://EXAMPLE.Com/", "example.com"],
    ["ws://example.com./", "example.com"],
    ["ws://EXAMPLE.COM.:80/", "example.com"],
    ["ws://XN--BCHER-KVA.example/", "xn--bcher-kva.example"],
    ["ws://a_b.example/", "a_b.example"],
    ["ws://-a-.example/", "-a-.example"],
    ["ws://0/", "0.0.0.0"],
    ["ws://1.256/", "1.0.1.0"],
    ["ws://0x.0x.0/", "0.0.0.0"],
    ["ws://[::1]/", "::1"],
    ["ws://[0:0:0:0:0:0:0:1]/", "::1"],
    ["ws://[FE80::0001]/", "fe80::1"],
    ["ws://[::ffff:127.0.0.1]/", "::ffff:7f00:1"],
    ["ws://127.0.0.1./", "127.0.0.1"],
    ["ws://127.1/", "127.0.0.1"],
    ["ws://2130706433/", "127.0.0.1"],
    ["ws://0x7f000001/", "127.0.0.1"],
    ["ws://0x7F.1/", "127.0.0.1"],
    ["ws://0177.0.0.01/", "127.0.0.1"],
    ["ws://[::127.0.0.1]:8/", "::7f00:1"],
    ["ws://[1:2:0:0:5:0:0:0]/", "1:2:0:0:5::"]
  ])("gives %s the canonical host %s", (raw, host) => {
    assert.strictEqual(ok(raw).host, host)
    assert.strictEqual(ok(raw).literal, /^[\d.]+$|:/.test(host))
  })

  it("says of names that they are no literals, also of those that look like numbers", () => {
    for (const name of ["localhost", "example.com", "1.2.3.4.example", "0x7f.com", "127.0.0.1.nip.io"]) {
      assert.isFalse(ok(`ws://${name}/`).literal, name)
    }
  })

  it("knows the default port of each scheme", () => {
    assert.strictEqual(ok("ws://h/").port, 80)
    assert.strictEqual(ok("wss://h/").port, 443)
    assert.strictEqual(ok("WS://h/").scheme, "ws")
    assert.strictEqual(ok("ws://h:443/").port, 443)
    assert.strictEqual(ok("wss://h:65535/").port, 65535)
    assert.strictEqual(ok("ws://h:/").port, 80)
    assert.strictEqual(ok("ws://h:0080/").port, 80)
  })

  it("gives URLs that mean the same the same canonical form, and others another", () => {
    const canonical = ok("wss://example.com/a?q=1").canonical
    for (const same of ["WSS://Example.COM/a?q=1", "wss://example.com.:443/a?q=1", "wss://EXAMPLE.com:0443/a?q=1"]) {
      assert.strictEqual(ok(same).canonical, canonical)
    }
    for (const other of [
      "ws://example.com/a?q=1",
      "ws://example.com:443/a?q=1",
      "wss://example.com/a",
      "wss://example.com/a?",
      "wss://example.com/a?q=2",
      "wss://example.com/A?q=1",
      "wss://example.com/a/?q=1",
      "wss://example.com:444/a?q=1",
      "wss://www.example.com/a?q=1"
    ]) {
      assert.notStrictEqual(ok(other).canonical, canonical, other)
    }
  })

  it("reads a question mark without a query as none", () => {
    assert.strictEqual(ok("ws://h/a?").canonical, "ws://h:80/a")
    assert.strictEqual(ok("ws://h?").canonical, ok("ws://h").canonical)
  })

  const Text = Arbitrary.map(list(oneOf(...PIECES), 1, 8), (parts) => parts.join(""))

  it.effect.prop(
    "rule 1: gives every URL that it takes a canonical form that parses to itself and is read by others alike",
    { scheme: oneOf("ws://", "WSS://", "wss://"), rest: Text },
    ({ rest, scheme }) =>
      Effect.sync(() => {
        const parsed = SocketUrl.parse(`${scheme}${rest}`)
        if (Result.isFailure(parsed)) return
        const { canonical, host, literal, path, port } = parsed.success
        const { display: _, raw: __, ...again } = ok(canonical)
        assert.deepStrictEqual<unknown>(again, { scheme: parsed.success.scheme, host, literal, port, path, canonical })
        // Its own host, as an address or a name, is one to the system's parser too.
        assert.strictEqual(literal, isIP(host) !== 0)
        assert.deepInclude(Result.getOrThrow(SocketUrl.parseHost(host)), { host, literal })
        assert.deepStrictEqual(SocketUrl.parsePath(path), Result.succeed(path))
        assert.match(path, /^\/[!-~]*$/)
        assert.strictEqual(new URL(canonical).pathname, new URL(`${scheme}${rest}`).pathname)
      }),
    { arbitrary: { runs: 3000 } }
  )

  it("parses the hosts of targets as it parses those of URLs", () => {
    const same = ["example.com", "EXAMPLE.com.", "a_b", "127.1", "0x7f.1", "[::1]", "xn--bcher-kva.example"]
    for (const host of same) {
      const { host: canonical, literal } = ok(`ws://${host}/`)
      assert.deepInclude(Result.getOrThrow(SocketUrl.parseHost(host)), { host: canonical, literal })
    }
    assert.deepInclude(Result.getOrThrow(SocketUrl.parseHost("FE80::0:1")), { host: "fe80::1", literal: true })
    assert.deepInclude(Result.getOrThrow(SocketUrl.parseHost("Bücher.example")), { host: "xn--bcher-kva.example" })
    assert.deepInclude(Result.getOrThrow(SocketUrl.parseHost("ｅxample。com")), { host: "example.com", literal: false })
    const refused = [
      ...String.raw`. a..b .a a.b.. h:80 h/ h/a h? h?a h# u@h h\g * a%62 [::1 ::1] 1.2.3.4.5 [1.2.3.4] ws://h`.split(
        " "
      ),
      ...String.raw`é%41 é/ é:80 é@h é..a é# é[ é\ ①②⑦.0.0.1 １２７.1 é。。a`.split(" "),
      "",
      "a b",
      "é a",
      "h\n",
      "é\u0000",
      "\u00ad",
      "\ud800"
    ]
    for (const host of refused) {
      const parsed = SocketUrl.parseHost(host)
      assert.isTrue(Result.isFailure(parsed), JSON.stringify(host))
      if (Result.isFailure(parsed)) assert.match(parsed.failure, /^it|^its/)
    }
  })

  it("parses the prefixes of targets as it parses the paths of URLs", () => {
    for (const path of ["/", "/a", "/a/", '/a"b', "/<>", "/^", "/`", "/a;b", "/caf%c3%a9"]) {
      assert.deepStrictEqual(SocketUrl.parsePath(path), Result.succeed(ok(`ws://h${path}`).path), path)
    }
    for (const path of [
      "",
      "a",
      "*",
      "/?",
      "/a?b",
      "?",
      "/#",
      "//",
      "/;x/",
      "/..%3b",
      "/a%",
      "/é",
      "@h/",
      ":80/",
      ".evil/"
    ]) {
      assert.isTrue(Result.isFailure(SocketUrl.parsePath(path)), path)
    }
  })

  it("rule 11: never shows a query, user info or fragment, whether the URL can be parsed or not", () => {
    const texts = [
      "ws://h/a?token=SECRET123",
      "ws://h?SECRET123",
      "ws://h/a?x#SECRET123",
      "ws://h/a#SECRET123",
      "ws://user:SECRET123@h/a",
      "ws://SECRET123@h",
      "wss://user:SEC@SECRET123@h/a",
      "http://user:SECRET123@h/",
      "ws:user:SECRET123@h/",
      "ws:/user:SECRET123@h/",
      "ws:///user:SECRET123@h/",
      "ws:\\\\user:SECRET123@h/",
      "ws:\\user:SECRET123@h/",
      "ws:/\\/user:SECRET123@h/",
      "ws:\n//user:SECRET123@h/",
      "w\ts://user:SECRET123@h/",
      " ws://user:SECRET123@h/",
      "//user:SECRET123@h/",
      "user:SECRET123@h",
      "websocket:ws://user:SECRET123@h/a"
    ]
    for (const text of texts) assert.notInclude(SocketUrl.display(text), "SECRET123", JSON.stringify(text))
  })

  it("shows of a URL all but its query, and of one that is refused no more than what can't be a secret", () => {
    for (const [text, shown] of [
      ["ws://h/a?b#", "ws://h/a"],
      ["WS://H:80/{key}?a=b?c", "WS://H:80/{key}"],
      ["ws://h/a", "ws://h/a"],
      ["http://h/a?b", "http://h/a"],
      ["http://h/a#b?c\nd", "http://h/a"],
      ["ws://h/a/..?b", "ws://h/a/.."],
      ["ws://h/é\ud800?b", "ws://h/%C3%A9%EF%BF%BD"],
      ["a@b", "a URL with user info"],
      ["", ""]
    ] as const) {
      assert.strictEqual(SocketUrl.display(text), shown)
    }
  })

  it("takes the prefix of a source off, and nothing else that looks like it", () => {
    assert.strictEqual(SocketUrl.withoutPrefix("websocket:ws://h/"), "ws://h/")
    for (const url of ["ws://h/", "ws://h/websocket:x", "Websocket:ws://h/", ""]) {
      assert.strictEqual(SocketUrl.withoutPrefix(url), url)
    }
    assert.strictEqual(SocketUrl.withoutPrefix("websocket:websocket:ws://h/"), "websocket:ws://h/")
  })

  it("bounds what it shows of a URL that nothing can parse", () => {
    const shown = SocketUrl.display(`http://h/\u0007\u202e\u001b[31m${"a".repeat(10_000)}`)
    assert.isAtMost(shown.length, Redaction.READ_TEXT)
    assert.match(shown, /^[\x20-\x7e]*$/)
  })

  it("rule 11: shows no piece of a secret in a URL that nothing can parse, wherever it is cut", () => {
    for (const value of ["A1b2C3d4E5".repeat(9), "A1é2C3ü4E5".repeat(9)]) {
      const { foreign, own } = Redaction.make({ secrets: [value], config: null })
      for (const [nth, most] of [256, 512, 2048, 4096].entries()) {
        // Every fifth place, another one of five each time: each takes some milliseconds.
        for (let offset = most - 100 - value.length + nth; offset < most; offset += 5) {
          const shown = SocketUrl.display(`http://h/${"-".repeat(offset)}${value}${"-".repeat(5000)}`)
          for (const text of [foreign(shown), own(shown)]) assert.notMatch(text, /A1|E5|[A-E][1-5]/, `at ${offset}`)
        }
      }
    }
  })
})
