/** Subjects and their grants, without a host around them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { Grants, GrantStore, Manifest, type Permission, PluginRef } from "mooring"
import type { Subject } from "../../src/grants/Evaluation.ts"

export const REF = "project:test.plugin"

/** What the plugin `test.plugin` with one service and the ingress `gateway` needs. */
export const PERMISSIONS: ReadonlyArray<Permission.Permission> = [
  { kind: "surface", surface: "service" },
  { kind: "service", name: "main" },
  { kind: "surface", surface: "ingress" },
  { kind: "ingress", name: "gateway" },
  { kind: "host_api", api: "websocket" },
  { kind: "host_api", api: "request" }
]

const manifest = Result.getOrThrow(
  Manifest.decode({
    schema_version: 1,
    id: "test.plugin",
    name: "Plugin",
    version: "1.0.0",
    surfaces: ["service", "ingress"],
    permissions: PERMISSIONS,
    services: [{ name: "main", lifecycle: "host-managed" }],
    ingresses: [{ name: "gateway" }]
  })
)

export const subject = (change: Partial<Manifest.Manifest> = {}): Subject => ({
  pluginRef: REF,
  id: REF,
  version: "1.0.0",
  digest: PluginRef.DIGEST_WITHOUT_FILES,
  manifest: { ...manifest, ...change },
  surfaces: undefined,
  isInProcess: true
})

/** A grant of everything but targets. */
export const grant = (change: Partial<GrantStore.Grant> = {}): GrantStore.Grant => ({
  id: REF,
  version: "1.0.0",
  digest: PluginRef.DIGEST_WITHOUT_FILES,
  permissions: PERMISSIONS,
  websocket: [],
  request: [],
  sign: [],
  ...change
})

/** The authority of a subject over a store of the test's own. */
export const authorityOver = (
  asking: Subject,
  lookup: GrantStore.GrantStore["Service"]["lookup"],
  changes: Stream.Stream<unknown, unknown> = Stream.never
) =>
  Effect.gen(function* () {
    const store = Layer.succeed(GrantStore.GrantStore, { lookup, changes })
    const grants = Context.get(yield* Layer.build(Layer.provide(Grants.layer, store)), Grants.Grants)
    return yield* grants.authority(asking)
  })

/** The authority of a subject that is granted this, or nothing. */
export const authorityOf = (asking: Subject, granted: Partial<GrantStore.Grant> | undefined) =>
  authorityOver(asking, () => Effect.succeed(granted === undefined ? Option.none() : Option.some(grant(granted))))
