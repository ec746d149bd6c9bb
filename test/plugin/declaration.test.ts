import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Manifest, ManifestError, PluginError, PluginRef, ServicePlugin } from "mooring"
import { Timer, WebSocketText } from "../../src/ingress/IngressEvent.ts"
import { handler, strangers } from "../../src/plugin/internal/handlers.ts"

const target = { scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/a"], subprotocols: ["v1"] } as const

const problemsOf = (options: object): ReadonlyArray<string> => {
  try {
    ServicePlugin.make(options as never)
    return []
  } catch (error) {
    if (error instanceof ManifestError.ManifestInvalid) return error.problems.map(({ path }) => path)
    throw error
  }
}

const origin = { key: "k", source: "websocket:ws://h/", id: "0badc0de", url: "ws://h/", ingressName: "main" }
const text = new WebSocketText(origin, 1, 1, 0, 1, "hi", 2)
const timer = new Timer(origin, 1, 1, 0, "t")

describe("the manifest of a plugin written in Effect", () => {
  it("has what is declared, and the surfaces and permissions that it needs", () => {
    const { digest, manifest } = ServicePlugin.make({
      id: "test.plugin",
      version: "1.2.3",
      name: "Plugin",
      description: "Tests.",
      service: "main",
      digest: `sha256:${"a".repeat(64)}`,
      ingresses: {
        gateway: {
          description: "Texts.",
          sources: ["ws://127.0.0.1:7700/a"],
          eventKinds: ["websocket_text", "own_kind"],
          urgent: ["ping"],
          autoReplies: [{ text: "ping", reply: "pong" }],
          stopCodes: [4004],
          closeCode: 3000
        },
        bare: {}
      },
      websocket: [target],
      handlers: {}
    })
    assert.strictEqual(digest, `sha256:${"a".repeat(64)}`)
    assert.deepStrictEqual(
      manifest,
      Result.getOrThrow(
        Manifest.decode({
          schema_version: 1,
          id: "test.plugin",
          name: "Plugin",
          version: "1.2.3",
          description: "Tests.",
          surfaces: ["service", "ingress"],
          permissions: [
            { kind: "surface", surface: "service" },
            { kind: "service", name: "main" },
            { kind: "surface", surface: "ingress" },
            { kind: "ingress", name: "gateway" },
            { kind: "ingress", name: "bare" },
            { kind: "host_api", api: "websocket" }
          ],
          services: [{ name: "main", lifecycle: "host-managed" }],
          ingresses: [
            {
              name: "gateway",
              description: "Texts.",
              sources: ["ws://127.0.0.1:7700/a"],
              event_kinds: ["websocket_text", "own_kind"],
              urgent: ["ping"],
              auto_replies: [{ text: "ping", reply: "pong" }],
              stop_codes: [4004],
              close_code: 3000
            },
            { name: "bare" }
          ],
          websocket: [{ scheme: "ws", host: "127.0.0.1", port: 7700, path_prefixes: ["/a"], subprotocols: ["v1"] }]
        })
      )
    )
  })

  it("asks for no more than it needs, and has names of its id", () => {
    const { digest, manifest } = ServicePlugin.make({
      id: "test.bare",
      version: "1.0.0",
      ingresses: {},
      websocket: [],
      handlers: {}
    })
    assert.strictEqual(digest, PluginRef.DIGEST_WITHOUT_FILES)
    assert.deepInclude(manifest, { id: "test.bare", name: "test.bare", surfaces: ["service"] })
    assert.notProperty(manifest, "description")
    assert.deepStrictEqual(manifest.permissions, [
      { kind: "surface", surface: "service" },
      { kind: "service", name: "test.bare" }
    ])
  })

  it("is refused with every problem where it isn't one", () => {
    const well = { id: "test.plugin", version: "1.0.0", ingresses: {}, websocket: [], handlers: {} }
    assert.deepStrictEqual(problemsOf(well), [])
    assert.deepStrictEqual(problemsOf({ ...well, config: undefined, layer: undefined, stop: undefined }), [])
    assert.deepStrictEqual(problemsOf({ ...well, id: "No", version: "1" }).toSorted(), ["id", "version"])
    const mistaken = { ...well, config: {}, state: 1, layer: null, status: () => 1, stop: "no", handlers: 5 }
    assert.deepStrictEqual(problemsOf(mistaken), ["config", "state", "layer", "status", "stop", "handlers"])
  })
})

describe("handlers", () => {
  it.each<readonly [what: string, handlers: unknown, paths: ReadonlyArray<string>]>([
    ["none", {}, []],
    ["of an ingress that is left out", { main: undefined }, []],
    ["of kinds that are left out", { main: { websocket_text: undefined } }, []],
    ["functions", { main: { websocket_text: () => Exit.void, own: () => Exit.void } }, []],
    ["undefined", undefined, ["handlers"]],
    ["null", null, ["handlers"]],
    ["a list", [], ["handlers"]],
    ["a map", new Map(), ["handlers"]],
    ["a text", "main", ["handlers"]],
    ["a promise", Promise.resolve({}), ["handlers"]],
    ["an ingress of null", { main: null, twin: {} }, ["handlers.main"]],
    ["an ingress of functions", { main: () => {}, twin: [] }, ["handlers.main", "handlers.twin"]],
    [
      "what is no function",
      { main: { websocket_text: {}, timer: null, well: () => {} }, twin: { a: 1 } },
      ["handlers.main.websocket_text", "handlers.main.timer", "handlers.twin.a"]
    ]
  ])("are some where they are: %s", (_, handlers, paths) => {
    assert.deepStrictEqual(
      strangers(handlers).map(({ path }) => path),
      paths
    )
  })

  it("say what was expected of them", () => {
    assert.deepStrictEqual(strangers(5), [{ path: "handlers", message: "Expected handlers by ingress and kind" }])
    assert.deepStrictEqual(strangers({ main: { a: 1 }, twin: 1 }), [
      { path: "handlers.main.a", message: "Expected a function" },
      { path: "handlers.twin", message: "Expected handlers by kind" }
    ])
  })

  it("are called for their ingress and kind alone", () => {
    const seen: Array<unknown> = []
    const note = (name: string) => (event: unknown) => {
      seen.push([name, event])
      return Exit.void
    }
    const handle = handler(
      { main: { websocket_text: note("text"), timer: undefined }, twin: { timer: note("twin") }, none: undefined },
      undefined
    )
    assert.strictEqual(handle(text), Exit.void)
    assert.strictEqual(handle(timer), Exit.void)
    assert.strictEqual(handle(new Timer({ ...origin, ingressName: "none" }, 1, 1, 0, "t")), Exit.void)
    assert.strictEqual(handle(new Timer({ ...origin, ingressName: "__proto__" }, 1, 1, 0, "t")), Exit.void)
    assert.strictEqual(handle(new Timer({ ...origin, ingressName: "constructor" }, 1, 1, 0, "t")), Exit.void)
    assert.deepStrictEqual(seen, [["text", text]])
  })

  it("hand on what they return as it is, where there is no schema of a state", () => {
    for (const returned of [Exit.succeed({ state: 1 }), Effect.void, Promise.resolve(), undefined, { commands: [] }]) {
      const handle = handler({ main: { websocket_text: () => returned } }, undefined)
      assert.strictEqual<unknown>(handle(text), returned)
    }
  })
})

describe("a state with a schema", () => {
  const State = Schema.Struct({ at: Schema.DateFromString })
  const stating = (returned: unknown) => handler({ main: { websocket_text: () => returned } }, State)(text)
  const well = { status: 1, state: { at: new Date(0) } }
  const encoded = { status: 1, state: { at: "1970-01-01T00:00:00.000Z" } }

  it("is encoded at once where the answer is there, and later where it isn't", () => {
    assert.deepStrictEqual(stating(Exit.succeed(well)), Exit.succeed(encoded))
    const later = stating(Effect.succeed(well).pipe(Effect.delay(0)))
    assert.isFalse(Exit.isExit(later))
  })

  it.effect("is encoded of an answer that takes a while", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual<unknown>(yield* stating(Effect.andThen(Effect.yieldNow, Effect.succeed(well))), encoded)
    })
  )

  it.each<readonly [what: string, returned: unknown]>([
    ["nothing", Exit.void],
    ["null", Exit.succeed(null)],
    ["a text", Exit.succeed("x")],
    ["no state", Exit.succeed({ status: 1 })],
    ["a state that is undefined", Exit.succeed({ status: 1, state: undefined })]
  ])("leaves an answer with %s as it is", (_, returned) => {
    assert.deepStrictEqual<unknown>(stating(returned), returned)
  })

  it("leaves failures and what is no effect as they are", () => {
    const failed = Exit.fail("no")
    assert.deepStrictEqual<unknown>(stating(failed), failed)
    const promise = Promise.resolve()
    assert.strictEqual<unknown>(stating(promise), promise)
  })

  it.each<readonly [what: string, state: unknown]>([
    ["of another form", { at: "now" }],
    ["that is null", null],
    [
      "that can't be read",
      {
        get at() {
          return assert.fail("no")
        }
      }
    ]
  ])("%s is a wrong output", (_, state) => {
    const exit = stating(Exit.succeed({ state }))
    if (!Exit.isExit(exit) || Exit.isSuccess(exit)) return assert.fail("it is wrong")
    const [reason] = exit.cause.reasons
    const error = reason?._tag === "Fail" ? reason.error : undefined
    assert.instanceOf(error, PluginError.OutputInvalid)
    assert.include(String(error), "state: Expected the form of the plugin's schema")
  })
})
