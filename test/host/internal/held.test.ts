import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Limits, Secrets } from "mooring"
import { StaticSecrets } from "mooring/testing"
import { Held, hold } from "../../../src/host/internal/held.ts"
import { KnownSecrets } from "../../../src/host/internal/knownSecrets.ts"
import * as HadTime from "../../../src/time/HadTime.ts"
import { enable, GATEWAY, plugin } from "../../support/plugins.ts"

describe("what masks the secrets of an entry", () => {
  it.effect("is one for all who were sent the same, and another one once a secret has changed", () =>
    Effect.gen(function* () {
      const pkg = plugin({ sources: [GATEWAY] })
      const held = yield* hold({
        ref: "project:test.plugin",
        enablement: enable(pkg, { secrets: { key: { env: "KEY" } } }),
        manifest: pkg.manifest,
        port: yield* Secrets.Secrets,
        limits: Limits.defaults,
        known: new KnownSecrets(),
        time: yield* HadTime.make
      })
      if (!(held instanceof Held)) return assert.fail(held.message)
      const maskNow = () => held.maskOf(held.valuesOf("key"))
      const first = maskNow()
      assert.strictEqual(maskNow(), first)
      assert.notStrictEqual(held.maskOf(["another one"]), first)
      const { replace } = yield* StaticSecrets.StaticSecrets
      yield* replace({ env: { KEY: "second value" } })
      yield* held.refreshed
      const second = maskNow()
      assert.notStrictEqual(second, first)
      assert.strictEqual(second("first value, second value"), "***, ***")
      yield* held.refreshed
      assert.strictEqual(maskNow(), second)
    }).pipe(Effect.provide(StaticSecrets.layer({ env: { KEY: "first value" } })))
  )
})
