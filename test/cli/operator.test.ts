/** A session of an operator's, from a second process, while a gateway floods the host: what it does to whom. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { HostStatus } from "mooring"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { gateway, tcp } from "../support/servers.ts"
import { folder } from "./support/files.ts"
import { greeting, packaged, rowOf, save } from "./support/hostFiles.ts"
import { mooring } from "./support/program.ts"
import { running } from "./support/running.ts"

const ECHO = "project:example.echo"
const FLOOD = "project:example.flood"

const EVERY_MS = 5
const AT_ONCE = 40
const MOST_BUFFERED = 1 << 18

/** A server that sends thousands of texts a second, for as long as it is read. */
const flooding = gateway((peer) => {
  const send = () => {
    for (let nth = 0; nth < AT_ONCE && peer.bufferedAmount < MOST_BUFFERED; nth++)
      peer.send(`${nth} ${"x".repeat(120)}`)
  }
  const timer = setInterval(send, EVERY_MS)
  peer.on("close", () => clearInterval(timer))
})

/** Answers a `note` by a text to its gateway. */
const NOTED = `import { websocketSend } from "mooring/guest"
export function handleIngress(name, event) {
  if (event.kind !== "note") return {}
  return { output_commands: [websocketSend("URL", "noted " + event.payload.words)] }
}
`

const rowsOf = (status: HostStatus.HostStatus) => {
  const [echo, flood] = [rowOf(status), rowOf(status, "flood")]
  assert.isDefined(echo)
  assert.isDefined(flood)
  return { echo: echo as HostStatus.PluginStatus, flood: flood as HostStatus.PluginStatus }
}

const isOpen = (row: HostStatus.PluginStatus) => row.websocketConnections[0]?.state === "open"

/** Each event of a plugin has ended in exactly one way, or waits. */
const assertAccounted = ({ dispatchCounters: of, queueDepth }: HostStatus.PluginStatus) => {
  const ended = of.dispatched + of.failed + of.timedOut + of.evicted + of.discarded
  assert.strictEqual(of.enqueued, ended + queueDepth + of.inFlight)
}

/** A host that is flooded by one server, beside another one; `table`: what its file has beside them. */
const flooded = (table: string) =>
  Effect.gen(function* () {
    const root = yield* folder
    const greeter = yield* greeting
    const url = `ws://127.0.0.1:${greeter.port}/gateway`
    const echo = yield* packaged(root, "echo", greeter.port, NOTED.replace("URL", url), ["websocket_text", "note"])
    const flood = yield* packaged(root, "flood", (yield* flooding).port, "export const handleIngress = () => ({})")
    save(root, `${table}\n${echo()}\n${flood()}`)
    const host = yield* running(path.join(root, "host.toml"))
    yield* host.seen("a flood", (status) => (rowOf(status, "flood")?.dispatchCounters.dispatched ?? 0) > 1000)
    const socket = path.join(root, "m.sock")
    const ctl = (...words: ReadonlyArray<string>) => mooring(["ctl", ...words, "--control", `unix:${socket}`])
    return { ctl, greeter, host, socket }
  })

const CONTROL = '[control]\nlisten = "unix:m.sock"\n'

describe("an operator's session", () => {
  it.live(
    "stops, starts, restarts, reconnects and delivers, while a flood goes on that none of it holds up",
    () =>
      Effect.gen(function* () {
        const { ctl, greeter, host } = yield* flooded(CONTROL)
        const now = (what: string, holds: (rows: ReturnType<typeof rowsOf>) => boolean) =>
          Effect.map(
            host.seen(what, (status) => holds(rowsOf(status))),
            rowsOf
          )
        let { echo, flood } = yield* now("both", (rows) => isOpen(rows.echo))
        const id = echo.websocketConnections[0]?.id ?? ""

        /** What is done to `echo`, and that it was; `flood` goes on meanwhile, in its one connection. */
        const done = (words: ReadonlyArray<string>, holds: (row: HostStatus.PluginStatus) => boolean) =>
          Effect.gen(function* () {
            const before = flood.dispatchCounters.dispatched
            assert.deepInclude(yield* ctl(...words), { code: 0, stderr: "" }, words.join(" "))
            ;({ echo, flood } = yield* now(words.join(" "), (rows) => holds(rows.echo)))
            assert.isAbove(flood.dispatchCounters.dispatched, before + 100, words.join(" "))
            assert.strictEqual(flood.websocketConnections[0]?.epoch, 1)
            assertAccounted(flood)
            assertAccounted(echo)
          })

        const epochs = () => echo.websocketConnections[0]?.epoch ?? 0
        const again = (from: number) => (row: HostStatus.PluginStatus) =>
          row.lifecycle === "running" && isOpen(row) && (row.websocketConnections[0]?.epoch ?? 0) > from
        yield* done(["stop", ECHO], ({ lifecycle }) => lifecycle === "stopped")
        yield* done(["start", ECHO], again(epochs()))
        yield* done(["restart", ECHO], again(epochs()))
        yield* done(["reconnect", ECHO, id], again(epochs()))
        const sent = echo.dispatchCounters.dispatched
        const note = JSON.stringify({ words: "at night" })
        yield* done(["deliver", ECHO, "gateway", "note", note], (row) => row.dispatchCounters.dispatched > sent)
        assert.include(greeter.answers, "noted at night")
        assert.strictEqual(echo.restarts, 0)

        // The same to the one that is flooded.
        const { dispatched } = flood.dispatchCounters
        assert.strictEqual((yield* ctl("restart", FLOOD)).code, 0)
        const after = yield* now(
          "a flood again",
          (rows) => rows.flood.websocketConnections[0]?.epoch === 2 && isOpen(rows.flood)
        )
        assert.isAtLeast(after.flood.dispatchCounters.dispatched, dispatched)
        assert.strictEqual((yield* ctl("stop", FLOOD)).code, 0)
        const stopped = yield* now("its end", (rows) => rows.flood.lifecycle === "stopped")
        assertAccounted(stopped.flood)
        assert.strictEqual(stopped.flood.queueDepth, 0)
        assert.isTrue(isOpen(stopped.echo))

        host.child.kill("SIGTERM")
        assert.strictEqual((yield* host.ended).code, 0)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "ends in order though everything is on: a flood, a collector that never answers, readers that never read",
    () =>
      Effect.gen(function* () {
        const { port } = yield* tcp(() => {})
        const otlp = `otlp = { url = "http://127.0.0.1:${port}", interval = "1s" }\nsample = 1.0\n`
        const { ctl, host, socket } = yield* flooded(`${CONTROL}[metrics]\nprometheus = true\n${otlp}[traces]\n${otlp}`)
        yield* Effect.forEach(["/events", "/status", ""], (target) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const connection = net.connect(socket).pause()
              connection.on("error", () => {})
              if (target !== "") connection.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
              return connection
            }),
            (connection) => Effect.sync(() => connection.destroy())
          )
        )
        assert.strictEqual((yield* ctl("status")).code, 0)
        host.child.kill("SIGTERM")
        // Without all this it takes a fraction of a second, and the last export at most one: this is ten times that.
        const { code, last } = yield* Effect.timeout(host.ended, "15 seconds")
        assert.strictEqual(code, 0)
        assert.deepStrictEqual(
          last?.plugins.map(({ lifecycle }) => lifecycle),
          ["stopped", "stopped"]
        )
        assert.isFalse(fs.existsSync(socket))
      }).pipe(Effect.scoped),
    120_000
  )
})
