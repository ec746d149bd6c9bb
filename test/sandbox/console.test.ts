/** How a guest's lines leave its worker, and what a host's operator sees of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { PluginConsole } from "mooring"
import { Sandbox } from "mooring/sandbox"
import { Console, MOST_LINES } from "../../src/sandbox/internal/console.ts"
import { int, list } from "../support/arbitraries.ts"
import { onFake, opened, rowOf } from "../support/host.ts"
import { enable, GATEWAY } from "../support/plugins.ts"
import { sandboxed } from "./support/host.ts"

const noted = () => {
  const told: Array<string> = []
  let now = 0
  const out = new Console({ now: () => now, tell: (_, text) => void told.push(text) })
  return { told, out, wait: (ms: number) => (now += ms) }
}

describe("Console of a worker", () => {
  it("tells 20 lines a second, then how many were left out, then lines again", () => {
    const { out, told, wait } = noted()
    for (let line = 0; line < 50; line++) out.write("log", `line ${line}`)
    assert.deepStrictEqual(told.length, MOST_LINES)
    wait(1000)
    out.write("log", "again")
    assert.deepStrictEqual(told.slice(MOST_LINES), ["30 lines were left out", "again"])
    out.flush()
    assert.strictEqual(told.length, MOST_LINES + 2)
  })

  it("counts the lines of a text, of which none is told in part", () => {
    const { out, told } = noted()
    out.write("log", "one\n".repeat(18).trimEnd())
    out.write("log", "a\nb\nc")
    // What came later would seem to stand behind what was left out.
    out.write("log", "d")
    out.flush()
    assert.deepStrictEqual(told.slice(1), ["4 lines were left out"])
  })

  it.effect.prop(
    "of any texts at any times, every line is told or left out, and at most 20 are told in any second of its own",
    { steps: list(Arbitrary.all([int(0, 700), int(1, 30)]), 0, 60) },
    ({ steps }) =>
      Effect.sync(() => {
        const { out, told, wait } = noted()
        const seconds = new Map<number, number>()
        let [lines, left, at, since] = [0, 0, 0, -Infinity]
        for (const [ms, count] of steps) {
          wait(ms)
          at += ms
          if (at - since >= 1000) since = at
          lines += Math.min(count, MOST_LINES)
          const before = told.length
          out.write("log", "x\n".repeat(count).trimEnd())
          for (const text of told.slice(before)) {
            if (text.startsWith("x"))
              seconds.set(since, (seconds.get(since) ?? 0) + Math.min(text.split("\n").length, MOST_LINES))
          }
        }
        out.flush()
        let shown = 0
        for (const text of told) {
          const leftOut = /^(\d+) lines? (?:was|were) left out$/.exec(text)?.[1]
          if (leftOut === undefined) shown += Math.min(text.split("\n").length, MOST_LINES)
          else left += Number(leftOut)
        }
        assert.strictEqual(shown + left, lines)
        for (const [second, count] of seconds) assert.isAtMost(count, MOST_LINES, `from ${second}`)
      })
  )
})

const REF = "project:test.plugin"
const SECRET = "swordfish-42"

const CODE = `
export const start = (config) => { console.log("config", config) }
export const handleIngress = (name, { payload }) => { if (payload.text !== undefined) (0, eval)(payload.text) }`

/** What is heard of a plugin that does what texts say, in a real worker. */
const heard = (listens: boolean) => {
  const lines: Array<PluginConsole.ConsoleLine> = []
  const layer = Layer.unwrap(
    Effect.map(Sandbox.Sandbox, (sandbox) => {
      const pkg = sandboxed(sandbox, CODE)
      const config = { token: SECRET, pair: "first line\nsecond line" }
      return onFake({ plugins: [pkg], enabled: [enable(pkg, { config, limits: { dispatch_deadline_ms: 200 } })] })
    })
  ).pipe(
    Layer.provide(Sandbox.layer),
    Layer.provide(
      Layer.succeed(PluginConsole.PluginConsole, {
        listens: () => listens,
        line: (line) => void lines.push(line)
      })
    )
  )
  return { lines, layer, texts: () => lines.map(({ level, text }) => `${level}: ${text}`) }
}

