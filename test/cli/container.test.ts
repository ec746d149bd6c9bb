/** The program in a container as docs/examples/operate/Containerfile describes it, played by namespaces. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Container from "./support/container.ts"
import { folder } from "./support/files.ts"
import { greeting, packaged, rowOf, save, stateOf } from "./support/hostFiles.ts"
import { runningBy } from "./support/running.ts"

const CONTROL = '[control]\nlisten = "unix:/run/mooring/control.sock"\n'
const REF = "project:example.echo"

/** Whoever has a number and nothing else may read it. */
const readable = (root: string): void => {
  fs.chmodSync(root, 0o755)
  for (const entry of fs.readdirSync(root, { withFileTypes: true })) {
    const at = path.join(root, entry.name)
    if (entry.isDirectory()) readable(at)
    else fs.chmodSync(at, 0o644)
  }
}

/** A host in a container, as far as the first answer of its plugin. */
const contained = Effect.gen(function* () {
  const etc = yield* folder
  const root = yield* folder
  const server = yield* greeting
  const entry = yield* packaged(etc, "echo", server.port)
  const content = CONTROL + entry()
  save(etc, content)
  readable(etc)
  const host = yield* runningBy([...Container.inside(root, etc), ...Container.COMMAND])
  const opened = yield* host.seen("an open connection", (status) => stateOf(status) === "open")
  const first = Container.firstIn(host.child.pid)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      if (host.child.exitCode === null && host.child.signalCode === null) process.kill(first, "SIGKILL")
    })
  )
  return { content, etc, first, host, opened }
})

describe.skipIf(Container.missing !== undefined)(
  `a container${Container.missing === undefined ? "" : ` [skipped: ${Container.missing}]`}`,
  () => {
    it.live(
      "needs no name for its user, no HOME, no shell and nothing to write: it runs, is well, is reloaded, and ends in order",
      () =>
        Effect.gen(function* () {
          const { content, etc, first, host, opened } = yield* contained
          const told = fs.readFileSync(`/proc/${first}/status`, "utf8")
          assert.match(told, /^Uid:\t12345\t12345\t12345\t12345$/m)
          assert.match(told, /^NSpid:\t\d+\t1$/m)
          assert.match(fs.readFileSync(`/proc/${first}/environ`, "utf8"), /^PATH=[^\0]+\0$/)
          assert.match(fs.readFileSync(`/proc/${first}/mounts`, "utf8"), /^tmpfs \/ tmpfs ro,/m)
          for (const name of ["bin/sh", "usr/bin", "etc/passwd"]) {
            assert.isFalse(fs.existsSync(`/proc/${first}/root/${name}`), name)
          }

          assert.deepInclude(yield* Container.executed(first, Container.HEALTH), {
            code: 0,
            stdout: "{}\n",
            stderr: ""
          })
          const ctl = (...words: ReadonlyArray<string>) =>
            Container.executed(first, Container.other("ctl", ...words, "--control", "unix:/run/mooring/control.sock"))
          assert.deepInclude(yield* ctl("stop", REF), { code: 0, stderr: "" })
          yield* host.seen("it stopped", (status) => rowOf(status)?.lifecycle === "stopped")
          process.kill(first, "SIGHUP")
          yield* host.seen("it started again", (status) => stateOf(status) === "open")
          // In a folder that is mounted a file may be replaced.
          save(etc, `# another\n${content}`)
          readable(etc)
          const { digest } = opened.host.config
          yield* host.seen("the other file", ({ host: { config } }) => config.digest !== digest)

          assert.deepStrictEqual([...Container.processesBeside(first)], [])
          process.kill(first, "SIGTERM")
          const { code, last } = yield* host.ended
          assert.strictEqual(code, 0)
          assert.strictEqual(last && rowOf(last)?.lifecycle, "stopped")
          assert.strictEqual(last && stateOf(last), "stopped")
          for (const line of host.stderr().trimEnd().split("\n"))
            assert.notStrictEqual(JSON.parse(line).level, "error", line)
        }).pipe(Effect.scoped),
      60_000
    )
  }
)
