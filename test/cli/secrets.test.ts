/** Everything that `mooring` shows or hands over of secrets and configuration, searched for their values. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import type { IncomingMessage } from "node:http"
import * as path from "node:path"
import * as Servers from "../support/servers.ts"
import { folder } from "./support/files.ts"
import { assertHidden } from "./support/hidden.ts"
import { packaged, rowOf, save } from "./support/hostFiles.ts"
import { mooring } from "./support/program.ts"
import { running } from "./support/running.ts"

/** By where they come from and go to. Each has characters that JSON, URLs and base64 write otherwise. */
const VALUES = {
  query: 'qu"S3CRET1&/\u{e9}?=x',
  path: 'pa S3CRET2+"x',
  header: "he\\S3CRET3'\u{e9} x",
  basic: 'ba S3CRET4 "~x',
  config: 'co"S3CRET5\\\u{e9}/x',
  fromEnv: "en S3CRET6 <\u{fc}>",
  fromFile: "fi S3CRET7 &amp;",
  broken: "br S3CRET8 token"
} as const

/** Says what it is handed, and throws its configuration in every way there is. */
const CODE = `import { websocketSend, toBase64, statusUpdate } from "mooring/guest"
let config
const told = []
const ways = [
  () => { throw new Error(JSON.stringify(config)) },
  () => { throw config.token },
  () => { throw Object.assign(new Error(config.nested.list[0]), { name: config.token, cause: config }) },
  () => { throw new Error(encodeURIComponent(config.token) + " " + btoa(unescape(encodeURIComponent(config.token)))) },
  () => Promise.reject(new TypeError("x".repeat(500) + config.token)),
  () => ({ accepted: false, status: config, state: config }),
  () => ({ [config.token]: 1 }),
  () => ({ output_commands: [{ kind: config.token, payload: {} }] }),
  () => ({ output_commands: [{ kind: "websocket_send", payload: { url: config.token, text: "x" } }] }),
  () => ({ output_commands: [{ kind: "websocket_send", payload: { url: "x", text: "x" }, command_id: config.token }] }),
  () => ({ output_commands: [statusUpdate({ message: config.token, status: config })] }),
  () => ({ status: config, state: config }),
  () => null[config.token],
  () => import(config.token),
  () => structuredClone(Object.assign(() => 1, { name: config.token })),
  () => new URL(config.token)
]
export const start = (given) => { config = given; console.log(config.token, config); return { status: config } }
export const status = () => config
export const stop = () => { throw new Error(config.token + config.env + config.file) }
export const handleIngress = (name, event) => {
  told.push(event)
  if (event.kind !== "websocket_text") return {}
  console.warn(JSON.stringify(config))
  const nth = Number(event.payload.text)
  if (nth < ways.length) return ways[nth]()
  // What stands for secrets in it would be refused: this server is opened none.
  const text = JSON.stringify({ length: config.token.length, told }).replaceAll("mooring-secret-", "stand-in-")
  return { output_commands: [websocketSend(event, text)] }
}`
const WAYS = 16

