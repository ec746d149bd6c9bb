/** `mooring run --control`, `mooring ctl` and `mooring top`, as people type them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as Http from "node:http"
import * as path from "node:path"
import { atTerminal, CTRL_C, withoutScript } from "./support/atTerminal.ts"
import { folder } from "./support/files.ts"
import { greeting, packaged, save } from "./support/hostFiles.ts"
import { mooring } from "./support/program.ts"
import { running } from "./support/running.ts"

const REF = "project:example.echo"

const control = () => '[control]\nlisten = "unix:m.sock"\n'

/** Writes a host file, and says where it is. */
const saved = (root: string, content: string): string => {
  save(root, content)
  return path.join(root, "host.toml")
}

/** A host that runs a package, with a table for its API. */
const hosted = (table: (root: string) => string, flags: ReadonlyArray<string> = [], env: NodeJS.ProcessEnv = {}) =>
  Effect.gen(function* () {
    const root = yield* folder
    const server = yield* greeting
    const file = saved(root, `${table(root)}${(yield* packaged(root, "echo", server.port))()}`)
    const host = yield* running(file, env, flags)
    yield* host.seen("the plugin", ({ plugins }) => plugins[0]?.websocketConnections[0]?.state === "open")
    return { file, host, root }
  })

/** The port of somebody who answers so. */
const answering = (answer: (response: Http.ServerResponse) => void) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Http.Server>((resume) => {
        const server = Http.createServer((_request, response) => answer(response))
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    ),
    (server) => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : 0
    }
  )

/** Where its log says that it listens. */
const addressIn = (stderr: string): string => /the control API is at http:\/\/([0-9.]+:\d+)/.exec(stderr)?.[1] ?? ""

