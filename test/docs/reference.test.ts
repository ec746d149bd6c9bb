/** The reference documents against the code that they describe. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Str from "effect/String"
import {
  AddressPolicy,
  Enablement,
  HostError,
  HostStatus,
  IngressEventWire,
  Limits,
  OutputCommandWire,
  PluginHost,
  RequestTarget,
  RequestUrl,
  SocketUrl,
  WebSocketTarget
} from "mooring"
import { HostFile } from "mooring/node"
import { FakeRequests, FakeWebSocket, Remote } from "mooring/testing"
import { parse } from "smol-toml"
import { blocksOf, headingsOf, read, rowsOf, withoutCode } from "./markdown.ts"

type JsonSchema = { readonly [key: string]: unknown }

/** Everything in a JSON Schema that is called something: the names of properties and the literals. */
const namesOf = (schema: unknown): ReadonlySet<string> => {
  const names = new Set<string>()
  const walk = (node: unknown, isProperties: boolean): void => {
    if (Array.isArray(node)) for (const item of node) walk(item, false)
    if (typeof node !== "object" || node === null || Array.isArray(node)) return
    for (const [key, value] of Object.entries(node as JsonSchema)) {
      if (isProperties) names.add(key)
      if (key === "enum" && !isProperties && Array.isArray(value)) {
        for (const literal of value) if (typeof literal === "string") names.add(literal)
      }
      walk(value, key === "properties" && !isProperties)
    }
  }
  walk(schema, false)
  return names
}

const wireNames = (schema: Schema.Constraint): ReadonlySet<string> =>
  namesOf(JSON.parse(JSON.stringify(Schema.toJsonSchemaDocument(schema))))

/** The names that a document doesn't have as code, neither in its text nor in its tables. */
const unmentioned = (names: Iterable<string>, document: string): ReadonlyArray<string> => {
  const code = [...withoutCode(read(document)).matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text).join(" ")
  const words = new Set(code.split(/[^A-Za-z0-9_-]+/))
  return [...names].filter((name) => !words.has(name))
}

interface Tagged {
  readonly fields: { readonly [field: string]: { readonly schema?: { readonly literal?: unknown } } }
}

const membersOf = (schema: { readonly members: ReadonlyArray<object> }): ReadonlyArray<Tagged> =>
  schema.members.flatMap((member) =>
    "members" in member ? membersOf(member as Parameters<typeof membersOf>[0]) : [member as Tagged]
  )

describe("docs/errors.md", () => {
  const errors = [
    ...membersOf(HostError.HostError),
    Limits.LimitsInvalid,
    PluginHost.PluginUnknown,
    PluginHost.SourceUnknown,
    HostFile.HostFileUnreadable
  ]
  const tags = errors.map(({ fields }) => String(fields["_tag"]?.schema?.literal))
  const text = read("docs/errors.md")
  const headings = headingsOf(text).filter(({ level }) => level === 3)

  it("has exactly one heading for each tag", () => {
    assert.isAbove(tags.length, 30)
    assert.deepStrictEqual(headings.map((heading) => heading.text).toSorted(), tags.toSorted())
  })

  it("lists them all at its top, in the order of the headings", () => {
    const listed = rowsOf(text, "stage").flatMap(([, row = ""]) =>
      [...row.matchAll(/\[(\w+)\]/g)].map(([, tag]) => tag)
    )
    assert.deepStrictEqual(
      listed,
      headings.map((heading) => heading.text)
    )
  })

  it.for(errors.map((error, index) => [tags[index] ?? "", error] as const))("%s: its fields", ([tag, { fields }]) => {
    const section = text.split(`\n### ${tag}\n`)[1]?.split(/\n##/)[0] ?? ""
    const line = /^Fields: (.+)$/m.exec(section)?.[1] ?? ""
    const named = [...line.replaceAll(/\([^)]*\)/g, "").matchAll(/(?<=^|, )`(\w+)`/g)].map(([, name = ""]) => name)
    assert.deepStrictEqual(
      named.toSorted(),
      Object.keys(fields)
        .filter((field) => field !== "_tag")
        .map(Str.camelToSnake)
        .toSorted()
    )
  })
})

describe("docs/limits.md", () => {
  const rows = rowsOf(read("docs/limits.md"), "key")

  it("has every key once, with its default", () => {
    const documented = rows.map(([key = "", initial = ""]) => [key, Number.parseInt(initial, 10)])
    const defaults = Object.entries(Schema.encodeSync(Limits.LimitsSchema)(Limits.defaults))
    assert.deepStrictEqual(documented.toSorted(), defaults.toSorted())
  })

  it.for(rows)("%s: its range", ([key = "", , range]) => {
    const refused = Limits.decode({ [key]: -1 })
    assert.isTrue(Result.isFailure(refused))
    if (Result.isFailure(refused)) {
      assert.deepStrictEqual(refused.failure.problems, [
        { path: key, message: `Expected a whole number from ${range}` }
      ])
    }
  })
})

describe("docs/status.md", () => {
  it("mentions every key and every literal of the document", () => {
    const names = wireNames(HostStatus.HostStatus)
    assert.isTrue(names.has("websocket_connections") && names.has("flowing") && names.has("subprotocol"))
    assert.deepStrictEqual(unmentioned(names, "docs/status.md"), [])
  })
})