/** Sends the plugin code, of which all that it wrote has been heard. */
const said = (listens: boolean, ...codes: ReadonlyArray<string>) => {
  const { layer, texts } = heard(listens)
  return Effect.gen(function* () {
    const { host, remote } = yield* opened(GATEWAY)
    for (const code of codes) {
      remote.sendText(code)
      yield* host.idle
    }
    const { consoleLines, lifecycle } = yield* rowOf(REF)
    return { consoleLines, lifecycle, texts: texts() }
  }).pipe(
    Effect.provide(layer),
    // What stop wrote, and what was left out, is told at the latest when the host has ended.
    Effect.map((told) => ({ ...told, all: texts() }))
  )
}

describe("PluginConsole", () => {
  it.live("hears each line with its level, as texts, JSON and errors with their stacks", () =>
    Effect.gen(function* () {
      const { consoleLines, texts } = yield* said(
        true,
        "console.log('a', 1, 2n, null, undefined, true, Symbol('s'), { b: [1] }, () => 1)",
        "console.debug(); console.info('i'); console.warn('w'); console.trace('t')",
        "console.error(new TypeError('bad'))"
      )
      assert.strictEqual(consoleLines, 7)
      assert.deepStrictEqual(texts.slice(1, 6), [
        'log: a 1 2 null undefined true Symbol(s) {"b":[1]} [function ]',
        "debug: ",
        "info: i",
        "warn: w",
        "trace: t"
      ])
      assert.strictEqual(texts[6], "error: TypeError: bad")
      assert.match(texts[7] ?? "", /^error: {5}at .*<evalScript>|eval/)
    })
  )

  it.live("rule 11: shows no secret, no configured string, no control character and no long text of it", () =>
    Effect.gen(function* () {
      const { texts } = yield* said(
        true,
        `console.log("${SECRET}", encodeURIComponent("${SECRET}"), btoa("x${SECRET}"))`,
        `console.log("first line\\nsecond line\\nthird line")`,
        `console.log("\\u001b[2J\\u202ehidden\\r\\nnext")`,
        `console.log("x".repeat(100000)); console.log("y\\n".repeat(100000))`,
        `console.log("x".repeat(4090) + "${SECRET}")`
      )
      const all = texts.join("\n")
      for (const hidden of [SECRET, "first line", "second line", "\u001b", "\u202e", "\r"])
        assert.notInclude(all, hidden)
      assert.strictEqual(texts[0], 'log: config {"token":"***","pair":"***"}')
      assert.strictEqual(texts[2], "log: ***")
      assert.strictEqual(texts[3], "log: third line")
      assert.deepStrictEqual(texts.slice(4, 6), ["log: \ufffd[2J\ufffdhidden", "log: next"])
      for (const text of texts) assert.isAtMost(text.length, "error: ".length + 512)
    })
  )

  it.live("hears what was written before a loop, and before a native one for which the worker is ended", () =>
    Effect.gen(function* () {
      const loop = yield* said(true, "console.log('loop'); for (;;);")
      assert.include(loop.all, "log: loop")
      const spin = yield* said(true, "console.log('spin'); Array.prototype.join.call({ length: 2 ** 32 }, '')")
      assert.include(spin.all, "log: spin")
    })
  )

  it.live("tells 20 lines of a flood and how many were left out, and a getter that throws or spins hurts nobody", () =>
    Effect.gen(function* () {
      const { all, consoleLines } = yield* said(
        true,
        "console.log({ get x() { throw new Error('no') } }, { toJSON() { throw 1 } }, 1, (() => { const a = {}; a.a = a; return a })())",
        "for (let i = 0; i < 1000; i++) console.log(i)"
      )
      assert.strictEqual(consoleLines, 1002)
      assert.strictEqual(all[1], "log: [what can't be shown] [what can't be shown] 1 [what can't be shown]")
      assert.deepStrictEqual(all.slice(2, 21), [
        ...Array.from({ length: 18 }, (_, at) => `log: ${at}`),
        "warn: 982 lines were left out"
      ])
    })
  )

  it.live("makes no lines where nobody listens, and counts them", () =>
    Effect.gen(function* () {
      const { all, consoleLines } = yield* said(false, "console.log({ toJSON() { for (;;); } })")
      assert.deepStrictEqual(all, [])
      assert.strictEqual(consoleLines, 2)
    })
  )

  it.live("is not fooled by a guest that has replaced what it is made with", () =>
    Effect.gen(function* () {
      const { texts } = yield* said(
        true,
        `for (const name of ["JSON", "Error", "Symbol", "Object", "Reflect"]) globalThis[name] = undefined
         Array.prototype.join = String.prototype.slice = String.prototype.toString = () => "forged"
         console.log("plain", { a: 1 })`
      )
      assert.strictEqual(texts[1], 'log: plain {"a":1}')
    })
  )
})
