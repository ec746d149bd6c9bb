import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { type Enablement, GrantStore, type Limits, OutputCommand, PluginHost, ServicePlugin } from "mooring"
import { WsClient } from "mooring/node"
import type { WebSocket } from "ws"
import { accountingProblem, rowOf } from "../support/host.ts"
import { enable, plugin, refOf, target } from "../support/plugins.ts"
import { gateway } from "../support/servers.ts"
import { eventually } from "./support/host.ts"

const PLUGINS = 20
const SECONDS = 5
const EVERY_MS = 20
const FRAMES_EACH_TIME = 20

const live = (
  plugins: ReadonlyArray<ReturnType<typeof plugin>>,
  enabled: ReadonlyArray<Enablement.Enablement>,
  limits: Partial<Limits.Values> = {}
) =>
  PluginHost.layer({ plugins, enabled, limits }).pipe(
    Layer.provideMerge(GrantStore.layerMutable(enabled)),
    Layer.provide(WsClient.layer)
  )

describe("a grant that is narrowed while its socket is open", () => {
  it.live(
    "rule 1: ends a connection whose server ignores the close, and nothing is delivered or sent from then on",
    () =>
      Effect.gen(function* () {
        const received: Array<string> = []
        const peers: Array<WebSocket> = []
        const server = yield* gateway((peer) => {
          peers.push(peer)
          peer.on("message", (data) => received.push(String(data)))
          // It never answers a close frame, and goes on sending.
          peer.close = () => {}
        })
        let heard = 0
        const pkg = plugin({
          sources: [server.url],
          handlers: {
            gateway: {
              websocket_text: (event) => {
                heard++
                return Exit.succeed({ commands: [OutputCommand.send(event, event.text)] })
              }
            }
          }
        })
        const ref = refOf(pkg)
        const granted = GrantStore.grantOf(enable(pkg))
        yield* Effect.gen(function* () {
          const grants = yield* GrantStore.GrantEditor
          const connection = Effect.map(rowOf(ref), (row) => row.websocketConnections[0])
          yield* eventually(connection, (one) => one?.state === "open")
          const send = Effect.sync(() => peers[0]?.send("x"))
          yield* send
          yield* eventually(Effect.succeed(received), (texts) => texts.length === 1)
          yield* grants.set(ref, { ...granted, websocket: [] })
          const before = heard
          yield* eventually(Effect.andThen(send, connection), (one) => one?.state === "stopped")
          yield* eventually(
            Effect.sync(() => server.open()),
            (open) => open === 0
          )
          assert.strictEqual(heard, before)
          assert.lengthOf(received, before)
          assert.deepInclude(yield* connection, { stopReason: "grant", queueDepth: 0 })
          assert.isUndefined(accountingProblem(yield* rowOf(ref)))
          yield* grants.set(ref, granted)
          yield* eventually(connection, (one) => one?.state === "open" && one.epoch === 2)
        }).pipe(Effect.provide(live([pkg], [enable(pkg)], { closeGraceMs: 600 })))
      }).pipe(Effect.scoped)
  )
})

describe("applying under load", () => {
  it.live("1,000 frames a second into 20 plugins lose none where nothing changes, and restart nobody untouched", () =>
    Effect.gen(function* () {
      const peers = new Map<string, { readonly peer: WebSocket; sent: number }>()
      const server = yield* gateway((peer, _socket) => {
        peer.on("message", (data) => peers.set(String(data), { peer, sent: 0 }))
        peer.on("close", () => {
          for (const [name, known] of peers) if (known.peer === peer) peers.delete(name)
        })
      })
      const all = Array.from({ length: PLUGINS }, (_, n) => {
        const starts: Array<string> = []
        const gaps: Array<string> = []
        const pkg = ServicePlugin.make({
          id: `test.p${n}`,
          version: "1.0.0",
          ingresses: { gateway: { sources: [`${server.url}${n}`] } },
          websocket: [target],
          handlers: ({ reason }) =>
            Effect.sync(() => {
              starts.push(reason)
              let last = 0
              return {
                gateway: {
                  // The server knows a connection by what it says first.
                  websocket_open: (event) => {
                    last = 0
                    return Exit.succeed({ commands: [OutputCommand.send(event, String(n))] })
                  },
                  websocket_text: (event) => {
                    if (Number(event.text) !== last + 1 || event.droppedBefore > 0) gaps.push(`${n}: ${event.text}`)
                    last = Number(event.text)
                    return Exit.void
                  }
                }
              }
            })
        })
        return { gaps, pkg, ref: refOf(pkg), starts }
      })
      const entryOf = (n: number, version: number) => {
        const one = all[n]
        if (one === undefined) throw new Error("no such plugin")
        return enable(one.pkg, version === 0 ? {} : { config: { version } })
      }
      const versions = new Map(all.map((_, n) => [n, 0]))
      const started = all.map(() => 1)
      const enabled = () => [...versions].map(([n, version]) => entryOf(n, version))
      const plugins = all.map(({ pkg }) => pkg)
      yield* Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        const grants = yield* GrantStore.GrantEditor
        const random = yield* Random.Random
        yield* eventually(
          Effect.sync(() => peers.size),
          (size) => size === PLUGINS
        )
        let frames = 0
        const begun = performance.now()
        for (let time = 0; performance.now() - begun < SECONDS * 1000; time++) {
          const known = [...peers.values()]
          for (let frame = 0; frame < FRAMES_EACH_TIME; frame++) {
            const one = known[(time + frame) % known.length]
            if (one === undefined) continue
            one.peer.send(String(++one.sent))
            frames++
          }
          if (random.nextDoubleUnsafe() < 0.2) {
            const n = Math.floor(random.nextDoubleUnsafe() * PLUGINS)
            const version = versions.get(n)
            if (version !== undefined && random.nextDoubleUnsafe() < 0.5) versions.delete(n)
            else {
              versions.set(n, version === undefined ? 0 : version + 1)
              started[n] = (started[n] ?? 0) + 1
            }
            yield* grants.replace(enabled())
            yield* host.apply({ enabled: enabled() })
          }
          for (const row of (yield* host.status).plugins) assert.isUndefined(accountingProblem(row))
          yield* Effect.sleep(EVERY_MS)
        }
        yield* eventually(host.status, ({ plugins: rows }) =>
          rows.every(({ lifecycle, queueDepth }) => lifecycle === "running" && queueDepth === 0)
        )
        assert.isAbove(frames, SECONDS * 300)
        assert.deepStrictEqual(
          all.flatMap(({ gaps }) => gaps),
          []
        )
        // A plugin that is changed again before it has started is started once.
        for (const [n, { starts }] of all.entries()) assert.isAtMost(starts.length, started[n] ?? 0)
        for (const [n, { starts }] of all.entries()) if (started[n] === 1) assert.lengthOf(starts, 1)
        for (const row of (yield* host.status).plugins) {
          assert.strictEqual(row.restarts, 0)
          assert.isUndefined(accountingProblem(row))
        }
      }).pipe(Random.withSeed("apply"), Effect.provide(live(plugins, enabled(), { dialsPerSecond: 1000 })))
      yield* eventually(
        Effect.sync(() => server.open()),
        (open) => open === 0
      )
    }).pipe(Effect.scoped)
  )
})
