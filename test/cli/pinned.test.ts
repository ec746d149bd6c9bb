/** What `mooring run` makes of packages that aren't what was pinned, all beside one that is. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { write } from "../node/support/packages.ts"
import { gateway } from "../support/servers.ts"
import { folder } from "./support/files.ts"
import { codeOf, greeting, packaged, rowOf, save, stateOf } from "./support/hostFiles.ts"
import { mooring } from "./support/program.ts"
import { running } from "./support/running.ts"

const other = codeOf("malicious")

/** What is done to a package between the check and the run, and what is said of it; or to its entry. */
const SWAPS: ReadonlyArray<readonly [name: string, swap: (root: string) => void, tag: string | RegExp]> = [
  ["byte", (root) => write(root, { "plugin.js": codeOf("onf") }), "DigestMismatch"],
  ["swapped", (root) => write(root, { "plugin.js": other }), "DigestMismatch"],
  ["added", (root) => write(root, { "lib/extra.js": other }), "DigestMismatch"],
  ["hidden", (root) => write(root, { ".plugin.js.swp": "" }), "DigestMismatch"],
  ["mapped", (root) => write(root, { "plugin.js.map": "{}" }), "DigestMismatch"],
  ["renamed", (root) => fs.renameSync(`${root}/plugin.js`, `${root}/other.js`), "ManifestInvalid"],
  ["gone", (root) => fs.rmSync(root, { recursive: true }), "PackageUnreadable"],
  ["pipe", (root) => void execFileSync("mkfifo", [`${root}/pipe`]), "PackageUnreadable"],
  [
    "piped",
    (root) => {
      fs.rmSync(`${root}/plugin.js`)
      execFileSync("mkfifo", [`${root}/plugin.js`])
    },
    "PackageUnreadable"
  ],
  ["linked", (root) => fs.symlinkSync("plugin.js", `${root}/link.js`), "PackageUnreadable"],
  [
    "device",
    (root) => {
      fs.rmSync(`${root}/plugin.js`)
      fs.symlinkSync("/dev/zero", `${root}/plugin.js`)
    },
    "PackageUnreadable"
  ],
  ["secret", (root) => fs.chmodSync(`${root}/plugin.js`, 0), "PackageUnreadable"],
  ["growing", (root) => write(root, { "plugin.log": "x" }), /^(?:DigestMismatch|PackageUnreadable)$/]
]

/** Whose reads the rights of a file don't bind is another one. */
const unprivileged: ReadonlyArray<string> =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []

describe("mooring run, of packages that aren't what was pinned", () => {
  it.live(
    "rule 1: runs no code of theirs and hangs at none, gives each a row with its reason, and runs the others",
    () =>
      Effect.gen(function* () {
        const root = yield* folder
        fs.chmodSync(root, 0o755)
        const server = yield* greeting
        const names = SWAPS.map(([name]) => name)
        const entries = yield* Effect.forEach([...names, "echo", "version", "unpinned"], (name) =>
          packaged(root, name, server.port, codeOf(name))
        )
        const text = entries.map((entry) => entry()).join("")
        save(root, text)
        const file = path.join(root, "host.toml")
        const checked = yield* mooring(["check", file])
        assert.strictEqual(checked.code, 0, checked.stdout + checked.stderr)
        for (const [name, swap] of SWAPS) swap(path.join(root, name))
        const [version, unpinned] = entries.slice(-2).map((entry) => entry())
        save(
          root,
          text
            .replace(version ?? "", (version ?? "").replace('version = "0.1.0"', 'version = "0.1.1"'))
            .replace(unpinned ?? "", (unpinned ?? "").replace(/digest = .*\n/, ""))
        )
        fs.chmodSync(file, 0o644)
        const growing = setInterval(
          () => fs.existsSync(`${root}/growing`) && fs.appendFileSync(`${root}/growing/plugin.log`, "x".repeat(4096)),
          1
        )
        yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(growing)))
        const { child, ended, seen, stderr } = yield* running(file, {}, [], unprivileged)
        const expected = [
          ...SWAPS.map(([name, , tag]) => [name, tag] as const),
          ["version", "VersionMismatch"] as const
        ]
        const status = yield* seen(
          "all rows",
          (each) =>
            [...names, "version"].every((name) => rowOf(each, name)?.lifecycle === "failed") &&
            stateOf(each) === "open" &&
            server.answers.length > 0
        )
        for (const [name, tag] of expected) {
          const row = rowOf(status, name)
          if (typeof tag === "string") assert.strictEqual(row?.lastError?.tag, tag, name)
          else assert.match(row?.lastError?.tag ?? "", tag, name)
          assert.deepInclude(row, { worker: null, consoleLines: 0, restarts: 0 }, name)
          assert.strictEqual(row?.dispatchCounters.enqueued, 0, name)
          assert.isTrue(
            row?.websocketConnections.every(({ epoch }) => epoch === 0),
            name
          )
        }
        const without = status.host.config.problems.filter((problem) => problem.path.endsWith(".digest"))
        assert.deepStrictEqual(
          without.map(({ message }) => message),
          ["required"]
        )
        assert.notInclude([undefined, "running", "starting"], rowOf(status, "unpinned")?.lifecycle)
        child.kill("SIGTERM")
        assert.strictEqual((yield* ended).code, 0, stderr())
        assert.deepStrictEqual(server.answers, ["echo hi"])
        assert.notInclude(stderr(), "malicious")
      }).pipe(Effect.scoped)
  )

  it.live("rule 1: the code that runs, after a crash too and in a new worker, is the bytes that were hashed", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const answers: Array<string> = []
      const orders = ["spin", "spin natively", "end"]
      const server = yield* gateway((peer, _, nth) => {
        peer.on("message", (data: Buffer) => {
          answers.push(data.toString())
          write(path.join(root, "echo"), { "plugin.js": other, "plugin.toml": "", "more.js": other })
          if (data.toString() === "one hi") peer.send(orders[nth - 1] ?? "")
        })
        peer.send("hi")
      })
      const code = `${codeOf("one").replace(
        "return {}\n",
        `return {}
  if (event.payload.text === "spin") for (;;);
  if (event.payload.text === "spin natively") [].join.call({ length: 2 ** 32 - 1 })
`
      )}`
      const entry = yield* packaged(root, "echo", server.port, code)
      save(root, entry(undefined, "limits = { dispatch_deadline_ms = 300 }"))
      const { child, ended, seen, stderr } = yield* running(path.join(root, "host.toml"))
      const status = yield* seen("two crashes", (each) => rowOf(each)?.restarts === 2 && answers.length === 4)
      assert.strictEqual(rowOf(status)?.dispatchCounters.timedOut, 2)
      assert.deepStrictEqual(answers, ["one hi", "one hi", "one hi", "one end"])
      child.kill("SIGTERM")
      assert.strictEqual((yield* ended).code, 0, stderr())
    }).pipe(Effect.scoped)
  )
})
