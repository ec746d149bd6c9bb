/** Everything that leaves a host whose plugin sends secrets in messages, searched for their values. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
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
  header: "he S3CRET4 \u{fc}x",
  path: "pa S3CRET5+x"
} as const

/** How many requests have an answer. */
const ANSWERS = 6

/** Sends its token, tries what it may not, throws what it was told, and tells it without sending what stands for secrets. */
const CODE = `import { request, statusUpdate, timerSet, websocketClose, websocketReconnect, websocketSend } from "mooring/guest"
let secrets, ports
let gateway, answers = 0
const told = []
export const start = (config, given) => {
  secrets = given.secrets
  ports = config
  console.log(secrets)
  return { status: secrets, state: secrets }
}
export const status = () => ({ secrets, told: told.slice(-4) })
export const stop = () => { throw new Error(JSON.stringify([secrets, told.at(-1)])) }
const sends = (event) => [
  websocketSend(event, JSON.stringify({ token: secrets.token })),
  websocketSend(event, "PASS " + secrets.token),
  websocketSend(event, secrets.shut),
  websocketSend(event, secrets.token + "mooring-secret-" + "0".repeat(32)),
  websocketClose(event, { reason: secrets.token }),
  websocketReconnect(event, { dial_url: event.payload.url.split("?")[0] + "?k=" + secrets.token }),
  statusUpdate({ message: secrets.token })
]
const requests = () => {
  const http = "http://127.0.0.1:" + ports.http
  const headers = { authorization: "Bearer " + secrets.token }
  return [
    request("POST", http + "/bot" + secrets.path + "/echo?key=" + secrets.token, { headers, text: JSON.stringify(secrets.token) }),
    request("GET", http + "/redirect?to=" + secrets.token, { headers }),
    request("GET", http + "/large?k=" + secrets.token, { headers }),
    request("GET", http + "/never?k=" + secrets.token, { headers, timeout_ms: 300 }),
    request("GET", "http://127.0.0.1:" + ports.refusing + "/?k=" + secrets.token, { headers }),
    request("GET", "https://127.0.0.1:" + ports.unvouched + "/?k=" + secrets.token, { headers }),
    request("GET", http + "/?k=" + secrets.shut),
    request("GET", http + "/?" + secrets.token + "=1"),
    request("GET", http + "/" + secrets.token)
  ]
}
export const handleIngress = (name, event) => {
  told.push(event)
  if (event.kind === "websocket_open") {
    const isFirst = gateway === undefined
    gateway = event.payload.url
    const beat = timerSet("tell", { after_ms: 200, every_ms: 1000 })
    return { output_commands: isFirst ? [...sends(event), ...requests()] : [beat] }
  }
  if (event.kind === "host_response") {
    answers++
    console.warn(JSON.stringify(event))
    if (event.payload.status === 200) throw new Error(JSON.stringify(event.payload))
    return { status: event.payload }
  }
  if (event.kind === "timer" && answers === ${ANSWERS}) {
    const text = JSON.stringify({ told: told.splice(0), secrets }).replaceAll("mooring-secret-", "stand-in-")
    return { output_commands: [websocketSend(gateway, text, { epoch: "any" })] }
  }
  if (event.kind !== "websocket_text") return {}
  console.warn(event.payload.text)
  if (event.payload.text === "throw") throw new Error(secrets.token + JSON.stringify(told.slice(-6)))
  return { status: event.payload }
}`

const WEBSOCKET = '{ kind = "host_api", api = "websocket" }'
const REQUEST = '{ kind = "host_api", api = "request" }'
const TARGET = 'scheme = "*", host = "127.0.0.1", port = "*", methods = ["GET", "POST"], path_prefixes = ["/"]'

const WEBSOCKET_TAGS = ["DialFailed", "OpenTimeout", "GuestError", "SecretUngranted", "ConnectionClosed"]
const REQUEST_TAGS = ["RequestFailed", "RequestTimeout", "ResponseTooLarge"]

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
  })
  return { ...server, received }
})

