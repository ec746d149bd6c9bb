import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { GrantError, Manifest } from "mooring"
import type { Authority } from "../../src/grants/Grants.ts"
import { check } from "../../src/ingress/Delivery.ts"

const manifest = Result.getOrThrow(
  Manifest.decode({
    schema_version: 1,
    id: "a",
    name: "A",
    version: "1.0.0",
    surfaces: [],
    ingresses: [
      { name: "desk", event_kinds: ["websocket_text", "timer", "order", "timer2", "hosted", "websocket"] },
      { name: "bare" },
      { name: "revoked", event_kinds: ["order"] }
    ]
  })
)

const missing = new GrantError.PermissionMissing({ permission: "ingress revoked", missing: "grant" })

const authority: Pick<Authority, "ingress"> = {
  ingress: (name) => (name === "revoked" ? Result.fail(missing) : Result.succeed(undefined))
}

const checked = (ingressName: string, kind: string, payload: unknown, maxMessageBytes = 20) =>
  check({ ingressName, kind, payload }, manifest, authority as Authority, { maxMessageBytes })

const refusal = (...args: Parameters<typeof checked>) => {
  const result = checked(...args)
  if (Result.isSuccess(result)) return undefined
  return result.failure._tag === "EventInvalid" ? result.failure.field : result.failure._tag
}

describe("a delivery", () => {
  it("is taken as JSON, with its bytes in UTF-8", () => {
    const place = { ingressName: "desk", kind: "order" }
    assert.deepStrictEqual(
      checked("desk", "order", { a: "\u{e9}" }),
      Result.succeed({ ...place, json: '{"a":"\u{e9}"}', bytes: 10 })
    )
    assert.deepStrictEqual(checked("desk", "order", null), Result.succeed({ ...place, json: "null", bytes: 4 }))
  })

  it.each(["order", "timer2", "hosted", "websocket"])("may be of the kind %s, which the ingress lists", (kind) =>
    assert.isUndefined(refusal("desk", kind, 1))
  )

  it.each(["websocket_text", "websocket_binary", "timer", "command_result", "host_response", "host_x", "websocket_"])(
    "can't be of the kind %s, listed or not: it is the host's",
    (kind) => {
      assert.strictEqual(refusal("desk", kind, 1), "kind")
      assert.strictEqual(refusal("bare", kind, 1), "kind")
    }
  )

  it("can't be of a kind that the ingress doesn't list; one that lists none takes none", () => {
    for (const kind of ["orders", "", "Order", "order "]) assert.strictEqual(refusal("desk", kind, 1), "kind")
    assert.strictEqual(refusal("bare", "order", 1), "kind")
  })

  it("goes to an ingress that is declared and granted, or nowhere", () => {
    for (const name of ["", "Desk", "__proto__", "constructor"])
      assert.strictEqual(refusal(name, "order", 1), "ingress")
    assert.strictEqual(refusal("revoked", "order", 1), "PermissionMissing")
  })

  it("is bounded by its bytes, the bound included", () => {
    assert.isUndefined(refusal("desk", "order", "x".repeat(18)))
    assert.strictEqual(refusal("desk", "order", "x".repeat(19)), "payload")
    assert.isUndefined(refusal("desk", "order", "\u{e9}".repeat(9)))
    assert.strictEqual(refusal("desk", "order", "\u{e9}".repeat(10)), "payload")
  })

  it("has a payload that is JSON", () => {
    const circular: Array<unknown> = []
    circular.push(circular)
    for (const payload of [undefined, () => 1, 1n, circular, Symbol("x")]) {
      assert.strictEqual(refusal("desk", "order", payload), "payload", typeof payload)
    }
  })
})
