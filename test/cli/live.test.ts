/** A host file that changes under `mooring run`, as editors, tools and clusters change it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { answering, gateway, response, switching, text } from "../support/servers.ts"
import { folder } from "./support/files.ts"
import { greeting, packaged, rowOf, save, stateOf } from "./support/hostFiles.ts"
import { BIN, CACHED } from "./support/program.ts"
import { running } from "./support/running.ts"

const OLD = "old-t0ken-xyzzy"
const NEW = "new-t0ken-plugh"

/** Whether this machine lets us have mounts of our own. */
const isMountable = spawnSync("unshare", ["-m", "true"]).status === 0
const isAtTerminal = spawnSync("script", ["--version"]).status === 0

/** Waits for what somebody else does. */
const until = (what: string, holds: () => boolean) =>
  Effect.gen(function* () {
    while (!holds()) yield* Effect.sleep(20)
  }).pipe(Effect.timeoutOrElse({ duration: 20_000, orElse: () => Effect.die(new Error(`${what}: not seen`)) }))

describe("mooring run while its file changes", () => {
  it.live("revokes at once, though another plugin's peer is deaf, and typos and large integers stand beside it", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const deafServer = yield* answering((socket, request) => socket.write(switching(request)))
      const [echo, other] = [yield* packaged(root, "echo", server.port), yield* packaged(root, "other", server.port)]
      const deaf = yield* packaged(root, "deaf", deafServer.port)
      save(root, echo() + other() + deaf())
      const { seen, stderr } = yield* running(path.join(root, "host.toml"))
      yield* seen("all", (status) => ["echo", "other", "deaf"].every((name) => stateOf(status, name) === "open"))
      // It takes its whole grace, for nobody answers its close frame.
      save(root, echo() + other())
      yield* seen("the deaf one's end", (status) => rowOf(status, "deaf")?.lifecycle === "stopping")
      const large = "[limits]\ntimers_per_plugin = 9007199254740993\n"
      save(root, large + echo("[]") + other(undefined, "confg = { room = 9007199254740993 }"))
      const status = yield* seen("the revocation", (each) => stateOf(each) === "stopped")
      assert.strictEqual(rowOf(status, "deaf")?.lifecycle, "stopping", stderr())
      assert.strictEqual(rowOf(status)?.websocketConnections[0]?.stopReason, "grant")
      const denied = yield* seen("the denial", (each) => rowOf(each, "other")?.lifecycle === "failed")
      assert.strictEqual(rowOf(denied, "other")?.lastError?.tag, "ManifestInvalid")
      assert.deepStrictEqual(
        denied.host.config.problems.map((problem) => problem.path),
        ["limits.timers_per_plugin", "plugins.enabled[1].confg", "plugins.enabled[1].confg.room"]
      )
      const [diagnostic] = denied.host.diagnostics
      assert.deepInclude(diagnostic, { tag: "HostFileInvalid", stage: "host", severity: "error", count: 1 })
    }).pipe(Effect.scoped)
  )

  it.live("shows a rotated token at once to a server that refuses the old one with 401, and nobody else either", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const asked: Array<string> = []
      const server = yield* answering((socket, request) => {
        asked.push(/\?key=([^ ]*)/.exec(request)?.[1] ?? "")
        if (asked.at(-1) !== NEW) socket.end(response("401 Unauthorized"))
        else socket.write(Buffer.concat([switching(request), text(`instead of ${OLD} it is ${NEW}`)]))
      })
      const entry = yield* packaged(root, "echo", server.port)
      const more = `[plugins.enabled.secrets]
key = { file = "key" }
[plugins.enabled.sources.gateway]
urls = ["ws://127.0.0.1:${server.port}/gateway?key={key}"]
`
      fs.writeFileSync(path.join(root, "key"), `${OLD}\n`)
      save(root, entry() + more)
      const { child, ended, seen, stderr } = yield* running(path.join(root, "host.toml"))
      const refused = yield* seen("a refusal", (status) => stateOf(status) === "stopped")
      assert.strictEqual(rowOf(refused)?.websocketConnections[0]?.stopReason, "http")
      fs.writeFileSync(path.join(root, "next"), NEW)
      fs.renameSync(path.join(root, "next"), path.join(root, "key"))
      const open = yield* seen("the new one", (status) => rowOf(status)?.dispatchCounters.dispatched === 3)
      assert.deepInclude(rowOf(open), { lifecycle: "running", restarts: 0 })
      assert.deepStrictEqual(asked, [OLD, NEW])
      fs.unlinkSync(path.join(root, "key"))
      const gone = yield* seen("that its file is gone", (status) => status.host.config.state === "partly")
      assert.deepInclude(gone.host.config.problems[0], { path: "plugins.enabled[0].secrets.key" })
      assert.strictEqual(stateOf(gone), "open")
      child.kill("SIGTERM")
      // It knows no closing handshake.
      for (const socket of server.sockets) socket.destroy()
      const { code, last } = yield* ended
      assert.strictEqual(code, 0)
      for (const shown of [stderr(), ...[refused, open, gone, last].map((each) => JSON.stringify(each))]) {
        assert.notMatch(shown, new RegExp(`${OLD}|${NEW}`))
      }
    }).pipe(Effect.scoped)
  )

  it.live("shows a proxy's rotated credentials to it from the next dial on, and says when they can't be used", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const asked: Array<string> = []
      const proxy = yield* answering((socket, request) => {
        asked.push(/^proxy-authorization: (.*)\r$/im.exec(request)?.[1] ?? "")
        if (asked.at(-1) !== NEW) socket.end(response("407 Proxy Authentication Required"))
        else {
          socket.write(response("200 OK"))
          socket.once("data", (upgrade) => socket.write(switching(upgrade.toString("latin1"))))
        }
      })
      const entry = yield* packaged(root, "echo", 7700)
      const table = `[proxy]\nconnect = "http://127.0.0.1:${proxy.port}"\nauthorization = { file = "proxy.auth" }\n`
      fs.writeFileSync(path.join(root, "proxy.auth"), `${OLD}\n`)
      save(root, table + entry())
      const { child, ended, seen, stderr } = yield* running(path.join(root, "host.toml"))
      yield* seen("a refusal", (status) => rowOf(status)?.websocketConnections[0]?.lastError?.tag === "DialFailed")
      fs.writeFileSync(path.join(root, "proxy.auth"), NEW)
      const open = yield* seen("the new ones", (status) => stateOf(status) === "open")
      assert.deepInclude(open.host.config, { state: "applied", problems: [] })
      fs.unlinkSync(path.join(root, "proxy.auth"))
      const partly = yield* seen("that they are gone", ({ host }) => host.config.state === "partly")
      assert.deepInclude(partly.host.config.problems[0], { path: "proxy.authorization", line: 3 })
      assert.strictEqual(stateOf(partly), "open")
      fs.writeFileSync(path.join(root, "proxy.auth"), NEW)
      yield* seen("that they are back", ({ host }) => host.config.state === "applied")
      assert.deepStrictEqual([...new Set(asked)], [OLD, NEW])
      child.kill("SIGTERM")
      for (const socket of proxy.sockets) socket.destroy()
      const { code, last } = yield* ended
      assert.strictEqual(code, 0)
      assert.notMatch(stderr() + JSON.stringify([open, partly, last]), new RegExp(`${OLD}|${NEW}`))
    }).pipe(Effect.scoped)
  )

  it.live("uses a proxy's credentials once they are there, and tells of others beside a useless file once", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const proxy = yield* answering((socket, request) => {
        assert.match(request, new RegExp(`^proxy-authorization: ${NEW}\\r$`, "im"))
        socket.write(response("200 OK"))
        socket.once("data", (upgrade) => socket.write(switching(upgrade.toString("latin1"))))
      })
      const entry = yield* packaged(root, "echo", 7700)
      const table = `[proxy]\nconnect = "http://127.0.0.1:${proxy.port}"\nauthorization = { file = "proxy.auth" }\n`
      save(root, table + entry())
      const { child, ended, seen } = yield* running(path.join(root, "host.toml"))
      const before = yield* seen(
        "why it can't dial",
        (status) => rowOf(status)?.lastError === null && stateOf(status) === "waiting"
      )
      assert.deepInclude(rowOf(before)?.websocketConnections[0]?.lastError, { tag: "DialFailed" })
      assert.strictEqual(before.host.config.state, "partly")
      assert.isTrue(before.host.proxy)
      fs.writeFileSync(path.join(root, "proxy.auth"), NEW)
      const open = yield* seen("the credentials in use", (status) => stateOf(status) === "open")
      assert.deepInclude(open.host.config, { state: "applied", problems: [] })
      save(root, "no TOML")
      yield* seen("that it is of no use", ({ host }) => host.config.state === "rejected")
      fs.unlinkSync(path.join(root, "proxy.auth"))
      yield* Effect.sleep(1500)
      save(root, `${table}${entry()}\n`)
      const partly = yield* seen("what is wrong beside it", ({ host }) => host.config.state === "partly")
      assert.deepInclude(partly.host.config.problems[0], { path: "proxy.authorization", line: 3 })
      assert.deepStrictEqual(
        partly.host.diagnostics.flatMap(({ count, tag }) => (tag === "ReloadRejected" ? [count] : [])),
        [1]
      )
      child.kill("SIGTERM")
      for (const socket of proxy.sockets) socket.destroy()
      assert.strictEqual((yield* ended).code, 0)
    }).pipe(Effect.scoped)
  )

  it.live("loses nothing of a plugin that stays while others come, go, change and are revoked", () =>
    Effect.gen(function* () {
      const root = yield* folder
      let [sent, isSending] = [0, true]
      const answers: Array<string> = []
      const busy = yield* gateway((peer) => {
        peer.on("message", (data: Buffer) => answers.push(data.toString()))
        const send = () => {
          if (!isSending) return
          for (let burst = 0; burst < 20; burst++) peer.send(`text ${sent++}`)
          setTimeout(send, 5)
        }
        send()
      })
      const server = yield* greeting
      const stays = yield* packaged(root, "stays", busy.port)
      const [echo, other] = [yield* packaged(root, "echo", server.port), yield* packaged(root, "other", server.port)]
      const unbounded = `[{ scheme = "ws", host = "127.0.0.1", port = ${busy.port}, path_prefixes = ["/gateway"], sends_per_minute = 0, send_bytes_per_minute = 0 }]`
      const files = [
        echo(),
        echo("[]") + other(),
        other(undefined, "limts = 1"),
        "",
        echo() + other(undefined, "config = { room = 1 }"),
        echo() + other("[]", "config = { room = 2 }")
      ]
      save(root, stays(unbounded))
      const { child, seen } = yield* running(path.join(root, "host.toml"))
      yield* seen("a stream", (status) => (rowOf(status, "stays")?.dispatchCounters.dispatched ?? 0) > 100)
      for (let turn = 0; turn < 20; turn++) {
        save(root, stays(unbounded) + (files[turn % files.length] ?? ""))
        child.kill("SIGHUP")
        yield* Effect.sleep(turn % 5 === 4 ? 1000 : 100)
      }
      save(root, stays(unbounded) + echo() + other("[]"))
      yield* seen("the end state", (status) => stateOf(status) === "open" && stateOf(status, "other") === "stopped")
      isSending = false
      const status = yield* seen("every answer", () => answers.length === sent)
      assert.deepStrictEqual(
        answers,
        Array.from({ length: sent }, (_, nth) => `one text ${nth}`)
      )
      const row = rowOf(status, "stays")
      assert.deepInclude(row?.dispatchCounters, {
        enqueued: sent + 1,
        dispatched: sent + 1,
        failed: 0,
        evicted: 0,
        discarded: 0
      })
      assert.deepInclude(row?.websocketConnections[0], { opens: 1, receivedTextFrames: sent, sentTextFrames: sent })
      assert.deepInclude(status.host.config, { state: "applied", problems: [] })
      assert.strictEqual(rowOf(status, "other")?.lifecycle, "running")
    }).pipe(Effect.scoped)
  )

  it.live("follows the links of a ConfigMap, whose relative paths begin where they lead from", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      const echo = yield* packaged(root, "echo", server.port)
      const swap = (version: string, content: string) => {
        fs.mkdirSync(path.join(root, version))
        fs.writeFileSync(path.join(root, version, "host.toml"), content)
        fs.symlinkSync(version, path.join(root, "..data_tmp"))
        fs.renameSync(path.join(root, "..data_tmp"), path.join(root, "..data"))
      }
      swap("..1", echo())
      fs.symlinkSync(path.join("..data", "host.toml"), path.join(root, "host.toml"))
      const { seen } = yield* running(path.join(root, "host.toml"))
      yield* seen("the first", (status) => stateOf(status) === "open")
      swap("..2", echo("[]"))
      fs.rmSync(path.join(root, "..1"), { recursive: true })
      yield* seen("the second", (status) => stateOf(status) === "stopped")
      swap("..3", echo())
      yield* seen("the third", (status) => stateOf(status) === "open")
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!isMountable)(
    "says that a file that was mounted by itself has been replaced outside (skipped where no mounts are permitted)",
    () =>
      Effect.gen(function* () {
        const root = yield* folder
        const inner = path.join(root, "inner.toml")
        fs.writeFileSync(inner, "")
        save(root, "[plugins]\nenabled = []\n")
        const mount = `mount --bind '${path.join(root, "host.toml")}' '${inner}' && exec "$@"`
        const { child, ended, seen } = yield* running(inner, {}, [], ["unshare", "-m", "sh", "-c", mount, "sh"])
        yield* seen("a start", ({ host }) => host.config.state === "applied")
        save(root, "[plugins]\nenabled = []\n# another one\n")
        const status = yield* seen("the problem", ({ host }) => host.config.state === "partly")
        assert.match(status.host.config.problems[0]?.message ?? "", /replaced outside of a mount of this file alone/)
        assert.strictEqual(status.host.diagnostics[0]?.tag, "HostFileInvalid")
        child.kill("SIGTERM")
        assert.strictEqual((yield* ended).code, 0)
      }).pipe(Effect.scoped)
  )

  it.live.skipIf(!isAtTerminal)("takes a SIGHUP for a SIGTERM once the terminal that it was started at is gone", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const closes: Array<number> = []
      let connections = 0
      const server = yield* gateway((peer) => {
        connections++
        peer.on("close", (code: number) => closes.push(code))
      })
      save(root, (yield* packaged(root, "echo", server.port))())
      const pids = path.join(root, "pid")
      const command = `echo $$ > '${pids}'; exec '${process.execPath}' '${BIN}' run '${path.join(root, "host.toml")}'`
      const terminal = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn("script", ["-qefc", command, "/dev/null"], { stdio: "pipe", env: { ...process.env, ...CACHED } })
        ),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      terminal.stdout.resume()
      yield* until("a connection", () => connections === 1)
      const pid = Number(fs.readFileSync(pids, "utf8"))
      // While it is there, it is what it ever is.
      process.kill(pid, "SIGHUP")
      yield* Effect.sleep(500)
      assert.deepStrictEqual([connections, closes], [1, []])
      terminal.kill("SIGKILL")
      yield* until("an end in order", () => closes.length > 0)
      assert.deepStrictEqual([connections, closes], [1, [1001]])
      yield* until("the end of the process", () => spawnSync("kill", ["-0", String(pid)]).status !== 0)
    }).pipe(Effect.scoped)
  )
})
