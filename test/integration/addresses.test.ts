import { assert, describe, it } from "@effect/vitest"
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { GrantStore, PluginHost, ResolveAddresses } from "mooring"
import { DnsAddresses, WsClient } from "mooring/node"
import { spawn } from "node:child_process"
import * as Net from "node:net"
import * as Dns from "../support/dns.ts"
import { enable, plugin } from "../support/plugins.ts"
import * as Servers from "../support/servers.ts"
import { assertSeen, errorOf, eventually, runHost, type Setup, the } from "./support/host.ts"

const NAME = "gateway.test"
const HERE = "127.0.0.1"
// Loopback as well, and nobody listens there: refused at once.
const ELSEWHERE = "127.0.0.2"
const METADATA = "169.254.169.254"

const named = (port: number, resolve: ResolveAddresses.Resolve, setup: Partial<Setup> = {}): Setup => ({
  sources: [`ws://${NAME}:${port}/`],
  target: NAME,
  grant: { private_addresses: true },
  client: { resolve },
  ...setup
})

const says =
  (...answers: ReadonlyArray<ReadonlyArray<string>>) =>
  () =>
    Stream.fromIterable(answers)

/** A resolver whose answers come when the test says so. */
const told = () => {
  let asking: Queue.Queue<ReadonlyArray<string>, ResolveAddresses.LookupFailed | Cause.Done> | undefined
  const resolve: ResolveAddresses.Resolve = () =>
    Stream.callback((queue) =>
      Effect.sync(() => {
        asking = queue
      })
    )
  return {
    resolve,
    asked: eventually(
      Effect.sync(() => asking !== undefined),
      (isAsked) => isAsked
    ),
    say: (...addresses: ReadonlyArray<string>) => Queue.offerUnsafe(the(asking), addresses),
    end: () => Queue.endUnsafe(the(asking))
  }
}

const opens = (setup: Setup) =>
  Effect.gen(function* () {
    const { until } = yield* runHost(setup)
    const seen = yield* until(({ events }) => events.length === 2)
    assertSeen(seen, { state: "open", epoch: 1, events: ["open 1", "text 1.1 hi"], diagnostics: [] })
    assert.strictEqual(seen.connection.remoteAddress, HERE)
  })
const greeter = Servers.gateway((peer) => peer.send("hi"))

