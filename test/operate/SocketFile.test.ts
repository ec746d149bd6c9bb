/** The file of a unix socket: how it is born, whom it keeps out, and what is left of it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { HttpServerResponse } from "effect/http"
import { ControlServer } from "mooring/operate"
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as Net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { served, where } from "./support/api.ts"
import * as Raw from "./support/raw.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "mooring-"))),
  (made) => Effect.sync(() => fs.rmSync(made, { recursive: true, force: true }))
)

const refusal = (address: ControlServer.Address) =>
  Effect.map(Effect.flip(Effect.scoped(ControlServer.make(address))), ({ message }) => message)

const modeOf = (file: string): string => (fs.lstatSync(file).mode & 0o777).toString(8)

/** What looks, in a process of its own, which modes a path has for as long as there is nothing on its stdin. */
const WATCH = `
const fs = require("node:fs"), path = process.argv[1], modes = new Set()
process.stdin.on("end", () => { console.log(JSON.stringify([...modes])); process.exit() }).resume()
const look = () => {
  for (let i = 0; i < 5000; i++) try { modes.add((fs.lstatSync(path).mode & 0o777).toString(8)) } catch {}
  setImmediate(look)
}
console.log("looking")
look()`

const outputOf = (child: ChildProcess) =>
  Effect.callback<string>((resume) => {
    let text = ""
    child.stdout?.on("data", (chunk) => (text += String(chunk)))
    child.on("close", () => resume(Effect.succeed(text)))
  })

const begun = (child: ChildProcess) =>
  Effect.callback<void>((resume) => void child.stdout?.once("data", () => resume(Effect.void)))

/** A process that listens by the path and is killed at once. */
const leaveBehind = (file: string) =>
  Effect.gen(function* () {
    const program = `require("net").createServer().listen(${JSON.stringify(file)}, () => console.log("there"))`
    const child = spawn(process.execPath, ["-e", program])
    yield* begun(child)
    child.kill("SIGKILL")
    yield* Effect.callback<void>((resume) => void child.on("close", () => resume(Effect.void)))
    assert.isTrue(fs.lstatSync(file).isSocket())
  })

