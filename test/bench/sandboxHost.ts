/**
 * One contestant of `sandbox.ts`, in a process of its own so that its CPU time
 * is its own, over all its threads: `node sandboxHost.ts <what> <arguments>`.
 * The network is the fake one, so that what is measured is the host.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import { Enablement, IngressEvent, Limits, OutputCommand, PluginHost, ServicePlugin, type PluginRuntime } from "mooring"
import { Sandbox } from "mooring/sandbox"
import { FakeWebSocket, TestHost, type Remote } from "mooring/testing"

const [what = "", ...args] = process.argv.slice(2)

const TARGETS = [{ scheme: "ws", host: "127.0.0.1", port: 7700, pathPrefixes: ["/"] }] as const
const urlOf = (name: string) => `ws://127.0.0.1:7700/${name}`
/** With it an event has about 300 bytes as JSON, and with the other one an answer 250. */
const TEXT_IN = 24
const TEXT_OUT = 150

const declared = (name: string, handlers: ServicePlugin.Handlers = {}) =>
  ServicePlugin.make({
    id: `bench.${name}`,
    version: "1.0.0",
    ingresses: { feed: { sources: [urlOf(name)] } },
    websocket: TARGETS,
    handlers: { feed: handlers }
  })

const enable = ({ digest, manifest }: PluginRuntime.PluginPackage, limits = {}) =>
  Result.getOrThrow(
    Enablement.decode({
      id: `project:${manifest.id}`,
      version: manifest.version,
      digest,
      limits,
      grants: {
        permissions: manifest.permissions,
        websocket: TARGETS.map(({ pathPrefixes, ...target }) => ({
          ...target,
          path_prefixes: pathPrefixes,
          sends_per_minute: 0,
          send_bytes_per_minute: 0
        }))
      }
    })
  )

const sandboxed = (sandbox: Sandbox.Sandbox["Service"], name: string, code: string) => {
  const { digest, manifest } = declared(name)
  return sandbox.package({
    manifest: { ...manifest, runtime: { kind: "javascript", entry: "plugin.js" } },
    digest,
    entry: new TextEncoder().encode(code)
  })
}

const ANSWERING = `
import { websocketSend } from "mooring/guest"
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return
  return { output_commands: [websocketSend(event, event.payload.text + "${"y".repeat(TEXT_OUT - TEXT_IN)}")] }
}`

/** Works so many milliseconds an event. */
const working = (ms: number) => `
export function handleIngress(name, event) {
  const end = Date.now() + ${ms}
  while (Date.now() < end);
}`

const KILLED = `
export function handleIngress(name, event) {
  if (event.kind === "websocket_text") [].join.call({ length: 2 ** 32 - 1 })
}`

const trusted = () =>
  declared("own", {
    websocket_text: (event) =>
      Exit.succeed({ commands: [OutputCommand.send(event, event.text + "y".repeat(TEXT_OUT - TEXT_IN))] })
  })