describe("secrets", () => {
  it.live("rule 11: are nowhere in what is shown, written or handed over", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const requests: Array<string> = []
      const received: Array<string> = []
      let opens = 0
      const server = yield* Servers.gateway(
        (peer) => {
          const nth = ++opens
          if (nth <= 3) {
            // The key, in the reason of the close.
            const reasons = [
              VALUES.query,
              encodeURIComponent(VALUES.path),
              Buffer.from(VALUES.header).toString("base64")
            ]
            return peer.close(4000 + nth, Buffer.from(reasons[nth - 1] ?? "").subarray(0, 120))
          }
          peer.on("message", (data: Buffer) => received.push(data.toString()))
          for (let way = 0; way <= WAYS; way++) peer.send(String(way))
        },
        {
          verifyClient: ({ req }: { readonly req: IncomingMessage }) => {
            requests.push(`${req.url} ${JSON.stringify(req.headers)}`)
            return true
          }
        }
      )
      const write = (name: string, content: string) => fs.writeFileSync(path.join(root, name), content)
      write("path.key", `${VALUES.path}\n`)
      write("file.txt", VALUES.fromFile)
      const entry = yield* packaged(root, "echo", server.port, CODE)
      const tables = `config = { token = ${JSON.stringify(VALUES.config)}, env = { from_env = "MORE" }, file = { from_file = "file.txt" }, nested = { list = [${JSON.stringify(VALUES.config)}] } }
limits = { dispatch_deadline_ms = 5000 }
[plugins.enabled.secrets]
query = { env = "QUERY" }
path = { file = "path.key" }
header = { env = "HEADER" }
basic = { env = "BASIC" }
[plugins.enabled.sources.gateway]
urls = ["ws://127.0.0.1:${server.port}/gateway/{path}?key={query}"]
headers = { authorization = "{basic:me:basic}", "x-key" = "Bearer {header}" }
reconnect = { initial_ms = 1, max_ms = 1 }`
      save(root, entry(undefined, tables))
      const file = path.join(root, "host.toml")
      const env = { QUERY: VALUES.query, HEADER: VALUES.header, BASIC: VALUES.basic, MORE: VALUES.fromEnv }
      const { child, ended, seen, stderr } = yield* running(file, env, [
        "--console",
        "project:example.echo",
        "--log-format",
        "json"
      ])
      let stdout = ""
      child.stdout?.on("data", (chunk) => (stdout += String(chunk)))
      const failures = yield* seen(
        "all ways",
        (each) => received.length === 1 && (rowOf(each)?.diagnosticCounts["GuestError"] ?? 0) >= 5
      )
      assert.isAbove(rowOf(failures)?.dispatchCounters.dispatched ?? 0, 0)
      // A syntax error, and a value of the wrong kind, each beside a token.
      const broken = entry(undefined, tables)
      for (const [what, text] of [
        ["a broken line", `${broken}\ntoken = "${VALUES.broken}\n`],
        ["a value too many", broken.replace("limits = {", `token = ${JSON.stringify(VALUES.broken)}\nlimits = {`)],
        ["a limit that is none", broken.replace("5000", JSON.stringify(VALUES.broken))],
        ["a header that is none", broken.replace("Bearer {header}", `${VALUES.broken}\\n`)],
        ["a secret that is none", broken.replace('{ env = "BASIC" }', JSON.stringify(VALUES.broken))],
        ["a line that is cut", broken.replace('"Bearer {header}"', `"${VALUES.broken}`)]
      ] as const) {
        save(root, text)
        yield* seen(what, (each) => each.host.config.problems.length > 0)
        save(root, broken)
        yield* seen(`${what}, mended`, (each) => each.host.config.problems.length === 0)
      }
      child.kill("SIGTERM")
      const { code } = yield* ended
      assert.strictEqual(code, 0)
      save(root, `${broken}\ntoken = "${VALUES.broken}\n`)
      const checks = [yield* mooring(["check", file]), yield* mooring(["check", file, "--json"])]
      save(root, broken)
      // Without its variables.
      checks.push(yield* mooring(["check", file]), yield* mooring(["run", file, "--for", "100ms"]))
      // All was as it should be: the server had the secrets, and the plugin its configuration.
      const [request = ""] = requests
      assert.include(
        request,
        `/gateway/${encodeURIComponent(VALUES.path)}?key=${encodeURIComponent(VALUES.query).replaceAll("'", "%27")}`
      )
      assert.include(request, `Basic ${Buffer.from(`me:${VALUES.basic}`).toString("base64")}`)
      const { length, told } = JSON.parse(received[0] ?? "{}")
      assert.strictEqual(length, VALUES.config.length)
      const everything = {
        stdout,
        stderr: stderr(),
        events: JSON.stringify(told),
        checks: checks.map((check) => check.stdout + check.stderr).join("\n")
      }
      assert.match(everything.events, /"reason":"stand-in-[0-9a-f]{32}"/)
      assert.isAbove(everything.stdout.split("\n").length, 5)
      assertHidden(everything, VALUES)
    }).pipe(Effect.scoped)
  )
})
