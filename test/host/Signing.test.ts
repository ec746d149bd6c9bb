/** Secrets that a plugin signs with and never sees: in process, in a worker, and in a package under test. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { GrantStore, OutputCommand, PluginHost, type PluginRuntime, ServicePlugin, Signing } from "mooring"
import { Sandbox } from "mooring/sandbox"
import { StaticSecrets, TestPackage } from "mooring/testing"
import * as crypto from "node:crypto"
import { MANIFEST, packageOf } from "../node/support/packages.ts"
import { sandboxed } from "../sandbox/support/host.ts"
import { watching } from "../sandbox/support/memories.ts"
import { onFake, opened, rowOf } from "../support/host.ts"
import { capture } from "../support/log.ts"
import { enable, FINE, GATEWAY, target } from "../support/plugins.ts"

const REF = "project:test.plugin"
const OLD = "the exchange's key of yesterday"
const NEW = "the exchange's key of today"
const PEM = String(crypto.generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" })).trim()

const hmacOf = (key: string, text: string) => crypto.createHmac("sha256", key).update(text).digest("hex")

/** Answers each text `name text` by an HMAC of the text, one that begins with a `!` by a signature. */
const inProcess = ServicePlugin.make({
  id: "test.plugin",
  version: "1.0.0",
  ingresses: { gateway: { sources: [GATEWAY] } },
  websocket: [target],
  handlers: {
    gateway: {
      websocket_text: Effect.fnUntraced(function* (event) {
        const { hmac, sign } = yield* Signing.Signing
        const [, kind, name = "", text = ""] = /^(!?)(\S+) (.*)$/s.exec(event.text) ?? []
        const made = kind === "!" ? sign(name, text, "base64") : hmac(name, text, "sha256", "hex")
        return { commands: [OutputCommand.send(event, yield* made)] }
      })
    }
  }
})

const CODE = `
import { hmac, sign, websocketSend } from "mooring/guest"
let started = "nothing"
export function start() {
  try { started = hmac("key", "start", "sha256", "hex") } catch (error) { started = error.message }
}
const said = (text) => {
  if (text === "start") return started
  if (text === "spin") [].join.call({ length: 2 ** 32 - 1 })
  if (text === "until refused") {
    try { for (;;) { const now = Date.now(); while (Date.now() < now + 3); hmac("key", "x", "sha256", "hex") } }
    catch (error) { return error.message }
  }
  const [, kind, name, rest] = /^(!?)(\\S+) (.*)$/s.exec(text)
  return kind === "!" ? sign(name, rest, "base64") : hmac(name, rest, "sha256", "hex")
}
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  return { output_commands: [websocketSend(event, said(event.payload.text))] }
}`

const entryOf = (pkg: PluginRuntime.PluginPackage, sign: ReadonlyArray<string>, deadlineMs = 8000) =>
  enable(pkg, {
    secrets: { key: { env: "KEY" }, pem: { env: "PEM" }, other: { env: "OTHER" } },
    limits: { dispatch_deadline_ms: deadlineMs },
    grants: {
      permissions: pkg.manifest.permissions,
      websocket: [{ scheme: "ws", host: "127.0.0.1", port: "*", path_prefixes: ["/"] }],
      sign
    }
  })

const VALUES = { KEY: OLD, PEM, OTHER: "a secret for something else" }

const hosting = (pkg: PluginRuntime.PluginPackage) =>
  onFake({ plugins: [pkg], enabled: [entryOf(pkg, ["key", "pem"])] }).pipe(
    Layer.provideMerge(StaticSecrets.layer({ env: VALUES }))
  )

/** Both ways in which a plugin's code runs. */
const RUNTIMES = [
  ["in process", Effect.succeed(inProcess)],
  ["in a worker", Effect.map(Sandbox.Sandbox, (sandbox) => sandboxed(sandbox, CODE))]
] as const

const running = (pkg: Effect.Effect<PluginRuntime.PluginPackage, never, Sandbox.Sandbox>) =>
  Layer.unwrap(Effect.map(pkg, hosting)).pipe(Layer.provide(Sandbox.layer))

/** Sends a text, and what came of it: an answer, or the error of the failed dispatch. */
const asked = (text: string) =>
  Effect.gen(function* () {
    const { host, remote } = yield* opened(GATEWAY)
    const { length } = remote.sent
    const failed = (yield* rowOf(REF)).dispatchCounters.failed
    remote.sendText(text)
    yield* host.idle
    const row = yield* rowOf(REF)
    if (row.dispatchCounters.failed > failed) return JSON.stringify(row.diagnostics.at(-1))
    return remote.sent[length] ?? "nothing"
  })

const until = <R>(holds: Effect.Effect<boolean, never, R>): Effect.Effect<void, never, R> =>
  Effect.flatMap(holds, (isSo) => (isSo ? Effect.void : Effect.andThen(Effect.sleep(5), until(holds))))

