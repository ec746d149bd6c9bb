/** Rule 11 in a whole host: secrets in requests, by stand-ins. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { GrantStore, type IngressEvent, OutputCommand, PluginHost, type PluginRuntime, ServicePlugin } from "mooring"
import { FakeRequests, FakeWebSocket, StaticSecrets } from "mooring/testing"
import { onFake, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, target } from "../support/plugins.ts"

const API = "https://api.example.com/v1"
const OTHER = "https://other.example.com/v1"
const REF = "project:test.asking"
const VALUES = { TOKEN: 'S3CRET"1', SHUT: "N0T-0PEN", PATH: "12345:AAH-x", SLASH: "with/slash", WIDE: "w\u{1f600}ide" }

type Secrets = PluginRuntime.Start["secrets"]
type Asking = (secrets: Secrets) => readonly [url: string, options?: Parameters<typeof OutputCommand.request>[2]]

/** A plugin that makes the requests of a script, by their places in it, with the stand-ins that it was handed last. */
const scripted = (script: ReadonlyArray<Asking>) => {
  const starts: Array<Secrets> = []
  const told: Array<IngressEvent.HostResponse> = []
  const pkg = ServicePlugin.make({
    id: "test.asking",
    version: "1.0.0",
    ingresses: { gateway: { sources: [GATEWAY] } },
    websocket: [target],
    request: [{ scheme: "https", host: "*.example.com", methods: ["GET", "POST"], pathPrefixes: ["/"] }],
    handlers: ({ secrets }) => {
      starts.push(secrets)
      return Effect.succeed({
        gateway: {
          websocket_text: (event: IngressEvent.WebSocketText) => {
            const [url, options] = script[Number(event.text)]?.(secrets) ?? assert.fail(event.text)
            return Exit.succeed({ commands: [OutputCommand.request("POST", url, options)] })
          },
          host_response: (event: IngressEvent.HostResponse) => {
            told.push(event)
            return Exit.void
          }
        }
      })
    }
  })
  return { pkg, starts, told }
}

const granted = (host: string, secrets: ReadonlyArray<string>, prefix = "/") => ({
  scheme: "https",
  host,
  methods: ["POST"],
  path_prefixes: [prefix],
  secrets
})

const OPENED = ["token", "path", "slash", "wide"]

const entryOf = (pkg: PluginRuntime.PluginPackage, request: ReadonlyArray<object>) =>
  enable(pkg, {
    secrets: Object.fromEntries(Object.keys(VALUES).map((name) => [name.toLowerCase(), { env: name }])),
    grants: {
      permissions: pkg.manifest.permissions,
      websocket: [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"] }],
      request
    }
  })

const TARGETS = [granted("api.example.com", OPENED), granted("other.example.com", ["shut"])]

const hosting = (pkg: PluginRuntime.PluginPackage, request: ReadonlyArray<object> = TARGETS) =>
  onFake({ plugins: [pkg], enabled: [entryOf(pkg, request)] }).pipe(
    Layer.provideMerge(StaticSecrets.layer({ env: VALUES }))
  )

/** Has it make the requests at these places. */
const making = (...places: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const sockets = yield* FakeWebSocket.FakeWebSocket
    yield* sockets.remote(GATEWAY)
    const remotes = yield* sockets.remotes(GATEWAY)
    for (const place of places) remotes.at(-1)?.sendText(String(place))
    yield* settled
    return yield* Effect.flatMap(FakeRequests.FakeRequests, (fake) => fake.requests)
  })

const verdicts = Effect.map(rowOf(REF), (row) =>
  row.outputCommandResults.map(({ error, status }) => error?.tag ?? status)
)

