import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { SocketUrl, WebSocketTarget } from "mooring"
import { bool, either, int, list, maybe, oneOf } from "../support/arbitraries.ts"

const decode = Schema.decodeUnknownResult(WebSocketTarget.WebSocketTarget)

const target = (change: { readonly [key: string]: unknown }): WebSocketTarget.WebSocketTarget =>
  Result.getOrThrow(decode({ scheme: "ws", host: "h", path_prefixes: ["/"], ...change }))

const covers = (change: { readonly [key: string]: unknown }, url: string): boolean =>
  WebSocketTarget.matches(target(change), Result.getOrThrow(SocketUrl.parse(url)))

/** Each line: a target, the URLs that it covers, the URLs that it doesn't. */
type Table = ReadonlyArray<
  readonly [change: { readonly [key: string]: unknown }, yes: ReadonlyArray<string>, no: ReadonlyArray<string>]
>

const check = (table: Table) => {
  for (const [change, yes, no] of table) {
    for (const url of yes) assert.isTrue(covers(change, url), `${JSON.stringify(change)} covers ${url}`)
    for (const url of no) assert.isFalse(covers(change, url), `${JSON.stringify(change)} doesn't cover ${url}`)
  }
}

const pathOf = (segments: ReadonlyArray<string>, slash: boolean) =>
  segments.length === 0 ? "/" : `/${segments.join("/")}${slash ? "/" : ""}`

