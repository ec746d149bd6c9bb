/** A host and a server as a test of faults has them, and what must be true of them at the end of every such test. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Host from "./hostProgram.ts"
import type * as Names from "./dnsProgram.ts"
import * as Lab from "./lab.ts"
import * as Program from "./program.ts"
import type * as Server from "./serverProgram.ts"

type Status = NonNullable<Host.Line["status"]>
type Plugin = Status["plugins"][number]
export type Connection = Plugin["websocket_connections"][number]

export type ServerProgram = Program.Program<Server.Line, Server.Order>
export type HostProgram = Program.Program<Host.Line, Host.Order>

/** Whether this is the long form of the suite, with the times of real life. */
export const isLong = process.env["MOORING_FAULTS"] === "long"

/** A test of the long form alone. */
export const long = {
  skipped: !isLong,
  name: (name: string) => (isLong ? name : `${name} [skipped: needs MOORING_FAULTS=long]`)
}

export const portOf = (server: ServerProgram): number =>
  server.said.find(({ listening }) => listening !== undefined)?.port ?? 0

/** Waits until something is so. */
export const eventually = (holds: () => boolean, withinMs = 10_000): Effect.Effect<void> =>
  Effect.gen(function* () {
    const deadline = performance.now() + withinMs
    while (!holds()) {
      if (performance.now() > deadline) return yield* Effect.die(new Error(`not within ${withinMs} ms: ${holds}`))
      yield* Effect.sleep(10)
    }
  })

/** Milliseconds by the clock that all processes of a test share. */
export const now = (): number => performance.timeOrigin + performance.now()

/** Those of the middle. */
export const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

export const serve = (
  port: number,
  addresses: ReadonlyArray<string>,
  where: Program.Where = Program.HERE
): Effect.Effect<ServerProgram, never, Scope.Scope> =>
  Effect.tap(
    Program.start<Server.Line, Server.Order>("serverProgram.ts", [String(port), ...addresses], where),
    (server) => server.until(({ listening }) => listening)
  )

export const host = (
  setup: Host.Setup,
  where: Program.Where = Program.HERE
): Effect.Effect<HostProgram, never, Scope.Scope> =>
  Effect.tap(Program.start<Host.Line, Host.Order>("hostProgram.ts", [JSON.stringify(setup)], where), (program) =>
    program.until(({ ready }) => ready)
  )

/**
 * The clocks of a host: those that it has by default, or shorter ones in the short form. A connection is pinged within a
 * second of its open, whatever they are.
 */
export const limits = isLong
  ? { pingIntervalMs: 30_000, pongDeadlineMs: 10_000, openDeadlineMs: 10_000 }
  : { pingIntervalMs: 1000, pongDeadlineMs: 1000, openDeadlineMs: 2000 }

/** Within so much a peer that says nothing more is noticed, on a machine that has other things to do. */
export const NOTICED_MS = isLong ? limits.pingIntervalMs + limits.pongDeadlineMs + 5000 : 20_000

/** No server was reached: the next dial is at most so much later. */
export const WAIT_MS = 5000

/** Within so much after a fault is over its connections are open again, on such a machine. */
export const RECOVERED_MS = WAIT_MS + limits.openDeadlineMs + 5000

/** A lab with a server at the far end and a host whose sources, at these paths of it, are open. */
export const openOver = (paths: ReadonlyArray<string>, setup: Partial<Host.Setup> = {}) =>
  Effect.gen(function* () {
    const lab = yield* Lab.make
    const server = yield* serve(80, ["0.0.0.0"], lab.far)
    const sources = paths.map((path) => `ws://${Lab.FAR}${path}`)
    const program = yield* host({ sources, target: Lab.FAR, limits, ...setup }, lab.host)
    yield* Effect.forEach(sources, (source) => event(program, { kind: "websocket_open", source }))
    return { lab, server, host: program, sources }
  })

/** How an event is looked for: by its kind, and its epoch or what it says where these are given. */
export interface Wanted {
  readonly kind: Host.Told["kind"]
  readonly epoch?: number
  readonly source?: string
  /** Not the first such, but this one. */
  readonly nth?: number
}

const isWanted = (event: Host.Told, { epoch, kind, source }: Wanted) =>
  event.kind === kind &&
  (epoch === undefined || event.epoch === epoch) &&
  (source === undefined || event.source.endsWith(source))

/** The event, with the time at which the plugin had it. */
export const event = (program: HostProgram, wanted: Wanted, withinMs?: number) =>
  Effect.suspend(() => {
    let left = wanted.nth ?? 1
    return program.until(
      (line) =>
        line.event !== undefined && isWanted(line.event, wanted) && --left === 0
          ? { ...line.event, at: line.at }
          : undefined,
      withinMs
    )
  })

/** A name server in a place; `answer` changes what it says, and returns when it does. */
export const nameServer = (address: string, where: Program.Where, answers: Names.Order["answers"]) =>
  Effect.gen(function* () {
    const program = yield* Program.start<Names.Line, Names.Order>("dnsProgram.ts", [address], where)
    const answer = (next: Names.Order["answers"]) =>
      Effect.suspend(() => {
        const after = program.said.length
        program.tell({ answers: next })
        return Effect.asVoid(program.until((line) => ("ready" in line ? true : undefined), undefined, after))
      })
    yield* answer(answers)
    const asked = () => program.said.flatMap((line) => ("asked" in line ? [line.asked] : []))
    return { answer, asked }
  })

export const events = (program: HostProgram): ReadonlyArray<Host.Told> =>
  program.said.flatMap((line) => (line.event === undefined ? [] : [line.event]))

export const status = (program: HostProgram): Effect.Effect<Plugin> =>
  Effect.suspend(() => {
    const after = program.said.length
    program.tell({ do: "status" })
    return program.until((line) => line.status?.plugins[0], undefined, after)
  })

