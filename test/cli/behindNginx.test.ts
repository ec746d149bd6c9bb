/** The control API and its page under a path of nginx, by the configuration of docs/operations.md. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as http from "node:http"
import * as path from "node:path"
import { blocksOf, read } from "../docs/markdown.ts"
import { folder } from "./support/files.ts"
import { greeting, packaged, save } from "./support/hostFiles.ts"
import * as Nginx from "./support/nginx.ts"
import { running } from "./support/running.ts"

const PREFIX = "/ops/mooring/"
const TOKEN = "a-token-of-the-test"

const documentation = read("docs/operations.md")
const blocks = blocksOf("", documentation.slice(documentation.indexOf("## Behind nginx")))
const blockOf = (language: string) => blocks.find((block) => block.language === language)?.text ?? assert.fail(language)

/** A host by the file that the page shows, at a port that is free; its address. */
const hosted = Effect.gen(function* () {
  const root = yield* folder
  const server = yield* greeting
  const entry = yield* packaged(root, "echo", server.port)
  fs.writeFileSync(path.join(root, "control.token"), TOKEN)
  save(root, blockOf("toml").replace("9477", "0").replace("[plugins]\nenabled = []\n", entry()))
  const host = yield* running(path.join(root, "host.toml"))
  yield* host.seen("the plugin", ({ plugins }) => plugins[0]?.websocketConnections[0]?.state === "open")
  return /the control API is at http:\/\/([0-9.:]+)/.exec(host.stderr())?.[1] ?? assert.fail(host.stderr())
})

interface Answer {
  readonly status: number | undefined
  readonly text: string
}

/** Asks there as a browser does whose page is from `ops.example.com`; as far as its answer has something. */
const asked = (at: http.RequestOptions, target: string, upTo?: RegExp, origin = "https://ops.example.com") =>
  Effect.callback<Answer>((resume) => {
    const method = target.includes("restart") ? "POST" : "GET"
    const headers = { host: "ops.example.com", authorization: `Bearer ${TOKEN}`, origin }
    const request = http.request({ ...at, path: target, method, headers, agent: false }, (response) => {
      let text = ""
      const answer = () => resume(Effect.succeed({ status: response.statusCode, text }))
      response.on("data", (chunk) => {
        text += String(chunk)
        if (upTo?.test(text) === true) answer()
      })
      response.on("end", answer)
    })
    request.on("error", (error) => resume(Effect.die(error)))
    request.end()
    return Effect.sync(() => request.destroy())
  })

const fronts = {
  nginx: (root: string, upstream: string) => Nginx.nginx(root, blockOf("nginx").replace("127.0.0.1:9477", upstream)),
  "a proxy that buffers as nginx does": (root: string, upstream: string) =>
    Effect.map(Nginx.buffering(root, PREFIX, upstream), ({ at }) => at)
}

const EVENT = /^event: status\ndata: \{.+\}\n\n/m

describe("behind another server", () => {
  for (const [name, front] of Object.entries(fronts)) {
    const isMissing = name === "nginx" && !Nginx.isThere
    it.live(
      `${name}: events come at once, the page is there, a button acts${isMissing ? " [skipped: no nginx]" : ""}`,
      ({ skip }) =>
        Effect.gen(function* () {
          if (isMissing) skip("needs nginx")
          const upstream = yield* hosted
          const at = { socketPath: yield* front(yield* folder, upstream) }
          const { status, text } = yield* Effect.timeout(asked(at, `${PREFIX}events`, EVENT), "10 seconds")
          assert.strictEqual(status, 200)
          assert.match(text, EVENT)
          // Not once others had filled a buffer.
          assert.notInclude(text, "event: plugin")

          const [host = "", port] = upstream.split(":")
          const direct = yield* asked({ host, port: Number(port) }, "/")
          assert.deepStrictEqual(yield* asked(at, PREFIX), direct)

          const restart = `${PREFIX}plugins/project%3Aexample.echo/restart`
          assert.deepStrictEqual(yield* asked(at, restart), { status: 202, text: "{}" })
          assert.strictEqual((yield* asked(at, restart, undefined, "https://elsewhere.example")).status, 403)
        }).pipe(Effect.scoped)
    )
  }

  it.live("a proxy that doesn't heed what the host says holds events back", () =>
    Effect.gen(function* () {
      const { at, held } = yield* Nginx.buffering(yield* folder, PREFIX, yield* hosted, false)
      const reader = yield* Effect.forkScoped(asked({ socketPath: at }, `${PREFIX}events`, EVENT))
      const isHeld = Effect.repeat(Effect.delay(Effect.sync(held), "20 millis"), { until: (bytes) => bytes > 1000 })
      yield* Effect.timeout(isHeld, "10 seconds")
      assert.isUndefined(reader.pollUnsafe())
    }).pipe(Effect.scoped)
  )
})