for (const [where, pkg] of RUNTIMES) {
  describe(`a plugin ${where}`, () => {
    it.live("signs with the secrets of its entry that it is granted for that, and with no other", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* asked("key GET/realtime"), hmacOf(OLD, "GET/realtime"))
        const signature = crypto.sign(null, Buffer.from("login"), PEM).toString("base64")
        assert.strictEqual(yield* asked("!pem login"), signature)
        for (const text of ["other x", "none x", "__proto__ x", "!key x"]) {
          assert.match(yield* asked(text), /granted for signing|no PEM of a private key/, text)
        }
        const { diagnosticCounts, restarts } = yield* rowOf(REF)
        assert.deepStrictEqual([Object.values(diagnosticCounts), restarts], [[4], 0])
      }).pipe(Effect.provide(running(pkg)))
    )

    it.live("rule 1: can't sign any more from the moment in which that isn't granted any more, and can again", () =>
      Effect.gen(function* () {
        const editor = yield* GrantStore.GrantEditor
        const made = yield* Effect.provide(pkg, Sandbox.layer)
        assert.strictEqual(yield* asked("key x"), hmacOf(OLD, "x"))
        for (let round = 0; round < 3; round++) {
          yield* editor.replace([entryOf(made, ["pem"])])
          yield* Effect.flatMap(PluginHost.PluginHost, ({ idle }) => idle)
          assert.include(yield* asked("key x"), "granted for signing")
          assert.match(yield* asked("!pem x"), /^[A-Za-z0-9+/]{86}==$/)
          yield* editor.replace([entryOf(made, ["key"])])
          yield* Effect.flatMap(PluginHost.PluginHost, ({ idle }) => idle)
          assert.strictEqual(yield* asked("key x"), hmacOf(OLD, "x"))
          assert.include(yield* asked("!pem x"), "granted for signing")
        }
      }).pipe(Effect.provide(running(pkg)))
    )

    it.live("signs with what a secret is now, and restarts for none", () =>
      Effect.gen(function* () {
        const secrets = yield* StaticSecrets.StaticSecrets
        assert.strictEqual(yield* asked("key x"), hmacOf(OLD, "x"))
        yield* secrets.replace({ env: { ...VALUES, KEY: NEW } })
        yield* until(Effect.map(asked("key x"), (signature) => signature === hmacOf(NEW, "x")))
        // One that is gone keeps its last value.
        yield* secrets.replace({ env: { PEM } })
        yield* until(Effect.map(rowOf(REF), (row) => row.lastError?.tag === "HostFileInvalid"))
        assert.strictEqual(yield* asked("key x"), hmacOf(NEW, "x"))
        assert.deepInclude(yield* rowOf(REF), { restarts: 0 })
      }).pipe(Effect.provide(running(pkg)))
    )

    it.live("rule 11: has none of them in the status, in a diagnostic or in the log, whatever went wrong", () =>
      Effect.gen(function* () {
        const { lines, logged } = capture()
        const shown = yield* Effect.gen(function* () {
          const { status } = yield* PluginHost.PluginHost
          for (const text of ["key x", "!pem x", "!key x", "other x", `key ${"x".repeat(65_537)}`]) yield* asked(text)
          return JSON.stringify(yield* status)
        }).pipe(Effect.provide(running(pkg)), logged)
        assert.include(shown, "private key")
        for (const secret of [...Object.values(VALUES), ...PEM.split("\n").slice(1, -1)]) {
          assert.notInclude(shown + JSON.stringify(lines), secret)
        }
      })
    )
  })
}

describe("a plugin in process", () => {
  it.live("has a tagged error to catch, and nothing to sign with once its instance has ended", () => {
    const kept: Array<Signing.Signing["Service"]> = []
    const pkg = ServicePlugin.make({
      id: "test.plugin",
      version: "1.0.0",
      ingresses: { gateway: { sources: [GATEWAY] } },
      websocket: [target],
      handlers: () =>
        Effect.gen(function* () {
          const signing = yield* Signing.Signing
          kept.push(signing)
          yield* signing.hmac("key", "x", "sha256", "hex")
          return { gateway: {} }
        }),
      stop: Effect.flatMap(Signing.Signing, ({ hmac }) => hmac("key", "x", "sha256", "hex"))
    })
    const outcomes = Effect.suspend(() =>
      Effect.forEach(kept, ({ hmac }) =>
        Effect.match(hmac("key", "x", "sha256", "hex"), {
          onSuccess: () => "signed",
          onFailure: ({ _tag, reason }) => `${_tag} ${reason}`
        })
      )
    )
    return Effect.gen(function* () {
      const { host } = yield* opened(GATEWAY)
      assert.deepStrictEqual(yield* outcomes, ["signed"])
      yield* host.restart(REF)
      yield* opened(GATEWAY)
      assert.deepStrictEqual(yield* outcomes, ["SigningRefused ungranted", "signed"])
      assert.strictEqual((yield* rowOf(REF)).lastError, null)
    }).pipe(Effect.provide(running(Effect.succeed(pkg))))
  })
})

