/** A host of a thousand connections, of every kind at once, is told to stop. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Dns from "../support/dns.ts"
import * as Servers from "../support/servers.ts"
import type { Line, Order, Setup } from "./support/hostProgram.ts"
import * as Program from "./support/program.ts"

const DOMAIN = "mooring.test"
const GRACE_MS = 1000

/** How many connections of each kind, and the state that they get to. */
const KINDS = [
  ["open", 400, "open"],
  ["deaf", 150, "open"],
  ["mute", 150, "connecting"],
  ["unresolved", 150, "connecting"],
  ["refused", 150, "waiting"]
] as const

describe("a host with a thousand connections", () => {
  it.live("rule 9: is gone within its grace, whatever they are doing, and its process ends by itself", () =>
    Effect.gen(function* () {
      const codes: Array<number> = []
      const open = yield* Servers.gateway((peer) => peer.on("close", (code) => codes.push(code)))
      const deaf = yield* Servers.answering((socket, request) => socket.write(Servers.switching(request)))
      const mute = yield* Servers.tcp(() => {})
      const refused = yield* Servers.answering((socket) => socket.end(Servers.response("503 Service Unavailable")))
      const ports = { open: open.port, deaf: deaf.port, mute: mute.port, refused: refused.port, unresolved: open.port }
      const dns = yield* Dns.serve((name) => (name.startsWith("unresolved") ? "silent" : { addresses: ["127.0.0.1"] }))
      const sources = KINDS.flatMap(([kind, count]) =>
        Array.from({ length: count }, (_, nth) => {
          // Each name that isn't answered is looked up by itself.
          const name = kind === "unresolved" ? `unresolved${nth}` : kind
          return `ws://${name}.${DOMAIN}:${ports[kind]}/${nth}`
        })
      )
      const setup: Setup = {
        sources,
        target: `*.${DOMAIN}`,
        servers: [dns.server],
        reconnect: { initial_ms: 3_600_000, max_ms: 3_600_000 },
        limits: {
          closeGraceMs: GRACE_MS,
          openDeadlineMs: 60_000,
          connectionsPerPlugin: sources.length,
          dialsAtOnce: sources.length,
          dialsAtOncePerPlugin: sources.length,
          dialsPerSecond: 10_000,
          lookupsAtOnce: sources.length,
          lookupsAtOncePerPlugin: sources.length
        }
      }
      const program = yield* Program.start<Line, Order>("hostProgram.ts", [JSON.stringify(setup)])
      yield* program.until(({ ready }) => ready)
      const expected = KINDS.map(([kind, count, state]) => `${kind}: ${count} ${state}`).join()
      const statesOf = ({ status }: Line) => {
        const rows = status?.plugins[0]?.websocket_connections ?? []
        return KINDS.map(([kind, , state]) => {
          const own = rows.filter((row) => row.url.startsWith(`ws://${kind}`) && row.state === state)
          return `${kind}: ${own.length} ${state}`
        }).join()
      }
      const look = Effect.gen(function* () {
        const from = program.said.length
        program.tell({ do: "status" })
        const line = yield* program.until((said) => (said.status === undefined ? undefined : said), 10_000, from)
        return statesOf(line)
      })
      for (let looks = 0; (yield* look) !== expected; looks++) {
        if (looks > 100) assert.fail(yield* look)
        yield* Effect.sleep("100 millis")
      }
      const began = performance.now()
      yield* program.end
      const { at, code } = yield* program.wait(() => program.exited ?? undefined, 10 * GRACE_MS)
      assert.strictEqual(code, 0)
      const final = yield* program.until((line) => line.final)
      const rows = final.plugins[0]?.websocket_connections ?? []
      assert.strictEqual(rows.length, sources.length)
      assert.isTrue(rows.every(({ state, stop_reason: reason }) => state === "stopped" && reason === "service"))
      // Nothing was cut short but what never answers.
      assert.deepStrictEqual(
        codes,
        Array.from({ length: 400 }, () => 1001)
      )
      const clean = rows.filter((row) => row.last_close?.clean === true)
      assert.strictEqual(clean.length, 400)
      assert.isBelow(at - began, 10 * GRACE_MS)
    })
  )
})