describe("the addresses of a name", () => {
  it.live("are tried until one answers", () =>
    Effect.gen(function* () {
      const { port, sockets } = yield* greeter
      yield* opens(named(port, says(["::1", ELSEWHERE, HERE, "127.0.0.3"])))
      yield* opens(named(port, says(["::1", ELSEWHERE], [HERE])))
      assert.strictEqual(sockets.length, 2)
    })
  )

  it.live("are tried as they come: dialling begins with one family, and the other joins", () =>
    Effect.gen(function* () {
      const { port } = yield* greeter
      const { asked, resolve, say } = told()
      const { seen, until } = yield* runHost(named(port, resolve))
      yield* asked
      say(ELSEWHERE)
      yield* Effect.sleep("100 millis")
      assert.strictEqual((yield* seen).connection.state, "connecting")
      say(HERE)
      const { connection } = yield* until(({ events }) => events.length === 2)
      assert.strictEqual(connection.remoteAddress, HERE)
    })
  )

  it.live("fail with the failure of one that was reached", () =>
    Effect.gen(function* () {
      const port = yield* Servers.closedPort
      // 240.0.0.1 would be denied: it is the network that is out of reach of this address.
      const { until } = yield* runHost(named(port, says(["::1", ELSEWHERE, HERE])))
      const seen = yield* until(({ events }) => events.length > 0)
      assert.deepInclude(errorOf(seen, "DialFailed"), { phase: "tcp", code: "ECONNREFUSED" })
    })
  )

  for (const [what, answers] of [
    ["one answer", [[HERE, METADATA]]],
    ["the second of two", [[HERE], [METADATA]]],
    ["an answer that is no address", [[HERE, "gateway.example"]]],
    ["an answer with a zone", [[HERE, "fe80::1%lo"]]]
  ] as const) {
    it.live(`are all denied by ${what}, and nothing is dialled`, () =>
      Effect.gen(function* () {
        const { port, sockets } = yield* greeter
        const { until } = yield* runHost(named(port, says(...answers)))
        const seen = yield* until(({ events }) => events.length > 0)
        assertSeen(seen, {
          state: "stopped address",
          epoch: 0,
          events: ["error 0 AddressDenied, stops"],
          diagnostics: ["warning AddressDenied × 1"]
        })
        assert.strictEqual(sockets.length, 0)
      })
    )
  }

  it.live("are denied where one is the host's own, unless private ones are granted", () =>
    Effect.gen(function* () {
      const own = "8.8.8.8"
      const client = { resolve: says([own]), ownAddresses: () => [HERE, own] }
      const { port } = yield* greeter
      const { until } = yield* runHost(named(port, client.resolve, { client, grant: {} }))
      const seen = yield* until(({ events }) => events.length > 0)
      assertSeen(seen, {
        state: "stopped address",
        epoch: 0,
        events: ["error 0 AddressDenied, stops"],
        diagnostics: ["warning AddressDenied × 1"]
      })
      assert.strictEqual(errorOf(seen, "AddressDenied")["address"], own)
    })
  )

  it.live("are asked for anew at each reconnect: where they changed to one that is denied, nothing is dialled", () =>
    Effect.gen(function* () {
      const answers = [[HERE], [HERE], [METADATA]]
      let asked = 0
      const resolve = () => Stream.succeed(answers[asked++] ?? [METADATA])
      const { port, sockets } = yield* Servers.gateway((peer) => peer.close(1000))
      const { until } = yield* runHost(named(port, resolve, { reconnect: { initial_ms: 1, max_ms: 1 } }))
      const seen = yield* until(({ connection }) => connection.state === "stopped")
      assert.deepInclude(seen.connection, { stopReason: "address", epoch: 2 })
      assert.deepStrictEqual([asked, sockets.length], [3, 2])
    })
  )

  it.live("may be wrong for a while, as a captive portal's are: the source is dialled again by itself", () =>
    Effect.gen(function* () {
      let asked = 0
      const resolve = () => Stream.succeed(++asked <= 3 ? ["192.0.2.1"] : [HERE])
      const { port, sockets } = yield* greeter
      const { until } = yield* runHost(named(port, resolve, { limits: { stoppedRetryMs: 50 } }))
      const seen = yield* until(({ connection }) => connection.state === "open")
      assert.deepStrictEqual(
        seen.events.slice(0, 3),
        Array.from({ length: 3 }, () => "error 0 AddressDenied, stops")
      )
      assert.deepStrictEqual([asked, sockets.length], [4, 1])
    })
  )

  it.live("end the dial by a denied one that comes while it is under way", () =>
    Effect.gen(function* () {
      const { open, port, sockets } = yield* Servers.answering(() => {})
      const { asked, resolve, say } = told()
      const { until } = yield* runHost(named(port, resolve))
      yield* asked
      say(HERE)
      yield* eventually(
        Effect.sync(() => sockets.length),
        (count) => count === 1
      )
      say(METADATA)
      const seen = yield* until(({ events }) => events.length > 0)
      assertSeen(seen, {
        state: "stopped address",
        epoch: 0,
        events: ["error 0 AddressDenied, stops"],
        diagnostics: ["warning AddressDenied × 1"]
      })
      assert.strictEqual(errorOf(seen, "AddressDenied")["address"], METADATA)
      yield* eventually(Effect.sync(open), (count) => count === 0)
    })
  )

  it.live("end the young connection by a denied one that comes after the open", () =>
    Effect.gen(function* () {
      const { open, port } = yield* greeter
      const { asked, resolve, say } = told()
      const { until } = yield* runHost(named(port, resolve))
      yield* asked
      say(HERE)
      yield* until(({ events }) => events.length === 2)
      say(METADATA)
      const seen = yield* until(({ connection }) => connection.state === "stopped")
      yield* until(({ events }) => events.length === 4)
      assert.strictEqual(seen.connection.stopReason, "address")
      assert.strictEqual(seen.connection.lastError?.tag, "AddressDenied")
      assert.deepInclude(seen.connection.lastClose, { code: 1006, clean: false })
      assert.deepStrictEqual(seen.plugin.diagnosticCounts, { AddressDenied: 1 })
      yield* eventually(Effect.sync(open), (count) => count === 0)
    })
  )

  it.live("leave a connection alone that all others of them allow", () =>
    Effect.gen(function* () {
      const { port } = yield* greeter
      const { asked, end, resolve, say } = told()
      const { seen, until } = yield* runHost(named(port, resolve))
      yield* asked
      say(HERE)
      yield* until(({ events }) => events.length === 2)
      say("::1")
      end()
      yield* Effect.sleep("20 millis")
      assert.strictEqual((yield* seen).connection.state, "open")
    })
  )
})

