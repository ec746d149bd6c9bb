/**
 * `mooring demo`: a gateway on a loopback port inside the process, and the
 * example packages of `docs/examples` that run against it in the sandbox. One
 * answers, one is sent bursts, one asks for what it isn't granted, one crashes
 * and one never returns. What happens is told in words.
 */
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { fileURLToPath } from "node:url"
import * as GrantStore from "../grants/GrantStore.ts"
import type { HostStatus } from "../host/HostStatus.ts"
import * as PluginHost from "../host/PluginHost.ts"
import * as Limits from "../limits/Limits.ts"
import * as Enablement from "../manifest/Enablement.ts"
import * as PackageFolders from "../node/PackageFolders.ts"
import * as Clients from "../node/Clients.ts"
import type { PluginPackage } from "../plugin/PluginRuntime.ts"
import * as Sandbox from "../sandbox/Sandbox.ts"
import { gateway } from "./internal/gateway.ts"
import { hosting } from "./internal/hosting.ts"
import { reporting, type Reporting } from "./internal/options.ts"
import { during } from "./internal/reporter.ts"
import { Story } from "./internal/story.ts"
import { Unwell } from "./internal/unwell.ts"

/** The packages, and at which path of the gateway each listens. */
const EXAMPLES = [
  ["echo", "/gateway"],
  ["burst", "/gateway/burst"],
  ["crash", "/gateway/crash"],
  ["loop", "/gateway/loop"],
  ["stray", "/admin"]
] as const

/** Beside the program, as it is and as it was built. */
const folderOf = (name: string): string => fileURLToPath(new URL(`../../docs/examples/${name}`, import.meta.url))

const load = (name: string) =>
  Effect.gen(function* () {
    const found = yield* PackageFolders.load(folderOf(name), Limits.defaults.startDeadlineMs)
    return (yield* Sandbox.Sandbox).package(PackageFolders.codeOf(found))
  }).pipe(Effect.mapError(({ message }) => new Unwell({ problem: `the example ${name}: ${message}` })))

/** Enables a package with all that it asks for, but for its targets: of the gateway's paths, `/gateway` alone is granted. */
const enable = ({ digest, manifest }: PluginPackage, port: number, path: string): Enablement.Enablement =>
  Result.getOrThrow(
    Enablement.decode({
      id: `builtin:${manifest.id}`,
      version: manifest.version,
      digest,
      sources: { gateway: { urls: [`ws://127.0.0.1:${port}${path}`] } },
      grants: {
        permissions: manifest.permissions,
        websocket: [{ scheme: "ws", host: "127.0.0.1", port, path_prefixes: ["/gateway"] }]
      }
    })
  )

const options = {
  port: Flag.Int("port").pipe(
    Flag.withSchema(
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }, { expected: "a port from 0 to 65535" }))
    ),
    Flag.withDescription("The gateway's port; without it 7700, or any where that is taken"),
    Flag.optional
  ),
  ...reporting
}

interface Options extends Reporting {
  readonly port: Option.Option<number>
}

/** How often it is looked what has happened. */
const LOOK_EVERY_MS = 20

/** Tells what happens, for as long as it runs. */
const telling = (status: Effect.Effect<HostStatus>): Effect.Effect<never> =>
  Effect.suspend(() => {
    const story = new Story()
    const tell = Effect.flatMap(status, (seen) =>
      Effect.forEach(
        story.see(seen),
        ({ isTrouble, words }) => (isTrouble ? Effect.logWarning(words) : Effect.logInfo(words)),
        { discard: true }
      )
    )
    return Effect.forever(Effect.andThen(tell, Effect.sleep(LOOK_EVERY_MS)))
  })

const run = Effect.fnUntraced(function* (asked: Options) {
  const port = yield* gateway(asked.port)
  const services = yield* Layer.build(Layer.mergeAll(Sandbox.layer, PackageFolders.layer))
  const plugins = yield* Effect.forEach(EXAMPLES, ([name]) => load(name)).pipe(
    Effect.provide(services),
    during(asked, "starting the example plugins")
  )
  const enabled = plugins.map((plugin, at) => enable(plugin, port, EXAMPLES[at]?.[1] ?? "/gateway"))
  const host = PluginHost.layer({ plugins, enabled }).pipe(
    Layer.provide(GrantStore.layer(enabled)),
    Layer.provide(Clients.layer),
    // It is told in words.
    Layer.provide(Layer.succeed(References.MinimumLogLevel, "None"))
  )
  yield* hosting(host, asked, ({ status }) => ({ status, beside: telling(status) }))
}, Effect.scoped)

/** The subcommand. */
export const demo = Command.make("demo", options, run).pipe(
  Command.withDescription("Start a gateway on a loopback port and run example plugins against it, in the sandbox")
)
