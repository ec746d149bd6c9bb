/** What `mooring run` pushes, and that whoever doesn't take it holds up nothing. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as http from "node:http"
import * as path from "node:path"
import { collector, metricNames, spansOf } from "../operate/support/collector.ts"
import { sampleKey, scraped } from "../operate/support/prometheus.ts"
import { tcp } from "../support/servers.ts"
import { folder } from "./support/files.ts"
import { greeting, packaged, save } from "./support/hostFiles.ts"
import { running } from "./support/running.ts"

const OLD = "Bearer old-t0ken-xyzzy"
const NEW = "Bearer new-t0ken-plugh"

const tables = (url: string) => `[metrics]
sample = 1.0
otlp = { url = "${url}", interval = "1s", headers = { authorization = { file = "otlp.auth" } } }
[traces]
otlp = { url = "${url}", interval = "1s", headers = { x-token = { env = "OTLP_TOKEN" } } }
sample = 1.0
`

describe("mooring run with a collector", () => {
  it.live("pushes metrics and traces, the last after its end, and shows its headers to nobody else", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const { came, exports, url } = yield* collector()
      const entry = yield* packaged(root, "echo", server.port)
      fs.writeFileSync(path.join(root, "otlp.auth"), `${OLD}\n`)
      save(root, tables(url) + entry())
      const { child, ended, seen, stderr } = yield* running(path.join(root, "host.toml"), { OTLP_TOKEN: NEW })
      const first = yield* came(({ headers }) => headers.authorization === OLD)
      assert.include(metricNames(first), "mooring_source_info")
      const command = yield* came(({ body }) => body.includes("mooring.command"))
      assert.strictEqual(command.headers["x-token"], NEW)
      const [span] = spansOf(command).filter(({ name }) => name === "mooring.command")
      assert.includeDeepMembers(
        [...(span?.attributes ?? [])],
        [{ key: "mooring.plugin", value: { stringValue: "project:example.echo" } }]
      )
      yield* came(({ body }) => body.includes("mooring.dispatch"))
      // Another one is used from the next export on.
      fs.writeFileSync(path.join(root, "otlp.auth"), NEW)
      yield* came(({ headers }) => headers.authorization === NEW)
      save(root, tables(url).replace("sample = 1.0", "sample = 0.5") + entry())
      const partly = yield* seen("that it waits", ({ host }) => host.config.state === "partly")
      assert.deepInclude(partly.host.config.problems[0], { path: "metrics", line: 1 })
      child.kill("SIGTERM")
      const { code, last } = yield* ended
      assert.strictEqual(code, 0)
      assert.match(exports.findLast(({ path: of }) => of === "/v1/metrics")?.body ?? "", /"stopped"/)
      const shown = stderr() + JSON.stringify([partly, last]) + exports.map(({ body }) => body).join("")
      assert.notMatch(shown, /t0ken/)
    }).pipe(Effect.scoped)
  )

  const hostile = [
    [
      "that swallows",
      Effect.map(
        tcp(() => {}),
        ({ port }) => `http://127.0.0.1:${port}`
      )
    ],
    ["whose name never resolves", Effect.succeed("http://silent.mooring-test.invalid:4318")]
  ] as const
  for (const [what, at] of hostile) {
    it.live(`ends in time beside one ${what}`, () =>
      Effect.gen(function* () {
        const root = yield* folder
        fs.writeFileSync(path.join(root, "otlp.auth"), OLD)
        save(root, `${tables(yield* at)}[plugins]\nenabled = []\n`)
        const { child, ended, seen } = yield* running(path.join(root, "host.toml"), { OTLP_TOKEN: NEW })
        yield* seen("that it runs for longer than an interval", ({ host }) => host.uptimeMs > 1500)
        child.kill("SIGTERM")
        // It waits a second; this is more than ten times that.
        const { code } = yield* Effect.timeout(ended, "15 seconds")
        assert.strictEqual(code, 0)
      }).pipe(Effect.scoped)
    )
  }
})

/** What a socket file answers: its content type and text. */
const answered = (socketPath: string, at: string) =>
  Effect.callback<readonly [type: string | undefined, text: string]>((resume) => {
    const request = http.get({ socketPath, path: at, headers: { host: "localhost" } }, (response) => {
      let body = ""
      response.on("data", (chunk) => (body += String(chunk)))
      response.on("end", () => resume(Effect.succeed([response.headers["content-type"], body])))
    })
    request.on("error", (error) => resume(Effect.die(error)))
  })

describe("mooring run with a control address", () => {
  it.live("shows Prometheus its metrics there", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const entry = yield* packaged(root, "echo", server.port)
      const socket = path.join(root, "control.sock")
      save(root, `[control]\nlisten = "unix:${socket}"\n[metrics]\nprometheus = true\nsample = 1.0\n${entry()}`)
      const { seen } = yield* running(path.join(root, "host.toml"))
      yield* seen("an answer", ({ plugins }) => (plugins[0]?.dispatchCounters.dispatched ?? 0) > 1)
      const [type, text] = yield* answered(socket, "/metrics")
      assert.strictEqual(type, "text/plain; version=0.0.4; charset=utf-8")
      const samples = scraped(text)
      assert.isAbove(
        samples.get(sampleKey("mooring_dispatch_dispatched_total", { plugin: "project:example.echo" })) ?? 0,
        1
      )
      assert.isAbove(
        samples.get(sampleKey("mooring_dispatch_seconds_count", { plugin: "project:example.echo" })) ?? 0,
        0
      )
    }).pipe(Effect.scoped)
  )
})