describe("a name that isn't answered", () => {
  it.live("is OpenTimeout in the phase dns, and its answer serves the next dial", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers.gateway(() => {})
      let lookups = 0
      const resolve = () => {
        lookups++
        return Stream.fromEffect(Effect.delay(Effect.succeed([HERE]), 500))
      }
      const reconnect = { initial_ms: 10, max_ms: 10 }
      const { until } = yield* runHost(named(port, resolve, { limits: { openDeadlineMs: 200 }, reconnect }))
      const seen = yield* until(({ connection }) => connection.state === "open")
      assert.deepInclude(errorOf(seen, "OpenTimeout"), { phase: "dns", deadline_ms: 200 })
      assert.strictEqual(lookups, 1)
    })
  )

  it.live("is DialFailed with the resolver's code, or of the client where the resolver dies", () =>
    Effect.gen(function* () {
      const failures = [
        [
          () => Stream.fail(new ResolveAddresses.LookupFailed({ code: "EAI_AGAIN" })),
          { phase: "dns", code: "EAI_AGAIN" }
        ],
        [() => Stream.empty, { phase: "dns", code: "ENOTFOUND" }],
        [() => Stream.succeed([]), { phase: "dns", code: "ENOTFOUND" }],
        [() => Stream.die("broken"), { phase: "client", code: "EDEFECT" }]
      ] as const satisfies ReadonlyArray<readonly [ResolveAddresses.Resolve, object]>
      for (const [resolve, fields] of failures) {
        const { until } = yield* runHost(named(1, resolve))
        const seen = yield* until(({ events }) => events.length > 0)
        assert.deepInclude(errorOf(seen, "DialFailed"), fields)
      }
    })
  )

  it.live("rule 12: holds up no other plugin's dial", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers.gateway(() => {})
      const dns = yield* Dns.serve((name, kind) => {
        if (name.startsWith("silent")) return "silent"
        return { addresses: kind === "A" ? [HERE] : [] }
      })
      const package_ = (name: string, hosts: ReadonlyArray<string>) => {
        const pkg = plugin({
          name,
          sources: hosts.map((host) => `ws://${host}:${port}/`),
          websocket: hosts.map((host) => ({ scheme: "ws", host, port: "*", pathPrefixes: ["/"] }) as const)
        })
        const rest = { scheme: "ws", port: "*", path_prefixes: ["/"], private_addresses: true }
        const websocket = hosts.map((host) => ({ ...rest, host }))
        return [pkg, enable(pkg, { grants: { permissions: pkg.manifest.permissions, websocket } })] as const
      }
      const silent = package_(
        "silent",
        Array.from({ length: 8 }, (_, index) => `silent${index}.example`)
      )
      const modest = package_("modest", ["gateway.example", "localhost"])
      const { resolve } = DnsAddresses.make({ servers: [dns.server] })
      const enabled = [silent[1], modest[1]]
      const live = PluginHost.layer({ plugins: [silent[0], modest[0]], enabled }).pipe(
        Layer.provide([GrantStore.layer(enabled), WsClient.layerOptions({ resolve })])
      )
      const host = Context.get(yield* Layer.build(live), PluginHost.PluginHost)
      const began = performance.now()
      const states = Effect.map(host.status, ({ plugins }) =>
        plugins.map(({ websocketConnections }) => websocketConnections.map(({ state }) => state))
      )
      const [waiting, open] = yield* eventually(
        states,
        ([, other]) => other?.every((state) => state === "open") === true
      )
      assert.deepStrictEqual(open, ["open", "open"])
      assert.isTrue(the(waiting).every((state) => state === "connecting"))
      // A tenth of a second is what is promised.
      assert.isBelow(performance.now() - began, 1000)
    })
  )
})

const STALLING = new URL("support/stalling.mjs", import.meta.url).pathname

/** A server at these addresses at which connecting hangs until it `goes` on. */
const stalled = (port: number, ...addresses: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [STALLING, `${port}`, ...addresses], { stdio: ["ignore", "pipe", "inherit"] })
      ),
      (running) => Effect.sync(() => running.kill("SIGKILL"))
    )
    const at = yield* Effect.callback<number>((resume) => {
      child.stdout.once("data", (line: Buffer) => resume(Effect.succeed(Number(line.toString()))))
    })
    child.kill("SIGSTOP")
    const queued = addresses.flatMap((host) => Array.from({ length: 8 }, () => Net.connect({ port: at, host })))
    yield* Effect.addFinalizer(() => Effect.sync(() => queued.forEach((socket) => socket.destroy())))
    for (const socket of queued) socket.on("error", () => {})
    // Those that found room in the queue are connected; the others wait as a dial will.
    yield* eventually(
      Effect.sync(() => addresses.map((host) => queued.filter(({ remoteAddress }) => remoteAddress === host).length)),
      (connected) => connected.every((count) => count > 0)
    )
    return { port: at, goes: Effect.sync(() => child.kill("SIGCONT")) }
  })