describe("a plugin in a worker", () => {
  it.live("signs in its start too", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* asked("start"), hmacOf(OLD, "start"))
    }).pipe(Effect.provide(running(RUNTIMES[1][1])))
  )

  it.live("rule 1: loses what it signs with in the middle of an event, however busy its worker is", () =>
    Effect.gen(function* () {
      const editor = yield* GrantStore.GrantEditor
      const made = yield* Effect.provide(RUNTIMES[1][1], Sandbox.layer)
      const { host, remote } = yield* opened(GATEWAY)
      remote.sendText("until refused")
      yield* until(Effect.map(rowOf(REF), ({ dispatchCounters }) => dispatchCounters.inFlight === 1))
      yield* editor.replace([entryOf(made, [])])
      yield* host.idle
      assert.match(remote.sent.join(), /granted for signing/)
      assert.deepInclude((yield* rowOf(REF)).dispatchCounters, { failed: 0, timedOut: 0 })
    }).pipe(Effect.provide(running(RUNTIMES[1][1])))
  )
})

/** Two plugins in one worker, each with the same entry, but for what it may sign with. */
const beside = Layer.unwrap(
  Effect.map(Sandbox.Sandbox, (sandbox) => {
    const granted = sandboxed(sandbox, CODE)
    const denied = sandboxed(sandbox, CODE, { name: "denied", sources: [FINE] })
    return onFake({
      plugins: [granted, denied],
      enabled: [entryOf(granted, ["key"]), entryOf(denied, [], 200)],
      limits: { sandboxWorkers: 1, soloWorkers: 1 }
    })
  })
).pipe(Layer.provideMerge(StaticSecrets.layer({ env: VALUES })), Layer.provide(Sandbox.layer))

describe("two plugins in one worker", () => {
  it.live(
    "rule 12: sign each with what it is granted itself, also when the worker had to be ended for one of them",
    () =>
      Effect.gen(function* () {
        const { host, remote } = yield* opened(GATEWAY)
        const { fake, remote: other } = yield* opened(FINE)
        const rows = Effect.all([rowOf(REF), rowOf("project:test.denied")])
        assert.strictEqual(new Set((yield* rows).map(({ worker }) => worker)).size, 1)
        remote.sendText("key x")
        other.sendText("key x")
        yield* host.idle
        assert.deepStrictEqual(remote.sent, [hmacOf(OLD, "x")])
        assert.deepStrictEqual(other.sent, [])
        // Its worker is ended, the neighbour starts again in another.
        other.sendText("spin")
        yield* until(Effect.map(rows, ([, { restarts }]) => restarts === 1))
        yield* fake.remote(FINE, 2)
        yield* host.idle
        remote.sendText("key y")
        yield* host.idle
        assert.deepStrictEqual(remote.sent, [hmacOf(OLD, "x"), hmacOf(OLD, "y")])
      }).pipe(Effect.provide(beside))
  )
})

describe("a package under test", () => {
  it.live("can't send the PEM of a private key, though every target opens it: it only signs", () =>
    Effect.gen(function* () {
      const code = `
        import { websocketSend } from "mooring/guest"
        let secrets
        export function start(config, context) { secrets = context.secrets }
        export const handleIngress = (name, { kind, payload }) =>
          kind === "websocket_text" ? { output_commands: [websocketSend(payload.url, secrets[payload.text])] } : {}`
      const folder = yield* packageOf({ "plugin.toml": MANIFEST, "plugin.js": code })
      yield* Effect.promise(() =>
        TestPackage.run(
          folder,
          async (plugin) => {
            const gateway = await plugin.remote(GATEWAY)
            gateway.sendText("pem")
            gateway.sendText("key")
            await plugin.idle()
            const { diagnosticCounts } = await plugin.status()
            assert.deepStrictEqual([gateway.sent, diagnosticCounts], [[OLD], { SecretUngranted: 1 }])
          },
          { secrets: { key: OLD, pem: PEM } }
        )
      )
    }).pipe(Effect.scoped)
  )

  it.live("rule 11: signs, and its whole memory holds none of its secrets, before nor after", () =>
    Effect.gen(function* () {
      const folder = yield* packageOf({ "plugin.toml": MANIFEST, "plugin.js": CODE })
      const secrets = { key: OLD, pem: PEM }
      yield* Effect.promise(() =>
        watching((formsOf) =>
          TestPackage.run(
            folder,
            async (plugin) => {
              const gateway = await plugin.remote(GATEWAY)
              assert.deepStrictEqual(formsOf(Object.values(secrets)), [])
              for (const text of ["key the signed text", "!pem the signed text"]) gateway.sendText(text)
              await plugin.idle()
              assert.strictEqual(gateway.sent[0], hmacOf(OLD, "the signed text"))
              assert.strictEqual(
                gateway.sent[1],
                crypto.sign(null, Buffer.from("the signed text"), PEM).toString("base64")
              )
              assert.deepStrictEqual(formsOf(Object.values(secrets)), [])
              assert.isNotEmpty(formsOf(["the signed text"]))
            },
            { secrets }
          )
        )
      )
    }).pipe(Effect.scoped)
  )
})
