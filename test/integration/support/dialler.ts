/**
 * A program of its own that dials: `node dialler.ts <dns server> <url>…`. It writes a line for each dial that failed,
 * and stops its host once every source has failed. Nothing else keeps it alive. With `EXHAUST=1` it has no file
 * descriptors left while it dials.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import * as Fs from "node:fs"
import * as GrantStore from "../../../src/grants/GrantStore.ts"
import * as PluginHost from "../../../src/host/PluginHost.ts"
import * as Enablement from "../../../src/manifest/Enablement.ts"
import * as DnsAddresses from "../../../src/node/DnsAddresses.ts"
import * as WsClient from "../../../src/node/WsClient.ts"
import * as ServicePlugin from "../../../src/plugin/ServicePlugin.ts"

const [server = "", ...sources] = process.argv.slice(2)
const done = Deferred.makeUnsafe<void>()
const failed = new Set<string>()

const hosts = sources.map((url) => new URL(url).hostname)
const dialler = ServicePlugin.make({
  id: "test.dialler",
  version: "1.0.0",
  ingresses: { gateway: { sources } },
  websocket: hosts.map((host) => ({ scheme: "ws", host, port: "*", pathPrefixes: ["/"] })),
  handlers: {
    gateway: {
      websocket_error: ({ error, url }) => {
        process.stdout.write(`${error.message}\n`)
        failed.add(url)
        if (failed.size === sources.length) Deferred.doneUnsafe(done, Exit.void)
        return Exit.void
      }
    }
  }
})
const enabled = [
  Result.getOrThrow(
    Enablement.decode({
      id: "project:test.dialler",
      version: dialler.manifest.version,
      digest: dialler.digest,
      grants: {
        permissions: dialler.manifest.permissions,
        websocket: hosts.map((host) => ({
          scheme: "ws",
          host,
          port: "*",
          path_prefixes: ["/"],
          private_addresses: true
        }))
      }
    })
  )
]

const exhaust = () => {
  try {
    while (true) Fs.openSync("/dev/null", "r")
  } catch {
    // There are none left.
  }
}

const program = Effect.gen(function* () {
  if (process.env["EXHAUST"] === "1") exhaust()
  yield* Deferred.await(done)
  process.stdout.write("stopping\n")
}).pipe(
  Effect.provide(
    PluginHost.layer({ plugins: [dialler], enabled, limits: { openDeadlineMs: 300 } }).pipe(
      Layer.provide([GrantStore.layer(enabled), WsClient.layerOptions(DnsAddresses.make({ servers: [server] }))])
    )
  )
)

// The host's log would stand among the lines.
await Effect.runPromise(Effect.provide(program, Logger.layer([])))
