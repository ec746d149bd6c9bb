/** What can only be done to a whole process: stopping it, and leaving it no room. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { once } from "node:events"
import type { Order, Setup, Told } from "./support/hostProgram.ts"

const PROGRAM = new URL("support/hostProgram.ts", import.meta.url).pathname

interface Host {
  readonly order: (order: Order) => void
  readonly tell: Effect.Effect<Told>
  readonly signal: (name: NodeJS.Signals) => void
}

/** A host in a process of its own that ends with the scope; its address space may be bounded, and unbounded later. */
const hostOf = (setup: Setup, mostBytes?: number): Effect.Effect<Host, never, Scope.Scope> =>
  Effect.gen(function* () {
    const command = [process.execPath, PROGRAM, JSON.stringify(setup)]
    const [file = "", ...args] =
      mostBytes === undefined ? command : ["prlimit", `--as=${mostBytes}:unlimited`, ...command]
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(file, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] })),
      (running) =>
        Effect.promise(async () => {
          const ended = running.exitCode !== null || running.signalCode !== null || once(running, "exit")
          running.kill("SIGCONT")
          if (running.connected) running.disconnect()
          const timer = setTimeout(() => running.kill("SIGKILL"), 8000)
          await ended
          clearTimeout(timer)
        })
    )
    const said = (): Promise<Told> => once(child, "message").then(([message]) => message)
    yield* Effect.promise(said)
    const order = (asked: Order): void => void child.send(asked)
    const tell = Effect.promise(() => {
      const told = said()
      order({ do: "tell" })
      return told
    })
    return { order, tell, signal: (name) => void child.kill(name) }
  })

/** Asks until what is told is so. */
const until = (host: Host, isSo: (told: Told) => boolean): Effect.Effect<Told> =>
  Effect.flatMap(host.tell, (told) =>
    isSo(told) ? Effect.succeed(told) : Effect.andThen(Effect.sleep(30), until(host, isSo))
  )

/** Works as long as the text says, by a count and not by the clock, and answers. */
const WORKING = (work: string) => `
import { websocketSend } from "mooring/guest"
export function start(config, { reason, state }) { return { state: reason } }
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  const times = Number(event.payload.text)
  ${work}
  return { output_commands: [websocketSend(event, "done " + times)] }
}`
const NO_ROOM = /^the plugin could not be started: there is no room for another sandboxed plugin$/
/** Works natively for two seconds or so, by a measure that it takes first, at each text but "quick". */
const MEASURED = `
const spin = (length) => "a".repeat(length * 2).indexOf("a".repeat(length) + "b")
const timed = (length) => {
  const from = Date.now()
  spin(length)
  return Date.now() - from
}
let length = 2000
export function start() {
  while (timed(length) < 40) length *= 1.5
  length *= Math.sqrt(2000 / Math.min(timed(length), timed(length), timed(length)))
}
export function handleIngress(name, { kind, payload }) {
  if (kind === "websocket_text" && payload.text !== "quick") spin(Math.floor(length))
}`
const LOOP = "for (let n = 0; n < times; n++);"
const NATIVE = "'a'.repeat(times * 2).indexOf('a'.repeat(times) + 'b')"

const isFailed = (told: Told, name: string): boolean => told[name]?.row?.lifecycle === "failed"
const isRunning = (told: Told, name: string): boolean =>
  told[name]?.row?.lifecycle === "running" && told[name]?.row?.websocketConnections[0]?.state === "open"

