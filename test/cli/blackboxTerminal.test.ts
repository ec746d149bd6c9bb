/** `mooring run` at terminals that are stopped, small or gone, and in front of servers and plugins that mean harm to them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as path from "node:path"
import type { WebSocket } from "ws"
import { write } from "../node/support/packages.ts"
import { gateway } from "../support/servers.ts"
import { atTerminal, CTRL_C, CTRL_Q, CTRL_S, withoutScript } from "./support/atTerminal.ts"
import { folder } from "./support/files.ts"
import { greeting, packaged, save } from "./support/hostFiles.ts"
import { mooring } from "./support/program.ts"

const run = (root: string, flags = "") =>
  // A shell that minds the same Ctrl-C may say nothing more.
  `trap : INT; "$NODE" "$BIN" run ${path.join(root, "host.toml")} --interval 50ms ${flags}; echo ended with $?`

const STOPPED_MS = 5000
const PING_EVERY_MS = 50
const TEXTS_A_SECOND = 300
/** Ten times what it may be. */
const LATE_MS = 500

/** Sends texts and pings as they are due, and keeps how long each ping took; a ping that nobody answered took for ever. */
const busy = Effect.gen(function* () {
  const pings = { sent: 0, answered: 0, slowestMs: 0 }
  const texts = { sent: 0, answered: 0 }
  const serve = (peer: WebSocket) => {
    const pinging = setInterval(() => {
      pings.sent++
      peer.ping(String(performance.now()))
    }, PING_EVERY_MS)
    const from = performance.now()
    let count = 0
    const sending = setInterval(() => {
      for (; count < ((performance.now() - from) * TEXTS_A_SECOND) / 1000; count++) peer.send("x")
      texts.sent = count
    }, 10)
    peer.on("pong", (data) => {
      pings.answered++
      pings.slowestMs = Math.max(pings.slowestMs, performance.now() - Number(String(data)))
    })
    peer.on("message", () => texts.answered++)
    peer.on("close", () => {
      clearInterval(pinging)
      clearInterval(sending)
    })
  }
  const server = yield* gateway(serve)
  return { ...server, pings, texts }
})

/** Everything of a terminal's own language that the program uses: colours, the cursor up, and lines cleared. */
const withoutOwn = (shown: string): string => shown.replace(/\u001b\[[\d;]*[mAKJ]|\u001b\[\?\d+[hl]/g, "")

const HOSTILE = "\u001b[2J\u001b]0;owned\u0007\u009b31m\u202eevil\u2066\r\n\u0000\u001b[?1049h"

describe.skipIf(withoutScript)("mooring run at a terminal", () => {
  it.live(
    "isn't held up where it is stopped (Ctrl-S) for 5 s under 300 texts a second, and paints again after that",
    () =>
      Effect.gen(function* () {
        const root = yield* folder
        const server = yield* busy
        save(root, (yield* packaged(root, "echo", server.port))())
        const { pings, texts } = server
        const before = { pings: 0, answered: 0, texts: 0, shown: 0 }
        const after = { pings: 0, answered: 0, texts: 0, shown: 0 }
        let [isStopped, length] = [false, 0]
        const look = (into: typeof before) =>
          Object.assign(into, { pings: pings.sent, answered: pings.answered, texts: texts.answered, shown: length })
        const shown = yield* atTerminal(`stty rows 24 cols 100; ${run(root)}`, [], (all, type) => {
          length = all.length
          if (isStopped || texts.answered < TEXTS_A_SECOND / 4 || !all.includes("example.echo")) return
          isStopped = true
          type(CTRL_S)
          setTimeout(() => {
            // What was on its way when the key was pressed has come.
            pings.slowestMs = 0
            look(before)
          }, 200)
          setTimeout(() => {
            look(after)
            type(CTRL_Q)
          }, 200 + STOPPED_MS)
          setTimeout(() => type(CTRL_C), 900 + STOPPED_MS)
        })
        assert.include(shown, "ended with 0")
        assert.strictEqual(after.shown, before.shown, "nothing was shown meanwhile")
        assert.isAtLeast(after.texts - before.texts, (STOPPED_MS / 1000) * TEXTS_A_SECOND * 0.8)
        assert.isAtLeast(after.pings - before.pings, (STOPPED_MS / PING_EVERY_MS) * 0.5)
        // At most those are unanswered that were sent just now.
        assert.isAtMost(after.pings - after.answered, 1 + LATE_MS / PING_EVERY_MS)
        assert.isBelow(pings.slowestMs, LATE_MS)
        assert.include(shown.slice(after.shown), "example.echo")
      }).pipe(Effect.scoped)
  )

  it.live("fits whatever size it says to have, and none", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* greeting
      save(root, (yield* packaged(root, "echo", server.port))())
      for (const [rows, columns] of [
        [1, 1],
        [2, 7],
        [5, 30],
        [0, 0],
        [200, 500]
      ] as const) {
        const shown = yield* atTerminal(`stty rows ${rows} cols ${columns}; ${run(root, "--for 400ms")}`)
        assert.include(shown, "ended with 0", `${columns}x${rows}`)
        // A frame begins where the cursor goes up to, and ends with what is below it cleared.
        const frames = shown
          .split(/\u001b\[\d+A\r/)
          .slice(1)
          .map((frame) => frame.split("\u001b[J")[0] ?? "")
        for (const line of frames.flatMap((frame) => withoutOwn(frame).split(/\r?\n/))) {
          assert.isAtMost(line.length, (columns || 80) - 1, `${columns}x${rows}: ${JSON.stringify(line)}`)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("is told nothing by a server's reasons, a plugin's words, nor a folder's name", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const server = yield* gateway((peer) => {
        peer.send("hi")
        setTimeout(() => peer.close(4000, HOSTILE), 150)
      })
      const code = `const words = JSON.parse(${JSON.stringify(JSON.stringify(HOSTILE))})
export function handleIngress(name, event) {
  console.log(words)
  if (event.kind === "websocket_close") throw Object.assign(new Error(words), { name: words })
  return { status: { words } }
}`
      save(root, (yield* packaged(root, "echo", server.port, code))())
      const flags = "--for 2s --console project:example.echo --log-level debug"
      const shown = yield* atTerminal(`stty rows 24 cols 200; ${run(root, flags)}`)
      assert.include(shown, "ended with 0")
      assert.include(shown, "evil")
      assert.notMatch(withoutOwn(shown).replaceAll(/[\r\n]/g, ""), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
      assert.notMatch(shown, /\u001b\[2J|\u001b\[\?1049/)

      write(root, { [`${"\u001b[2J\u202e"}evil/plugin.toml`]: "" })
      for (const command of ["check", "digest", "run", "build"]) {
        const ended = yield* mooring([command, path.join(root, `${"\u001b[2J\u202e"}evil`)])
        assert.notMatch(ended.stdout + ended.stderr, /\u001b|\u202e/, command)
      }
    }).pipe(Effect.scoped)
  )
})
