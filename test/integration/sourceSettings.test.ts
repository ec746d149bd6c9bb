/** What a host file says of TLS and compression of a source, on a whole host and real sockets. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { GrantStore, OutputCommand, PluginHost, SourceUrl } from "mooring"
import { SystemSecrets, WsClient } from "mooring/node"
import { randomBytes } from "node:crypto"
import { fileURLToPath } from "node:url"
import { enable, plugin } from "../support/plugins.ts"
import * as Servers from "../support/servers.ts"
import { agreeing, compressed } from "./support/deflate.ts"
import { HERE } from "./support/direct.ts"
import { assertSeen, errorOf, eventually, runHost, the } from "./support/host.ts"

const tlsFile = (name: string) => ({ file: fileURLToPath(new URL(`../support/tls/${name}`, import.meta.url)) })

const TLS = { ca: tlsFile("ca.pem"), cert: tlsFile("client.pem"), key: tlsFile("client.key") }
const WANTS = { ca: Servers.tlsFiles.ca, requestCert: true, rejectUnauthorized: false }

/** A server that writes down whose certificate it was shown. */
const asking = (shown: Array<string>) =>
  Servers.answeringSecurely((socket, request) => {
    const { subject } = socket.getPeerCertificate()
    shown.push(`${String(socket.servername)} ${String(subject?.CN)}`)
    socket.write(Servers.switching(request))
  }, WANTS)

describe("the settings of a source", () => {
  it.live("have authorities, a client certificate and a server name of its own", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const { port } = yield* asking(shown)
      const { until } = yield* runHost({
        sources: [`wss://127.0.0.1:${port}/`],
        settings: { tls: { ...TLS, server_name: "gateway.test" } }
      })
      const seen = yield* until(({ connection }) => connection.state === "open")
      assert.deepStrictEqual(shown, ["gateway.test client"])
      assert.match(seen.connection.peerCertificateExpiresAt ?? "", /^2126-/u)
    })
  )

  it.live("are of no use with a file that is no certificate: nothing is dialled, and nothing of it is shown", () =>
    Effect.gen(function* () {
      const { port, sockets } = yield* Servers.answeringSecurely(() => {})
      const { until } = yield* runHost({
        sources: [`wss://127.0.0.1:${port}/`],
        settings: { tls: { ca: tlsFile("client.key") } }
      })
      const seen = yield* until(({ events }) => events.length > 0)
      assert.deepInclude(errorOf(seen, "DialFailed"), { phase: "tls" })
      assert.notInclude(JSON.stringify(seen), "BEGIN")
      assert.strictEqual(sockets.length, 0)
    })
  )

  it.live("show the certificate to no server that a dial is led to from outside", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const own = yield* asking(shown)
      const other = yield* asking(shown)
      const sources = [`wss://gateway.test:${own.port}/`]
      const target = { scheme: "wss", host: "gateway.test", port: "*", pathPrefixes: ["/"] } as const
      const pkg = plugin({ sources, websocket: [target], handlers: {} })
      const { pathPrefixes, ...rest } = target
      const enabled = enable(pkg, {
        grants: {
          permissions: pkg.manifest.permissions,
          websocket: [{ ...rest, path_prefixes: pathPrefixes, private_addresses: true }]
        },
        sources: { gateway: { tls: TLS } }
      })
      for (const port of [own.port, other.port]) {
        yield* Effect.gen(function* () {
          const { status } = yield* PluginHost.PluginHost
          yield* eventually(status, ({ plugins }) => plugins[0]?.websocketConnections[0]?.state === "open")
        }).pipe(
          Effect.provide(
            PluginHost.layer({ plugins: [pkg], enabled: [enabled], limits: { closeGraceMs: 100 } }).pipe(
              Layer.provide([
                GrantStore.layer([enabled]),
                WsClient.layerOptions({ resolve: HERE }),
                SystemSecrets.layer(),
                Layer.succeed(SourceUrl.SourceUrl, {
                  resolve: () => Effect.succeed(`wss://gateway.test:${port}/resumed`)
                })
              ])
            )
          )
        )
      }
      assert.deepStrictEqual(shown, ["gateway.test client", "gateway.test undefined"])
    })
  )

  it.live("offer compression, and its texts come and go", () =>
    Effect.gen(function* () {
      const long = "x".repeat(5000)
      const frames: Array<string> = []
      const { url } = yield* agreeing(
        "permessage-deflate",
        (socket) => socket.write(Buffer.concat([compressed(long), Servers.text("short")])),
        ({ opcode, payload, reserved }) => {
          if (opcode === Servers.TEXT) frames.push(`${reserved} ${payload.length < 100}`)
        }
      )
      const { seen, until } = yield* runHost({
        sources: [url],
        settings: { compression: true },
        text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
      })
      yield* until(({ connection }) => connection.sentTextFrames === 2)
      while (frames.length < 2) yield* Effect.sleep("1 millis")
      assert.deepStrictEqual(frames, ["4 true", "0 true"])
      assertSeen(yield* seen, {
        state: "open",
        epoch: 1,
        events: ["open 1", `text 1.1 ${long}`, "text 1.2 short"],
        diagnostics: []
      })
      assert.strictEqual(the((yield* seen).plugin.websocketConnections[0]).sendFailures, 0)
    })
  )

  it.live("count what is sent before it is compressed, and bound it where the server reads nothing", () =>
    Effect.gen(function* () {
      // It doesn't get smaller.
      const noise = randomBytes(45_000).toString("base64")
      const { url } = yield* agreeing("permessage-deflate", (socket) => {
        socket.removeAllListeners("data").pause()
        for (let nth = 0; nth < 300; nth++) socket.write(Servers.text("go"))
      })
      const { until } = yield* runHost({
        sources: [url],
        settings: { compression: true },
        recordsTexts: false,
        text: (event) => Exit.succeed({ commands: [1, 2, 3, 4].map(() => OutputCommand.send(event, noise)) })
      })
      const { connection } = yield* until(({ plugin: { diagnosticCounts, queueDepth } }) => {
        return queueDepth === 0 && (diagnosticCounts["SendBufferFull"] ?? 0) > 0
      })
      assert.isAtMost(connection.bufferedBytes, 1_048_576)
      assert.strictEqual(connection.bufferedBytes % noise.length, 0)
    })
  )
})
