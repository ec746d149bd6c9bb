import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ConnectionError, type HostStatus } from "mooring"
import { PackageFolders } from "mooring/node"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { MANIFEST, write } from "../../node/support/packages.ts"
import { folder } from "../support/files.ts"
import { live, pass } from "../support/liveHost.ts"

const NAMES = ["a", "b", "c"] as const
type Name = (typeof NAMES)[number]

const CODE = `import { websocketClose, websocketSend } from "mooring/guest"
export const handleIngress = (_, event) => {
  if (event.kind !== "websocket_text") return {}
  const { text } = event.payload
  return { output_commands: [text === "close" ? websocketClose(event) : websocketSend(event, text)] }
}
`

const urlOf = (name: Name) => `ws://127.0.0.1:7700/gateway/${name}`

const refOf = (name: Name) => `project:example.${name}`

/** A folder with the three packages; their digests. */
const packages = Effect.gen(function* () {
  const root = yield* folder
  const digests = new Map<string, string>()
  const { read } = yield* PackageFolders.PackageFolders
  for (const name of NAMES) {
    const manifest = MANIFEST.replaceAll("example.echo", `example.${name}`).replace(
      /gateway"\]\n/,
      `gateway/${name}"]\n`
    )
    write(path.join(root, name), { "plugin.toml": manifest, "plugin.js": CODE })
    digests.set(name, (yield* read(path.join(root, name), 5000)).digest)
  }
  return { root, file: path.join(root, "host.toml"), digests }
}).pipe(Effect.provide(PackageFolders.layer))

/** How an entry may stand in a file. */
type Entry = "absent" | "granted" | "narrowed" | "typo" | "configured" | "unpinned"

const PERMISSIONS = /^permissions = \[[^\]]*\]/m.exec(MANIFEST)?.[0] ?? ""

const entry = (name: Name, how: Entry, digest = "") =>
  how === "absent"
    ? ""
    : `
[[plugins.enabled]]
package = "./${name}"
id = "${refOf(name)}"
version = "0.1.0"
digest = "${how === "unpinned" ? `sha256:${"0".repeat(64)}` : digest}"
${how === "typo" ? "confg = { large = 9007199254740993 }" : ""}
${how === "configured" ? "config = { room = 7 }" : ""}
[plugins.enabled.grants]
${PERMISSIONS}
websocket = ${how === "narrowed" ? "[]" : `[{ scheme = "ws", host = "127.0.0.1", port = 7700, path_prefixes = ["/gateway"] }]`}
`

interface File {
  readonly entries: { readonly [name in Name]: Entry }
  readonly rest: "nothing" | "unknown key" | "other limits" | "no TOML" | "no plugins"
}

const contentOf = ({ entries, rest }: File, digests: ReadonlyMap<string, string>) => {
  if (rest === "no TOML") return "[plugins"
  if (rest === "no plugins") return "[limits]\nrestarts = 5\n"
  const head = { nothing: "", "unknown key": "limts = 1\n", "other limits": "[limits]\nrestarts = 7\n" }[rest]
  const all = NAMES.map((name) => entry(name, entries[name], digests.get(name)))
  return head + (all.join("") === "" ? "[plugins]\nenabled = []\n" : all.join(""))
}

const isOfUse = ({ rest }: File) => rest !== "no TOML" && rest !== "no plugins"

const digestOf = (content: string) => `sha256:${createHash("sha256").update(content).digest("hex")}`

const WAYS = {
  "in place": (file: string, content: string) => fs.writeFileSync(file, content),
  renamed: (file: string, content: string) => {
    fs.writeFileSync(`${file}.new`, content)
    fs.renameSync(`${file}.new`, file)
  },
  "in pieces": (file: string, content: string) => {
    fs.writeFileSync(file, content.slice(0, content.length / 2))
    fs.appendFileSync(file, content.slice(content.length / 2))
  }
}

const rowOf = ({ plugins }: HostStatus.HostStatus, name: Name) =>
  plugins.find(({ pluginRef }) => pluginRef === refOf(name))

/** What is to be seen of an entry: its lifecycle, why it is failed, and its connection. */
const expected = (how: Entry, isStopped: boolean) => {
  if (how === "typo") return ["failed", "ManifestInvalid", undefined]
  if (how === "unpinned") return ["failed", "DigestMismatch", undefined]
  if (isStopped) return ["stopped", undefined, "stopped"]
  return ["running", undefined, how === "narrowed" ? "stopped grant" : "open"]
}

const seen = (row: HostStatus.PluginStatus | undefined) => {
  if (row === undefined) return undefined
  const [connection] = row.websocketConnections
  const { state, stopReason } = connection ?? {}
  return [
    row.lifecycle,
    row.lifecycle === "failed" ? row.lastError?.tag : undefined,
    // What a source was stopped for before its service was is what it stays stopped for.
    stopReason === null || row.lifecycle === "stopped" ? state : connection && `${state} ${stopReason}`
  ]
}