/** Says what comes of it, and ends. */
const said = <A>(measured: Effect.Effect<A, unknown>): void => {
  const program = Effect.tap(measured, (figures) =>
    Effect.sync(() => process.stdout.write(`${JSON.stringify(figures)}\n`))
  )
  Effect.runPromise(Effect.provide(program, Logger.layer([]))).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`)
    process.exitCode = 1
  })
}

interface Hosted {
  readonly plugins: (sandbox: Sandbox.Sandbox["Service"]) => ReadonlyArray<PluginRuntime.PluginPackage>
  readonly limits?: Partial<Limits.Values>
  readonly own?: { readonly [limit: string]: number }
}

/** Runs against a host. */
const run = <A>(
  { limits = {}, own = {}, plugins }: Hosted,
  measured: Effect.Effect<A, unknown, FakeWebSocket.FakeWebSocket | PluginHost.PluginHost>
): void => {
  const host = Layer.unwrap(
    Effect.map(Sandbox.Sandbox, (sandbox) => {
      const made = plugins(sandbox)
      return TestHost.layer({
        plugins: made,
        enabled: made.map((pkg) => enable(pkg, own)),
        limits: { pingIntervalMs: 0, dialsPerSecond: 10_000, connectionsPerPlugin: 64, ...limits }
      })
    })
  ).pipe(Layer.provide(Sandbox.layer))
  said(measured.pipe(Effect.provide(host)))
}

const remoteOf = (name: string, nth = 1) => FakeWebSocket.FakeWebSocket.use((fake) => fake.remote(urlOf(name), nth))

/** Sends so many texts at once, and waits until each is answered. */
const exchanged = (remote: Remote.Remote, texts: ReadonlyArray<string>) =>
  Effect.suspend(() => {
    remote.sent.length = 0
    remote.sendBurst(texts)
    return remote.received(texts.length)
  })

/** CPU of a dispatch, over all threads, with so many at once. */
const cost = (kind: string, batch: number, events: number): void =>
  run(
    { plugins: (sandbox) => [kind === "trusted" ? trusted() : sandboxed(sandbox, "own", ANSWERING)] },
    Effect.gen(function* () {
      const remote = yield* remoteOf("own")
      const texts = Array.from({ length: batch }, () => "x".repeat(TEXT_IN))
      const round = exchanged(remote, texts)
      const rounds = Math.ceil(events / batch)
      yield* Effect.repeat(round, { times: Math.ceil(rounds / 4) })
      const cpu = process.cpuUsage()
      const at = performance.now()
      yield* Effect.repeat(round, { times: rounds - 1 })
      const { system, user } = process.cpuUsage(cpu)
      const count = rounds * batch
      return { cpuUs: (system + user) / count, wallUs: ((performance.now() - at) * 1000) / count }
    })
  )

const MIB = 1_048_576
const pause = Effect.sleep(500)

/** What so many plugins take to start, and what they hold beside their workers. */
const start = (count: number): void => {
  const names = Array.from({ length: count }, (_, index) => `p${index}`)
  const from = performance.now()
  run(
    { plugins: (sandbox) => names.map((name) => sandboxed(sandbox, name, ANSWERING)) },
    Effect.gen(function* () {
      const { status } = yield* PluginHost.PluginHost
      for (const name of names) yield* remoteOf(name)
      const startMs = performance.now() - from
      const used = process.cpuUsage()
      const { plugins } = yield* status
      const running = plugins.filter(({ lifecycle }) => lifecycle === "running").length
      yield* pause
      globalThis.gc?.()
      yield* pause
      return { startMs, cpuMs: (used.user + used.system) / 1000, running, rssMib: process.memoryUsage.rss() / MIB }
    })
  )
}

/** How long a plugin waits for its answer whose neighbour in the same worker works for so long at each of its events. */
const delay = (workMs: number, times: number): void =>
  run(
    {
      limits: { sandboxWorkers: 1 },
      // One that hogs its worker would be told apart after 5 seconds.
      plugins: (sandbox) => [sandboxed(sandbox, "own", ANSWERING), sandboxed(sandbox, "busy", working(workMs))]
    },
    Effect.gen(function* () {
      const own = yield* remoteOf("own")
      const busy = yield* remoteOf("busy")
      const delays: Array<number> = []
      const until = performance.now() + 4000
      while (delays.length < times && performance.now() < until) {
        if (workMs > 0) busy.sendText("x")
        if (workMs > 0 && delays.length % 8 === 0) busy.sendBurst(Array.from({ length: 8 }, () => "x"))
        const from = performance.now()
        yield* exchanged(own, ["x"])
        delays.push(performance.now() - from)
        yield* Effect.sleep(3)
      }
      const sorted = delays.toSorted((a, b) => a - b)
      const share = (part: number) => sorted[Math.floor((sorted.length - 1) * part)] ?? 0
      return { p50Ms: share(0.5), p99Ms: share(0.99), maxMs: share(1), times: sorted.length }
    })
  )

/** So many workers are ended side by side: each takes most of a processor. */
const SIDE_BY_SIDE = 2
const keys = Array.from({ length: SIDE_BY_SIDE }, (_, index) => `own ${index}`)

/** Starts a guest and ends its worker with an event that never ends. The supervisor's backoff would take hours. */
const kill = (pkg: PluginRuntime.PluginPackage, key: string) =>
  Effect.gen(function* () {
    const instance = yield* pkg.runtime.start({
      key,
      limits: { ...Limits.defaults, dispatchDeadlineMs: 10, sandboxWorkers: SIDE_BY_SIDE, soloWorkers: SIDE_BY_SIDE },
      config: {},
      reason: "crash",
      state: null,
      secrets: {},
      deliver: () => Result.succeed(""),
      keys: { names: [], valueOf: () => undefined, listen: () => () => {} }
    })
    const { batches } = instance
    if (batches === undefined) return yield* Effect.die(new Error("no batches"))
    const origin = { key, source: "websocket:ws://a/", id: "a", url: "ws://a/", ingressName: "feed" }
    return yield* Effect.callback<boolean>((resume) => {
      batches.dispatch([new IngressEvent.WebSocketText(origin, 1, 1, 0, 1, "x", 1)], {
        begun: () => {},
        done: (exit) => resume(Effect.succeed(Exit.isFailure(exit))),
        ended: () => {}
      })
    })
  }).pipe(Effect.scoped)

/** What the process holds after so many workers were ended for a native loop, and after many more. */
const kills = (first: number, last: number): void => {
  const program = Effect.gen(function* () {
    const pkg = sandboxed(yield* Sandbox.Sandbox, "own", KILLED)
    const held: Array<number> = []
    let failed = 0
    const from = performance.now()
    let begun = 0
    const until = (most: number) => (key: string) =>
      Effect.whileLoop({
        while: () => begun < most && begun++ < most,
        body: () => kill(pkg, key),
        step: (isFailed) => {
          if (isFailed) failed++
        }
      })
    for (const most of [first, last]) {
      yield* Effect.forEach(keys, until(most), { concurrency: SIDE_BY_SIDE, discard: true })
      globalThis.gc?.()
      yield* pause
      held.push(process.memoryUsage.rss() / MIB)
    }
    const seconds = (performance.now() - from) / 1000
    return { afterFirstMib: held[0] ?? 0, afterLastMib: held[1] ?? 0, killed: failed, seconds }
  })
  said(program.pipe(Effect.provide(Sandbox.layer)))
}

const number = (index: number): number => Number(args[index])
if (what === "cost") cost(args[0] ?? "", number(1), number(2))
if (what === "start") start(number(0))
if (what === "delay") delay(number(0), number(1))
if (what === "kills") kills(number(0), number(1))
