import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Limits } from "mooring"
import { ConnectionLimit } from "../../../src/connection/ConnectionError.ts"
import * as Connection from "../../../src/connection/Connection.ts"
import * as Source from "../../../src/connection/Source.ts"
import * as HadTime from "../../../src/time/HadTime.ts"
import { authorityOf, subject } from "../../support/grants.ts"

const URL = "ws://127.0.0.1:7700/"

it.effect("a connection listens to what is granted from when it is begun until it has ended, and no longer", () =>
  Effect.gen(function* () {
    const { manifest } = subject()
    const ingresses = manifest.ingresses.map((ingress) => ({ ...ingress, sources: [URL] }))
    const [source] = Source.all({ ...manifest, ingresses }, { sources: {}, secrets: {} })
    if (source === undefined) return assert.fail("there is no source")
    const granted = yield* authorityOf(subject(), {})
    const listening = new Set<unknown>()
    const authority = {
      ...granted,
      listen: (listener: unknown) => void listening.add(listener),
      unlisten: (listener: unknown) => void listening.delete(listener)
    }
    const error = new ConnectionLimit({ url: URL, per: "host", limit: 0 })
    // It is never dialled, so this is all that it asks for.
    const options = {
      source,
      authority,
      limits: Limits.defaults,
      time: yield* HadTime.make,
      secrets: { names: [], version: () => 0 },
      sink: { ready: () => true },
      refused: () => ({ error, reason: "limit" }),
      report: () => {},
      changed: () => {},
      activity: () => {}
    } as unknown as Connection.Options
    const connection = new Connection.Connection(options, yield* Connection.clocks)
    assert.strictEqual(listening.size, 0)
    yield* connection.begun
    assert.strictEqual(listening.size, 1)
    assert.strictEqual(connection.stopReason, "limit")
    yield* connection.ended
    assert.strictEqual(listening.size, 0)
  })
)
