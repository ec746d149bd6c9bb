/** Rule 11 in a whole host: secrets in messages, by stand-ins. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { GrantStore, type IngressEvent, OutputCommand, PluginHost, type PluginRuntime } from "mooring"
import { FakeWebSocket, StaticSecrets } from "mooring/testing"
import { onFake, rowOf, settled } from "../support/host.ts"
import { enable, GATEWAY, plugin } from "../support/plugins.ts"

const OTHER = "ws://127.0.0.1:7800/gateway"
const VALUE = 'S3CRET"/1'
const SHUT = "N0T-0PEN-HERE"
const REF = "project:test.plugin"

type Command = (secrets: PluginRuntime.Start["secrets"]) => ReadonlyArray<unknown>

/** A plugin that does, for a text that is a number, what the test says with the stand-ins of its last start. */
const scripted = (name = "plugin", commands: ReadonlyArray<Command> = []) => {
  const starts: Array<PluginRuntime.Start["secrets"]> = []
  const handed: Array<string> = []
  const lost: Array<Deferred.Deferred<PluginRuntime.Loss>> = []
  const handle = (event: IngressEvent.AnyEvent) => {
    handed.push(JSON.stringify(event.payload))
    if (!("text" in event) || !/^\d+$/.test(event.text)) return Exit.void
    const made = commands[Number(event.text)]?.(starts.at(-1) ?? {}) ?? []
    return Exit.succeed({ commands: made as ReadonlyArray<OutputCommand.Command> })
  }
  const pkg: PluginRuntime.PluginPackage = {
    ...plugin({ name, sources: [GATEWAY, OTHER] }),
    runtime: {
      start: ({ secrets }) =>
        Effect.gen(function* () {
          starts.push(secrets)
          const loss = yield* Deferred.make<PluginRuntime.Loss>()
          lost.push(loss)
          return { handle, stop: Effect.void, lost: Deferred.await(loss) }
        })
    }
  }
  const lose = (how: PluginRuntime.Loss) =>
    Effect.suspend(() => Deferred.succeed(lost.at(-1) ?? Deferred.makeUnsafe<PluginRuntime.Loss>(), how))
  return { pkg, starts, handed, lose }
}

type Scripted = ReturnType<typeof scripted>

const opening = (port: number, secrets: ReadonlyArray<string>) => ({
  scheme: "ws",
  host: "127.0.0.1",
  port,
  path_prefixes: ["/"],
  secrets
})

/** The gateway is opened these secrets, and the other server the other one. */
const entryOf = ({ pkg }: Scripted, opened: ReadonlyArray<string> = ["token"]) =>
  enable(pkg, {
    secrets: { token: { env: "TOKEN" }, shut: { env: "SHUT" } },
    grants: {
      permissions: pkg.manifest.permissions,
      websocket: [opening(7700, opened), opening(7800, ["shut"])]
    }
  })

const hosting = (...plugins: ReadonlyArray<Scripted>) =>
  onFake({ plugins: plugins.map(({ pkg }) => pkg), enabled: plugins.map((each) => entryOf(each)) }).pipe(
    Layer.provideMerge(StaticSecrets.layer({ env: { TOKEN: VALUE, SHUT } }))
  )

const send = (text: string, to = GATEWAY) => OutputCommand.send({ url: to, ingressName: "gateway" }, text)
const verdicts = Effect.map(rowOf(REF), (row) =>
  row.outputCommandResults.map(({ error, status }) => error?.tag ?? status)
)
const connection = Effect.map(rowOf(REF), (row) => row.websocketConnections[0] ?? assert.fail("no connection"))

/** Tells a plugin to do what stands at these places in its script. */
const doing = (...places: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const host = yield* PluginHost.PluginHost
    const fake = yield* FakeWebSocket.FakeWebSocket
    const remote = yield* fake.remote(GATEWAY)
    for (const place of places) remote.sendText(String(place))
    yield* host.idle
    return remote
  })

