import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { RequestUrl, SocketUrl } from "mooring"
import { list, oneOf } from "../support/arbitraries.ts"
import { requestRefusals, requestTwin } from "../support/refusals.ts"

const PIECES =
  String.raw`a B 1 0x7f 127 xn--bcher-kva _ - . . .. : 80 443 [ ] ::1 / / / ? ; @ \ # % %2e %3b %41 %c3%a9 " { ^ | é`.split(
    " "
  ) as [string]

describe("RequestUrl", () => {
  for (const [what, why, urls] of requestRefusals) {
    it(`refuses ${what}, as SocketUrl does`, () => {
      for (const url of urls.map(requestTwin)) {
        const parsed = RequestUrl.parse(url)
        assert.match(Result.isFailure(parsed) ? parsed.failure : "taken", why, JSON.stringify(url))
      }
    })
  }

  it("refuses every other scheme, those of WebSockets too", () => {
    for (const url of ["", "h", "//h/", "/v1", "ws://h/", "wss://h/", "ftp://h/", "httpss://h/", "http+unix://h/"]) {
      assert.deepStrictEqual(RequestUrl.parse(url), Result.fail("its scheme is neither http nor https"), url)
    }
  })

  it("knows the default port of each scheme", () => {
    for (const [url, port] of [
      ["http://h/", 80],
      ["https://h/", 443],
      ["HTTPS://h:80/", 80],
      ["http://h:443/", 443]
    ] as const) {
      assert.strictEqual(Result.getOrThrow(RequestUrl.parse(url)).port, port, url)
    }
  })

  it.effect.prop(
    "reads what SocketUrl reads, and refuses for the same reason what that refuses",
    { scheme: oneOf("", "s"), text: list(oneOf(...PIECES), 0, 8) },
    ({ scheme, text }) =>
      Effect.sync(() => {
        const rest = `${scheme}://${text.join("")}`
        const [socket, request] = [SocketUrl.parse(`ws${rest}`), RequestUrl.parse(`http${rest}`)]
        const asRequest = Result.map(socket, (url) => ({
          ...url,
          raw: requestTwin(url.raw),
          scheme: requestTwin(url.scheme),
          canonical: requestTwin(url.canonical),
          display: requestTwin(url.display)
        }))
        assert.deepStrictEqual<unknown>(request, asRequest)
        const again = Result.flatMap(request, ({ canonical }) => RequestUrl.parse(canonical))
        assert.strictEqual(Result.getOrUndefined(again)?.canonical, Result.getOrUndefined(request)?.canonical)
      }),
    { arbitrary: { runs: 2000 } }
  )

  it("rule 11: never shows a query, user info or fragment, whether the URL can be parsed or not", () => {
    for (const url of ["https://h/a?SECRET", "https://u:SECRET@h/", "https://h/#SECRET", "https://h/\u0000?SECRET"]) {
      assert.notInclude(RequestUrl.display(url), "SECRET")
    }
  })
})