/** The connection, as soon as it is as it should be. */
export const connection = (program: HostProgram, holds: (connection: Connection) => boolean, withinMs = 10_000) =>
  Effect.gen(function* () {
    const until = performance.now() + withinMs
    while (true) {
      const [first] = (yield* status(program)).websocket_connections
      if (first !== undefined && holds(first)) return first
      if (performance.now() > until) return yield* Effect.die(new Error(`${holds}: ${JSON.stringify(first)}`))
      yield* Effect.sleep(20)
    }
  })

/** Waits until all connections are open. */
export const allOpen = (program: HostProgram, withinMs: number) =>
  Effect.gen(function* () {
    const until = performance.now() + withinMs
    while (true) {
      const connections = (yield* status(program)).websocket_connections
      const others = connections.filter(({ state }) => state !== "open")
      if (others.length === 0) return connections
      if (performance.now() > until) {
        const told = others.map((it) => `${it.state} ${it.next_attempt_at} ${it.last_error?.message}`)
        return yield* Effect.die(new Error(`not open after ${withinMs} ms:\n${told.join("\n")}`))
      }
      yield* Effect.sleep(50)
    }
  })

/** The paths of those that are open. */
export const openPaths = (program: HostProgram) =>
  Effect.map(status(program), ({ websocket_connections: connections }) =>
    connections.flatMap(({ state, url }) => (state === "open" ? [new URL(url).pathname] : []))
  )

/** When a connection opened for the last time so far. */
export const lastOpen = (program: HostProgram, path: string) =>
  Effect.suspend(() => {
    const opens = program.said.filter(
      (line) =>
        line.event?.kind === "websocket_open" && new URL(line.event.source.slice("websocket:".length)).pathname === path
    )
    const last = opens.at(-1)
    return last === undefined ? Effect.die(new Error(`${path} never opened`)) : Effect.succeed(last)
  })

export const report = (server: ServerProgram): Effect.Effect<Server.Report> =>
  Effect.suspend(() => {
    const after = server.said.length
    server.tell({ do: "report" })
    return server.until((line) => line.report, undefined, after)
  })

/** Waits until so many texts of the plugin have come to a path of the server. */
export const arrived = (server: ServerProgram, path: string, count: number, withinMs = 10_000) =>
  Effect.gen(function* () {
    const until = performance.now() + withinMs
    while (true) {
      const got = (yield* report(server)).paths[path]?.got.length ?? 0
      if (got >= count) return
      if (performance.now() > until) return yield* Effect.die(new Error(`${got} of ${count} texts came to ${path}`))
      yield* Effect.sleep(20)
    }
  })

/** Rule 2 of the design. */
const assertAccounted = ({
  dispatch_counters: of,
  queue_depth: waiting,
  websocket_connections: connections
}: Plugin) => {
  const ends = of.dispatched + of.failed + of.timed_out + of.evicted + of.discarded
  assert.strictEqual(of.enqueued, ends + waiting + of.in_flight)
  for (const it of connections) {
    assert.strictEqual(
      it.received_text_frames,
      it.enqueued_text + it.rejected_text + it.ignored_text + it.auto_replied,
      it.url
    )
  }
}

/** Rule 4: the sequence of each source grows by one and what was dropped, and frames of an epoch never go back. */
const assertNoSilentGap = (told: ReadonlyArray<Host.Told>) => {
  const last = new Map<string, Host.Told>()
  for (const it of told) {
    if (!it.source.startsWith("websocket:")) continue
    const before = last.get(it.source)
    assert.strictEqual(it.sequence, (before?.sequence ?? 0) + 1 + it.droppedBefore, JSON.stringify(it))
    last.set(it.source, it)
  }
}

export interface Outcome {
  readonly plugin: Plugin
  readonly connection: Connection
  /** The tags of all diagnostics that are more than a notice, in order. */
  readonly faults: ReadonlyArray<string>
  /** How long the process took to end once it was told. */
  readonly endedMs: number
  /** How many texts the plugin sent in vain, over all sources: what the server never got. */
  readonly lost: number
}

const GRACE_MS = 5000

/**
 * Ends the host, and checks what is true after every fault: the accounts are exact, no gap is silent, at most so much
 * was lost as is said, and the process ends by itself within the grace.
 */
export const finish = (program: HostProgram, server: ServerProgram, graceMs = GRACE_MS): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const beganAt = performance.now()
    yield* program.end
    const exited = yield* program.wait(() => program.exited ?? undefined, graceMs + GRACE_MS)
    assert.deepInclude(exited, { code: 0, signal: null })
    const plugin = program.said.at(-1)?.final?.plugins[0]
    const [first] = plugin?.websocket_connections ?? []
    if (plugin === undefined || first === undefined) return yield* Effect.die(new Error("it told no last status"))
    assertAccounted(plugin)
    assert.strictEqual(plugin.queue_depth, 0)
    assert.strictEqual(plugin.dispatch_counters.in_flight, 0)
    const told = events(program)
    assertNoSilentGap(told)
    const { paths } = yield* report(server)
    let lost = 0
    for (const { sent_text_frames: sent, unconfirmed_at_ends: unconfirmed, url } of plugin.websocket_connections) {
      const missing = sent - (paths[new URL(url).pathname]?.got.length ?? 0)
      assert.isAtMost(missing, unconfirmed, `${url}: ${sent} were sent`)
      lost += missing
    }
    const faults = plugin.diagnostics.flatMap(({ count, severity, tag }) =>
      severity === "info" ? [] : Array.from({ length: count }, () => tag)
    )
    return { plugin, connection: first, faults, endedMs: exited.at - beganAt, lost }
  })