describe("A plugin's stand-ins", () => {
  it.effect("become values where they go to a target that opens them, and come back as what they were", () => {
    const its = scripted("plugin", [
      ({ token = "" }) => [send(JSON.stringify({ op: 2, d: { token } }))],
      ({ shut = "" }) => [send(shut, OTHER)]
    ])
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* doing(0, 1)
      const other = yield* fake.remote(OTHER)
      assert.deepStrictEqual(remote.sent, [JSON.stringify({ op: 2, d: { token: VALUE } })])
      assert.deepStrictEqual(other.sent, [SHUT])
      assert.deepStrictEqual(yield* verdicts, ["executed", "executed"])
      for (const text of remote.sent) remote.sendText(`you said ${text}`)
      // A server that was never sent it may say what it likes.
      other.sendText(`${SHUT} ${VALUE}`)
      remote.close(4000, `bye ${VALUE}`)
      yield* host.idle
      const [{ token = "", shut = "" } = {}] = its.starts
      for (const told of [`you said ${JSON.stringify({ op: 2, d: { token } })}`, `${shut} ${VALUE}`, `bye ${token}`]) {
        assert.include(its.handed.join("\n"), JSON.stringify(told))
      }
      assert.strictEqual((yield* connection).lastClose?.reason, `bye ${token}`)
      assert.notInclude(JSON.stringify(yield* host.status), VALUE)
    }).pipe(Effect.provide(hosting(its)))
  })

  it.effect("are new at every start, also beside a connection that is kept", () => {
    const its = scripted("plugin", [({ token = "" }) => [send(token)]])
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      yield* doing()
      yield* its.lose("neighbour")
      yield* host.idle
      const remote = yield* doing(0)
      assert.deepStrictEqual(remote.sent, [VALUE])
      remote.sendText(`still ${VALUE}`)
      yield* host.restart(REF)
      yield* host.idle
      const [first, second, third] = its.starts.map(({ token = "" }) => token)
      assert.strictEqual(new Set([first, second, third]).size, 3)
      assert.include(its.handed.join(), `still ${second}`)
    }).pipe(Effect.provide(hosting(its)))
  })
})

describe("SecretUngranted", () => {
  it.effect("rule 11: is what every other stand-in is, and no server sees anything", () => {
    const neighbour = scripted("neighbour")
    const yesterday: Array<string> = []
    const its: Scripted = scripted(
      "plugin",
      [
        ({ shut = "" }) => [send(shut)],
        ({ token = "" }) => [send(token, OTHER)],
        () => [send(neighbour.starts.at(-1)?.["token"] ?? "")],
        () => [send(yesterday[0] ?? "")],
        ({ token = "", shut = "" }) => [send(token + shut)],
        ({ token = "" }) => [send("x", `${GATEWAY}?k=${token}`)],
        ({ token = "" }) => [OutputCommand.close(GATEWAY, { reason: token })],
        ({ token = "" }) => [OutputCommand.reconnect(GATEWAY, { dialUrl: `${GATEWAY}?k=${token}` })],
        ({ token = "" }) => [OutputCommand.setTimer("t", { afterMs: 100, url: `${GATEWAY}/${token}` })],
        ({ token = "" }) => [OutputCommand.send({ url: GATEWAY, ingressName: token }, "x")]
      ].map((commands): Command => commands)
    )
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      yield* doing()
      yesterday.push(its.starts.at(-1)?.["token"] ?? "")
      yield* host.restart(REF)
      yield* host.idle
      // Of the two plugins' connections to it the last is the one that was dialled anew.
      const remote = (yield* fake.remotes(GATEWAY)).at(-1) ?? assert.fail("no connection")
      for (let place = 0; place < 10; place++) remote.sendText(String(place))
      yield* host.idle
      assert.deepStrictEqual(
        yield* verdicts,
        Array.from({ length: 10 }, () => "SecretUngranted")
      )
      for (const url of [GATEWAY, OTHER]) {
        for (const { sent } of yield* fake.remotes(url)) assert.deepStrictEqual(sent, [])
      }
      assert.isTrue(remote.isOpen)
      assert.notInclude(JSON.stringify(yield* fake.dials), "mooring-secret-")
    }).pipe(Effect.provide(hosting(its, neighbour)))
  })
})

const opens = (one: Scripted, secrets: ReadonlyArray<string>) =>
  Effect.flatMap(GrantStore.GrantEditor, (editor) => editor.set(REF, GrantStore.grantOf(entryOf(one, secrets))))