/** What changes where a plugin or its connection is touched. */
const lifeOf = (row: HostStatus.PluginStatus | undefined) => [
  row?.dispatchCounters,
  row?.websocketConnections.map(({ epoch, opens, since }) => ({ epoch, opens, since }))
]

const Step = Schema.Struct({
  entries: Schema.Struct({
    a: Schema.Literals(["granted", "granted", "narrowed", "typo", "configured", "unpinned", "absent"]),
    b: Schema.Literals(["granted", "granted", "narrowed", "typo", "configured", "absent"]),
    c: Schema.Literals(["granted", "granted", "granted", "narrowed", "absent"])
  }),
  rest: Schema.Literals(["nothing", "nothing", "nothing", "unknown key", "other limits", "no TOML", "no plugins"]),
  way: Schema.Literals(["in place", "renamed", "in pieces"]),
  told: Schema.Literals(["by looks", "by looks", "by SIGHUP", "by both"]),
  stops: Schema.Literals(["nobody", "nobody", "a", "c"])
})

const START: File = { entries: { a: "granted", b: "granted", c: "granted" }, rest: "nothing" }

/** Three plugins that run, and what saves a file of them. */
const three = (options: Parameters<typeof live>[1] = {}) =>
  Effect.gen(function* () {
    const { digests, file, root } = yield* packages
    const save = (entries: Partial<File["entries"]>, rest: File["rest"] = "nothing") =>
      WAYS.renamed(file, contentOf({ entries: { ...START.entries, ...entries }, rest }, digests))
    save({})
    const { fake, hangUp, host } = yield* live(file, options)
    yield* pass(2)
    const look = (name: Name) => Effect.map(host.status, (status) => seen(rowOf(status, name)))
    return { digests, fake, file, hangUp, host, look, root, save }
  })

