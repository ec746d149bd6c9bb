/**
 * A host of sandboxed plugins on the fake network, in a process of its own, for what can only be done to a whole
 * process. Told what to do by messages; ends by itself once nobody is there to tell it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import { spawnSync } from "node:child_process"
import * as Enablement from "../../../src/manifest/Enablement.ts"
import type { Values } from "../../../src/limits/Limits.ts"
import * as ServicePlugin from "../../../src/plugin/ServicePlugin.ts"
import * as PluginHost from "../../../src/host/PluginHost.ts"
import type { PluginStatus } from "../../../src/host/HostStatus.ts"
import * as Sandbox from "../../../src/sandbox/Sandbox.ts"
import * as FakeWebSocket from "../../../src/testing/FakeWebSocket.ts"
import * as TestHost from "../../../src/testing/TestHost.ts"

export interface Setup {
  readonly plugins: ReadonlyArray<{ readonly name: string; readonly code: string; readonly deadlineMs?: number }>
  readonly limits?: Partial<Values>
}

export type Order =
  | { readonly do: "send"; readonly to: string; readonly text: string }
  | { readonly do: "burst"; readonly to: string; readonly texts: ReadonlyArray<string> }
  | { readonly do: "tell" }
  /** From now on the process may have as much address space as it wants. */
  | { readonly do: "leave" }

export type Told = {
  readonly [name: string]: { readonly row: PluginStatus | undefined; readonly sent: ReadonlyArray<string> }
}

const { limits = {}, plugins }: Setup = JSON.parse(process.argv[2] ?? "{}")
const urlOf = (name: string): string => `ws://127.0.0.1:7700/${name}`
const target = { scheme: "ws", host: "127.0.0.1", port: "*", pathPrefixes: ["/"] } as const

const layer = Layer.unwrap(
  Effect.map(Sandbox.Sandbox, (sandbox) => {
    const packages = plugins.map(({ code, name }) => {
      const { digest, manifest } = ServicePlugin.make({
        id: `test.${name}`,
        version: "1.0.0",
        ingresses: { gateway: { sources: [urlOf(name)] } },
        websocket: [target],
        handlers: {}
      })
      return sandbox.package({
        manifest: { ...manifest, runtime: { kind: "javascript", entry: "plugin.js" } },
        digest,
        entry: new TextEncoder().encode(code)
      })
    })
    const enabled = packages.map(({ digest, manifest }, index) =>
      Result.getOrThrow(
        Enablement.decode({
          id: `project:${manifest.id}`,
          version: manifest.version,
          digest,
          grants: {
            permissions: manifest.permissions,
            websocket: [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"] }]
          },
          limits: { dispatch_deadline_ms: plugins[index]?.deadlineMs ?? 1000 }
        })
      )
    )
    return TestHost.layer({ plugins: packages, enabled, limits: { pingIntervalMs: 0, ...limits }, answers: {} })
  })
).pipe(Layer.provide(Sandbox.layer))

/** From now on the process may have as much address space as it wants. */
const leave = (): void => {
  const { status, stderr } = spawnSync("prlimit", ["--pid", String(process.pid), "--as=unlimited:unlimited"])
  if (status !== 0) throw new Error(String(stderr))
}

const program = Effect.gen(function* () {
  const fake = yield* FakeWebSocket.FakeWebSocket
  const host = yield* PluginHost.PluginHost
  const orders = yield* Queue.unbounded<Order | undefined>()
  process.on("message", (order: Order) => void Queue.offerUnsafe(orders, order))
  process.on("disconnect", () => void Queue.offerUnsafe(orders, undefined))
  process.send?.("ready")
  for (let order = yield* Queue.take(orders); order !== undefined; order = yield* Queue.take(orders)) {
    if (order.do === "send") (yield* fake.remotes(urlOf(order.to))).at(-1)?.sendText(order.text)
    else if (order.do === "burst") (yield* fake.remotes(urlOf(order.to))).at(-1)?.sendBurst(order.texts)
    else if (order.do === "leave") leave()
    else {
      const { plugins: rows } = yield* host.status
      const told: { [name: string]: Told[string] } = {}
      for (const { name } of plugins) {
        const row = rows.find(({ pluginRef }) => pluginRef === `project:test.${name}`)
        const sent = (yield* fake.remotes(urlOf(name))).flatMap((remote) => [...remote.sent])
        told[name] = { row, sent }
      }
      process.send?.(told)
    }
  }
})

await Effect.runPromise(program.pipe(Effect.provide(layer), Effect.provide(Logger.layer([]))))
if (process.connected) process.disconnect()
