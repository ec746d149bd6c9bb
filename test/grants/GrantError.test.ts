import { assert, describe, it } from "@effect/vitest"
import { GrantError } from "mooring"

const url = "ws://h/"

describe("GrantError", () => {
  it.each([
    [
      new GrantError.PermissionMissing({ permission: "service main", missing: "manifest" }),
      "the permission 'service main' is not declared in the manifest"
    ],
    [
      new GrantError.PermissionMissing({ permission: "service main", missing: "grant" }),
      "the permission 'service main' is not granted"
    ],
    [
      new GrantError.PermissionMissing({ permission: "surface ingress", missing: "enablement" }),
      "the permission 'surface ingress' is not enabled"
    ],
    [
      new GrantError.PermissionMissing({ permission: "service main", missing: "grant", cause: "SECRET123" }),
      "the permission 'service main' is not granted: the grant store has given no usable answer"
    ],
    [new GrantError.TargetUndeclared({ url }), "no target that the manifest declares covers ws://h/"],
    [new GrantError.TargetUngranted({ url, subprotocol: null }), "no granted target covers ws://h/"],
    [new GrantError.TargetUngranted({ url, subprotocol: "v1" }), "the subprotocol 'v1' is not granted for ws://h/"],
    [new GrantError.TargetInvalid({ url, problem: "it has a fragment" }), "ws://h/ is refused: it has a fragment"],
    [
      new GrantError.GrantBindingMismatch({ field: "version", granted: "1.0.0", actual: "2.0.0" }),
      "the grant is for version 1.0.0, but the package has 2.0.0"
    ],
    [new GrantError.GrantRevoked({ url }), "the grant for ws://h/ was withdrawn"]
  ])("says what was denied and which half is missing (%#)", (error, message) => {
    assert.strictEqual(error.message, message)
  })
})
