/** The demo as people and programs run it: what it writes where, how it ends, and what can't hold it up. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import { fullPipe, opened, pipe } from "./support/files.ts"
import { assertLogLines, BIN, CACHED, documents, mooring } from "./support/program.ts"

/** Completes when the gateway at a port has ticked: the demo has been up for a while. */
const ticked = (port: number): Effect.Effect<void> =>
  Effect.callback<boolean>((resume) => {
    // It stays open, which must not hold up the end of the gateway.
    const socket = new WebSocket(`ws://127.0.0.1:${port}/gateway`)
    socket.addEventListener("message", ({ data }) => {
      if (data === "tick") resume(Effect.succeed(true))
    })
    socket.addEventListener("error", () => resume(Effect.succeed(false)))
  }).pipe(Effect.delay(20), Effect.repeat({ until: (served: boolean) => served }), Effect.asVoid)

/** A connection to a port that asks for nothing, for as long as the test runs. */
const silent = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<net.Socket>((resume) => {
      const socket = net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** A port of the loopback that somebody else listens at. */
const taken = Effect.acquireRelease(
  Effect.callback<{ readonly server: net.Server; readonly port: number }>((resume) => {
    const server = net.createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed({ server, port: typeof address === "object" && address !== null ? address.port : 0 }))
    })
  }),
  ({ server }) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
)

/** Runs the demo, and does something with it as soon as its gateway has ticked. */
const signalled = (
  args: ReadonlyArray<string>,
  options: Parameters<typeof mooring>[1],
  port: number,
  act: (child: ChildProcess) => Effect.Effect<unknown, never, Scope.Scope>
) =>
  Effect.suspend(() => {
    let running: ChildProcess | undefined
    const started = (child: ChildProcess) => void (running = child)
    const acting = Effect.suspend(() => (running === undefined ? Effect.void : act(running)))
    return Effect.raceFirst(
      mooring(args, { ...options, started }),
      ticked(port).pipe(Effect.andThen(acting), Effect.andThen(Effect.never))
    )
  })

const kill = (signal: NodeJS.Signals) => (child: ChildProcess) => void child.kill(signal)

const JSON_FAST = ["demo", "--port", "0", "--json", "--interval", "20ms"]

