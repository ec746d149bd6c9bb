import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { HOST, PATH } from "../../../src/manifest/internal/forms.ts"
import * as SocketUrl from "../../../src/manifest/SocketUrl.ts"
import * as WebSocketTarget from "../../../src/manifest/WebSocketTarget.ts"
import * as Schema from "effect/Schema"
import { HOSTS, PATHS } from "../../cli/support/mutations.ts"
import { list, oneOf } from "../../support/arbitraries.ts"

const path = new RegExp(PATH, "u")
const host = new RegExp(HOST, "u")

const isPath = (text: string) => Result.isSuccess(SocketUrl.parsePath(text))

const isTarget = Schema.is(WebSocketTarget.WebSocketTarget)
const isHost = (text: string) => isTarget({ scheme: "ws", host: text, pathPrefixes: [] })

// prettier-ignore
const PIECES = [
  "/", "/", "a", ".", "..", ";", "%3b", "%3B", "%20", "%2e", "%2f", "%5c", "%25", "%7f", "%00", "%41", "%", "%4", "%zz",
  "%c3%a9", "%c3", "%a9", "%c2%80", "%c2%a0", "%e0%80%80", "%e0%a0%80", "%ed%9f%bf", "%ed%a0%80", "%ee%80%80",
  "%f0%80%80%80", "%f0%90%80%80", "%f4%8f%bf%bf", "%f4%90%80%80", "%f5%80%80%80", "%c0%af", "\"", "<", "^", "`", "{", "|",
  "~", "!", "?", "#", "\\", " ", "\u00e9", "&", "'", "(", ",", "-", "=", ":", "@", "[", "]", "_"
] as const

const LABELS = [
  "a",
  "A1",
  "-",
  "_",
  ".",
  ".",
  "..",
  "*",
  "*.",
  ":",
  "::1",
  "[",
  "]",
  "%",
  "\u00fc",
  "\u3002",
  "/",
  "127.0.0.1",
  " ",
  "@"
] as const

describe("the form of a path", () => {
  it("is that of the paths which the parser takes, but for escapes that are compatible with syntax", () => {
    for (const text of PATHS) assert.strictEqual(path.test(text), isPath(text), text)
    for (const text of ["/a%ef%bc%8e", "/%ef%bc%8f", "/a%ef%bc%85b"]) {
      assert.isTrue(path.test(text) && !isPath(text), text)
    }
  })

  it.effect.prop(
    "is that of any path",
    { pieces: list(oneOf(...PIECES), 0, 8), slash: oneOf("/", "") },
    ({ pieces, slash }) =>
      Effect.sync(() => {
        const text = slash + pieces.join("")
        assert.strictEqual(path.test(text), isPath(text), text)
      }),
    { arbitrary: { runs: 3000 } }
  )

  it("is told in time that grows with the length alone", () => {
    const started = performance.now()
    for (const piece of ["/a", "a", "%20", "/;", "/%3b", "%c3%a9", "/..a", ";"]) path.test(`/${piece.repeat(4000)}?`)
    assert.isBelow(performance.now() - started, 5000)
  })
})

describe("the form of a host", () => {
  it("is that of every host which the parser takes", () => {
    for (const text of HOSTS) assert.isTrue(host.test(text) || !isHost(text), text)
  })

  it("is that of no other text, but where it takes a parser to tell", () => {
    const others = HOSTS.filter((text) => host.test(text) && !isHost(text))
    assert.deepStrictEqual(others, ["256.0.0.1", "*.127.0.0.1", "\u3002", "\uff0a"])
  })

  it.effect.prop(
    "is that of any host which the parser takes",
    { labels: list(oneOf(...LABELS), 0, 6) },
    ({ labels }) =>
      Effect.sync(() => {
        const text = labels.join("")
        assert.isTrue(host.test(text) || !isHost(text), text)
      }),
    { arbitrary: { runs: 2000 } }
  )
})
