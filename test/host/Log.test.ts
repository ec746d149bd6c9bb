/** What a host logs by itself: what a person who runs it has to know, and nothing that is anybody else's. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { ConnectionError, GrantStore, OutputCommand, PluginHost, SourceUrl } from "mooring"
import { FakeWebSocket, TestHost } from "mooring/testing"
import { type Setup, onFake, opened, rowOf } from "../support/host.ts"
import { capture, type Line } from "../support/log.ts"
import { enable, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const REF = "project:test.plugin"

const echo = plugin({
  handlers: {
    gateway: { websocket_text: (event) => Exit.succeed({ commands: [OutputCommand.send(event, event.text)] }) }
  }
})

/** What is logged of a host from its start to its end. */
const logOf = <E>(
  setup: Setup,
  test: Effect.Effect<void, E, Effect.Services<ReturnType<typeof opened>>> = PluginHost.PluginHost.use(
    ({ idle }) => idle
  )
) => {
  const { fibers, lines, logged } = capture()
  return Effect.map(test.pipe(Effect.provide(onFake(setup)), logged), () => ({ fibers, lines }))
}

const shown = (lines: ReadonlyArray<Line>) => lines.map(({ level, message }) => `${level} ${message}`)

describe("the log of a host", () => {
  it.effect("tells that plugins and sources start and stop", () =>
    Effect.gen(function* () {
      const { fibers, lines } = yield* logOf({ plugins: [echo] })
      assert.deepStrictEqual(shown(lines), [
        "Info 1 plugin is enabled",
        "Info the plugin is running",
        `Info ${GATEWAY} is open`,
        `Info ConnectionClosed: ${GATEWAY} closed with code 1001`,
        "Info the plugin has stopped"
      ])
      const source = lines[2]?.annotations["source"]
      assert.match(String(source), /^[0-9a-f]{8}$/)
      assert.deepStrictEqual(
        lines.map(({ annotations }) => annotations),
        [
          {},
          { plugin: REF },
          { plugin: REF, source },
          { plugin: REF, source, stage: "connection", tag: "ConnectionClosed" },
          { plugin: REF }
        ]
      )
      // One fiber of the host writes them all, however many plugins and sources there are.
      assert.strictEqual(fibers.size, 1)
    })
  )

  it.effect("names the reason where a digest is pinned that the package doesn't have", () =>
    Effect.gen(function* () {
      const digest = `sha256:${"0".repeat(64)}`
      const { lines } = yield* logOf({ plugins: [echo], enabled: [enable(echo, { digest })] })
      assert.deepStrictEqual(shown(lines), [
        `Error DigestMismatch: digest ${digest} is enabled, but the package has digest ${echo.digest}`,
        "Error the plugin has failed (DigestMismatch)",
        "Info 1 plugin is enabled"
      ])
      assert.deepStrictEqual(lines[0]?.annotations, { plugin: REF, stage: "manifest", tag: "DigestMismatch" })
    })
  )

  it.effect("names what isn't granted", () =>
    Effect.gen(function* () {
      const { manifest } = echo
      const grants = { permissions: manifest.permissions, websocket: [] }
      const { lines } = yield* logOf({ plugins: [echo], enabled: [enable(echo, { grants })] })
      assert.deepStrictEqual(shown(lines).slice(2), [
        `Error TargetUngranted: no granted target covers ${GATEWAY}`,
        `Warn ${GATEWAY} is stopped (grant)`,
        "Info the plugin has stopped"
      ])
    })
  )

  it.effect("names why a dial failed, and tells when it succeeds after all", () =>
    Effect.gen(function* () {
      const error = new ConnectionError.DialFailed({ url: GATEWAY, phase: "tcp", code: "ECONNREFUSED" })
      const { lines } = yield* logOf(
        { plugins: [echo], answers: { [GATEWAY]: { kind: "fail", error } } },
        Effect.gen(function* () {
          const fake = yield* FakeWebSocket.FakeWebSocket
          const host = yield* PluginHost.PluginHost
          yield* host.idle
          yield* fake.answer(GATEWAY, { kind: "accept" })
          yield* TestClock.adjust("1 minute")
          yield* host.idle
        })
      )
      assert.deepStrictEqual(shown(lines).slice(0, 4), [
        "Info 1 plugin is enabled",
        "Info the plugin is running",
        `Warn DialFailed: ${GATEWAY} can't be reached: tcp failed with ECONNREFUSED`,
        `Info ${GATEWAY} is open`
      ])
    })
  )

  it.effect("says why the application's own SourceUrl or client failed, masked, in the line of the dial", () => {
    const url = `${GATEWAY}?key=hunter2-and-more`
    const asking = plugin({ sources: [url] })
    const logged = (failing: Effect.Effect<never, unknown>) =>
      logOf({ plugins: [asking] }).pipe(
        Effect.provideService(SourceUrl.SourceUrl, { resolve: () => failing as Effect.Effect<never> }),
        Effect.map(({ lines }) => shown(lines).filter((line) => line.startsWith("Warn") || line.startsWith("Error")))
      )
    return Effect.gen(function* () {
      const why = yield* logged(Effect.fail(new Error(`no ticket: ${url} said 503 to hunter2-and-more`)))
      const line = `DialFailed: ${GATEWAY} can't be reached: url failed with EUNRESOLVED: Error: no ticket:`
      assert.deepStrictEqual(why, [`Warn ${line} ws://127.0.0.1:7700 said 503 to ***`])
      assert.deepStrictEqual(yield* logged(Effect.die(new TypeError("x"))), [
        `Warn DialFailed: ${GATEWAY} can't be reached: url failed with EUNRESOLVED: TypeError: x`
      ])
    })
  })

  it.effect("hurts nothing where its logger throws: grants are followed, plugins run, the host ends", () => {
    const enabled = [enable(echo)]
    let followed = 0
    const store = Layer.effect(
      GrantStore.GrantStore,
      Effect.map(GrantStore.GrantStore, (inner) => ({
        ...inner,
        // Changes that end are told and followed anew.
        changes: Stream.suspend(() => (++followed === 1 ? Stream.empty : inner.changes))
      }))
    )
    const layer = TestHost.failingFast(PluginHost.layer({ plugins: [echo], enabled })).pipe(
      Layer.provide(store),
      Layer.provideMerge(GrantStore.layerMutable(enabled)),
      Layer.provideMerge(FakeWebSocket.layer)
    )
    const { lines, logged } = capture(() => {
      throw new Error("ENOSPC: no space left on device, write")
    })
    return Effect.gen(function* () {
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("x")
      yield* host.idle
      assert.deepStrictEqual(remote.sent, ["x"])
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(followed, 2)
      const { revoke } = yield* GrantStore.GrantEditor
      yield* revoke(REF)
      yield* TestClock.adjust("1 second")
      yield* host.idle
      assert.isFalse(remote.isOpen)
      assert.deepInclude(yield* host.plugin(REF), { lifecycle: "failed" })
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.provide(layer), logged)
  })

  it.effect("has the stack of what a handler died of, and tells that it runs again", () => {
    const crashes = plugin({
      handlers: {
        gateway: {
          websocket_text: () => {
            throw new Error("the map has no such key")
          }
        }
      }
    })
    return Effect.gen(function* () {
      const { lines } = yield* logOf(
        { plugins: [crashes] },
        Effect.gen(function* () {
          const { host, remote } = yield* opened(GATEWAY)
          remote.sendText("x")
          yield* host.idle
          yield* TestClock.adjust("1 second")
          yield* host.idle
        })
      )
      assert.deepStrictEqual(shown(lines).slice(3, 8), [
        "Error InstanceLost: the plugin crashed",
        "Warn the plugin is restarting (InstanceLost)",
        `Info ConnectionClosed: ${GATEWAY} closed with code 1001`,
        "Info the plugin is running again",
        `Info ${GATEWAY} is open again`
      ])
      assert.match(
        lines[3]?.cause ?? "",
        /^Error: the map has no such key\n\s+at .*websocket_text.*Log\.test\.ts:\d+:\d+/
      )
      assert.isBelow(lines[3]?.cause.length ?? 0, 5000)
    })
  })

  it.effect("has no stack of a runtime that isn't the application's own code", () => {
    const foreign = {
      ...echo,
      runtime: { start: () => Effect.die(new Error("a guest's words")) }
    }
    return Effect.gen(function* () {
      const { lines } = yield* logOf({ plugins: [foreign] })
      assert.include(shown(lines), "Error StartFailed: the plugin could not be started; see the plugin's diagnostics")
      assert.notInclude(JSON.stringify(lines), "a guest's words")
    })
  })

  it.effect("tells of an error that comes again and again once a second", () =>
    Effect.gen(function* () {
      const failing = plugin({ handlers: { gateway: { websocket_text: () => Effect.fail("no") } } })
      const { lines } = yield* logOf(
        { plugins: [failing] },
        Effect.gen(function* () {
          const { host, remote } = yield* opened(GATEWAY)
          for (let second = 0; second < 3; second++) {
            for (let nth = 0; nth < 100; nth++) remote.sendText("x")
            yield* host.idle
            yield* TestClock.adjust("1 second")
          }
          assert.strictEqual((yield* rowOf(refOf(failing))).diagnosticCounts["DispatchFailed"], 300)
        })
      )
      assert.deepStrictEqual(
        lines.filter(({ annotations }) => annotations["tag"] === "DispatchFailed").map(({ message }) => message),
        Array.from({ length: 3 }, () => "DispatchFailed: the handler failed; see the plugin's diagnostics")
      )
    })
  )

  it.effect("has what was left out of what is enabled", () =>
    Effect.gen(function* () {
      const { lines } = yield* logOf({ plugins: [echo], enabled: [enable(echo), enable(echo)] })
      const problem = shown(lines).find((line) => line.startsWith("Warn"))
      assert.strictEqual(problem, "Warn enabled[1]: Expected an id and instance that occur once")
    })
  )

  it.effect("has every state of every source for who debugs", () =>
    Effect.gen(function* () {
      const { lines } = yield* logOf({ plugins: [echo] })
      const states = lines.filter(({ level }) => level === "Debug").map(({ message }) => message)
      assert.deepStrictEqual(states, [
        "the plugin is starting",
        `${GATEWAY} is connecting`,
        "the plugin is stopping",
        `${GATEWAY} is closing`,
        `${GATEWAY} is closed`,
        `${GATEWAY} is stopped (service)`
      ])
    }).pipe(Effect.provideService(References.MinimumLogLevel, "Debug"))
  )

  it.effect("is bounded however much happens at once, and says what it left out", () =>
    Effect.gen(function* () {
      const digest = `sha256:${"0".repeat(64)}`
      const enabled = Array.from({ length: 200 }, (_, nth) => enable(echo, { instance: `n${nth}`, digest }))
      const { lines } = yield* logOf(
        { plugins: [echo], enabled },
        Effect.gen(function* () {
          const { idle } = yield* PluginHost.PluginHost
          yield* idle
          yield* TestClock.adjust("1 second")
          yield* idle
        })
      )
      assert.strictEqual(lines.length, 51)
      assert.strictEqual(lines[50]?.message, "351 log lines were left out")
    })
  )

  const Marker = Schema.String.check(Schema.isPattern(/^[a-z]{12,20}$/u))

  it.effect.prop(
    "rule 11: repeats nothing that a server or a plugin says, nor anything that is configured",
    { marker: Marker },
    ({ marker }) => {
      const url = `ws://127.0.0.1:7700/gateway?key=${marker}`
      const talkative = plugin({
        sources: [url],
        handlers: {
          gateway: {
            websocket_open: () => Exit.succeed({ status: { [marker]: marker } }),
            websocket_text: (event) =>
              event.text === "fail"
                ? Effect.fail(new Error(marker))
                : Exit.succeed({
                    commands: [
                      OutputCommand.send(event, marker),
                      OutputCommand.send(`ws://${marker}.example/`, marker),
                      OutputCommand.setTimer(marker, { afterMs: 1 }),
                      OutputCommand.close(event, { code: 4000, reason: marker })
                    ]
                  })
          }
        }
      })
      const enabled = [enable(talkative, { config: { marker } })]
      return Effect.gen(function* () {
        const { lines } = yield* logOf(
          { plugins: [talkative], enabled },
          Effect.gen(function* () {
            const { fake, host, remote } = yield* opened(url)
            remote.sendText("fail")
            remote.sendText(marker)
            yield* host.idle
            yield* host.restart(refOf(talkative))
            yield* host.idle
            const second = yield* fake.remote(url, 2)
            second.close(4001, marker)
            yield* host.idle
          })
        )
        const tags = lines.map(({ annotations }) => annotations["tag"])
        for (const tag of ["DispatchFailed", "CommandUngranted", "ConnectionClosed"]) assert.include(tags, tag)
        assert.notInclude(JSON.stringify(lines), marker)
      }).pipe(Effect.provideService(References.MinimumLogLevel, "All"))
    },
    { arbitrary: { runs: 40 } }
  )
})
