import { assert, describe, it } from "@effect/vitest"
import { Permission, PluginRef } from "mooring"

describe("a permission as text", () => {
  it.each([
    [{ kind: "surface", surface: "service" }, "surface service"],
    [{ kind: "service", name: "echo" }, "service echo"],
    [{ kind: "ingress", name: "gateway" }, "ingress gateway"],
    [{ kind: "host_api", api: "websocket" }, "host_api websocket"],
    [{ kind: "tool", name: "search" }, "tool search"],
    [{ kind: "tool" }, "tool *"],
    [{ kind: "tool_namespace", namespace: "files" }, "tool_namespace files"],
    [{ kind: "tool_namespace" }, "tool_namespace *"],
    [{ kind: "external_write" }, "external_write"]
  ] as const)("%o is '%s'", (permission, text) => assert.strictEqual(Permission.format(permission), text))
})

describe("a reference", () => {
  it("is the id, with the instance behind it where there is one", () => {
    assert.strictEqual(PluginRef.make("project:a.b"), "project:a.b")
    assert.strictEqual(PluginRef.make("project:a.b", "two"), "project:a.b#two")
  })

  it.each(["project:a.b", "user:a.b", "builtin:a.b"])("%s has the package's own id in it", (id) =>
    assert.strictEqual(PluginRef.packageId(id), "a.b")
  )
})
