import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { HostStatus } from "mooring"
import { Story } from "../../../src/cli/internal/story.ts"
import { document } from "../../../src/cli/schema.ts"
import { fullest } from "../support/fullest.ts"

type Plugin = Partial<HostStatus.PluginStatus>
type Connection = Partial<HostStatus.ConnectionStatus>

/** Tells the story of one plugin, step by step; each takes 20 ms. */
const told = (...steps: ReadonlyArray<Plugin & { readonly connection?: Connection }>) =>
  Effect.map(
    Schema.decodeUnknownEffect(HostStatus.HostStatus)(fullest({ ...document("status") })[0]),
    (status): ReadonlyArray<string> => {
      const [row] = status.plugins
      const [link] = row?.websocketConnections ?? []
      if (row === undefined || link === undefined) throw new Error("the status is empty")
      const story = new Story()
      const usual = {
        ...row,
        pluginRef: "builtin:demo.one",
        lastError: null,
        reportedStatus: null,
        lifecycle: "running"
      }
      const open = { ...link, state: "open", flow: "flowing", stopReason: null, lastClose: null, epoch: 1 }
      return steps.flatMap(({ connection, ...plugin }, step) => {
        const at = new Date(1_767_225_600_000 + 20 * step).toISOString()
        const plugins = [
          { ...usual, ...plugin, websocketConnections: [{ ...open, url: "ws://h/p", ...connection }] }
        ] as HostStatus.HostStatus["plugins"]
        return story
          .see({ ...status, host: { ...status.host, at }, plugins })
          .map(({ isTrouble, words }) => `${isTrouble ? "! " : ""}${words}`)
      })
    }
  )

const step = (
  receivedTextFrames: number,
  queueDepth: number,
  flow: "flowing" | "paused" | "sliding",
  queueDrops = 3
) => ({
  connection: { receivedTextFrames, queueDepth, flow, queueDrops }
})

const lost = (tag: string): Plugin => ({ lifecycle: "restarting", lastError: { tag, message: "", at: "" } })

describe("the story of the demo", () => {
  it.effect("says once what is connected, what is denied, and that a connection is back", () =>
    Effect.gen(function* () {
      const lastClose = { code: 4000, reason: "x", clean: true, at: "" }
      assert.deepStrictEqual(
        yield* told({}, {}, { connection: { state: "closed", lastClose } }, { connection: { epoch: 2, lastClose } }),
        ["demo.one: connected to ws://h/p", "demo.one: was closed by the gateway with 4000; connected again"]
      )
      const denied = { connection: { state: "stopped", stopReason: "grant", epoch: 0 } } as const
      assert.deepStrictEqual(yield* told(denied, denied), ["! demo.one: asks for ws://h/p: not granted, never dialled"])
    })
  )

  it.effect("says how a burst was taken once it is over, with what was counted meanwhile and before", () =>
    Effect.gen(function* () {
      const quiet = step(10, 0, "flowing")
      const steps = [step(800, 700, "paused"), step(5010, 812, "flowing"), step(5010, 40, "flowing")] as const
      const end = step(5010, 0, "flowing")
      const [, ...words] = yield* told(quiet, ...steps, end, end, end)
      assert.deepStrictEqual(words, [
        "demo.one: 5,000 messages at once: queue at 812, reading paused, none dropped, in 60 ms"
      ])
      const slid = [
        step(2000, 1024, "sliding", 3),
        step(5010, 1, "flowing", 1503),
        step(5010, 0, "flowing", 1503)
      ] as const
      const [, ...drops] = yield* told(quiet, step(800, 700, "paused"), ...slid)
      assert.deepStrictEqual(drops, [
        "! demo.one: 5,000 messages at once: queue at 1,024, reading paused, then slid, 1,500 dropped, in 60 ms"
      ])
      assert.lengthOf(yield* told(quiet, step(20, 10, "flowing"), step(20, 0, "flowing")), 1)
    })
  )

  it.effect("says how a plugin ended, and that it runs again", () =>
    Effect.gen(function* () {
      const [, ...words] = yield* told({}, lost("DispatchTimeout"), lost("DispatchTimeout"), {}, lost("InstanceLost"), {
        reportedStatus: { count: 1 }
      })
      assert.deepStrictEqual(words, [
        "! demo.one: crashed (DispatchTimeout)",
        "demo.one: runs again",
        "! demo.one: crashed (InstanceLost)",
        "demo.one: runs again, and counts on from its last state"
      ])
      const [, failed] = yield* told({}, { ...lost("StartFailed"), lifecycle: "failed" })
      assert.strictEqual(failed, "! demo.one: has failed (StartFailed)")
    })
  )
})
