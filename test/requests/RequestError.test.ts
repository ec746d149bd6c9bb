import { assert, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { RequestError } from "mooring"

const TOO_LARGE = { url: "https://api.test/v1", status: 200, what: "body", limit: 5, sent: true } as const

it("what is encoded of an answer that is too large has none of its headers", () => {
  const error = new RequestError.ResponseTooLarge({ ...TOO_LARGE, headers: [["x-secret", "of the server"]] })
  const encoded = Schema.encodeSync(Schema.toCodecJson(RequestError.RequestError))(error)
  assert.deepStrictEqual(encoded, { _tag: "ResponseTooLarge", ...TOO_LARGE })
})