describe("the file of the socket", () => {
  it.live("is born with its mode under umask 0, and has no other for a moment", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "m.sock")
      const watcher = spawn(process.execPath, ["-e", WATCH, file], { stdio: ["pipe", "pipe", "inherit"] })
      yield* begun(watcher)
      const modes = yield* Effect.forkChild(outputOf(watcher))
      const before = process.umask(0)
      for (let time = 0; time < 100; time++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* ControlServer.make({ path: file })
            assert.strictEqual(modeOf(file), "600")
          })
        )
      }
      assert.strictEqual(process.umask(before), 0)
      watcher.stdin?.end()
      const [seen] = (yield* Fiber.join(modes)).split("\n").filter((line) => line.startsWith("["))
      assert.strictEqual(seen, '["600"]')
      assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), [])
    }).pipe(Effect.scoped)
  )

  it.live("has the mode and the group that were asked for, and leaves the umask as it was", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "m.sock")
      const before = process.umask()
      const group = process.getgid?.() ?? 0
      yield* ControlServer.make({ path: file, mode: 0o660, group })
      assert.strictEqual(modeOf(file), "660")
      assert.strictEqual(fs.lstatSync(file).gid, group)
      assert.strictEqual(process.umask(), before)
    }).pipe(Effect.scoped)
  )

  it.live("takes the place of one that was left behind by SIGKILL", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "m.sock")
      yield* leaveBehind(file)
      yield* ControlServer.make({ path: file })
      const answer = yield* Raw.request({ path: file }, "GET /status")
      assert.deepStrictEqual([answer.status, Raw.tagOf(answer)], [503, "NotReady"])
    }).pipe(Effect.scoped)
  )

  it.live("keeps out a second host, which takes nothing away from the first", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "m.sock")
      yield* ControlServer.make({ path: file })
      assert.strictEqual(
        yield* refusal({ path: file }),
        `the control API can't listen at unix:${file}: somebody else listens there`
      )
      assert.strictEqual((yield* Raw.request({ path: file }, "GET /status")).status, 503)
      assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), ["m.sock"])
    }).pipe(Effect.scoped)
  )

  it.live("is one host's where many come at once to what was left behind", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "m.sock")
      yield* leaveBehind(file)
      const scopes = yield* Effect.forEach(Array.from({ length: 8 }), () => Scope.make())
      const exits = yield* Effect.forEach(
        scopes,
        (scope) => Effect.exit(Scope.provide(ControlServer.make({ path: file }), scope)),
        {
          concurrency: "unbounded"
        }
      )
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
      assert.strictEqual((yield* Raw.request({ path: file }, "GET /status")).status, 503)
      yield* Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void))
      assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), [])
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["a file", (file: string) => fs.writeFileSync(file, "mine")],
    ["a folder", (file: string) => fs.mkdirSync(file)],
    ["a link to nothing", (file: string) => fs.symlinkSync("nowhere", file)]
  ] as const)("leaves %s in its place alone", ([, put]) =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "m.sock")
      put(file)
      const before = fs.lstatSync(file).ino
      assert.match(yield* refusal({ path: file }), /there is a file that is no socket$/)
      assert.strictEqual(fs.lstatSync(file).ino, before)
      assert.deepStrictEqual(fs.readdirSync(path.dirname(file)), ["m.sock"])
    }).pipe(Effect.scoped)
  )

  it.live("at the end removes only its own", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "m.sock")
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* ControlServer.make({ path: file })
          fs.unlinkSync(file)
          fs.writeFileSync(file, "another's")
        })
      )
      assert.strictEqual(fs.readFileSync(file, "utf8"), "another's")
    }).pipe(Effect.scoped)
  )

  it.live("says why it can't be where no file can", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const nowhere = path.join(root, "none", "m.sock")
      assert.match(yield* refusal({ path: nowhere }), /: its folder isn't there, or nothing may be made in it: EACCES$/)
      assert.match(yield* refusal({ path: path.join(root, "x".repeat(200)) }), /: its path has more than \d+ bytes$/)
      assert.deepStrictEqual(fs.readdirSync(root), [])
    }).pipe(Effect.scoped)
  )

  it.live("answers that the host is stopping once nothing is served by it any more", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "m.sock")
      const server = yield* ControlServer.make({ path: file })
      const statusOf = Effect.map(Raw.request({ path: file }, "GET /healthz"), (answer) => [
        answer.status,
        answer.body && Raw.tagOf(answer)
      ])
      assert.deepStrictEqual(yield* statusOf, [503, "NotReady"])
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* server.serve(Effect.succeed(HttpServerResponse.text("")))
          assert.deepStrictEqual(yield* statusOf, [200, ""])
        })
      )
      assert.deepStrictEqual(yield* statusOf, [503, "Stopping"])
    }).pipe(Effect.scoped)
  )

  it.live("lets whoever opens it act without a token", () =>
    Effect.gen(function* () {
      const file = path.join(yield* folder, "m.sock")
      yield* Effect.gen(function* () {
        const answer = yield* Raw.request(yield* where, "POST /plugins/x/stop", [
          "Host: localhost",
          "Content-Length: 0"
        ])
        assert.deepStrictEqual([answer.status, Raw.tagOf(answer)], [404, "PluginUnknown"])
      }).pipe(Effect.provide(served({ plugins: [], listen: { path: file } })))
    }).pipe(Effect.scoped)
  )
})

it.live("a TCP address that somebody has is refused", () =>
  Effect.gen(function* () {
    const other = yield* Effect.acquireRelease(
      Effect.callback<Net.Server>((resume) => {
        const server = Net.createServer()
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    )
    const { port } = other.address() as Net.AddressInfo
    assert.strictEqual(
      yield* refusal({ host: "127.0.0.1", port }),
      `the control API can't listen at 127.0.0.1:${port}: somebody else listens there`
    )
  }).pipe(Effect.scoped)
)