describe("a host that follows its file", () => {
  it.effect.prop(
    "rule 1: runs what the last usable file says and nothing else, says so, and touches nothing that stays",
    { steps: Schema.Array(Step).check(Schema.isBetweenLength(1, 10)) },
    ({ steps }) =>
      Effect.gen(function* () {
        const { digests, file, root } = yield* packages
        assert.isNotEmpty(root)
        fs.writeFileSync(file, contentOf(START, digests))
        const { hangUp, host } = yield* live(file)
        yield* pass(4)
        let applied = START
        const stopped = new Set<Name>()
        for (const { stops, told, way, ...next } of steps) {
          const before = yield* host.status
          if (stops !== "nobody" && rowOf(before, stops)?.lifecycle === "running") {
            yield* host.stop(refOf(stops))
            stopped.add(stops)
            yield* pass(1)
          }
          const was = yield* host.status
          const former = applied
          WAYS[way](file, contentOf(next, digests))
          if (told !== "by looks") yield* hangUp
          yield* pass(6)
          if (isOfUse(next)) applied = next
          if (told !== "by looks") stopped.clear()
          for (const name of NAMES) if (applied.entries[name] === "absent") stopped.delete(name)

          const now = yield* host.status
          const state = !isOfUse(next)
            ? "rejected"
            : applied.rest !== "nothing" || Object.values(applied.entries).includes("typo")
              ? "partly"
              : "applied"
          const what = JSON.stringify({ told, way, stops, next, former })
          assert.strictEqual(now.host.config.state, state, what)
          assert.strictEqual(now.host.config.digest, digestOf(contentOf(applied, digests)), what)
          assert.strictEqual(now.host.config.problems.length > 0, state !== "applied", what)
          for (const name of NAMES) {
            const how = applied.entries[name]
            const [row, old] = [rowOf(now, name), rowOf(was, name)]
            const wanted = how === "absent" ? undefined : expected(how, stopped.has(name))
            assert.deepStrictEqual(seen(row), wanted, `${name} ${what}`)
            if (how === former.entries[name] && old?.lifecycle === "running") {
              assert.deepStrictEqual(lifeOf(row), lifeOf(old), `${name} ${what}`)
              assert.deepStrictEqual(row?.diagnosticCounts, old.diagnosticCounts, `${name} ${what}`)
            }
          }
        }
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 15 } }
  )

  it.effect("narrows a grant within a second of reading it, whatever another change waits for", () => {
    let isSilent = false
    const folders = (disk: PackageFolders.PackageFolders["Service"]) => ({
      ...disk,
      read: (...asked: Parameters<typeof disk.read>) => (isSilent ? Effect.never : disk.read(...asked))
    })
    return Effect.gen(function* () {
      const { look, save } = yield* three({ folders })
      isSilent = true
      save({ b: "unpinned" })
      yield* pass(3)
      // It isn't what is enabled any more, however long it takes to see what that is.
      yield* pass(4)
      assert.notStrictEqual((yield* look("b"))?.[2], "open")
      save({ a: "narrowed", b: "unpinned", c: "absent" })
      yield* pass(3)
      assert.deepStrictEqual([(yield* look("a"))?.[2], (yield* look("c"))?.[2]], ["stopped grant", "open"])
      yield* pass(4)
      assert.notStrictEqual((yield* look("c"))?.[2], "open")
      assert.deepStrictEqual((yield* look("a"))?.[0], "running")
    }).pipe(Effect.scoped)
  })

  it.effect("reads the folder of a failed entry again once it has changed, and not before", () => {
    const reads: Array<string> = []
    const folders = (disk: PackageFolders.PackageFolders["Service"]) => ({
      ...disk,
      read: (...asked: Parameters<typeof disk.read>) => {
        reads.push(path.basename(asked[0]))
        return disk.read(...asked)
      }
    })
    return Effect.gen(function* () {
      const { digests, file, look, root, save } = yield* three({ folders })
      save({ b: "unpinned" })
      yield* pass(4)
      assert.deepStrictEqual([yield* look("b"), reads], [["failed", "DigestMismatch", undefined], ["b"]])
      yield* pass(60)
      assert.deepStrictEqual(reads, ["b"])
      // Another one that it isn't pinned to, and then the one that it is.
      write(path.join(root, "b"), { "plugin.js": `${CODE}// other` })
      yield* pass(22)
      assert.deepStrictEqual(
        [yield* look("b"), reads],
        [
          ["failed", "DigestMismatch", undefined],
          ["b", "b"]
        ]
      )
      fs.renameSync(path.join(root, "b"), path.join(root, "gone"))
      yield* pass(22)
      assert.deepStrictEqual(yield* look("b"), ["failed", "PackageUnreadable", undefined])
      fs.renameSync(path.join(root, "gone"), path.join(root, "b"))
      WAYS.renamed(file, contentOf(START, digests))
      yield* pass(4)
      assert.deepStrictEqual(yield* look("b"), ["failed", "DigestMismatch", undefined])
      write(path.join(root, "b"), { "plugin.js": CODE })
      yield* pass(22)
      assert.deepStrictEqual(yield* look("b"), ["running", undefined, "open"])
      assert.notInclude(reads, "a")
    }).pipe(Effect.scoped)
  })

  it.effect(
    "dials at a SIGHUP what a server or the network had stopped, and nothing that a grant or a plugin did",
    () =>
      Effect.gen(function* () {
        const { fake, hangUp, host, look, save } = yield* three()
        save({ a: "narrowed" })
        yield* fake.answer(urlOf("c"), { kind: "refuse", status: 403 })
        const [remoteB, remoteC] = [yield* fake.remote(urlOf("b")), yield* fake.remote(urlOf("c"))]
        remoteB.sendText("close")
        remoteC.close(1011)
        yield* pass(12)
        const states = Effect.forEach(NAMES, (name) => Effect.map(look(name), (shown) => shown?.[2]))
        assert.deepStrictEqual(yield* states, ["stopped grant", "stopped plugin", "stopped http"])
        yield* fake.answer(urlOf("c"), { kind: "accept" })
        yield* hangUp
        yield* pass(4)
        assert.deepStrictEqual(yield* states, ["stopped grant", "stopped plugin", "open"])
        assert.isTrue((yield* host.status).plugins.every(({ restarts }) => restarts === 0))
      }).pipe(Effect.scoped)
  )

  it.effect(
    "dials at a SIGHUP what is stopped as exhausted, for an address and for never, too, and no more than there may be",
    () =>
      Effect.gen(function* () {
        const { digests, fake, file, hangUp, host } = yield* three()
        const [limited, denied] = [`${urlOf("c")}/2`, `${urlOf("b")}/2`]
        const settings = {
          a: { limits: "", sources: 'reconnect = { policy = "never" }' },
          b: {
            limits: "",
            sources: `urls = ["${urlOf("b")}", "${denied}"]\nreconnect = { max_attempts = 1, initial_ms = 1 }`
          },
          c: { limits: "limits = { connections_per_plugin = 1 }", sources: `urls = ["${urlOf("c")}", "${limited}"]` }
        }
        const content = NAMES.map((name) => {
          const { limits, sources } = settings[name]
          const text = entry(name, "granted", digests.get(name))
          const grants = "[plugins.enabled.grants]"
          return `${text.replace(grants, `${limits}\n${grants}`)}[plugins.enabled.sources.gateway]\n${sources}\n`
        })
        yield* fake.answer(urlOf("b"), { kind: "refuse", status: 503 })
        const error = new ConnectionError.AddressDenied({ url: denied, address: "10.0.0.1" })
        yield* fake.answer(denied, { kind: "fail", error })
        WAYS.renamed(file, content.join(""))
        yield* pass(8)
        assert.deepStrictEqual((yield* host.status).host.config.problems, [])
        const [remoteA, remoteC] = [yield* fake.remote(urlOf("a"), 2), yield* fake.remote(urlOf("c"), 2)]
        remoteA.close(1011)
        remoteC.sendText("close")
        yield* pass(8)
        const states = Effect.map(host.status, ({ plugins }) =>
          plugins.map(({ websocketConnections }) =>
            websocketConnections.map(({ state, stopReason }) => stopReason ?? state)
          )
        )
        assert.deepStrictEqual(yield* states, [["never"], ["exhausted", "address"], ["plugin", "limit"]])
        for (const url of [urlOf("b"), denied]) yield* fake.answer(url, { kind: "accept" })
        yield* hangUp
        yield* pass(4)
        // One that there are too many of for its plugin stays so, whoever asks.
        assert.deepStrictEqual(yield* states, [["open"], ["open", "open"], ["plugin", "limit"]])
      }).pipe(Effect.scoped)
  )

  it.effect("reads at a SIGHUP the package of what was stopped anew, and of what runs nothing", () =>
    Effect.gen(function* () {
      const { hangUp, host, look, root } = yield* three()
      yield* host.stop(refOf("a"))
      yield* host.stop(refOf("b"))
      yield* pass(1)
      for (const name of ["b", "c"]) write(path.join(root, name), { "plugin.js": "export {}" })
      yield* hangUp
      yield* pass(4)
      assert.deepStrictEqual(yield* look("a"), ["running", undefined, "open"])
      assert.deepStrictEqual(yield* look("b"), ["failed", "DigestMismatch", undefined])
      assert.deepStrictEqual(yield* look("c"), ["running", undefined, "open"])
    }).pipe(Effect.scoped)
  )

  it.effect("waits at a SIGHUP for who is writing the file, and for nobody else", () =>
    Effect.gen(function* () {
      const { file, hangUp, host, look, save } = yield* three()
      const content = fs.readFileSync(file)
      // As it stands there by now it would stop everything.
      fs.writeFileSync(file, "[[plugins.enabled]]\n")
      yield* hangUp
      yield* pass(2)
      assert.strictEqual((yield* host.status).plugins.length, 3)
      fs.writeFileSync(file, content)
      yield* pass(6)
      assert.deepInclude((yield* host.status).host.config, { state: "applied", problems: [] })
      for (const name of NAMES) {
        assert.deepStrictEqual(yield* look(name), ["running", undefined, "open"])
        assert.strictEqual(rowOf(yield* host.status, name)?.websocketConnections[0]?.opens, 1)
      }
      save({ b: "typo" }, "no TOML")
      yield* hangUp
      yield* pass(4)
      assert.strictEqual((yield* host.status).host.config.state, "rejected")
      fs.writeFileSync(file, content)
      yield* pass(4)
      assert.deepInclude((yield* host.status).host.config, { state: "applied", problems: [] })
      yield* host.stop(refOf("a"))
      yield* pass(1)
      yield* hangUp
      yield* pass(1)
      assert.strictEqual((yield* look("a"))?.[0], "running")
    }).pipe(Effect.scoped)
  )

  it.effect("ends where the last of 20 saves and 20 SIGHUPs in 2 seconds says, while what stays loses nothing", () =>
    Effect.gen(function* () {
      const { fake, hangUp, host, look, save } = yield* three()
      const remote = yield* fake.remote(urlOf("c"))
      const hows = ["granted", "narrowed", "typo", "absent", "configured"] as const
      for (let turn = 0; turn < 20; turn++) {
        remote.sendText(`text ${turn}`)
        save(
          { a: hows[turn % 5] ?? "absent", b: hows[(turn + 2) % 5] ?? "absent" },
          turn % 3 === 1 ? "no TOML" : "nothing"
        )
        yield* hangUp
        if (turn % 2 === 0) yield* pass(1)
      }
      save({ a: "configured", b: "absent" }, "unknown key")
      yield* pass(8)
      const { config } = (yield* host.status).host
      assert.deepStrictEqual([config.state, config.problems.map((problem) => problem.path)], ["partly", ["limts"]])
      assert.deepStrictEqual([yield* look("a"), yield* look("b")], [["running", undefined, "open"], undefined])
      const row = rowOf(yield* host.status, "c")
      assert.deepInclude(row?.dispatchCounters, { enqueued: 21, dispatched: 21, discarded: 0, evicted: 0 })
      assert.deepInclude(row?.websocketConnections[0], { opens: 1, receivedTextFrames: 20, sentTextFrames: 20 })
      assert.strictEqual(remote.sent.length, 20)
    }).pipe(Effect.scoped)
  )
})
