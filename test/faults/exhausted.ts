/** A machine that has no more of something: descriptors, ports. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import * as Lab from "./support/lab.ts"
import * as Scene from "./support/scene.ts"

const LOOPBACK = "127.0.0.1"
const PATHS = Array.from({ length: 16 }, (_, nth) => `/${nth}`)
const HALF = PATHS.length / 2
// Fewer than the process has, so that each new one is too many.
const FEW = 16

/** Runs `prlimit` (util-linux). */
const prlimit = (...args: ReadonlyArray<string>): boolean =>
  spawnSync("prlimit", args, { stdio: "ignore" }).status === 0

const withoutPrlimit = prlimit("--version") ? "" : " [skipped: needs prlimit]"

/** How many descriptors it may have from now on. */
const files = (host: Scene.HostProgram, count: number) =>
  Effect.sync(() => assert.isTrue(prlimit(`--pid=${host.child.pid}`, `--nofile=${count}:`)))

const failsWith = (host: Scene.HostProgram, code: string) =>
  host.until(({ event }) => event?.what?.startsWith(`DialFailed tcp ${code}`) || undefined)

describe(`out of descriptors${withoutPrlimit}`, { concurrent: true, skip: withoutPrlimit !== "" }, () => {
  it.live("what is open lives on, and what has none is open again within seconds of when there are some", () =>
    Effect.gen(function* () {
      const server = yield* Scene.serve(0, [LOOPBACK])
      const sources = PATHS.map((path) => `ws://${LOOPBACK}:${Scene.portOf(server)}${path}`)
      const host = yield* Scene.host({ sources, target: LOOPBACK, limits: Scene.limits })
      yield* Scene.allOpen(host, 10_000)
      yield* files(host, FEW)
      server.tell({ do: "hangUp", count: HALF })
      yield* failsWith(host, "EMFILE")
      server.tell({ do: "send", count: 1, bytes: 500 })
      yield* Scene.eventually(() => Scene.events(host).filter(({ number }) => number === 1).length === HALF)
      const open = yield* Scene.openPaths(host)
      assert.strictEqual(open.length, HALF)
      yield* files(host, 1024)
      yield* Scene.allOpen(host, Scene.RECOVERED_MS)
      const { faults, plugin } = yield* Scene.finish(host, server)
      assert.deepStrictEqual(new Set(faults), new Set(["ConnectionClosed", "DialFailed"]))
      assert.strictEqual(plugin.websocket_connections.filter(({ opens }) => opens === 1).length, HALF)
    })
  )
})

describe(`out of ports${Lab.skipped}`, Lab.atOnce, () => {
  it.live("what has none is open within seconds of when there are some", () =>
    Effect.gen(function* () {
      const lab = yield* Lab.make
      const range = (ports: string) => lab.sh(lab.host, `echo "${ports}" > /proc/sys/net/ipv4/ip_local_port_range`)
      yield* range("40000 40007")
      const server = yield* Scene.serve(80, [Lab.FAR], lab.far)
      const sources = PATHS.map((path) => `ws://${Lab.FAR}${path}`)
      const host = yield* Scene.host({ sources, target: Lab.FAR, limits: Scene.limits }, lab.host)
      yield* failsWith(host, "EADDRNOTAVAIL")
      yield* range("40000 41000")
      yield* Scene.allOpen(host, Scene.RECOVERED_MS)
      const { faults, plugin } = yield* Scene.finish(host, server)
      assert.deepStrictEqual([...new Set(faults)], ["DialFailed"])
      assert.isTrue(plugin.websocket_connections.every(({ opens }) => opens === 1))
    })
  )
})
