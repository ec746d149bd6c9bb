/** What goes over the wire where a source's URL and headers have secrets, from the environment and from files. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { GrantStore, PluginHost } from "mooring"
import { SystemSecrets, WsClient } from "mooring/node"
import { capture } from "../support/log.ts"
import { enable, plugin, refOf } from "../support/plugins.ts"
import * as Servers from "../support/servers.ts"
import { eventually, LATER } from "./support/host.ts"

/** A header's value with every character that one may have of a secret, beside letters. */
const LATIN = "a !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u00a0\u00a1\u00ffz"

const SECRET = "$&S3CRET`'{x}\u00e9"

/** What a server may say of what it was sent while it is dialled, or at once when it is open. */
const SAYING: ReadonlyArray<(request: string, said: string) => Buffer | string> = [
  (_, said) => Servers.response(`401 ${said}`, `www-authenticate: ${said}`),
  (_, said) => Servers.response("503 Busy", `retry-after: ${said}`),
  (_, said) => Servers.response(`302 ${said}`, `location: ws://${encodeURIComponent(said)}.test/`),
  (_, said) => `HTTP/9.9 ${said}\r\n\r\n`,
  (_, said) => `${said}\r\n\r\n`,
  (request, said) => Servers.switching(request, `sec-websocket-protocol: ${said}`),
  (request, said) => Servers.switching(request, `sec-websocket-extensions: ${said}`),
  (request, said) => Servers.switching(request, `sec-websocket-accept: ${said}`, `upgrade: ${said}`),
  (request, said) => Buffer.concat([Servers.switching(request), Servers.text(said), Servers.closeFrame(4000, said)]),
  (request, said) => Buffer.concat([Servers.switching(request), Servers.frame(3, said)])
]

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "mooring-"))),
  (made) => Effect.sync(() => Fs.rmSync(made, { recursive: true }))
)

describe("secrets on the wire", () => {
  it.live("are in the request line and in the headers, whatever characters they have, and change with their file", () =>
    Effect.gen(function* () {
      const made = yield* folder
      const file = Path.join(made, "key")
      Fs.writeFileSync(file, "first & only\n")
      const requests: Array<string> = []
      const server = yield* Servers.answering((socket, request) => {
        requests.push(request)
        // The second one is kept.
        if (requests.length === 1) socket.end(Servers.switching(request))
        else socket.write(Servers.switching(request))
      })
      const pkg = plugin({ sources: [server.url] })
      const enabled = [
        enable(pkg, {
          secrets: { key: { file: "key" }, latin: { env: "LATIN" } },
          sources: {
            gateway: {
              urls: [`${server.url}path?key={key}&{none}`],
              headers: { authorization: "{basic:me:key}", "x-latin": "<{latin}>" },
              reconnect: { initial_ms: 1, max_ms: 1 },
              limits: { close_grace_ms: 50 }
            }
          }
        })
      ]
      const live = PluginHost.layer({ plugins: [pkg], enabled }).pipe(
        Layer.provide([
          GrantStore.layer(enabled),
          WsClient.layer,
          SystemSecrets.layer({ folder: made, env: { LATIN: LATIN } })
        ])
      )
      yield* Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        yield* eventually(
          Effect.sync(() => requests),
          (all) => all.length >= 2
        )
        for (const request of requests) {
          assert.include(request, "GET /path?key=first%20%26%20only&{none} HTTP/1.1\r\n")
          assert.include(request, `\r\nauthorization: Basic ${Buffer.from("me:first & only").toString("base64")}\r\n`)
          assert.include(request, `\r\nx-latin: <${LATIN}>\r\n`)
        }
        Fs.writeFileSync(`${file}.new`, "second one\n")
        Fs.renameSync(`${file}.new`, file)
        // It has to stay the same for half a second, and says nothing when it is read: so it is dialled until it shows.
        const dialled = Effect.as(
          Effect.andThen(
            Effect.orDie(host.reconnect(refOf(pkg), `${server.url}path?key={key}&{none}`)),
            Effect.sleep(100)
          ),
          requests
        )
        yield* eventually(dialled, (all) => all.some((request) => request.includes("key=second%20one&")), 10_000)
        assert.notInclude(JSON.stringify(yield* host.status), "second one")
      }).pipe(Effect.provide(live))
    })
  )

  it.live("rule 11: are in nothing that is shown or handed over, whatever a server says back, and wherever", () => {
    const { lines, logged } = capture()
    const handed: Array<string> = []
    const note = (event: { readonly payload: unknown }) => {
      handed.push(JSON.stringify(event.payload))
      return Exit.void
    }
    return Effect.gen(function* () {
      let dials = 0
      const server = yield* Servers.answering((socket, request) => {
        const path = /^GET (\S+)/.exec(request)?.[1] ?? ""
        const credentials = /^authorization: (.*)\r$/m.exec(request)?.[1] ?? ""
        const said = [path, decodeURIComponent(path), credentials].join(" ").slice(0, 110)
        socket.end(SAYING[dials++ % SAYING.length]?.(request, said) ?? "")
      })
      const url = `${server.url}p?{key}`
      const pkg = plugin({
        sources: [server.url],
        handlers: {
          gateway: { websocket_open: note, websocket_text: note, websocket_close: note, websocket_error: note }
        }
      })
      const enabled = [
        enable(pkg, {
          secrets: { key: { env: "KEY" } },
          sources: {
            gateway: { urls: [url], headers: { authorization: "{key}", "x-b": "{basic:a:key}" }, reconnect: LATER }
          }
        })
      ]
      const live = PluginHost.layer({ plugins: [pkg], enabled }).pipe(
        Layer.provide([GrantStore.layer(enabled), WsClient.layer, SystemSecrets.layer({ env: { KEY: SECRET } })])
      )
      yield* Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const shown: Array<string> = []
        for (let nth = 1; nth <= SAYING.length; nth++) {
          const opens = () => handed.filter((line) => /"(?:error|reason)"/.test(line)).length
          yield* eventually(Effect.sync(opens), (ends) => ends >= nth)
          shown.push(JSON.stringify(yield* host.status))
          yield* Effect.orDie(host.reconnect(refOf(pkg), url))
        }
        const all = [...shown, ...handed, ...lines.map((line) => JSON.stringify(line))].join("\n")
        for (const form of [SECRET, encodeURIComponent(SECRET), JSON.stringify(SECRET).slice(1, -1), "S3CRET"]) {
          assert.notInclude(all, form)
        }
        assert.match(all, /mooring-secret-[0-9a-f]{32}/)
      }).pipe(Effect.provide(live))
    }).pipe(logged)
  })
})