describe("mooring demo", () => {
  it.live("prints one status document a line, the last one after everything has stopped", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* mooring(["demo", "--json", "--interval", "20ms"], {
        once: { when: '"reported_status":{"answered":', act: kill("SIGINT") }
      })
      assert.strictEqual(code, 0)
      assertLogLines(stderr)
      const all = yield* documents(stdout)
      assert.isAtLeast(all.length, 4)
      const [echo, burst, , , stray] = all.at(-2)?.plugins ?? []
      assert.isAbove(echo?.websocketConnections[0]?.sentTextFrames ?? 0, 0)
      assert.isAbove(burst?.dispatchCounters.dispatched ?? 0, 0)
      assert.deepInclude(stray?.websocketConnections[0], { state: "stopped", stopReason: "grant", epoch: 0 })
      for (const plugin of all.at(-1)?.plugins ?? []) {
        assert.strictEqual(plugin.lifecycle, "stopped")
        for (const connection of plugin.websocketConnections) assert.strictEqual(connection.state, "stopped")
      }
    })
  )

  it.live("draws the table once, at the end, where stderr is no terminal", () =>
    Effect.gen(function* () {
      const { code, stderr, stdout } = yield* mooring(["demo", "--port", "0", "--interval", "20ms"], {
        once: { when: "not granted", act: kill("SIGINT") }
      })
      assert.strictEqual(code, 0)
      assert.strictEqual(stdout, "")
      assert.strictEqual(stderr.split("PLUGIN").length, 2)
      assert.include(stderr, "builtin:demo.echo")
      assert.match(stderr, /builtin:demo\.stray +stopped .* TargetUngranted: /)
      assert.notInclude(stderr, "\u001b")
    })
  )

  it.live("says in words what happens: a denial, a burst, a loop and a crash, with what comes after", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* mooring([...JSON_FAST], {
        once: { when: "demo.crash: runs again", act: kill("SIGINT") }
      })
      assert.strictEqual(code, 0)
      assertLogLines(stderr)
      for (const words of [
        /INFO  demo\.echo: connected to ws:\/\/127\.0\.0\.1:\d+\/gateway$/m,
        /WARN  demo\.stray: asks for ws:\/\/127\.0\.0\.1:\d+\/admin: not granted, never dialled$/m,
        /demo\.burst: 5,000 messages at once: queue at [\d,]+, reading paused(?:, then slid)?, (?:none|[\d,]+) dropped, in [\d,]+ ms$/m,
        /WARN  demo\.loop: looped for ever: stopped at its deadline \(DispatchTimeout\)$/m,
        /INFO  demo\.loop: runs again$/m,
        /WARN  demo\.crash: waited for what can never come: ended at once, starts again \(DispatchTimeout\)$/m,
        /INFO  demo\.crash: runs again, and counts on from its last state$/m
      ]) {
        assert.match(stderr, words)
      }
      assert.isAtMost(stderr.split("\n").length, 15)
    })
  )

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it.live(`closes its connections in order after ${signal} and exits with 0`, () =>
      Effect.gen(function* () {
        const { code, stderr, stdout } = yield* mooring(JSON_FAST, { once: { when: '"open"', act: kill(signal) } })
        assert.strictEqual(code, 0)
        assertLogLines(stderr)
        const last = (yield* documents(stdout)).at(-1)
        for (const { lifecycle, websocketConnections } of last?.plugins ?? []) {
          assert.strictEqual(lifecycle, "stopped")
          // Where there was one: by close frames, not by the end of the grace period.
          for (const { epoch, lastClose } of websocketConnections)
            assert.strictEqual(lastClose?.clean ?? true, true, `${epoch}`)
        }
      })
    )
  }

  it.live("listens at the port that it is given, and says so where that can't be", () =>
    Effect.gen(function* () {
      const { port } = yield* taken
      const refused = yield* mooring(["demo", "--port", String(port), "--for", "10s"])
      assert.strictEqual(refused.code, 2)
      assert.strictEqual(refused.stderr, `mooring: port ${port} of 127.0.0.1 can't be listened at: EADDRINUSE\n`)
    }).pipe(Effect.scoped)
  )
})

