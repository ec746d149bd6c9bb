import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { HostError, HostStatus, OutputCommand, PluginHost } from "mooring"
import { FakeWebSocket } from "mooring/testing"
import * as Diagnostic from "../../src/diagnostics/Diagnostic.ts"
import * as Redaction from "../../src/diagnostics/Redaction.ts"
import { accountingProblem, onFake, rowOf } from "../support/host.ts"
import { enable, FINE, fine, GATEWAY, plugin, refOf } from "../support/plugins.ts"

const plain = HostError.encode(Redaction.make({ secrets: [], config: null }))
const json = Schema.toCodecJson(HostError.HostError)

describe("the errors of a host", () => {
  it.effect.prop(
    "rule 10: each error has exactly one encoding, of exactly one stage, that is JSON and says its tag",
    { error: HostError.HostError },
    ({ error }) =>
      Effect.gen(function* () {
        const owners = HostError.stages.filter((stage) => stage.encode(error) !== undefined)
        assert.strictEqual(owners.length, 1)
        const encoded = plain(error)
        assert.strictEqual(encoded.tag, error._tag)
        assert.strictEqual(encoded.error._tag, error._tag)
        assert.strictEqual(encoded.stage, owners[0]?.stage)
        assert.isAbove(encoded.message.length, 0)
        assert.strictEqual(JSON.stringify(JSON.parse(JSON.stringify(encoded))), JSON.stringify(encoded))
        const back = yield* Schema.decodeEffect(json)(yield* Schema.encodeEffect(json)(error))
        assert.strictEqual(back._tag, error._tag)
      }),
    { arbitrary: { runs: 400 } }
  )

  it.effect.prop(
    "rule 11: what is foreign in an error is masked wherever it stands, its message included",
    { error: HostError.HostError, marker: Schema.String.check(Schema.isPattern(/^[a-z0-9]{12,20}$/u)) },
    ({ error, marker }) =>
      Effect.gen(function* () {
        const quoted = { problems: [{ path: marker, message: marker }], cause: { [marker]: marker }, reason: marker }
        const fields = (yield* Schema.encodeEffect(json)(error)) as Record<string, unknown>
        // The URL of a command is the plugin's own word, and so is all that a guest says of its error.
        const own =
          error._tag === "CommandUngranted"
            ? { url: marker }
            : error._tag === "GuestError"
              ? { name: marker, message: marker, position: marker }
              : {}
        const foreign = Object.fromEntries(Object.entries({ ...quoted, ...own }).filter(([name]) => name in fields))
        const marked = yield* Schema.decodeUnknownEffect(json)({ ...fields, ...foreign })
        const shown = HostError.encode(Redaction.make({ secrets: [], config: marker }))(marked)
        assert.notInclude(JSON.stringify(shown), marker)
        assert.strictEqual(marked.message.includes(marker), Diagnostic.isQuoting(error._tag))
      }),
    { arbitrary: { runs: 600 } }
  )

  it.effect.prop(
    "rule 10: what a handler throws, fails with or dies of is reported and costs that plugin only",
    {
      thrown: Schema.Union([Schema.String, Schema.Int, Schema.Null, Schema.Struct({ message: Schema.String })]),
      how: Schema.Literals(["throw", "die", "fail", "promise", "output"])
    },
    ({ how, thrown }) => {
      const broken = plugin({
        name: "broken",
        handlers: {
          gateway: {
            websocket_text: () => {
              switch (how) {
                case "throw":
                  throw thrown
                case "die":
                  return Effect.die(thrown)
                case "fail":
                  return Effect.fail(thrown)
                case "promise":
                  return Effect.promise(() => Promise.reject(thrown))
                case "output":
                  // Not what the type says, as from JavaScript.
                  return Exit.succeed(thrown === null ? 1 : thrown) as Exit.Exit<never>
              }
            }
          }
        }
      })
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const [one, two] = [yield* fake.remote(GATEWAY), yield* fake.remote(FINE)]
        one.sendText("a")
        two.sendText("b")
        yield* host.idle
        const row = yield* rowOf(refOf(broken))
        const crashed = how === "throw" || how === "die" || how === "promise"
        const tag = crashed ? "InstanceLost" : how === "fail" ? "DispatchFailed" : "OutputInvalid"
        assert.strictEqual(row.diagnosticCounts[tag], 1)
        assert.strictEqual(row.lastError?.tag, tag)
        assert.strictEqual(row.dispatchCounters.failed, 1)
        assert.strictEqual(row.lifecycle, crashed ? "restarting" : "running")
        assert.isUndefined(accountingProblem(row))
        assert.deepStrictEqual(two.sent, ["fine"])
        assert.strictEqual((yield* rowOf(refOf(fine))).lifecycle, "running")
        HostStatus.encode(yield* host.status)
      }).pipe(Effect.provide(onFake({ plugins: [broken, fine] })))
    },
    { arbitrary: { runs: 100 } }
  )
})

const Secret = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9+/=_-]{8,40}$/u))

describe("what a host says", () => {
  it.effect.prop(
    "rule 11: carries no query, no configured string and no frame text, wherever they come back from",
    { secret: Secret, text: Secret },
    ({ secret, text }) => {
      const url = `ws://127.0.0.1:7700/gateway?token=${encodeURIComponent(secret)}`
      const leaky = plugin({
        sources: [url],
        handlers: () =>
          Effect.succeed({
            gateway: {
              websocket_text: (event) => {
                if (event.text.startsWith("fail")) return Effect.fail(new Error(`it was ${secret}`))
                const commands = [
                  OutputCommand.send(event, text),
                  OutputCommand.send(`ws://user:${text}@127.0.0.1/?${text}`, text),
                  OutputCommand.send(`not a url ${" ".repeat(300)}${text}`, text),
                  OutputCommand.close(event, { code: 4000, reason: secret })
                ]
                return Exit.succeed({ status: { said: `${secret}!`, [secret]: 1 }, commands })
              }
            }
          })
      })
      const enabled = [enable(leaky, { config: { nested: [{ key: secret }] } })]
      return Effect.gen(function* () {
        const fake = yield* FakeWebSocket.FakeWebSocket
        const host = yield* PluginHost.PluginHost
        const remote = yield* fake.remote(url)
        remote.sendText(`fail ${text}`)
        remote.sendBurst([text, text])
        yield* host.idle
        const shown = JSON.stringify(HostStatus.encode(yield* host.status))
        assert.notInclude(shown, secret)
        assert.notInclude(shown, encodeURIComponent(secret))
        assert.notInclude(shown, text)
        assert.include(shown, "***")
      }).pipe(Effect.provide(onFake({ plugins: [leaky], enabled })))
    },
    { arbitrary: { runs: 100 } }
  )
})
