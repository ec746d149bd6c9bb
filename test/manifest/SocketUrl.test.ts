import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { SocketUrl } from "mooring"

const ok = (raw: string): SocketUrl.SocketUrl => {
  const parsed = SocketUrl.parse(raw)
  if (Result.isFailure(parsed)) throw new Error(`${raw} is refused: ${parsed.failure}`)
  return parsed.success
}

const refusals: ReadonlyArray<readonly [what: string, why: RegExp, urls: ReadonlyArray<string>]> = [
  [
    "characters other than printable ASCII",
    /ASCII/,
    [
      "ws://bücher.example/",
      "ws://h/é",
      "ws://h/?q=é",
      "ws://h/\t",
      "ws://h/a\nb",
      "ws:\r\n//h/",
      "\u0000ws://h/",
      "ws://h/\u007f",
      "ws://ｅxample.com/",
      "ws://h/\u{1f600}",
      "ws://h/\ud800"
    ]
  ],
  ["no // after the scheme", /\/\//, ["ws:h/", "ws:/h/", "wss:h", "ws:", "ws:/", "WS:h/"]],
  [
    "another scheme",
    /scheme/,
    [
      "",
      "h",
      "//h/",
      "/gateway",
      "http://h/",
      "https://h/",
      "file:///etc/passwd",
      "wsss://h/",
      "ws+unix://h/",
      "websocket:ws://h/",
      "javascript:ws://h/",
      ":ws://h/"
    ]
  ],
  [
    "user info",
    /user info/,
    [
      "ws://u@h/",
      "ws://u:p@h/",
      "ws://@h/",
      "ws://:@h/",
      "ws://127.0.0.1@h/",
      "ws://h:80@g/",
      "ws://u@@h/",
      "wss://u@h"
    ]
  ],
  ["a fragment", /fragment/, ["ws://h/#", "ws://h/#f", "ws://h/?q#f", "ws://h#f", "ws://h#@g/"]],
  ["a backslash", /backslash/, ["ws://h\\g/", "ws://h/a\\b", "ws://h/a\\..\\b", "ws://h/?q=\\"]],
  [
    "an escape of a dot, slash, backslash, percent sign or zero byte",
    /escaped/,
    ["2e", "2E", "2f", "2F", "5c", "5C", "25", "00"].flatMap((hex) => [
      `ws://h/%${hex}`,
      `ws://h/a/%${hex}${hex}`,
      `ws://h/a%${hex}b/c?q`,
      `ws://h/a;%${hex}`
    ])
  ],
  [
    "an empty segment other than the last",
    /empty segment/,
    ["ws://h//", "ws://h//a", "ws://h/a//b", "ws://h/a//", "ws://h///"]
  ],
  [
    "a dot segment",
    /dot segment/,
    [
      "ws://h/.",
      "ws://h/..",
      "ws://h/./a",
      "ws://h/../a",
      "ws://h/a/.",
      "ws://h/a/..",
      "ws://h/a/../",
      "ws://h/a/../b?q",
      "ws://h/a/..;/b",
      "ws://h/a/.;x=1/b",
      "ws://h/a/..;x",
      "ws://h/.;"
    ]
  ],
  ["no host", /host/, ["ws://", "ws:///a", "ws:///h/", "ws://?q", "ws:////h/", "wss:////u@h/"]],
  ["a port that is none", /not a URL|port/, ["ws://h:0/", "ws://h:65536/", "ws://h:-1/", "ws://h:a/", "ws://h:80:80/"]],
  [
    "a host that is none",
    /not a URL|host/,
    ["ws://[::1/", "ws://::1/", "ws://[1.2.3.4]/", "ws://1.2.3.4.5/", "ws://256.1.1.1/"]
  ],
  ["more than 8192 characters", /8192/, [`ws://h/${"a".repeat(8200)}`]]
]

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

  it.each([
    ["ws://EXAMPLE.Com/", "example.com"],
    ["ws://example.com./", "example.com"],
    ["ws://EXAMPLE.COM.:80/", "example.com"],
    ["ws://XN--BCHER-KVA.example/", "xn--bcher-kva.example"],
    ["ws://ex%61mple.com/", "example.com"],
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
    ["ws://%31%32%37.0.0.1/", "127.0.0.1"]
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

  it("bounds what it shows of a URL that nothing can parse", () => {
    const shown = SocketUrl.display(`http://h/\u0007\u202e\u001b[31m${"a".repeat(10_000)}`)
    assert.isAtMost(shown.length, 256)
    assert.match(shown, /^[\x20-\x7e\ufffd]*$/)
  })
})