describe("an address that doesn't answer", () => {
  it.live("gives way to the next after a quarter of a second", () =>
    Effect.gen(function* () {
      const { port } = yield* Servers.gateway((peer) => peer.send("hi"))
      yield* stalled(port, ELSEWHERE)
      yield* opens(named(port, says([ELSEWHERE, HERE])))
    })
  )

  it.live("isn't given up: two that take longer than the next is waited for open within the deadline", () =>
    Effect.gen(function* () {
      const { goes, port } = yield* stalled(0, ELSEWHERE, "127.0.0.3")
      const { seen, until } = yield* runHost(named(port, says([ELSEWHERE, "127.0.0.3"])))
      yield* Effect.sleep("700 millis")
      assert.strictEqual((yield* seen).connection.state, "connecting")
      yield* goes
      const { connection, plugin: row } = yield* until(({ events }) => events.length > 0)
      assert.strictEqual(connection.state, "open")
      assert.deepStrictEqual(row.diagnosticCounts, {})
    })
  )

  it.live("is OpenTimeout in the phase tcp", () =>
    Effect.gen(function* () {
      const { port } = yield* stalled(0, HERE)
      const limits = { openDeadlineMs: 400 }
      const { until } = yield* runHost({ sources: [`ws://${HERE}:${port}/`], limits })
      const seen = yield* until(({ events }) => events.length > 0)
      assert.deepInclude(errorOf(seen, "OpenTimeout"), { phase: "tcp" })
    })
  )
})

const DIALLER = new URL("support/dialler.ts", import.meta.url).pathname

/** Runs the program to its end: what it wrote, and how long it went on after it had said that it stops. */
const dials = (server: string, urls: ReadonlyArray<string>, shell: string = "") =>
  Effect.gen(function* () {
    const command = [process.execPath, DIALLER, server, ...urls].map((word) => `'${word}'`).join(" ")
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn("sh", ["-c", `${shell} exec ${command}`], { stdio: ["ignore", "pipe", "inherit"] })),
      (running) => Effect.sync(() => running.kill("SIGKILL"))
    )
    return yield* Effect.callback<{ readonly lines: ReadonlyArray<string>; readonly endedAfterMs: number }>(
      (resume) => {
        let written = ""
        let stoppingAt = Number.NaN
        child.stdout.on("data", (chunk: Buffer) => {
          written += chunk.toString()
          if (written.endsWith("stopping\n")) stoppingAt = performance.now()
        })
        child.on("close", () => {
          const lines = written.trimEnd().split("\n")
          resume(Effect.succeed({ lines, endedAfterMs: performance.now() - stoppingAt }))
        })
      }
    )
  })

describe("a process", () => {
  it.live("rule 9: ends although names that it looks up aren't answered", () =>
    Effect.gen(function* () {
      const { asked, server } = yield* Dns.serve(() => "silent")
      const urls = [1, 2, 3, 4].map((index) => `ws://silent${index}.example/`)
      const { endedAfterMs, lines } = yield* dials(server, urls)
      assert.strictEqual(lines.filter((line) => line.includes("was not open after 300 ms")).length, 4)
      assert.include(asked, "A silent1.example")
      // At once; a lookup that nobody cancels holds it for 15 seconds.
      assert.isBelow(endedAfterMs, 5000)
    })
  )

  it.live("without file descriptors says so, where it was seen", () =>
    Effect.gen(function* () {
      const { server } = yield* Dns.serve((_name, kind) => ({ addresses: kind === "A" ? [HERE] : [] }))
      const port = yield* Servers.closedPort
      const urls = ["gateway.example", "localhost", HERE].map((host) => `ws://${host}:${port}/`)
      const { lines } = yield* dials(server, urls, "ulimit -n 128; export EXHAUST=1;")
      const said = (url: string) => lines.find((line) => line.startsWith(url))
      assert.include(said(urls[0] ?? ""), "dns failed with EMFILE")
      assert.include(said(urls[1] ?? ""), "tcp failed with EMFILE")
      assert.include(said(urls[2] ?? ""), "tcp failed with EMFILE")
    })
  )
})