describe("mooring ctl", () => {
  it.live(
    "asks and acts by a unix socket: JSON on stdout, 0, 2, 3 with the tag on stderr, 5",
    () =>
      Effect.gen(function* () {
        const { file, host, root } = yield* hosted(control)
        const at = ["--control", `unix:${path.join(root, "m.sock")}`]
        const ctl = (...words: ReadonlyArray<string>) => mooring(["ctl", ...words, ...at])
        const status = yield* ctl("status")
        assert.strictEqual(status.code, 0)
        assert.strictEqual(JSON.parse(status.stdout).plugins[0].plugin_ref, REF)
        const row = JSON.parse((yield* ctl("plugin", REF)).stdout)
        assert.strictEqual(row.lifecycle, "running")
        assert.deepStrictEqual(Object.keys(JSON.parse((yield* ctl("diagnostics")).stdout)), ["diagnostics"])

        assert.deepInclude(yield* ctl("stop", REF), { code: 0, stdout: "{}\n", stderr: "" })
        yield* host.seen("stopped", ({ plugins }) => plugins[0]?.lifecycle === "stopped")
        assert.deepInclude(yield* ctl("start", REF), { code: 0, stdout: "{}\n" })
        yield* host.seen("running", ({ plugins }) => plugins[0]?.lifecycle === "running")
        const epoch =
          (yield* host.seen("open", ({ plugins }) => plugins[0]?.websocketConnections[0]?.state === "open")).plugins[0]
            ?.websocketConnections[0]?.epoch ?? 0
        assert.strictEqual((yield* ctl("reconnect", REF, row.websocket_connections[0].id)).code, 0)
        yield* host.seen("another epoch", ({ plugins }) => (plugins[0]?.websocketConnections[0]?.epoch ?? 0) > epoch)
        assert.strictEqual((yield* ctl("restart", REF)).code, 0)

        const refused = yield* ctl("stop", "project:none")
        assert.deepInclude(refused, { code: 3, stdout: "" })
        assert.include(
          refused.stderr,
          "PluginUnknown: no enabled plugin is called project:none; mooring ctl status has"
        )
        assert.include((yield* ctl("reconnect", REF, "00000000")).stderr, "SourceUnknown")
        const delivery = yield* ctl("deliver", REF, "none", "note", "{}")
        assert.deepInclude(delivery, { code: 3 })
        assert.include(delivery.stderr, "EventInvalid")
        for (const words of [["deliver", REF, "a", "b", "{"], ["plugin"], ["stop", ""], ["nothing"]]) {
          assert.strictEqual((yield* ctl(...words)).code, 2, words.join(" "))
        }
        assert.strictEqual((yield* mooring(["ctl", "status", "--control", "nowhere"])).code, 2)

        assert.deepInclude(yield* mooring(["ctl", "health", file]), { code: 0, stdout: "{}\n" })
        host.child.kill("SIGTERM")
        assert.strictEqual((yield* host.ended).code, 0)
        assert.isFalse(fs.existsSync(path.join(root, "m.sock")))
        const gone = yield* mooring(["ctl", "health", file])
        assert.deepInclude(gone, { code: 5, stdout: "" })
        const where = `at unix:${path.join(root, "m.sock")}: ENOENT; a host serves it by --control`
        assert.include(gone.stderr, `can't be reached ${where}`)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "acts over TCP by a token, which a file may replace while the host runs",
    () =>
      Effect.gen(function* () {
        const { host, root } = yield* hosted((at) => {
          fs.writeFileSync(path.join(at, "token"), "the-first-token\n")
          return '[control]\nlisten = "127.0.0.1:0"\ntoken = { file = "token" }\n'
        }, [])
        const at = addressIn(host.stderr())
        const token = path.join(root, "mine")
        const restart = (value: string) => {
          fs.writeFileSync(token, value)
          return mooring(["ctl", "restart", REF, "--control", at, "--token-file", token])
        }
        const without = yield* mooring(["ctl", "restart", REF, "--control", at])
        assert.strictEqual(without.code, 3)
        assert.match(
          without.stderr,
          /Unauthorized: .*; the host takes it from --control-token-file, ctl and top from --token-file/
        )
        assert.strictEqual((yield* mooring(["ctl", "status", "--control", at])).code, 0)
        assert.strictEqual((yield* restart("the-first-token\n")).code, 0)
        fs.writeFileSync(path.join(root, "token"), "the-second-token\n")
        let code: number | null = 3
        while (code !== 0) ({ code } = yield* restart("the-second-token"))
        assert.strictEqual((yield* restart("the-first-token")).code, 3)
        // One that can't be used keeps the last, with a problem.
        fs.writeFileSync(path.join(root, "token"), "x y\n")
        const { host: told } = yield* host.seen("a problem", ({ host: { config } }) => config.state === "partly")
        assert.deepStrictEqual(
          told.config.problems.map(({ path: where }) => where),
          ["control.token"]
        )
        assert.strictEqual((yield* restart("the-second-token")).code, 0)
        assert.notInclude(host.stderr(), "the-second-token")
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "a changed table waits for the next start, and says so",
    () =>
      Effect.gen(function* () {
        const { file, host } = yield* hosted(control)
        fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("unix:m.sock", "unix:n.sock"))
        const { host: told } = yield* host.seen("a problem", ({ host: { config } }) => config.state === "partly")
        assert.deepStrictEqual(
          told.config.problems.map(({ path: where }) => where),
          ["control"]
        )
        assert.isTrue(fs.existsSync(path.join(path.dirname(file), "m.sock")))
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("mooring ctl beside whoever listens there", () => {
  it.live(
    "takes no more of an answer that never ends than it has room for: 5",
    () =>
      Effect.gen(function* () {
        const port = yield* answering((response) => {
          const chunk = "1,".repeat(524_288)
          const more = () => {
            while (response.write(chunk));
          }
          response.on("drain", more)
          response.write("[")
          more()
        })
        const asked = yield* mooring(["ctl", "status", "--control", `127.0.0.1:${port}`])
        assert.deepInclude(asked, { code: 5, stdout: "" })
        assert.include(asked.stderr, "what came is no answer")
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "waits in a health check for nobody who doesn't answer: 5",
    () =>
      Effect.gen(function* () {
        const port = yield* answering(() => {})
        const asked = yield* mooring(["ctl", "health", "--control", `127.0.0.1:${port}`])
        assert.deepInclude(asked, { code: 5, stdout: "" })
        assert.include(asked.stderr, "it doesn't answer")
      }).pipe(Effect.scoped),
    // Whoever asks for anything else waits for 10 s.
    9000
  )

  it.live(
    "asks nobody with what is no token: 2, and doesn't repeat it",
    () =>
      Effect.gen(function* () {
        for (const token of ["two\nlines", "a space", "\u0001", "\u20ac", "caf\u00e9"]) {
          const asked = yield* mooring(["ctl", "status", "--control", "127.0.0.1:1"], {
            env: { MOORING_CONTROL_TOKEN: token }
          })
          assert.deepInclude(asked, { code: 2, stdout: "" }, token)
          assert.include(asked.stderr, "MOORING_CONTROL_TOKEN")
          assert.notInclude(asked.stderr, token)
        }
      }),
    60_000
  )
})

describe("mooring run --control", () => {
  it.live(
    "ends with 3 before anything runs where it can't be: reached by others without a token, no socket, no token",
    () =>
      Effect.gen(function* () {
        const root = yield* folder
        const file = saved(root, "[plugins]\nenabled = []\n")
        fs.writeFileSync(path.join(root, "plain"), "")
        const run = (...flags: ReadonlyArray<string>) => mooring(["run", file, "--for", "10s", ...flags])
        const cases: ReadonlyArray<readonly [flags: ReadonlyArray<string>, says: string]> = [
          [["--control", "0.0.0.0:0"], "needs a token there"],
          [["--control", "[::]:0"], "needs a token there"],
          [["--control", `unix:${path.join(root, "plain")}`], "no socket"],
          [["--control", "127.0.0.1:0", "--control-token-file", path.join(root, "none")], "token of the control API"]
        ]
        for (const [flags, says] of cases) {
          const { code, stderr, stdout } = yield* run(...flags)
          assert.deepStrictEqual([code, stdout], [3, ""], flags.join(" "))
          assert.include(stderr, says)
          assert.notInclude(stderr, "enabled")
        }
        assert.strictEqual((yield* run("--control", "example.com:80")).code, 2)
        assert.strictEqual((yield* run("--control", "127.0.0.1:99999")).code, 2)
        const exposed = saved(root, '[control]\nlisten = "0.0.0.0:9477"\n[plugins]\nenabled = []\n')
        const check = yield* mooring(["check", exposed])
        assert.strictEqual(check.code, 3)
        assert.match(check.stdout, /host\.toml:1:2: control: Expected a token/)
      }).pipe(Effect.scoped),
    60_000
  )
})

describe.skipIf(withoutScript)("mooring top at a terminal", () => {
  for (const [name, key] of [
    ["q", "q"],
    ["Ctrl-C", CTRL_C]
  ] as const) {
    it.live(
      `shows the table and leaves the terminal as it was found, by ${name}`,
      () =>
        Effect.gen(function* () {
          const { root } = yield* hosted(control)
          const top = `"$NODE" "$BIN" top --control unix:${path.join(root, "m.sock")}`
          const shown = yield* atTerminal(
            `trap : INT; stty rows 24 cols 40; stty -g > ${root}/before; ${top}; echo ended with $?; stty -g > ${root}/after`,
            [["example.echo", key]]
          )
          assert.include(shown, "ended with 0")
          assert.strictEqual(
            fs.readFileSync(path.join(root, "after"), "utf8"),
            fs.readFileSync(path.join(root, "before"), "utf8")
          )
        }).pipe(Effect.scoped),
      60_000
    )
  }

  it.live(
    "goes on asking where the host is gone, and shows it once it is there again",
    () =>
      Effect.gen(function* () {
        const { file, host, root } = yield* hosted(control)
        const restarted = path.join(root, "restarted.toml")
        fs.copyFileSync(file, restarted)
        const run = `"$NODE" "$BIN" run ${restarted} --for 10s >/dev/null 2>&1 &`
        const top = `"$NODE" "$BIN" top --control unix:${path.join(root, "m.sock")}; echo ended with $?`
        const steps = { isGone: false, from: Infinity, isDone: false }
        const shown = yield* atTerminal(`stty rows 24 cols 80; (sleep 2; ${run}) & ${top}`, [], (all, type) => {
          if (!steps.isGone && all.includes("example.echo")) {
            steps.isGone = true
            host.child.kill("SIGTERM")
          }
          if (steps.from === Infinity && all.includes("asking again")) steps.from = all.length
          if (steps.isDone || !all.includes("1 running", steps.from)) return
          steps.isDone = true
          type("q")
        })
        assert.isBelow(steps.from, Infinity)
        assert.include(shown, "ended with 0")
      }).pipe(Effect.scoped),
    60_000
  )
})