describe("A grant", () => {
  it.effect(
    "that opens a secret, or doesn't any more, decides from the next send on; what was sent stays known",
    () => {
      const one = scripted("plugin", [({ shut = "" }) => [send(shut)], ({ token = "" }) => [send(token)]])
      return Effect.gen(function* () {
        const host = yield* PluginHost.PluginHost
        yield* doing(0, 1)
        yield* opens(one, ["shut"])
        const remote = yield* doing(0, 1)
        assert.deepStrictEqual(yield* verdicts, ["SecretUngranted", "executed", "executed", "SecretUngranted"])
        assert.deepStrictEqual(remote.sent, [VALUE, SHUT])
        remote.sendText(`both ${VALUE} ${SHUT}`)
        yield* host.idle
        const [{ token = "", shut = "" } = {}] = one.starts
        assert.include(one.handed.join(), `both ${token} ${shut}`)
        assert.strictEqual((yield* connection).opens, 1)
      }).pipe(Effect.provide(hosting(one)))
    }
  )

  it.effect("that closes a secret also closes it for a text that waits: that is never written", () => {
    const one = scripted("plugin", [
      () => [send("x".repeat(65_536))],
      ({ token = "" }) => [send(`waits ${token}`)],
      () => [send("last")]
    ])
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const remote = yield* fake.remote(GATEWAY)
      remote.stopDraining()
      yield* doing(0, 1, 2)
      assert.deepStrictEqual(yield* verdicts, ["executed", "executed", "executed"])
      yield* opens(one, [])
      remote.drain()
      yield* settled
      yield* host.idle
      assert.deepStrictEqual(
        remote.sent.map((text) => text.slice(0, 8)),
        ["xxxxxxxx", "last"]
      )
      assert.deepInclude(yield* connection, { sendFailures: 1, bufferedBytes: 0, sentTextFrames: 3 })
    }).pipe(Effect.provide(hosting(one)))
  })

  it.effect("has a text that waits written with the value of then", () => {
    const one = scripted("plugin", [() => [send("x".repeat(65_536))], ({ token = "" }) => [send(`waits ${token}`)]])
    return Effect.gen(function* () {
      const host = yield* PluginHost.PluginHost
      const fake = yield* FakeWebSocket.FakeWebSocket
      const { replace } = yield* StaticSecrets.StaticSecrets
      const remote = yield* fake.remote(GATEWAY)
      remote.stopDraining()
      yield* doing(0, 1)
      yield* replace({ env: { TOKEN: "another value", SHUT } })
      yield* host.idle
      remote.drain()
      yield* settled
      assert.strictEqual(remote.sent[1], "waits another value")
      remote.sendText(`old ${VALUE} new another value`)
      yield* host.idle
      const [{ token = "" } = {}] = one.starts
      assert.include(one.handed.join(), `old ${token} new ${token}`)
      assert.strictEqual(one.starts.length, 1)
    }).pipe(Effect.provide(hosting(one)))
  })

  it.effect("that is gone with its secret leaves that masked for ever, by no stand-in", () => {
    const one = scripted("plugin", [({ shut = "" }) => [send(shut)]])
    return Effect.gen(function* () {
      const fake = yield* FakeWebSocket.FakeWebSocket
      const host = yield* PluginHost.PluginHost
      yield* opens(one, ["shut"])
      yield* doing(0)
      const { pkg } = one
      const { permissions } = pkg.manifest
      const less = enable(pkg, {
        secrets: { token: { env: "TOKEN" } },
        grants: { permissions, websocket: [opening(7700, ["token"])] }
      })
      const editor = yield* GrantStore.GrantEditor
      yield* editor.set(REF, GrantStore.grantOf(less))
      yield* host.apply({ enabled: [less] })
      const remote = yield* fake.remote(GATEWAY, 2)
      remote.sendText(`was ${SHUT}, is ${VALUE}`)
      yield* host.idle
      assert.deepStrictEqual(Object.keys(one.starts.at(-1) ?? {}), ["token"])
      assert.include(one.handed.join(), `was ***, is ${one.starts.at(-1)?.["token"]}`)
    }).pipe(Effect.provide(hosting(one)))
  })
})