describe("docs/plugins.md", () => {
  it("mentions every key and kind of an event", () => {
    assert.deepStrictEqual(unmentioned(wireNames(IngressEventWire.IngressEventWire), "docs/plugins.md"), [])
  })

  it("mentions every key and kind of a command", () => {
    assert.deepStrictEqual(unmentioned(wireNames(OutputCommandWire.OutputCommandWire), "docs/plugins.md"), [])
  })
})

describe("docs/grants.md", () => {
  const text = read("docs/grants.md")

  it("mentions every key of an enablement", () => {
    // Limits have a page of their own; a wildcard is told, but is no word.
    const untold = new Set(["namespace", "*", ...wireNames(Limits.PluginLimits), ...wireNames(Limits.SourceLimits)])
    const names = [...wireNames(Enablement.Enablement)].filter((name) => !untold.has(name))
    assert.deepStrictEqual(unmentioned(names, "docs/grants.md"), [])
  })

  it.for(rowsOf(text, "scheme").filter((row) => row.length === 6))(
    "%s://%s, port %s, %s and %s: %s",
    ([scheme, host, port, prefix, url = "", covered = ""]) => {
      const target = Schema.decodeUnknownSync(WebSocketTarget.WebSocketTarget)({
        scheme,
        host,
        ...(port === "absent" ? {} : { port: port === "*" ? "*" : Number(port) }),
        path_prefixes: [prefix]
      })
      const parsed = Result.getOrThrow(SocketUrl.parse(url))
      assert.strictEqual(WebSocketTarget.matches(target, parsed), covered.startsWith("yes"))
    }
  )

  it.for(rowsOf(text, "methods"))("%s, %s://%s, %s and %s: %s", (row) => {
    const [methods = "", scheme, host, prefix, request = "", covered = ""] = row
    const target = Schema.decodeUnknownSync(RequestTarget.RequestTarget)({
      scheme,
      host,
      methods: methods.split(", "),
      path_prefixes: [prefix]
    })
    const [method = "", url = ""] = request.split(" ")
    const parsed = Result.getOrThrow(RequestUrl.parse(url))
    assert.strictEqual(RequestTarget.matches(target, method, parsed), covered.startsWith("yes"))
  })

  it("shows targets of requests that a manifest and a grant may have", () => {
    const blocks = blocksOf("docs/grants.md", text)
    const [declared, granted] = ["declared", "granted"].map((word) =>
      parse(blocks.find(({ words }) => words.includes(word))?.text ?? "")
    )
    const List = Schema.NonEmptyArray(RequestTarget.RequestTarget)
    Schema.decodeUnknownSync(Schema.Struct({ request: List }), { onExcessProperty: "error" })(declared)
    const GrantedList = Schema.NonEmptyArray(RequestTarget.GrantedRequestTarget)
    const Granted = Schema.Struct({ grants: Schema.Struct({ request: GrantedList }) })
    const Document = Schema.Struct({ plugins: Schema.Struct({ enabled: Granted }) })
    Schema.decodeUnknownSync(Document, { onExcessProperty: "error" })(granted)
  })

  it.for(rowsOf(text, "URL"))("%s is refused: %s", ([url = "", why = ""]) => {
    assert.deepStrictEqual(SocketUrl.parse(url), Result.fail(why))
  })

  it.for(
    rowsOf(text, "reach").flatMap(([reach, examples = ""]) => examples.split(", ").map((address) => [address, reach]))
  )("%s is %s", ([address = "", reach]) => {
    assert.strictEqual(AddressPolicy.reach(address), reach)
  })

  it("has an enablement whose tables have the defaults of reconnecting", () => {
    const documented = Object.fromEntries(
      rowsOf(text, "field")
        .filter((row) => row.length === 3)
        .map(([field = "", initial = ""]) => [field, initial])
    )
    const { closeCode, initialMs, maxAttempts, maxMs, policy, stableMs, stopCodes, windowMs } =
      Enablement.reconnectDefaults
    assert.deepStrictEqual([closeCode, stopCodes], [undefined, undefined])
    assert.deepStrictEqual(
      ["policy", "initial_ms", "max_ms", "stable_ms", "max_attempts", "window_ms"].map((field) => documented[field]),
      [policy, initialMs, maxMs, stableMs, maxAttempts, windowMs].map(String)
    )
  })
})

describe("docs/testing.md", () => {
  it.effect("mentions every member of the fake network", () =>
    Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      assert.deepStrictEqual(unmentioned(Object.keys(fake), "docs/testing.md"), [])
    }).pipe(Effect.provide(FakeWebSocket.layer))
  )

  it.effect("mentions every member of the fake of requests", () =>
    Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      assert.deepStrictEqual(unmentioned(Object.keys(fake), "docs/testing.md"), [])
    }).pipe(Effect.provide(FakeRequests.layer))
  )

  it("mentions every member of the server's end of a connection", () => {
    const internal = ["constructor", "socket", "end"]
    const members = Object.getOwnPropertyNames(Remote.Remote.prototype).filter((name) => !internal.includes(name))
    assert.isAbove(members.length, 10)
    assert.deepStrictEqual(unmentioned(members, "docs/testing.md"), [])
  })
})
