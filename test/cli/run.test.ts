/** `mooring run` as people and service managers run it: real packages, real sockets, real files. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { folder } from "./support/files.ts"
import { codeOf, greeting, packaged, rowOf, save, stateOf, talkative } from "./support/hostFiles.ts"
import { assertLogLines, mooring } from "./support/program.ts"
import { running } from "./support/running.ts"

const TOKEN = "xoxb-s3cr3t-t0ken"

describe("mooring run", () => {
  it.live("runs packages from disk in the sandbox until a signal, and stops them in order", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const entry = yield* packaged(root, "echo", server.port)
      const secret = `config = { token = "${TOKEN}" }`
      save(root, entry(undefined, secret))
      const { child, ended, seen, stderr } = yield* running(path.join(root, "host.toml"))
      const status = yield* seen("an answer", (each) => rowOf(each)?.dispatchCounters.dispatched === 2)
      assert.deepStrictEqual(server.answers, ["one hi"])
      assert.deepInclude(rowOf(status), { lifecycle: "running", worker: 1 })
      assert.match(status.host.config.digest ?? "", /^sha256:[0-9a-f]{64}$/)
      assert.deepInclude(status.host.config, { state: "applied", problems: [] })
      child.kill("SIGTERM")
      const { code, last } = yield* ended
      assert.strictEqual(code, 0)
      assert.strictEqual(last === undefined ? "" : rowOf(last)?.lifecycle, "stopped")
      assertLogLines(stderr())
      assert.notInclude(`${stderr()}${JSON.stringify(last)}`, TOKEN)
    }).pipe(Effect.scoped)
  )

  it.live("shows the consoles that were asked for among the log lines, and warns of those of nobody", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const secret = `config = { token = "${TOKEN}" }`
      const entries = [
        (yield* packaged(root, "loud", server.port, talkative("loud")))(undefined, secret),
        (yield* packaged(root, "quiet", server.port, talkative("quiet")))(undefined, secret)
      ]
      save(root, entries.join(""))
      const asked = ["--console", "project:example.loud", "--console", "project:example.later#x"]
      const { child, ended, seen, stderr } = yield* running(path.join(root, "host.toml"), {}, asked)
      const all = ["loud", "quiet"]
      yield* seen("a text", (each) => all.every((name) => rowOf(each, name)?.dispatchCounters.dispatched === 2))
      child.kill("SIGTERM")
      assert.strictEqual((yield* ended).code, 0)
      assertLogLines(stderr())
      const lines = stderr()
        .split("\n")
        .filter((line) => line.includes("example.loud console"))
      assert.deepStrictEqual(
        lines.map((line) => line.slice(25)),
        [
          "WARN  loud has *** plugin=project:example.loud console=warn",
          "INFO  loud heard undefined plugin=project:example.loud console=log",
          "INFO  loud heard hi plugin=project:example.loud console=log",
          "INFO  loud stops plugin=project:example.loud console=log"
        ]
      )
      assert.match(stderr(), /WARN {2}no plugin project:example\.later#x is enabled, whose console was asked for/)
      for (const hidden of [TOKEN, "quiet heard"]) assert.notInclude(stderr(), hidden)
    }).pipe(Effect.scoped)
  )

  it.live("ends with 2, 3 and 4 where it can't run, says why, and runs where nothing is to run", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const file = path.join(root, "host.toml")
      const wrong = yield* mooring(["run"])
      assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ""])
      const missing = yield* mooring(["run", file])
      assert.deepStrictEqual(
        [missing.code, missing.stdout, missing.stderr],
        [3, "", `mooring: ${file}: Expected a file that can be read: ENOENT\n`]
      )
      save(root, `token = "${TOKEN}`)
      const broken = yield* mooring(["run", file])
      assert.strictEqual(broken.code, 3)
      assert.match(broken.stderr, /^mooring: .*host\.toml:1:\d+: Expected TOML: [a-z -]+\n$/)
      save(root, "[plugins]\nenabled = []")
      const none = yield* mooring(["run", file, "--for", "200ms"])
      assert.strictEqual(none.code, 0)
      const entry = yield* packaged(root, "echo", 1, "export const start = () => { throw new Error('no') }")
      save(root, entry())
      const failed = yield* mooring(["run", file, "--log-format", "json"])
      assert.strictEqual(failed.code, 4)
      assert.match(failed.stderr, /mooring: no plugin could be started\n {2}project:example\.echo: StartFailed: /)
      const [first = ""] = failed.stderr.split("\n")
      assert.containsAllKeys(JSON.parse(first), ["at", "level", "message"])
    }).pipe(Effect.scoped)
  )

  it.live("applies what the file says next, and touches nothing else", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const [echo, other] = [yield* packaged(root, "echo", server.port), yield* packaged(root, "other", server.port)]
      const file = path.join(root, "host.toml")
      save(root, echo())
      const { child, ended, seen, stderr } = yield* running(file)
      const before = yield* seen("echo", (status) => stateOf(status) === "open")

      save(root, echo() + other())
      yield* seen("a plugin that is added", (status) => stateOf(status, "other") === "open")

      save(root, echo("[]") + other())
      const narrowed = yield* seen("a narrowed grant", (status) => stateOf(status) === "stopped")
      assert.strictEqual(rowOf(narrowed)?.websocketConnections[0]?.stopReason, "grant")
      assert.deepInclude(rowOf(narrowed), { lifecycle: "running" })
      assert.strictEqual(stateOf(narrowed, "other"), "open")

      save(root, echo() + other())
      yield* seen("a grant again", (status) => stateOf(status) === "open")

      save(root, "[[plugins.enabled]")
      const rejected = yield* seen("no TOML", (status) => status.host.config.state === "rejected")
      assert.strictEqual(stateOf(rejected, "other"), "open")
      assert.strictEqual(rejected.host.config.problems[0]?.line, 1)

      const limits = "[limits]\nrestarts = 7\ntimers_per_plugin = 9007199254740993\n"
      save(root, limits + echo())
      const partly = yield* seen("a plugin that is removed", (status) => rowOf(status, "other") === undefined)
      assert.strictEqual(partly.host.config.state, "partly")
      assert.deepStrictEqual(
        partly.host.config.problems.map(({ line, path: at }) => [at, line]),
        [
          ["limits.timers_per_plugin", 3],
          ["limits.restarts", 2]
        ]
      )
      const row = rowOf(partly)
      assert.deepInclude(row, { lifecycle: "running", restarts: 0 })
      assert.strictEqual(row?.websocketConnections[0]?.opens, 2)
      assert.strictEqual(before.host.config.state, "applied")

      save(root, "[plugins]\nenabled = []")
      yield* seen("nothing", (status) => status.plugins.length === 0 && status.host.config.state === "applied")
      child.kill("SIGINT")
      assert.strictEqual((yield* ended).code, 0)
      assert.include(stderr(), "ReloadRejected: ")
    }).pipe(Effect.scoped)
  )

  it.live("denies an entry with a problem while the others apply, and says where it is", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const [echo, other] = [yield* packaged(root, "echo", server.port), yield* packaged(root, "other", server.port)]
      save(root, echo() + other())
      const { seen } = yield* running(path.join(root, "host.toml"))
      yield* seen("both", (status) => stateOf(status) === "open" && stateOf(status, "other") === "open")
      save(root, echo() + other(undefined, "limts = 1"))
      const status = yield* seen("a typo", (each) => rowOf(each, "other")?.lifecycle === "failed")
      assert.strictEqual(rowOf(status, "other")?.lastError?.tag, "ManifestInvalid")
      assert.strictEqual(stateOf(status), "open")
      const [problem] = status.host.config.problems
      assert.deepInclude(problem, { path: "plugins.enabled[1].limts", line: 17 })
      assert.strictEqual(status.host.config.problems.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("loads a failed entry's package once its folder has changed, in whichever order the two are replaced", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const other = yield* packaged(root, "other", server.port)
      const first = yield* packaged(root, "echo", server.port)
      save(root, other() + first())
      const { seen, stderr } = yield* running(path.join(root, "host.toml"))
      yield* seen("one", (status) => stateOf(status) === "open")
      // What runs is what was pinned, whatever becomes of its folder.
      fs.writeFileSync(path.join(root, "other/plugin.js"), codeOf("three"))
      // The next digest is enabled before the folder has it.
      const old = fs.readFileSync(path.join(root, "echo/plugin.js"))
      const next = yield* packaged(root, "echo", server.port, codeOf("two"))
      fs.writeFileSync(path.join(root, "echo/plugin.js"), old)
      save(root, other() + next())
      yield* seen("the folder's turn", (status) => rowOf(status)?.lastError?.tag === "DigestMismatch")
      fs.writeFileSync(path.join(root, "echo/plugin.js"), codeOf("two"))
      yield* seen("two", (status) => stateOf(status) === "open")
      const status = yield* seen("its answer", () => server.answers.includes("two hi"))
      assert.deepInclude(rowOf(status, "other"), { lifecycle: "running" })
      assert.strictEqual(rowOf(status, "other")?.websocketConnections[0]?.opens, 1)
      assert.strictEqual(stderr().match(/plugins are enabled/g)?.length, 3, stderr())
      assert.notMatch(stderr(), /GrantRevoked|GrantBindingMismatch|PermissionMissing/)
    }).pipe(Effect.scoped)
  )

  it.live("starts at a SIGHUP what has ended, with what it names read anew", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const echo = yield* packaged(root, "echo", server.port)
      const secret = '[plugins.enabled.secrets]\nkey = { file = "key" }\n'
      const other = yield* packaged(root, "other", server.port)
      save(root, other() + echo() + secret)
      const { child, seen } = yield* running(path.join(root, "host.toml"))
      const failed = yield* seen("no secret", (status) => rowOf(status)?.lifecycle === "failed")
      assert.strictEqual(rowOf(failed)?.lastError?.tag, "HostFileInvalid")
      child.kill("SIGHUP")
      fs.writeFileSync(path.join(root, "key"), TOKEN)
      yield* seen("a secret", (status) => {
        if (rowOf(status)?.lifecycle === "failed") child.kill("SIGHUP")
        return stateOf(status) === "open"
      })
    }).pipe(Effect.scoped)
  )
})