describe("a process with a sandbox", () => {
  it.live("rule 6: stopped for longer than any deadline and continued, charges nobody for it", () =>
    Effect.gen(function* () {
      const host = yield* hostOf({
        plugins: [
          { name: "loop", code: WORKING(LOOP), deadlineMs: 3000 },
          { name: "native", code: WORKING(NATIVE), deadlineMs: 3000 },
          { name: "idle", code: WORKING(LOOP), deadlineMs: 3000 }
        ],
        limits: { sandboxWorkers: 3 }
      })
      const before = yield* until(host, (told) =>
        Object.values(told).every(({ row }) => row?.websocketConnections[0]?.state === "open")
      )
      host.order({ do: "send", to: "loop", text: "2000000" })
      host.order({ do: "send", to: "native", text: "6000" })
      yield* until(host, ({ loop, native }) =>
        [loop, native].every((of) => of?.row?.dispatchCounters.inFlight === 1 || of?.sent.length === 1)
      )
      host.signal("SIGSTOP")
      yield* Effect.sleep(4000)
      host.signal("SIGCONT")
      const after = yield* until(host, ({ loop, native }) => loop?.sent.length === 1 && native?.sent.length === 1)
      for (const name of ["loop", "native", "idle"]) {
        const row = after[name]?.row
        assert.deepInclude(row, { lifecycle: "running", restarts: 0, lastError: null }, name)
        assert.deepInclude(row?.dispatchCounters, { failed: 0, timedOut: 0, discarded: 0 }, name)
        assert.strictEqual(row?.worker, before[name]?.row?.worker, name)
      }
      host.order({ do: "send", to: "idle", text: "1" })
      yield* until(host, ({ idle }) => idle?.sent.length === 1)
    }).pipe(Effect.scoped)
  )

  it.live(
    "rule 6: stopped for long in the middle of a native loop, late in a batch, charges nobody for it",
    () =>
      Effect.gen(function* () {
        const host = yield* hostOf({ plugins: [{ name: "native", code: MEASURED, deadlineMs: 3000 }] })
        yield* until(host, (told) => isRunning(told, "native"))
        // What is quick shows that many fit into a batch.
        const quick = Array.from({ length: 30 }, () => "quick")
        for (let burst = 1; burst <= 3; burst++) {
          host.order({ do: "burst", to: "native", texts: quick })
          yield* until(host, ({ native }) => native?.row?.dispatchCounters.dispatched === 1 + burst * 30)
        }
        host.order({ do: "burst", to: "native", texts: ["quick", "work", "work"] })
        yield* until(host, ({ native }) => {
          const { dispatched = 0, inFlight = 0 } = native?.row?.dispatchCounters ?? {}
          return dispatched === 93 && inFlight === 1
        })
        host.signal("SIGSTOP")
        // Longer than a worker that uses no processor is waited for.
        yield* Effect.sleep(10_500)
        host.signal("SIGCONT")
        const end = yield* until(host, ({ native }) => {
          const { dispatched = 0, failed = 0, timedOut = 0 } = native?.row?.dispatchCounters ?? {}
          return dispatched + failed + timedOut === 94
        })
        assert.deepInclude(end["native"]?.row, { lifecycle: "running", restarts: 0, lastError: null })
        assert.deepInclude(end["native"]?.row?.dispatchCounters, { dispatched: 94, failed: 0, timedOut: 0 })
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "rule 12: where there is no room for some guests, they are failed by StartFailed and tried again, and the others run",
    () =>
      Effect.gen(function* () {
        const names = ["a", "b", "c", "d", "e", "f"]
        const plugins = names.map((name) => ({ name, code: WORKING("") }))
        const host = yield* hostOf({ plugins, limits: { sandboxWorkers: 1, failedRetryMs: 500 } }, 40_000_000_000)
        const told = yield* until(host, (now) => names.every((name) => isFailed(now, name) || isRunning(now, name)))
        const failed = names.filter((name) => isFailed(told, name))
        const running = names.filter((name) => isRunning(told, name))
        assert.isAbove(failed.length, 0)
        assert.isAbove(running.length, 0)
        for (const name of failed) {
          assert.strictEqual(told[name]?.row?.lastError?.tag, "StartFailed")
          assert.match(told[name]?.row?.lastError?.message ?? "", NO_ROOM)
        }
        for (const name of running) host.order({ do: "send", to: name, text: "1" })
        yield* until(host, (now) => running.every((name) => now[name]?.sent.length === 1))
        // It is tried again, in vain and then not.
        yield* until(host, (now) => failed.every((name) => (now[name]?.row?.diagnosticCounts["StartFailed"] ?? 0) >= 2))
        host.order({ do: "leave" })
        yield* until(host, (now) => names.every((name) => isRunning(now, name)))
        for (const name of failed) host.order({ do: "send", to: name, text: "2" })
        const end = yield* until(host, (now) => failed.every((name) => now[name]?.sent.length === 1))
        for (const name of running) assert.deepInclude(end[name]?.row, { restarts: 0, lastError: null })
      }).pipe(Effect.scoped)
  )

  it.live("rule 12: where there is no room for any worker, the process lives, and all run once there is", () =>
    Effect.gen(function* () {
      // V8 ends a process in which a worker finds no room for its code.
      const plugins = ["a", "b"].map((name) => ({ name, code: WORKING("") }))
      const host = yield* hostOf({ plugins, limits: { failedRetryMs: 500 } }, 4_000_000_000)
      const failed = yield* until(host, (now) => Object.values(now).every(({ row }) => row?.lifecycle === "failed"))
      for (const { row } of Object.values(failed)) {
        assert.strictEqual(row?.lastError?.tag, "StartFailed")
        assert.match(row?.lastError?.message ?? "", NO_ROOM)
        assert.strictEqual(row?.websocketConnections[0]?.opens ?? 0, 0)
      }
      host.order({ do: "leave" })
      yield* until(host, (now) => Object.values(now).every(({ row }) => row?.websocketConnections[0]?.state === "open"))
      for (const { name } of plugins) host.order({ do: "send", to: name, text: "3" })
      yield* until(host, (now) => Object.values(now).every(({ sent }) => sent[0] === "done 3"))
    }).pipe(Effect.scoped)
  )
})
