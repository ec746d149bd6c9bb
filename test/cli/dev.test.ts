/** `mooring dev` as authors use it: real packages, real sockets, real editors' ways of saving. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { MANIFEST, write } from "../node/support/packages.ts"
import { gateway } from "../support/servers.ts"
import { developing, endedBy } from "./support/developing.ts"
import { folder } from "./support/files.ts"
import { mooring } from "./support/program.ts"

const CODE = `import { websocketSend } from "mooring/guest"
let seen = 0
export function start(config, { reason, state }) {
  seen = state ?? 0
  console.log("started VERSION", reason, String(state))
}
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  seen++
  return { state: seen, status: { seen }, output_commands: [websocketSend(event, "re: " + event.payload.text)] }
}
`

const TYPED = CODE.replace("let seen = 0", "let seen: number = 0")
  .replace("(config, {", "(config: unknown, {")
  .replace("reason, state })", "reason, state }: any)")
  .replace("(name, event)", "(name: string, event: any)")

const codeOf = (version: string) => CODE.replace("VERSION", version)
const typedOf = (version: string) => TYPED.replace("VERSION", version)
const manifestFor = (port: number) => MANIFEST.replaceAll("7700", String(port))

/** A package in a folder of the test's, and a server that says `hi` to whoever connects. */
const packaged = (code: string = codeOf("one"), greeting = "hi") =>
  Effect.gen(function* () {
    const answers: Array<string> = []
    const { port } = yield* gateway((peer) => {
      peer.on("message", (data: Buffer) => answers.push(data.toString()))
      peer.send(greeting)
    })
    const above = yield* folder
    const root = path.join(above, "echo")
    write(root, { "plugin.toml": manifestFor(port), "plugin.js": code })
    return { answers, port, above, root, js: path.join(root, "plugin.js") }
  })

const started = (lines: ReadonlyArray<string>) => lines.filter((line) => line.includes("console  started "))

/** What it says of the folder. */
const toldIn = (lines: ReadonlyArray<string>) =>
  lines.flatMap((line) => (/^dev +/.test(line) ? [line.replace(/^dev +/, "")] : []))

const pieces = (text: string) => [text.slice(0, 40), text.slice(40, 200), text.slice(200)]