describe("A request's stand-ins", () => {
  it.effect("become values in its path, its query, its headers and its body, and come back as what they were", () => {
    const { pkg, starts, told } = scripted([
      ({ path = "", token = "" }) => [
        `${API}/bot${path}/send?key=${token}`,
        { headers: { authorization: `Bearer ${token}` }, body: JSON.stringify({ token }) }
      ]
    ])
    return Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      const host = yield* PluginHost.PluginHost
      const url = `${API}/bot${encodeURIComponent(VALUES.PATH)}/send`
      yield* fake.answer(url, {
        status: 302,
        headers: [["Location", `/bot${VALUES.PATH}?key=${encodeURIComponent(VALUES.TOKEN)}`]],
        body: JSON.stringify([VALUES.TOKEN, btoa(VALUES.PATH)])
      })
      const [sent] = yield* making(0)
      yield* host.idle
      assert.strictEqual(sent?.url, `${url}?key=${encodeURIComponent(VALUES.TOKEN)}`)
      assert.deepInclude(sent?.headers ?? [], ["authorization", `Bearer ${VALUES.TOKEN}`])
      assert.strictEqual(sent?.text, JSON.stringify({ token: VALUES.TOKEN }))
      const [{ path = "", token = "" } = {}] = starts
      const answer = told[0]?.answer
      assert.strictEqual(answer?.headers["location"], `/bot${path}?key=${token}`)
      // Base64 has bits of what stands beside a value in its last characters.
      assert.match(String(answer?.body), new RegExp(`^\\["${token}","${path}[\\w=]{0,3}"\\]$`))
      assert.notInclude(JSON.stringify(yield* host.status), VALUES.TOKEN)
    }).pipe(Effect.provide(hosting(pkg)))
  })

  it.effect("are replaced in what a server says that was sent them before, though they aren't opened any more", () => {
    const { pkg, starts, told } = scripted([
      ({ token = "" }) => [`${API}/say`, { body: token }],
      () => [`${API}/again`, { body: "nothing" }]
    ])
    return Effect.gen(function* () {
      const fake = yield* FakeRequests.FakeRequests
      const editor = yield* GrantStore.GrantEditor
      const host = yield* PluginHost.PluginHost
      yield* fake.answer(`${API}/again`, { body: `you were ${VALUES.TOKEN}` })
      yield* making(0)
      yield* editor.set(REF, GrantStore.grantOf(entryOf(pkg, [granted("api.example.com", [])])))
      yield* making(1, 0)
      yield* host.idle
      assert.deepStrictEqual(yield* verdicts, ["executed", "executed", "SecretUngranted"])
      assert.strictEqual(told[1]?.answer?.body, `you were ${starts[0]?.["token"]}`)
    }).pipe(Effect.provide(hosting(pkg)))
  })
})

describe("SecretUngranted", () => {
  const yesterday: Array<Secrets> = []
  const old = () => yesterday[0]?.["token"] ?? ""
  const hostile: ReadonlyArray<readonly [name: string, asking: Asking]> = [
    ["of a secret that the target doesn't open", ({ shut = "" }) => [`${API}/`, { body: shut }]],
    ["at another target", ({ token = "" }) => [`${OTHER}/`, { body: token }]],
    ["of yesterday, in the body", () => [`${API}/`, { body: old() }]],
    ["of yesterday, in the path", () => [`${API}/${old()}`]],
    ["of yesterday, in the query", () => [`${API}/?a=${old()}`]],
    ["of yesterday, in a header", () => [`${API}/`, { headers: { "x-a": old() } }]],
    ["in the name of a header", ({ token = "" }) => [`${API}/`, { headers: { [token]: "1" } }]],
    ["in the host", ({ token = "" }) => [`https://${token}.example.com/`]],
    ["in a name of the query", ({ token = "" }) => [`${API}/?${token}=1`]],
    ["whose value would end its segment", ({ slash = "" }) => [`${API}/${slash}`]],
    ["whose value no header may have", ({ wide = "" }) => [`${API}/`, { headers: { "x-a": wide } }]],
    ["beside one that may be there", ({ shut = "", token = "" }) => [`${API}/?a=${token}`, { body: shut }]]
  ]
  const wild = [granted("*.example.com", OPENED)]

  it.effect("rule 11: is what a request with any other stand-in is, and nothing is sent", () => {
    const { pkg, starts } = scripted(hostile.map(([, asking]) => asking))
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* making()
      yesterday.push(starts.at(-1) ?? {})
      yield* host.restart(REF)
      yield* host.idle
      const sent = yield* making(...hostile.keys())
      yield* host.idle
      const all = yield* verdicts
      assert.deepStrictEqual(
        hostile.map(([name], place) => [name, all[place]]),
        hostile.map(([name]) => [name, "SecretUngranted"])
      )
      assert.deepStrictEqual(sent, [])
    }).pipe(
      Effect.provide(
        hosting(
          pkg,
          [TARGETS[1], ...wild].filter((each) => each !== undefined)
        )
      )
    )
  })

  it.effect("is what a value makes of a URL that the grant doesn't cover with it", () => {
    const { pkg } = scripted([({ path = "" }) => [`${API}/${path}/x`], ({ token = "" }) => [`${API}/?k=${token}`]])
    const none = granted("api.example.com", OPENED, "/v1/elsewhere")
    return Effect.gen(function* () {
      const sent = yield* making(0, 1)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* verdicts, ["CommandUngranted", "CommandUngranted"])
      assert.deepStrictEqual(sent, [])
    }).pipe(Effect.provide(hosting(pkg, [none])))
  })
})
