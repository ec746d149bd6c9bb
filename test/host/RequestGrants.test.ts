import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { GrantStore } from "mooring"
import { StaticSecrets } from "mooring/testing"
import { onFake, opened, rowOf } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const REF = "project:test.plugin"
const API = { scheme: "https", host: "api.example.com", methods: ["GET"], path_prefixes: ["/"] }
const PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"

const pkg = plugin({ sources: [GATEWAY] })

const granting = (...request: ReadonlyArray<object>) =>
  enable(pkg, {
    secrets: { token: { env: "TOKEN" } },
    grants: {
      permissions: pkg.manifest.permissions,
      websocket: [{ scheme: "ws", host: "127.0.0.1", port: 7700, path_prefixes: ["/gateway"] }],
      request
    }
  })

describe("requests that are granted while a host runs", () => {
  it.effect("restart nothing, and what they name is looked for at once: what is wrong says where it stands", () =>
    Effect.gen(function* () {
      const { fake, host } = yield* opened(GATEWAY)
      const editor = yield* GrantStore.GrantEditor
      const change = (...request: ReadonlyArray<object>) =>
        Effect.gen(function* () {
          const enabled = [granting(...request)]
          yield* editor.replaceWith(enabled, host.apply({ enabled }))
          yield* host.idle
          const { config } = (yield* host.status).host
          return config.problems.map(({ path }) => path)
        })
      assert.deepStrictEqual(yield* change({ ...API, tls: { ca: { file: "ca.pem" } } }), [])
      const lacking = { ...API, headers: { "x-a": "{token}" }, tls: { ca: { file: "none" }, cert: { file: "ca.pem" } } }
      assert.deepStrictEqual(yield* change(API, lacking), [
        "enabled[0].grants.request[1].tls.ca",
        "enabled[0].grants.request[1].tls"
      ])
      // It moves with its target, and goes once that is mended or gone.
      assert.deepStrictEqual(yield* change(lacking), [
        "enabled[0].grants.request[0].tls.ca",
        "enabled[0].grants.request[0].tls"
      ])
      assert.deepStrictEqual(yield* change(API), [])
      const row = yield* rowOf(REF)
      assert.deepStrictEqual([row.lifecycle, row.restarts], ["running", 0])
      assert.strictEqual((yield* fake.dials).length, 1)
    }).pipe(
      Effect.provide(
        onFake({ plugins: [pkg], enabled: [granting()] }).pipe(
          Layer.provideMerge(StaticSecrets.layer({ env: { TOKEN: "t0ken-value" }, files: { "ca.pem": PEM } }))
        )
      )
    )
  )

  it.effect("are a problem until the file that they name is there", () =>
    Effect.gen(function* () {
      const { host } = yield* opened(GATEWAY)
      const editor = yield* GrantStore.GrantEditor
      const { replace } = yield* StaticSecrets.StaticSecrets
      const enabled = [granting({ ...API, tls: { ca: { file: "ca.pem" } } })]
      const problems = Effect.map(host.status, (status) => status.host.config.problems.length)
      yield* editor.replaceWith(enabled, host.apply({ enabled }))
      yield* host.idle
      assert.strictEqual(yield* problems, 1)
      yield* replace({ env: { TOKEN: "t0ken-value" }, files: { "ca.pem": PEM } })
      yield* host.idle
      assert.strictEqual(yield* problems, 0)
    }).pipe(
      Effect.provide(
        onFake({ plugins: [pkg], enabled: [granting()] }).pipe(
          Layer.provideMerge(StaticSecrets.layer({ env: { TOKEN: "t0ken-value" } }))
        )
      )
    )
  )
})