describe("mooring dev", () => {
  it.live("says what is granted, runs the package, shows all that passes, and starts it anew with its state", () =>
    Effect.gen(function* () {
      const { answers, js, port, root } = yield* packaged()
      const dev = yield* developing(root)
      yield* dev.says("result   executed websocket_send")
      const lines = dev.lines()
      assert.include(lines, 'granted  permission { kind = "host_api", api = "websocket" }')
      const target = `{ scheme = "ws", host = "127.0.0.1", port = ${port}, path_prefixes = ["/gateway"] }`
      assert.include(lines, `granted  websocket ${target}`)
      const shown = [
        /^granted +gateway [0-9a-f]{8} ws:\/\/127\.0\.0\.1:\d+\/gateway will be dialled$/,
        /^console +started one first null$/,
        /^plugin +project:example\.echo is running$/,
        /^source +gateway [0-9a-f]{8} ws:\/\/127\.0\.0\.1:\d+\/gateway is open, epoch 1$/,
        /^event +websocket_open gateway [0-9a-f]{8} #1 \{"attempts":1,"subprotocol":null\}$/,
        /^event +websocket_text gateway [0-9a-f]{8} #2 \{"text":"hi"\}$/,
        /^answer +\{"status":\{"seen":1\},"state":1\}$/,
        /^command +\{"kind":"websocket_send","payload":\{"url":"ws:.*","text":"re: hi"\}\}$/
      ]
      for (const line of shown)
        assert.isTrue(
          lines.some((each) => line.test(each)),
          `${String(line)}\n${lines.join("\n")}`
        )
      assert.deepStrictEqual(answers, ["re: hi"])
      fs.writeFileSync(js, codeOf("two"))
      yield* dev.says("console  started two reload 1")
      yield* dev.says("is open, epoch 2")
      yield* dev.says('answer   {"status":{"seen":2},"state":2}')
      assert.deepStrictEqual(toldIn(dev.lines()), ["plugin.js has changed"])
      yield* endedBy("SIGHUP", dev)
      assert.isFalse(
        dev.lines().some((line) => /^(?:error|warning)/.test(line)),
        dev.lines().join("\n")
      )
    }).pipe(Effect.scoped)
  )

  it.live("takes each way in which editors and bundlers save for one change, and what passes for none", () =>
    Effect.gen(function* () {
      const { js, root } = yield* packaged()
      const swap = path.join(root, ".plugin.js.swp")
      const content = () => fs.readFileSync(js, "utf8")
      /** What is no change. */
      const nothing: ReadonlyArray<() => void> = [
        () => fs.utimesSync(js, new Date(), new Date()),
        () => fs.writeFileSync(js, content()),
        () => {
          fs.writeFileSync(`${js}.new`, content())
          fs.renameSync(`${js}.new`, js)
        },
        () => fs.writeFileSync(swap, "b0VIM 9.1"),
        () => fs.symlinkSync("somebody@somewhere.1234:1", path.join(root, ".#plugin.js")),
        () => fs.writeFileSync(path.join(root, "#plugin.js#"), "half"),
        () => fs.chmodSync(js, 0o600),
        () => fs.writeFileSync(path.join(root, ".DS_Store"), ""),
        () => fs.rmSync(swap)
      ]
      /** Ways to save, each as steps with the time of a slow disk between them. */
      const ways: ReadonlyArray<readonly [name: string, (text: string) => ReadonlyArray<() => void>]> = [
        ["in-place", (text) => [() => fs.writeFileSync(js, text)]],
        // vim with backupcopy=no: a test of the folder, the old one aside, a new one, the old one away.
        [
          "vim",
          (text) => [
            () => fs.writeFileSync(path.join(root, "4913"), ""),
            () => fs.rmSync(path.join(root, "4913")),
            () => fs.renameSync(js, `${js}~`),
            () => fs.writeFileSync(js, text),
            () => fs.rmSync(`${js}~`)
          ]
        ],
        // vim with backupcopy=yes: a copy, then the same file again, emptied and written.
        [
          "vim-copy",
          (text) => [
            () => fs.copyFileSync(js, `${js}~`),
            () => fs.truncateSync(js),
            () => fs.writeFileSync(js, text),
            () => fs.rmSync(`${js}~`)
          ]
        ],
        // A backup that stays.
        ["emacs", (text) => [() => fs.copyFileSync(js, `${js}~`), () => fs.writeFileSync(js, text)]],
        ["rename", (text) => [() => fs.writeFileSync(`${js}.tmp`, text), () => fs.renameSync(`${js}.tmp`, js)]],
        ["remove", (text) => [() => fs.rmSync(js), () => fs.writeFileSync(js, text)]],
        [
          "bundler",
          (text) => [() => fs.truncateSync(js), ...pieces(text).map((piece) => () => fs.appendFileSync(js, piece))]
        ]
      ]
      const dev = yield* developing(root)
      yield* dev.says("is open, epoch 1")
      for (const step of nothing) {
        step()
        yield* Effect.sleep(70)
      }
      for (const [name, way] of ways) {
        for (const step of way(codeOf(name))) {
          step()
          yield* Effect.sleep(70)
        }
        yield* dev.says(`console  started ${name} reload`)
      }
      const names = started(dev.lines()).map((line) => line.split(" ")[3])
      assert.deepStrictEqual(names, ["one", ...ways.map(([name]) => name)])
      assert.deepStrictEqual(
        toldIn(dev.lines()),
        ways.map(() => "plugin.js has changed")
      )
      yield* endedBy("SIGINT", dev)
    }).pipe(Effect.scoped)
  )

  it.live("keeps the last good one while the next can't be loaded, whatever is wrong with it, and says what", () =>
    Effect.gen(function* () {
      const { js, port, root } = yield* packaged()
      const toml = path.join(root, "plugin.toml")
      const dev = yield* developing(root)
      yield* dev.says("is open, epoch 1")
      const broken: ReadonlyArray<readonly [file: string, content: string, says: RegExp]> = [
        [js, `${codeOf("x")}\nlet x = ;`, /^error +it can't be started: SyntaxError: .* \(plugin\.js:\d+:9\)$/],
        [js, codeOf("x").slice(0, 200), /^error +it can't be started: SyntaxError: /],
        [js, `${codeOf("x")}\nnull.x`, /^error +it can't be started: TypeError: .*\(plugin\.js:\d+:\d+\)$/],
        [js, codeOf("x").replace("seen = state ?? 0", "for (;;);"), /^error +it can't be started: StartTimeout: /],
        [
          js,
          'import fs from "node:fs"\nexport const handleIngress = fs',
          /^error +it can't be started: .*no module but mooring\/guest/
        ],
        [js, "", /^error +it can't be started: .*handleIngress/],
        [toml, manifestFor(port).replace("surfaces", "surfces"), /^error +plugin\.toml:\d+:\d+: surfces: .*surfaces/],
        [toml, manifestFor(port).slice(0, 90), /^error +plugin\.toml:\d+:\d+: /],
        [toml, manifestFor(port).replace("plugin.js", "other.js"), /^error +plugin\.toml:\d+:\d+: runtime\.entry: /]
      ]
      const good = { [js]: codeOf("one"), [toml]: manifestFor(port) }
      let mended = 0
      for (const [file, content, says] of broken) {
        fs.writeFileSync(file, content)
        yield* dev.says("what ran before runs on until this is mended", mended + 1)
        assert.isTrue(
          dev.lines().some((line) => says.test(line)),
          `${String(says)}\n${dev.lines().join("\n")}`
        )
        fs.writeFileSync(file, good[file] ?? "")
        yield* dev.says("that is what runs already", ++mended)
      }
      fs.renameSync(root, `${root}.away`)
      yield* dev.says(/^error +.*ENOENT/)
      fs.renameSync(`${root}.away`, root)
      yield* dev.says("that is what runs already", ++mended)
      assert.strictEqual(started(dev.lines()).filter((line) => line.includes("first")).length, 1)
      assert.isFalse(dev.lines().some((line) => line.includes("epoch 2")))
      fs.writeFileSync(js, codeOf("two"))
      yield* dev.says("console  started two reload 1")
      yield* endedBy("SIGTERM", dev)
    }).pipe(Effect.scoped)
  )

  it.live("waits on whatever is broken at the first start, too", () =>
    Effect.gen(function* () {
      const { js, port, root } = yield* packaged()
      fs.rmSync(path.join(root, "plugin.toml"))
      fs.mkdirSync(path.join(root, "node_modules"))
      const dev = yield* developing(root)
      yield* dev.says(/^error +node_modules: .*belongs to no package/)
      yield* dev.says("nothing runs until this is mended")
      fs.rmdirSync(path.join(root, "node_modules"))
      yield* dev.says(/^error +.*it has no plugin\.toml/)
      fs.writeFileSync(js, "export let x = ;")
      fs.writeFileSync(path.join(root, "plugin.toml"), manifestFor(port))
      yield* dev.says(/^error +StartFailed: .*plugin\.js:1:16/)
      fs.writeFileSync(js, codeOf("one"))
      yield* dev.says("is open, epoch 1")
      yield* endedBy("SIGTERM", dev)
    }).pipe(Effect.scoped)
  )

  it.live("makes plugin.js of plugin.ts whenever that has changed, and waits where it can't", () =>
    Effect.gen(function* () {
      const { js, root } = yield* packaged("")
      const ts = path.join(root, "plugin.ts")
      fs.writeFileSync(ts, typedOf("one"))
      const dev = yield* developing(root)
      yield* dev.says("console  started one first null")
      const built = fs.statSync(js, { bigint: true })
      yield* dev.says("is open, epoch 1")
      fs.writeFileSync(ts, `${typedOf("one")}\nenum Kind { a }\n`)
      yield* dev.says(/^error +plugin\.ts:\d+:1: TypeScript enum is not supported/)
      // What can't be built is built of what could be before.
      assert.strictEqual(fs.statSync(js, { bigint: true }).ctimeNs, built.ctimeNs)
      fs.writeFileSync(ts, typedOf("two"))
      yield* dev.says("console  started two reload 1")
      assert.include(fs.readFileSync(js, "utf8"), "started two")
      assert.notInclude(fs.readFileSync(js, "utf8"), ": any")
      // Whoever writes what is made has it made again.
      fs.writeFileSync(js, "mine")
      yield* dev.says("plugin.js is made of plugin.ts", 3)
      yield* dev.says("that is what runs already")
      fs.writeFileSync(ts, Uint8Array.of(0xff))
      yield* dev.says(/^error +plugin\.ts: Expected UTF-8/)
      assert.deepStrictEqual(fs.readdirSync(root).toSorted(), ["plugin.js", "plugin.toml", "plugin.ts"])
      yield* endedBy("SIGTERM", dev)
      assert.isFalse(dev.lines().some((line) => line.includes("Experimental")))
    }).pipe(Effect.scoped)
  )

  it.live("follows a folder that is removed and made anew, and one that a link leads to", () =>
    Effect.gen(function* () {
      const { above, port, root } = yield* packaged()
      const link = path.join(above, "current")
      fs.symlinkSync("echo", link)
      const dev = yield* developing(link)
      yield* dev.says("console  started one first")
      const next = path.join(above, "next")
      write(next, { "plugin.toml": manifestFor(port), "plugin.js": codeOf("two"), "lib/a.txt": "" })
      fs.symlinkSync("next", `${link}.new`)
      fs.renameSync(`${link}.new`, link)
      yield* dev.says("console  started two reload")
      yield* dev.says("lib/a.txt is new")
      fs.rmSync(next, { recursive: true })
      yield* dev.says("what ran before runs on until this is mended")
      write(next, { "plugin.toml": manifestFor(port), "plugin.js": codeOf("three") })
      yield* dev.says("console  started three reload")
      yield* dev.says("lib/a.txt is gone")
      fs.rmSync(link)
      fs.renameSync(root, link)
      yield* dev.says("console  started one reload")
      yield* endedBy("SIGTERM", dev)
    }).pipe(Effect.scoped)
  )

  it.live("hands over what it was told to, masks every secret, and shows nothing that moves a cursor", () =>
    Effect.gen(function* () {
      const token = "xoxb-s3cr3t-t0ken"
      const configured = "conf1gured-w0rd"
      const code = `export function start(config) { console.log("config", config.word, "\\u001b[2J\\u202e") }
export function handleIngress(name, event) {
  if (event.kind !== "websocket_text") return {}
  console.error(event.payload.text)
  throw new Error(event.payload.text)
}
`
      const { above, port, root } = yield* packaged(code, `${token} ${configured} \u001b[2J${"x".repeat(100_000)}`)
      const config = path.join(above, "config.json")
      fs.writeFileSync(config, JSON.stringify({ word: configured }))
      const url = `ws://localhost:${port}/gateway?key={token}`
      const toml = path.join(root, "plugin.toml")
      fs.writeFileSync(
        toml,
        manifestFor(port).replace('host = "127.0.0.1"', 'host = "localhost"').replace("127.0.0.1", "localhost")
      )
      const flags = ["--config", config, "--secret", "token=TOKEN_OF_TEST", "--source", `gateway=${url}`]
      const refused = yield* developing(root, flags, { TOKEN_OF_TEST: token })
      yield* refused.says(/^warning +.*AddressDenied: .* resolves to .*; private_addresses of the granted target/)
      const dev = yield* developing(root, [...flags, "--grant-private"], { TOKEN_OF_TEST: token })
      yield* dev.says(/^error +GuestError: /)
      yield* dev.says("console  error: ")
      for (const each of [refused, dev]) {
        yield* endedBy("SIGTERM", each)
        const all = each.lines().join("\n")
        assert.notInclude(all, token)
        assert.notInclude(all, configured)
        assert.notMatch(all, /[^\n\P{Cc}]|\u202e/u)
        for (const line of each.lines()) assert.isBelow(line.length, 2200)
      }
      assert.isTrue(
        dev.lines().some((line) => /^granted +websocket .*private_addresses = true.*secrets = \["token"\]/.test(line))
      )
      assert.isTrue(
        dev.lines().some((line) => /^event +websocket_text gateway .*"mooring-secret-[0-9a-f]+ ?\*\*\*/.test(line)),
        dev.lines().join("\n")
      )
    }).pipe(Effect.scoped)
  )

  it.live("says how much of a flood it didn't show", () =>
    Effect.gen(function* () {
      const { port } = yield* gateway((peer) => {
        for (let nth = 0; nth < 500; nth++) peer.send(String(nth))
      })
      const root = path.join(yield* folder, "echo")
      write(root, { "plugin.toml": manifestFor(port), "plugin.js": codeOf("one") })
      const dev = yield* developing(root)
      yield* dev.says(/^dev +\d+ more lines of events, answers, commands and results$/)
      assert.isBelow(dev.lines().filter((line) => /^(?:event|answer|command|result)/.test(line)).length, 500)
      yield* endedBy("SIGTERM", dev)
    }).pipe(Effect.scoped)
  )

  it.live(
    "ends with 3 where there is no folder to read, a host file among them, and with 2 where flags are wrong",
    () =>
      Effect.gen(function* () {
        const { root } = yield* packaged()
        const file = path.join(root, "plugin.js")
        for (const [given, code] of [
          [path.join(root, "none"), "ENOENT"],
          [file, "ENOTDIR"]
        ] as const) {
          const ended = yield* mooring(["dev", given])
          assert.deepStrictEqual([ended.code, ended.stdout], [3, ""])
          assert.strictEqual(ended.stderr, `mooring: ${given}: Expected a folder that can be read: ${code}\n`)
        }
        const wrong: ReadonlyArray<readonly [flags: ReadonlyArray<string>, says: string]> = [
          [["--secret", "xoxb-t0ken"], "--secret: Expected a name"],
          [["--secret", "a b=HOME"], "--secret: Expected a name"],
          [["--secret", "token=xoxb-t0ken"], "--secret token: Expected the name of a variable that is set"],
          [["--source", "gateway"], "--source: Expected a name"],
          [["--source", "gateway=http://xoxb-t0ken"], "--source gateway: Expected a URL"],
          [["--config", path.join(root, "none")], "Expected a file of JSON: ENOENT"],
          [["--config", "/dev/zero"], "Expected a file of JSON: it is not a regular file"],
          [["--config", path.join(root, "plugin.toml")], "Expected a file of JSON: it is none"]
        ]
        for (const [flags, says] of wrong) {
          const ended = yield* mooring(["dev", root, ...flags])
          assert.deepStrictEqual([ended.code, ended.stdout], [2, ""])
          assert.include(ended.stderr, says)
          assert.notInclude(ended.stderr, "t0ken")
        }
        const none = yield* mooring(["dev"])
        assert.deepStrictEqual([none.code, none.stdout], [2, ""])
      }).pipe(Effect.scoped)
  )
})
