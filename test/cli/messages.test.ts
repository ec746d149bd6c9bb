/** Everything that leaves a host whose plugin sends secrets in messages, searched for their values. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as path from "node:path"
import { MANIFEST, write } from "../node/support/packages.ts"
import * as Servers from "../support/servers.ts"
import { folder } from "./support/files.ts"
import { assertHidden } from "./support/hidden.ts"
import { digestOf, packaged, rowOf, save } from "./support/hostFiles.ts"
import { running } from "./support/running.ts"

const VALUES = {
  token: 'to"S3CRET1\\/\u{e9} x',
  shut: "sh S3CRET2 'x",
  url: "ur S3CRET3 &=x",
  header: "he S3CRET4 \u{fc}x"
} as const

/** Sends its token, tries what it may not, throws what it was told, and tells it without sending what stands for secrets. */
const CODE = `import { statusUpdate, websocketClose, websocketReconnect, websocketSend } from "mooring/guest"
let secrets
const told = []
export const start = (config, given) => {
  secrets = given.secrets
  console.log(secrets)
  return { status: secrets, state: secrets }
}
export const status = () => ({ secrets, told: told.slice(-4) })
export const stop = () => { throw new Error(JSON.stringify([secrets, told.at(-1)])) }
export const handleIngress = (name, event) => {
  told.push(event)
  if (event.kind === "websocket_open") {
    return {
      output_commands: [
        websocketSend(event, JSON.stringify({ token: secrets.token })),
        websocketSend(event, "PASS " + secrets.token),
        websocketSend(event, secrets.shut),
        websocketSend(event, secrets.token + "mooring-secret-" + "0".repeat(32)),
        websocketClose(event, { reason: secrets.token }),
        websocketReconnect(event, { dial_url: event.payload.url.split("?")[0] + "?k=" + secrets.token }),
        statusUpdate({ message: secrets.token })
      ]
    }
  }
  if (event.kind !== "websocket_text") return {}
  console.warn(event.payload.text)
  if (event.payload.text === "throw") throw new Error(secrets.token + JSON.stringify(told.slice(-6)))
  if (event.payload.text !== "tell") return { status: event.payload }
  const text = JSON.stringify({ told, secrets }).replaceAll("mooring-secret-", "stand-in-")
  return { output_commands: [websocketSend(event, text)] }
}`

const base64 = (text: string) => Buffer.from(text).toString("base64")

const echoing = Effect.gen(function* () {
  const received: Array<string> = []
  const server = yield* Servers.gateway((peer, _socket, nth) => {
    peer.on("message", (data: Buffer) => {
      const text = data.toString()
      received.push(text)
      if (nth > 1) return
      for (const form of [text, JSON.stringify(text), encodeURIComponent(text), base64(text), base64(`x${text}`)]) {
        peer.send(`you said ${form}`)
      }
      if (!text.startsWith("PASS")) return
      peer.send("throw")
      peer.close(4000, VALUES.token)
    })
    if (nth > 1) peer.send("tell")
  })
  return { ...server, received }
})

describe("secrets in messages", () => {
  it.live("rule 11: are nowhere in what is shown, written or handed over, whatever a server says back", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* echoing
      // One refuses, one says nothing, one shows a certificate that nobody vouches for.
      const refusing = yield* Servers.closedPort
      const silent = yield* Servers.tcp(() => {})
      const unvouched = yield* Servers.answeringSecurely(() => {})
      const entry = yield* packaged(root, "echo", server.port, CODE)
      const wide = MANIFEST.replace('scheme = "ws"', 'scheme = "*"').replace("port = 7700", 'port = "*"')
      write(path.join(root, "echo"), { "plugin.toml": wide })
      const digest = yield* digestOf(path.join(root, "echo"))
      const urls = [`ws://127.0.0.1:${server.port}`, `ws://127.0.0.1:${refusing}`, `ws://127.0.0.1:${silent.port}`]
      const tables = `limits = { dispatch_deadline_ms = 5000 }
[plugins.enabled.secrets]
${Object.keys(VALUES)
  .map((name) => `${name} = { env = "${name.toUpperCase()}" }`)
  .join("\n")}
[plugins.enabled.sources.gateway]
urls = [${[...urls, `wss://127.0.0.1:${unvouched.port}`].map((url) => `"${url}/gateway?key={url}"`).join(", ")}]
headers = { authorization = "{basic:me:header}", "x-key" = "{header}" }
reconnect = { initial_ms = 1, max_ms = 500 }`
      const target = `[{ scheme = "*", host = "127.0.0.1", port = "*", path_prefixes = ["/"], secrets = ["token"] }]`
      const document = entry(target, tables).replace(/digest = "[^"]*"/, `digest = "${digest}"`)
      save(root, `[limits]\nopen_deadline_ms = 500\n${document}`)
      const env = Object.fromEntries(Object.entries(VALUES).map(([name, value]) => [name.toUpperCase(), value]))
      const flags = ["--console", "project:example.echo", "--log-format", "json", "--log-level", "debug"]
      const { child, ended, seen, stderr } = yield* running(path.join(root, "host.toml"), env, flags)
      let stdout = ""
      child.stdout?.on("data", (chunk) => (stdout += String(chunk)))
      const after = yield* seen("all of it", (each) => {
        const counts = rowOf(each)?.diagnosticCounts ?? {}
        const tags = ["DialFailed", "OpenTimeout", "GuestError", "SecretUngranted", "ConnectionClosed"]
        return tags.every((tag) => (counts[tag] ?? 0) > 0) && server.received.some((text) => text.startsWith('{"told"'))
      })
      child.kill("SIGTERM")
      assert.strictEqual((yield* ended).code, 0)
      const { received } = server
      // The server was sent what it may be, as it may be, and nothing else.
      assert.deepStrictEqual(received.slice(0, 2), [JSON.stringify({ token: VALUES.token }), `PASS ${VALUES.token}`])
      assert.notInclude(received.join(), VALUES.shut)
      assert.notInclude(received.join(), "mooring-secret-")
      const handed = received.find((text) => text.startsWith('{"told"')) ?? ""
      const { secrets } = JSON.parse(handed) as { readonly secrets: { readonly token: string } }
      assert.include(handed, `"reason":"${secrets.token}"`)
      assert.include(handed, `you said PASS ${secrets.token}`)
      assert.include(handed, `you said PASS%20${secrets.token}`)
      const verdicts = rowOf(after)?.outputCommandResults.map(({ error, status }) => error?.tag ?? status)
      assert.includeMembers([...(verdicts ?? [])], ["executed", "recorded", "SecretUngranted"])
      assertHidden({ stdout, stderr: stderr(), handed }, VALUES)
    }).pipe(Effect.scoped)
  )
})