/** An HTTP server that says everything back, in its body, a header and where it sends one on. */
const repeating = Effect.gen(function* () {
  const requests: Array<string> = []
  const server = Http.createServer((request, response) => {
    let body = ""
    request.on("data", (chunk: Buffer) => (body += chunk.toString()))
    request.on("end", () => {
      const { authorization = "" } = request.headers
      const url = request.url ?? ""
      requests.push(`${request.method} ${url} ${authorization} ${request.headers["x-grant"]} ${body}`)
      if (url.startsWith("/never")) return
      const status = url.startsWith("/redirect") ? 302 : 200
      response.writeHead(status, {
        location: `http://elsewhere.test${url}`,
        "x-said": authorization,
        "x-encoded": base64(Buffer.from(authorization, "latin1").toString()),
        "set-cookie": `${encodeURIComponent(VALUES.token)}=${encodeURIComponent(VALUES.path)}`
      })
      const said = JSON.stringify([
        url,
        request.rawHeaders,
        body,
        base64(body),
        VALUES.token,
        VALUES.path,
        VALUES.header
      ])
      response.end(url.startsWith("/large") ? said.repeat(1000) : said)
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => void server.close().closeAllConnections())
  )
  const address = server.address()
  return { requests, port: typeof address === "object" && address !== null ? address.port : 0 }
})

/** What the control API says, of its events the first: by path. */
const controlled = (socketPath: string) =>
  Effect.gen(function* () {
    const shown: Record<string, string> = {}
    for (const target of ["/status", "/diagnostics", "/metrics", "/events"]) {
      shown[target] = yield* Effect.callback<string, Error>((resume) => {
        let text = ""
        const request = Http.get({ socketPath, path: target, headers: { host: "localhost" } }, (response) => {
          response.setEncoding("utf8").on("data", (chunk: string) => {
            text += chunk
            // The stream has no end of its own.
            if (target === "/events" && text.includes("\n\n")) request.destroy()
          })
          response.on("close", () => resume(Effect.succeed(text)))
        })
        request.on("error", (error) => resume(text === "" ? Effect.fail(error) : Effect.succeed(text)))
      }).pipe(Effect.timeout("10 seconds"))
    }
    return shown
  })

describe("secrets in messages", () => {
  it.live("rule 11: are nowhere in what is shown, written or handed over, whatever a server says back", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* echoing
      const http = yield* repeating
      // One refuses, one says nothing, one shows a certificate that nobody vouches for.
      const refusing = yield* Servers.closedPort
      const silent = yield* Servers.tcp(() => {})
      const unvouched = yield* Servers.answeringSecurely(() => {})
      const entry = yield* packaged(root, "echo", server.port, CODE)
      const wide = MANIFEST.replace('scheme = "ws"', 'scheme = "*"').replace("port = 7700", 'port = "*"')
      const asking = wide
        .replace(WEBSOCKET, `${WEBSOCKET}, ${REQUEST}`)
        .replace("[runtime]", `request = [{ ${TARGET} }]\n\n[runtime]`)
      write(path.join(root, "echo"), { "plugin.toml": asking })
      const digest = yield* digestOf(path.join(root, "echo"))
      const urls = [`ws://127.0.0.1:${server.port}`, `ws://127.0.0.1:${refusing}`, `ws://127.0.0.1:${silent.port}`]
      const tables = `config = { http = ${http.port}, refusing = ${refusing}, unvouched = ${unvouched.port} }
limits = { dispatch_deadline_ms = 5000 }
[plugins.enabled.secrets]
${Object.keys(VALUES)
  .map((name) => `${name} = { env = "${name.toUpperCase()}" }`)
  .join("\n")}
[plugins.enabled.sources.gateway]
urls = [${[...urls, `wss://127.0.0.1:${unvouched.port}`].map((url) => `"${url}/gateway?key={url}"`).join(", ")}]
headers = { authorization = "{basic:me:header}", "x-key" = "{header}" }
reconnect = { initial_ms = 1, max_ms = 500 }`
      const target = `[{ scheme = "*", host = "127.0.0.1", port = "*", path_prefixes = ["/"], secrets = ["token"] }]
request = [{ ${TARGET}, secrets = ["token", "path"], headers = { "x-grant" = "{basic:me:header}" } }]`
      const document = entry(target, tables)
        .replace(/digest = "[^"]*"/, `digest = "${digest}"`)
        .replace(WEBSOCKET, `${WEBSOCKET}, ${REQUEST}`)
      const socket = path.join(root, "control.sock")
      const operated = `[control]\nlisten = "unix:${socket}"\n[metrics]\nprometheus = true\nsample = 1.0\n`
      save(root, `[limits]\nopen_deadline_ms = 500\nresponse_body_bytes = 65536\n${operated}${document}`)
      const env = Object.fromEntries(Object.entries(VALUES).map(([name, value]) => [name.toUpperCase(), value]))
      const flags = ["--console", "project:example.echo", "--log-format", "json", "--log-level", "debug"]
      const { child, ended, seen, stderr } = yield* running(path.join(root, "host.toml"), env, flags)
      let stdout = ""
      child.stdout?.on("data", (chunk) => (stdout += String(chunk)))
      const after = yield* seen("all of it", (each) => {
        const counts = rowOf(each)?.diagnosticCounts ?? {}
        const tags = [...WEBSOCKET_TAGS, ...REQUEST_TAGS]
        return tags.every((tag) => (counts[tag] ?? 0) > 0) && server.received.some((text) => text.startsWith('{"told"'))
      })
      const shown = yield* controlled(socket)
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
      // So was the other one; and of nothing else than was granted there was a request.
      const [posted = ""] = http.requests
      const basic = `Basic ${base64(`me:${VALUES.header}`)}`
      assert.include(
        posted,
        `POST /bot${encodeURIComponent(VALUES.path)}/echo?key=${encodeURIComponent(VALUES.token)} `
      )
      assert.include(posted, ` Bearer ${VALUES.token} ${basic} ${JSON.stringify(VALUES.token)}`)
      assert.strictEqual(http.requests.length, 4)
      const { token } = secrets
      assert.include(handed, `"location":"http://elsewhere.test/redirect?to=${token}"`)
      assert.include(handed, `"x-said":"Bearer ${token}"`)
      assert.include(handed, `"set-cookie":"${token}"`)
      assert.include(shown["/metrics"] ?? "", "mooring_request_seconds_count")
      assert.include(shown["/diagnostics"] ?? "", "SecretUngranted")
      assert.include(shown["/events"] ?? "", "event: status")
      assertHidden({ stdout, stderr: stderr(), handed, ...shown }, VALUES)
    }).pipe(Effect.scoped)
  )
})