describe("the ends of mooring demo", () => {
  it.live("isn't held up by clients of the gateway", () =>
    Effect.gen(function* () {
      const { port } = yield* Effect.scoped(taken)
      const ended = yield* signalled(["demo", "--port", String(port)], {}, port, (child) =>
        Effect.andThen(
          silent(port),
          Effect.sync(() => child.kill("SIGTERM"))
        )
      )
      assert.strictEqual(ended.code, 0)
    }).pipe(Effect.scoped)
  )

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const) {
    it.live(`ends at once, with ${code}, at a second ${signal}`, () =>
      Effect.gen(function* () {
        const { port } = yield* Effect.scoped(taken)
        const { write } = yield* fullPipe
        // Nobody reads its last document, so that its own end takes a while.
        const args = ["demo", "--port", String(port), "--json"]
        const ended = yield* signalled(args, { stdio: ["ignore", write, "pipe"] }, port, (child) =>
          Effect.sync(() => child.kill(signal)).pipe(Effect.andThen(Effect.sleep(20)), Effect.forever)
        )
        assert.strictEqual(ended.code, code)
      }).pipe(Effect.scoped)
    )
  }

  it.live("counts a signal that comes before anything is loaded", () =>
    Effect.gen(function* () {
      const ended = yield* mooring(["demo", "--port", "0"], { require: ["signalAtOnce.cjs"] })
      assert.deepStrictEqual(ended, { code: 0, signal: null, stdout: "", stderr: "" })
    })
  )

  it.live("is 1 where stdout can't be written, and stderr says why", () =>
    Effect.gen(function* () {
      const full = yield* opened("/dev/full", fs.constants.O_WRONLY)
      const { code, stderr } = yield* mooring(JSON_FAST, { stdio: ["ignore", full, "pipe"] })
      assert.strictEqual(code, 1)
      assert.include(stderr, "mooring: stdout can't be written: ENOSPC\n")
    }).pipe(Effect.scoped)
  )

  it.live("is 1, without a word, where the reader of stdout has gone away", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* mooring(JSON_FAST, {
        once: { when: "{", act: (child) => child.stdout?.destroy() }
      })
      assert.strictEqual(code, 1)
      assertLogLines(stderr)
    })
  )

  it.live("is by its own rules where stderr can't be written", () =>
    Effect.gen(function* () {
      const full = yield* opened("/dev/full", fs.constants.O_WRONLY)
      const args = ["demo", "--port", "0", "--json", "--interval", "50ms", "--for", "700ms"]
      const { code, stdout } = yield* mooring(args, { stdio: ["ignore", "pipe", full] })
      assert.strictEqual(code, 0)
      assert.isAtLeast((yield* documents(stdout)).length, 4)
      const table = yield* mooring(["demo", "--port", "0", "--for", "200ms"], { stdio: ["ignore", "pipe", full] })
      assert.strictEqual(table.code, 0)
    }).pipe(Effect.scoped)
  )

  it.live("is by its own rules where stderr is closed", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* mooring([...JSON_FAST, "--for", "500ms"], {
        once: { when: "{", act: (child) => child.stderr?.destroy() }
      })
      assert.strictEqual(code, 0)
      assert.strictEqual((yield* documents(stdout)).at(-1)?.plugins[0]?.lifecycle, "stopped")
    })
  )

  it.live("is by its own rules where stdout or stderr was closed by a shell, which is /dev/null to Node", () =>
    Effect.gen(function* () {
      for (const closed of [">&-", "2>&-", ">&- 2>&-"]) {
        const args = ["--port", "0", "--json", "--for", "200ms"].join(" ")
        const ended = yield* Effect.sync(() =>
          spawnSync("sh", ["-c", `"$0" "$1" demo ${args} ${closed}`, process.execPath, BIN], {
            env: { ...process.env, ...CACHED },
            stdio: ["ignore", "pipe", "pipe"]
          })
        )
        assert.strictEqual(ended.status, 0)
      }
    })
  )

  for (const how of ["--for", "SIGTERM"] as const) {
    it.live(`isn't held up by a reader of stdout that stalls at a pipe: by ${how}`, () =>
      Effect.gen(function* () {
        const { port } = yield* Effect.scoped(taken)
        const { write } = yield* fullPipe
        const args = ["demo", "--port", String(port), "--json"]
        const { code, stderr } = yield* how === "--for"
          ? mooring([...args, "--for", "300ms"], { stdio: ["ignore", write, "pipe"] })
          : signalled(args, { stdio: ["ignore", write, "pipe"] }, port, (child) => Effect.sync(() => child.kill(how)))
        assert.strictEqual(code, 1)
        assert.include(stderr, "mooring: stdout can't be written: stalled\n")
      }).pipe(Effect.scoped)
    )
  }

  it.live("isn't held up by a reader of stdout that stalls at a socket", () =>
    Effect.gen(function* () {
      const args = ["demo", "--port", "0", "--json", "--interval", "10ms", "--for", "3s"]
      const { code, stderr } = yield* mooring(args, { unread: true })
      assert.strictEqual(code, 1)
      assert.include(stderr, "mooring: stdout can't be written: stalled\n")
    })
  )

  it.live("isn't held up by a reader of stderr that stalls, nor of both", () =>
    Effect.gen(function* () {
      const { write } = yield* fullPipe
      const args = ["demo", "--port", "0", "--for", "300ms"]
      assert.strictEqual((yield* mooring(args, { stdio: ["ignore", "pipe", write] })).code, 0)
      assert.strictEqual((yield* mooring([...args, "--json"], { stdio: ["ignore", write, write] })).code, 1)
    }).pipe(Effect.scoped)
  )

  it.live("leaves no line inside another where stdout and stderr are one pipe", () =>
    Effect.gen(function* () {
      const { read, write } = yield* pipe
      let text = ""
      const reader = new net.Socket({ fd: read, readable: true, writable: false })
      reader.on("data", (chunk) => (text += String(chunk)))
      yield* mooring([...JSON_FAST, "--for", "300ms"], { stdio: ["ignore", write, write] })
      for (const line of text.trimEnd().split("\n")) assert.match(line, /^(?:\{.*\}|\d{4}-.*)$/)
    }).pipe(Effect.scoped)
  )
})