const decodings: ReadonlyArray<(path: string) => string> = [
  (path) => path,
  // Decoded once more, by a decoder that takes what is no escape as it is, and overlong forms for what they stand for
  (path) => path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  (path) => path.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  (path) =>
    path
      .replace(/%c0%([89ab][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16) - 0x80))
      .replace(/%u00([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  // Stripped of controls, escaped or decoded
  (path) => path.replace(/%(?:[01][0-9a-f]|7f)|[\0-\x1f\x7f-\x9f]/gi, ""),
  (path) => path.replace(/%(?![0-9a-f]{2})/gi, ""),
  // Cut off: parameters, what follows a zero byte
  (path) => path.replace(/;[^/]*/g, ""),
  (path) => path.replace(/(?:;|%3b)[^/]*/gi, ""),
  (path) => path.replaceAll("\\", "/"),
  (path) => path.replace(/\/+/g, "/"),
  (path) => path.normalize("NFKC"),
  (path) => path.replace(/(?:%20| )+(?=\/|$)/g, "")
]

/** The segments that a server arrives at, which resolves dots as RFC 3986, section 5.2.4, says. */
const resolved = (path: string): ReadonlyArray<string> =>
  path.split("/").reduce<ReadonlyArray<string>>((before, segment) => {
    if (segment === "" || segment === ".") return before
    return segment === ".." ? before.slice(0, -1) : [...before, segment]
  }, [])

/** What a path that leads astray is made of. */
const PIECES =
  String.raw`a . . .. / / ; %3b x %2e %2f %5c % %25 %32 %65 %0d %00 %09 %c0%ae %c0%af %u002e %20 %7f %c2%80 %ef%bc%8e %ef%bc%8f %c3%a9 \ %7C =`.split(
    " "
  ) as [string]

describe("WebSocketTarget", () => {
  it("covers its scheme only, or both", () => {
    check([
      [{ scheme: "ws", port: "*" }, ["ws://h/", "WS://h/"], ["wss://h/"]],
      [{ scheme: "wss", port: "*" }, ["wss://h/"], ["ws://h/", "ws://h:443/"]],
      [{ scheme: "*" }, ["ws://h/", "wss://h/"], []]
    ])
  })

  it("compares hosts in their canonical form", () => {
    check([
      [
        { host: "example.com" },
        ["ws://example.com/", "ws://EXAMPLE.com/", "ws://example.com./"],
        ["ws://www.example.com/", "ws://example.com.evil.org/", "ws://notexample.com/", "ws://example.co/"]
      ],
      [{ host: "Example.COM." }, ["ws://example.com/"], []],
      [{ host: "bücher.example" }, ["ws://xn--bcher-kva.example/"], ["ws://bucher.example/"]],
      [{ host: "xn--bcher-kva.example" }, ["ws://XN--BCHER-KVA.example./"], []],
      [{ host: "::1" }, ["ws://[::1]/", "ws://[0:0:0:0:0:0:0:1]/"], ["ws://[::2]/", "ws://127.0.0.1/"]],
      [{ host: "[::1]" }, ["ws://[::1]/"], []],
      [{ host: "FE80::0:1" }, ["ws://[fe80::1]/"], []],
      [
        { host: "127.0.0.1" },
        ["ws://127.0.0.1/", "ws://127.1/", "ws://2130706433/", "ws://0x7f.1/", "ws://127.0.0.1./"],
        ["ws://127.0.0.2/", "ws://localhost/", "ws://[::ffff:127.0.0.1]/", "ws://127.0.0.1.example/"]
      ],
      [{ host: "127.1" }, ["ws://127.0.0.1/"], ["ws://127.0.0.2/"]],
      [{ host: "localhost" }, ["ws://localhost/", "ws://LOCALHOST./"], ["ws://127.0.0.1/", "ws://a.localhost/"]]
    ])
  })

  it("covers with '*.' one or more labels in front of a name, never the name itself", () => {
    check([
      [
        { host: "*.example.com" },
        ["ws://a.example.com/", "ws://a.b.example.com/", "ws://A.Example.COM./"],
        [
          "ws://example.com/",
          "ws://example.com./",
          "ws://notexample.com/",
          "ws://a.notexample.com/",
          "ws://a.example.com.evil.org/",
          "ws://example.com.evil.org/",
          "ws://a-example.com/"
        ]
      ],
      [{ host: "*.Example.COM." }, ["ws://a.example.com/"], ["ws://example.com/"]]
    ])
  })

  it("never covers an address literal with a wildcard", () => {
    const literals = [
      "ws://127.0.0.1/",
      "ws://10.0.0.1/",
      "ws://8.8.8.8/",
      "ws://127.1/",
      "ws://2130706433/",
      "ws://[::1]/",
      "ws://[2001:db8::1]/",
      "ws://[::ffff:8.8.8.8]/"
    ]
    check([
      [{ host: "*" }, ["ws://h/", "ws://a.b.c/", "ws://localhost/"], literals],
      [{ host: "*.0.1.example" }, ["ws://127.0.0.1.example/"], literals]
    ])
  })

  it("says of '*' alone that it is broad", () => {
    assert.isTrue(WebSocketTarget.isBroad(target({ host: "*" })))
    for (const host of ["*.example.com", "h", "::1"]) assert.isFalse(WebSocketTarget.isBroad(target({ host })))
  })

  it("refuses hosts that are no pattern", () => {
    const hosts = [
      "",
      "**",
      "*example.com",
      "a*",
      "*.",
      "*.com",
      "*.com.",
      "*.localhost",
      "*.*.com",
      "a.*.com",
      "*.1.1",
      "*.127.0.0.1",
      "*.[::1]",
      "*.::1",
      "h:80",
      "u@h",
      "h/a",
      "h?",
      "h#",
      "h\\g",
      "a b",
      "h\n",
      "256.1.1.1",
      "1.2.3.4.5",
      "[::1",
      "ws://h",
      "a..b",
      ".a",
      "a%62",
      "127.0.0.1..",
      "*.a..b",
      "*..a.b",
      "*.a.b..",
      "*.ａ%62.c"
    ]
    for (const host of hosts) {
      assert.isTrue(Result.isFailure(decode({ scheme: "ws", host, path_prefixes: ["/"] })), JSON.stringify(host))
    }
  })

  it("takes no empty label for one of the two that '*.' needs", () => {
    for (const host of ["*..com", "*.com..", "*..", "*...", "*.\u3002com"]) {
      assert.isTrue(Result.isFailure(decode({ scheme: "ws", host, path_prefixes: ["/"] })), JSON.stringify(host))
    }
  })

  it("covers without a port the default one of the URL's scheme only", () => {
    check([
      [
        { scheme: "*" },
        ["ws://h/", "ws://h:80/", "wss://h/", "wss://h:443/"],
        ["ws://h:443/", "wss://h:80/", "ws://h:81/"]
      ],
      [{ scheme: "*", port: 443 }, ["wss://h/", "ws://h:443/"], ["ws://h/", "wss://h:80/"]],
      [{ port: 7700 }, ["ws://h:7700/"], ["ws://h/", "ws://h:770/", "ws://h:7701/"]],
      [{ scheme: "*", port: "*" }, ["ws://h/", "ws://h:1/", "wss://h:65535/"], []]
    ])
    for (const port of [0, -1, 65_536, 1.5, "80", "", null]) {
      assert.isTrue(Result.isFailure(decode({ scheme: "ws", host: "h", port, path_prefixes: ["/"] })), String(port))
    }
  })

  it("covers whole path segments, byte for byte", () => {
    check([
      [
        { path_prefixes: ["/gateway"] },
        ["ws://h/gateway", "ws://h/gateway/", "ws://h/gateway/x/y", "ws://h/gateway?x"],
        [
          "ws://h/",
          "ws://h",
          "ws://h/gateway-admin",
          "ws://h/gatewayx/",
          "ws://h/gatewa",
          "ws://h/Gateway",
          "ws://h/x/gateway",
          "ws://h/%67ateway",
          "ws://h/gateway;x",
          "ws://h/?/gateway",
          "ws://h/x?/gateway/"
        ]
      ],
      [
        { path_prefixes: ["/gateway/"] },
        ["ws://h/gateway", "ws://h/gateway/", "ws://h/gateway/x"],
        ["ws://h/gatewayx"]
      ],
      [{ path_prefixes: ["/a/b", "/c"] }, ["ws://h/a/b/c", "ws://h/c"], ["ws://h/a", "ws://h/a/c", "ws://h/b"]],
      [{ path_prefixes: ["/"] }, ["ws://h", "ws://h/", "ws://h/any/path?q"], []],
      [{ path_prefixes: ["/%67"] }, ["ws://h/%67"], ["ws://h/g"]]
    ])
  })

  it("covers nothing with an empty list of prefixes", () => {
    check([[{ scheme: "*", host: "*", port: "*", path_prefixes: [] }, [], ["ws://h/", "wss://h/a", "ws://h"]]])
  })

  it("refuses prefixes that no path could have", () => {
    const prefixes = [
      "",
      "a",
      "*",
      "/a b",
      "/é",
      "/a?",
      "/a#",
      "/a\\b",
      "//",
      "//a",
      "/a//b",
      "/.",
      "/..",
      "/a/../b",
      "/a/..;x",
      "/;x/",
      "/a/;/b",
      "/..%3b",
      "/%",
      "/%zz",
      "/%c0%ae",
      "/%0d"
    ]
    for (const prefix of [...prefixes, "/%2e", "/%2E%2E/a", "/a%2fb", "/%5c", "/%25", "/%00", "/a\n"]) {
      assert.isTrue(
        Result.isFailure(decode({ scheme: "ws", host: "h", path_prefixes: [prefix] })),
        JSON.stringify(prefix)
      )
    }
  })

  it("compares with the path as it goes over the wire", () => {
    check([
      [{ path_prefixes: ["/a%22b"] }, ["ws://h/a%22b", 'ws://h/a"b'], ["ws://h/a%2Cb"]],
      [{ path_prefixes: ['/a"<b>^`{c}'] }, ['ws://h/a"<b>^`{c}', "ws://h/a%22%3Cb%3E^%60%7Bc%7D/x"], ["ws://h/a"]],
      [{ path_prefixes: ["/%22"] }, ['ws://h/"'], ["ws://h/%2C"]],
      [{ path_prefixes: ["/!$&'()*+,-.:;=@_~"] }, ["ws://h/!$&'()*+,-.:;=@_~/x"], []]
    ])
  })

  it("covers nothing with what got past the schema and is no pattern", () => {
    const url = Result.getOrThrow(SocketUrl.parse("ws://h/"))
    assert.isFalse(WebSocketTarget.matches({ scheme: "ws", host: "h h", pathPrefixes: ["/"] }, url))
    assert.isFalse(WebSocketTarget.matches({ scheme: "ws", host: "h", pathPrefixes: ["", "?", "/?"] }, url))
    assert.isTrue(WebSocketTarget.matches({ scheme: "ws", host: "h", pathPrefixes: ["", "/"] }, url))
  })

  const Piece = oneOf(...PIECES)

  it.effect.prop(
    "rule 1: nothing that it covers is outside of the prefix for a server that reads it in another way",
    {
      pieces: list(Piece, 0, 8),
      ways: list(oneOf(...(decodings.map((_, index) => index) as [number])), 0, 4)
    },
    ({ pieces, ways }) =>
      Effect.sync(() => {
        const parsed = SocketUrl.parse(`ws://h/gateway/${pieces.join("")}`)
        if (Result.isFailure(parsed)) return
        assert.isTrue(WebSocketTarget.matches(target({ path_prefixes: ["/gateway"] }), parsed.success))
        // The text as it was written, and as it goes over the wire.
        for (const path of [parsed.success.path, parsed.success.raw.slice("ws://h".length)]) {
          const read = ways.reduce((text, way) => decodings[way]?.(text) ?? text, path)
          assert.strictEqual(resolved(read)[0], "gateway", JSON.stringify(read))
        }
      }),
    { arbitrary: { runs: 3000 } }
  )

  const Segment = oneOf(
    "gateway",
    "gateway-admin",
    "gate",
    "way",
    "gatewayx",
    "a",
    "A",
    "%67ateway",
    "gateway;x",
    "...",
    ".a",
    "a@b"
  )
  const Segments = list(Segment, 0, 4)
  it.effect.prop(
    "rule 1: a prefix never lets a neighbour through",
    {
      segments: Segments,
      slash: bool,
      query: maybe(oneOf("", "/gateway", "x=/gateway/a", "//")),
      // Mostly a piece of the path itself, sometimes with another end, so that hits and near misses are common.
      prefixes: list(
        either<(segments: ReadonlyArray<string>) => ReadonlyArray<string>>(
          Arbitrary.map(int(0, 4), (length) => (segments: ReadonlyArray<string>) => segments.slice(0, length)),
          Arbitrary.map(Arbitrary.all([int(0, 3), Segment]), ([length, last]) => (segments: ReadonlyArray<string>) => [
            ...segments.slice(0, length),
            last
          ]),
          Arbitrary.map(Segments, (other) => () => other)
        ),
        0,
        2
      ),
      prefixSlash: bool
    },
    ({ prefixSlash, prefixes: makers, query, segments, slash }) =>
      Effect.sync(() => {
        const prefixes = makers.map((make) => make(segments))
        const expected = prefixes.some(
          (prefix) => prefix.length <= segments.length && prefix.every((segment, index) => segment === segments[index])
        )
        const url = `ws://h${pathOf(segments, slash)}${query === undefined ? "" : `?${query}`}`
        assert.strictEqual(
          covers({ path_prefixes: prefixes.map((prefix) => pathOf(prefix, prefixSlash)) }, url),
          expected
        )
      }),
    { arbitrary: { runs: 500 } }
  )

  const Label = oneOf("example", "com", "notexample", "a", "b", "org")

  it.effect.prop(
    "rule 1: a host pattern covers exactly its name or what stands in front of it",
    {
      pattern: list(Label, 1, 3),
      // Mostly the pattern itself, with something in front of it or glued to it, so that near misses are common.
      labelsOf: either<(pattern: ReadonlyArray<string>) => ReadonlyArray<string>>(
        Arbitrary.map(list(Label, 0, 2), (front) => (pattern) => [...front, ...pattern]),
        Arbitrary.map(Label, (label) => ([first = "", ...rest]) => [`${label}${first}`, ...rest]),
        Arbitrary.map(list(Label, 1, 4), (labels) => () => labels)
      ),
      wildcard: bool,
      upper: bool,
      dot: bool
    },
    ({ dot, labelsOf, pattern, upper, wildcard }) =>
      Effect.sync(() => {
        const labels = labelsOf(pattern)
        const host = `${wildcard ? "*." : ""}${pattern.join(".")}`
        const decoded = decode({ scheme: "ws", host, path_prefixes: ["/"] })
        assert.strictEqual(Result.isSuccess(decoded), !wildcard || pattern.length >= 2)
        if (Result.isFailure(decoded)) return
        const tail = labels.slice(labels.length - pattern.length).join(".") === pattern.join(".")
        const expected = tail && (wildcard ? labels.length > pattern.length : labels.length === pattern.length)
        const written = `${labels.join(".")}${dot ? "." : ""}`
        const url = Result.getOrThrow(SocketUrl.parse(`ws://${upper ? written.toUpperCase() : written}/`))
        assert.strictEqual(WebSocketTarget.matches(decoded.success, url), expected)
      }),
    { arbitrary: { runs: 500 } }
  )

  const Target = Arbitrary.map(
    Arbitrary.all({
      scheme: oneOf("ws", "wss", "*"),
      host: oneOf("h", "*", "*.example.com", "Example.COM.", "127.1", "::1", "[FE80::1]", "bücher.example"),
      port: maybe(either<number | "*">(int(1, 65_535), Arbitrary.Constant("*"))),
      pathPrefixes: list(
        Arbitrary.map(Segments, (segments) => pathOf(segments, false)),
        0,
        3
      ),
      subprotocols: maybe(list(oneOf("v1", "ocpp1.6", "graphql-ws"), 0, 2)),
      privateAddresses: maybe(bool),
      sendsPerMinute: maybe(int(1, 1_000_000)),
      sendBytesPerMinute: maybe(int(1, 1_000_000_000))
    }),
    (fields): WebSocketTarget.GrantedTarget =>
      Object.fromEntries(
        Object.entries(fields).filter(([, value]) => value !== undefined)
      ) as WebSocketTarget.GrantedTarget
  )
  const granted = WebSocketTarget.GrantedTarget

  it.effect.prop(
    "gives a granted target back as it was when it is encoded and decoded again",
    { given: Target },
    ({ given }) =>
      Effect.sync(() => {
        const encoded = Schema.encodeSync(granted)(given)
        assert.isTrue(Object.keys(encoded).every((key) => key === key.toLowerCase()))
        assert.deepStrictEqual(Schema.decodeUnknownSync(granted)(JSON.parse(JSON.stringify(encoded))), given)
      }),
    { arbitrary: { runs: 200 } }
  )
})
