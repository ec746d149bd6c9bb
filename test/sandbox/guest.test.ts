/** One guest on the test's own thread. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { read } from "../docs/markdown.ts"
import { DEADLINE_MS, engines, handling, made, said, say } from "./support/guest.ts"

// Whatever the host's is.
process.env["TZ"] = "Asia/Tokyo"

/** Everything that can be reached, by the path on which it was reached first; names and lengths left out. */
const WALK = `(async () => {
  const seen = new Set()
  const paths = []
  const getters = []
  const walk = (value, path) => {
    if ((typeof value !== "object" || value === null) && typeof value !== "function") return
    if (seen.has(value)) return
    seen.add(value)
    for (const key of Reflect.ownKeys(value)) {
      const at = (path === "" ? "" : path + ".") + (typeof key === "symbol" ? "[" + key.description + "]" : key)
      if (key !== "name" && key !== "length") paths.push(at)
      const { get, set, value: inner } = Reflect.getOwnPropertyDescriptor(value, key)
      for (const next of [inner, get, set]) walk(next, at)
      if (get !== undefined) getters.push([get, value, at])
    }
    walk(Reflect.getPrototypeOf(value), path + ".<proto>")
  }
  const asked = (get, value) => { try { return Reflect.apply(get, value, []) } catch (e) { return e } }
  const caught = async (f) => { try { return await f() } catch (e) { return e } }
  walk(globalThis, "")
  walk(guest, "<guest>")
  walk(async () => {}, "<async>")
  walk(function* () {}, "<generator>")
  walk(async function* () {}, "<async generator>")
  walk([].values(), "<array iterator>")
  walk("".matchAll(/x/g), "<matches>")
  walk(""[Symbol.iterator](), "<string iterator>")
  walk(new Map().keys(), "<map iterator>")
  walk(new Set().keys(), "<set iterator>")
  walk([].values().map((x) => x), "<helper>")
  walk(Iterator.from({ next() {} }), "<wrapped>")
  walk(new URLSearchParams().keys(), "<search params>")
  walk((function () { return arguments })(), "<arguments>")
  walk((function () { "use strict"; return arguments })(), "<strict arguments>")
  walk((function () { return this })(), "<this>")
  walk((0, eval)("this"), "<eval>")
  walk(new Function("return this")(), "<function>")
  walk(import.meta, "<meta>")
  walk(await import("mooring/guest"), "<guest again>")
  walk(Proxy.revocable({}, {}), "<revocable>")
  walk(/(?<a>x)/d.exec("x"), "<match>")
  walk((() => { const tag = (parts) => parts; return tag\`x\` })(), "<template>")
  walk(await caught(() => { null.x }), "<engine's error>")
  walk(await caught(() => { (function f() { f() })() }), "<overflow>")
  walk(await caught(() => { new ArrayBuffer(1e9) }), "<memory>")
  walk(await caught(() => import("fs")), "<loader's error>")
  walk(await caught(() => import({ toString() { throw 1 } })), "<loader's other error>")
  walk(await caught(() => { crypto.getRandomValues(1) }), "<crypto's error>")
  walk(await caught(() => { structuredClone(() => 1) }), "<clone's error>")
  walk(await caught(() => { atob("?") }), "<base64's error>")
  walk(await caught(() => { new URL("?") }), "<URL's error>")
  walk(await caught(() => { new TextDecoder("?") }), "<decoder's error>")
  walk(await caught(() => { guest.hmac("key", "x", "sha256", "hex") }), "<signature's error>")
  walk(await caught(() => { guest.fromBase64("?") }), "<other base64's error>")
  walk(await caught(() => { eval("{") }), "<syntax error>")
  // What they give comes last, for else it is all found through the first error.
  while (getters.length > 0) {
    const [get, value, at] = getters.shift()
    walk(asked(get, value), at + ".<got>")
  }
  return paths
})()`

describe("a guest", () => {
  it("rule 12: has no ambient authority: all that it can reach is on the list", async () => {
    const reached = (await said(WALK)) as ReadonlyArray<string>
    const listed = readFileSync(new URL("reachable.txt", import.meta.url), "utf8")
      .trimEnd()
      .split("\n")
    assert.deepStrictEqual(reached.toSorted(), listed)
    const globals = reached.filter((path) => !/[.<]/.test(path) && !path.startsWith("[")).toSorted()
    const [, documented = ""] = /These are the globals:\n\n(.*)\n/.exec(read("docs/sandbox.md")) ?? []
    assert.deepStrictEqual([...documented.matchAll(/`(\w+)`/g)].map(([, name]) => name).toSorted(), globals)
  })

  it("rule 11: sees no path, stack, time zone or locale of the host", async () => {
    const text = JSON.stringify(
      await said(
        `Promise.all([
        import("fs").catch((e) => e.stack + e.message + String(e)),
        import("x".repeat(99999)).catch((e) => e.stack + e.message + String(e)),
        import("mooring/guest").then((m) => m.websocketSend({ payload: {} }, "x")).catch((e) => e.stack + e.message),
        (() => { const all = []; try { for (;;) all.push(crypto.getRandomValues(new Uint8Array(65536))) } catch (e) { return e.stack + e.message + String(e) } })(),
        (() => { try { (function f() { f() })() } catch (e) { return e.stack + e.message } })(),
        (() => { try { new URL("?") } catch (e) { return e.stack + e.message } })(),
        (() => { try { new TextDecoder("?") } catch (e) { return e.stack + e.message } })(),
        JSON.stringify(import.meta), (function () { return String(this) })(), String(websocketSend), String(structuredClone), String(console.log),
        new Error("x").stack,
        (() => { try { null.x } catch (e) { return e.stack } })(),
        (() => { try { atob("?") } catch (e) { return e.stack + e.message } })(),
        (() => { try { structuredClone(() => 1) } catch (e) { return e.stack + e.message } })(),
        (() => { try { crypto.getRandomValues(1) } catch (e) { return e.stack + e.message } })(),
        new Date(0).toString(), new Date(0).toLocaleString(), new Date(2026, 6, 1).getTimezoneOffset(),
        (1234.5).toLocaleString(), "I".toLocaleLowerCase(), ["ä", "z"].sort((a, b) => a.localeCompare(b)).join()
      ])`,
        null,
        'import { websocketSend } from "mooring/guest"'
      )
    )
    for (const path of [
      process.cwd(),
      "node_modules",
      "/src/",
      "/dist/",
      "file:",
      "node:",
      "wasm",
      ".ts",
      "Tokyo",
      "JST"
    ])
      assert.notInclude(text, path)
    assert.include(text, "GMT+0000")
    assert.include(text, ',0,"1234.5","i","z,ä"]')
  })

  it("has the wall clock of the host, and random numbers of its own", async () => {
    const before = Date.now()
    const numbers = await Promise.all(
      Array.from({ length: 4 }, () => said("[Math.random(), Math.random(), Date.now(), crypto.randomUUID()]"))
    )
    const randoms = numbers.flatMap((four) => (four as ReadonlyArray<number>).slice(0, 2))
    assert.strictEqual(new Set(randoms).size, 8)
    for (const [, , now, id] of numbers as ReadonlyArray<[number, number, number, string]>) {
      assert.isAtLeast(now, before)
      assert.isAtMost(now, Date.now())
      assert.match(id, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    }
  })

  it("has random numbers of its own though all are made at the same time", async () => {
    const { now } = Date
    Date.now = () => 1_790_000_000_000
    try {
      const numbers = await Promise.all(Array.from({ length: 8 }, () => said("Math.random()")))
      assert.strictEqual(new Set(numbers).size, 8)
    } finally {
      Date.now = now
    }
  })

  it("fills arrays of integers with random bytes, and no others", async () => {
    const filled = await said(`[
      crypto.getRandomValues(new Uint8Array(64)).some((byte) => byte !== 0),
      crypto.getRandomValues(new Uint32Array(new ArrayBuffer(16), 8, 1)).byteOffset,
      ...[new Float64Array(1), [1], null, new Uint8Array(65537)].map((bad) => {
        try { crypto.getRandomValues(bad); return "taken" } catch (e) { return e.name }
      })
    ]`)
    assert.deepStrictEqual(filled, [true, 8, "TypeError", "TypeError", "TypeError", "RangeError"])
  })

  it("has helpers that make commands", async () => {
    const event = { source_id: "9f2c01ab", payload: { url: "ws://x/" } }
    assert.deepStrictEqual(
      await said(
        `[
          guest.websocketSend(e, "hi"),
          guest.websocketSend("ws://y/", new Uint8Array([1, 2, 255]), { epoch: "any", command_id: "c" }),
          guest.websocketClose({ source_id: "9f2c01ab", payload: {} }, { code: 4000, reason: "enough" }),
          guest.websocketReconnect(e, { dial_url: null, ingress_name: "gateway" }),
          guest.timerSet("beat", { after_ms: 100, every_ms: 1000 }),
          guest.timerClear("beat"),
          guest.statusUpdate({ message: "well", status: 1 }),
          guest.request("GET", "https://x/"),
          guest.request("POST", "https://x/y", {
            text: "{}", headers: { "content-type": "application/json" }, timeout_ms: 500, command_id: "r"
          })
        ]`,
        event
      ),
      [
        { kind: "websocket_send", payload: { url: "ws://x/", text: "hi" } },
        { kind: "websocket_send", payload: { url: "ws://y/", base64: "AQL/", epoch: "any" }, command_id: "c" },
        { kind: "websocket_close", payload: { url: "9f2c01ab", code: 4000, reason: "enough" } },
        { kind: "websocket_reconnect", payload: { url: "ws://x/", dial_url: null, ingress_name: "gateway" } },
        { kind: "timer_set", payload: { name: "beat", after_ms: 100, every_ms: 1000 } },
        { kind: "timer_clear", payload: { name: "beat" } },
        { kind: "diagnostic_status_update", payload: { message: "well", status: 1 } },
        { kind: "host_request_dispatch", payload: { method: "GET", url: "https://x/" } },
        {
          kind: "host_request_dispatch",
          payload: {
            method: "POST",
            url: "https://x/y",
            text: "{}",
            headers: { "content-type": "application/json" },
            timeout_ms: 500
          },
          command_id: "r"
        }
      ]
    )
    const answer = say(await handling(`guest.websocketSend(e, "x")`), { source_id: null, payload: {} })
    assert.deepInclude(answer, { kind: "threw", name: "TypeError" })
  })

  it("answers by promises too, its own and those of others", async () => {
    assert.strictEqual(await said("(async () => { await null; return 1 })()"), 1)
    assert.strictEqual(await said("({ then(resolve) { queueMicrotask(() => resolve(2)) } })"), 2)
    assert.strictEqual(await said("Promise.resolve(undefined)"), undefined)
    assert.strictEqual(await said("later", null, "const later = await Promise.resolve(3)"), 3)
  })

  for (const [code, name, message, position] of [
    ["e.x", "TypeError", /null/, "plugin.js:3:46"],
    ["Promise.reject(new RangeError('no'))", "RangeError", /^no$/, "plugin.js:3:65"],
    ["(() => { throw 'text' })()", "Error", /^text$/, undefined],
    ["(() => { throw { name: 'Own', message: 'field' } })()", "Own", /^field$/, undefined],
    ["(() => { throw Object.assign(new Error('x'), { stack: 'at (plugin.js:1:1)' }) })()", "Error", /^x$/, undefined],
    ["(() => { throw new Error('x'.repeat(9999)) })()", "Error", /^x{2048}$/, "plugin.js:3:75"]
  ] as const) {
    it(`says what it threw: ${code.slice(0, 60)}`, async () => {
      const answer = say(await handling(code))
      assert.deepInclude(answer, { kind: "threw", name, position })
      assert.match(answer.kind === "threw" ? answer.message : "", message)
    })
  }

  it("says where a module is no module", async () => {
    const guest = await made("export function handleIngress() {\n  return }}")
    assert.deepInclude(guest.load(DEADLINE_MS), { kind: "threw", name: "SyntaxError", position: "plugin.js:2:11" })
  })

  it("says positions of the source where there is a usable map, and its own where it is broken", async () => {
    // Line 1 of the code is line 11 of the source: from column 1 on its column 5, at column 36 its column 9, then 13.
    const map = JSON.stringify({
      version: 3,
      sources: ["../src/deep/plugin.ts"],
      names: [],
      mappings: "AAUI,mCAAI,CAAI"
    })
    const code = "export function handleIngress(x) { x.y.z }"
    const positions = []
    for (const given of [map, "{", "[]", '{"version":3}', `${map}${" ".repeat(4_194_304)}`]) {
      const guest = await made(code, { map: given })
      guest.load(DEADLINE_MS)
      const answer = say(guest)
      positions.push(answer.kind === "threw" ? answer.position : answer.kind)
    }
    const own = "plugin.js:1:36"
    assert.deepStrictEqual(positions, ["plugin.ts:11:9", own, own, own, own])
  })

  it("rule 3: can't have more memory than it may, also outside of what the engine counts", async () => {
    const guest = await made(
      "export function handleIngress(text) { return String(new URL('http://x/?' + 'ü'.repeat(text))).length }",
      {
        memoryBytes: 4_194_304
      }
    )
    guest.load(DEADLINE_MS)
    const kinds = [1000, 500_000, 5_000_000].map(
      (length) => guest.call("handleIngress", `[${length}]`, DEADLINE_MS).kind
    )
    assert.strictEqual(kinds[0], "answered")
    assert.include(["memory", "lost", "threw"], kinds[2])
  })

  it("rule 3: has a memory that can't grow beyond its maximum", async () => {
    const { wasm } = await engines.of(16_777_216)
    // The declarations of the project have no more of it than it uses.
    const { Instance, Module }: any = WebAssembly // oxlint-disable-line no-explicit-any
    const imports: Record<string, Record<string, () => number>> = {}
    for (const { module, name } of Module.imports(wasm)) (imports[module] ??= {})[name] = () => 0
    const { memory } = new Instance(wasm, imports).exports
    const pages = (16_777_216 + 33_554_432) / 65_536
    memory.grow(pages - memory.buffer.byteLength / 65_536)
    assert.throws(() => memory.grow(1), RangeError)
  })

  it("says that an event has no room in it, and goes on", async () => {
    const guest = await made("export function handleIngress(name, e) { return e.length }", { memoryBytes: 1_048_576 })
    guest.load(DEADLINE_MS)
    assert.deepStrictEqual(say(guest, "x".repeat(3_000_000)), { kind: "memory" })
    assert.deepStrictEqual(say(guest, "x".repeat(1000)), { kind: "answered", text: "1000" })
  })

  it("a million bytes of JSON that take more than it has are a failed event, and it goes on", async () => {
    const guest = await handling("e.length")
    assert.deepStrictEqual(
      say(
        guest,
        Array.from({ length: 340_000 }, () => ({}))
      ),
      { kind: "memory" }
    )
    assert.deepStrictEqual(say(guest, [1]), { kind: "answered", text: "1" })
  })

  it("a genuine out of memory that it keeps and changes is no other's error", async () => {
    const forging = await handling(
      "(() => { throw new (kept.constructor)('out of memory') })()",
      "let kept; try { new ArrayBuffer(1e9) } catch (e) { kept = e }"
    )
    assert.deepInclude(say(forging), { kind: "threw" })
  })

  it("rule 6: is late though it came to its end, where a native loop took it past its deadline", async () => {
    const guest = await handling("void [].reverse.call({ length: 1e6 })")
    assert.deepStrictEqual(guest.call("handleIngress", "[]", 5), { kind: "late" })
  })

  it("rule 6: ends where nobody wants it any more", async () => {
    let looks = 0
    const guest = await made("export function handleIngress() { for (;;); }", { isUnwanted: () => ++looks > 3 })
    guest.load(DEADLINE_MS)
    assert.deepStrictEqual(say(guest), { kind: "unwanted" })
  })

  it("counts the lines of its console, whatever is written", async () => {
    const guest = await handling(
      "['debug', 'error', 'info', 'log', 'trace', 'warn'].forEach((level) => console[level]({ get x() { throw 1 } }))"
    )
    say(guest)
    say(guest)
    assert.strictEqual(guest.lines, 12)
  })

  it("has no file of any other module, static or not", async () => {
    for (const name of ["fs", "./plugin.js", "plugin.js", "node:fs", "mooring", "mooring/guest/x", "/etc/passwd", ""]) {
      const answer = say(await handling("import(e)"), name)
      assert.deepInclude(answer, { kind: "threw", message: "there is no module but mooring/guest" }, name)
    }
  })

  it("hands over an answer's text as it stands in its memory, and any other as it is, whatever it says", async () => {
    const guest = await handling("(0, eval)(e)")
    const given: ReadonlyArray<readonly [code: string, isTaken: boolean]> = [
      ["({ state: 'x' })", true],
      ["({ state: 'é\u{1f600}' + String.fromCharCode(0xd800, 0) })", true],
      ["undefined", true],
      ["Promise.resolve({ state: 1 })", true],
      ["throw new Error('no')", false],
      ["(() => 1)", false],
      ["({ state: 'x'.repeat(300000) })", false],
      ["({ state: 'ü'.repeat(140000) })", false]
    ]
    for (const [code, isTaken] of given) {
      const args = JSON.stringify(["gateway", code])
      const whole = guest.call("handleIngress", args, DEADLINE_MS)
      let copied: string | undefined
      const answer = guest.call("handleIngress", args, DEADLINE_MS, (utf8) => {
        copied = Buffer.from(utf8).toString("utf8")
        return true
      })
      assert.strictEqual(copied !== undefined, isTaken, code)
      const text = copied ?? (answer.kind === "answered" ? answer.text : "")
      assert.deepStrictEqual(answer.kind === "answered" ? { ...answer, text } : answer, whole, code)
      // Where there is no room for it, it is as if nobody had been there to take it.
      const left = guest.call("handleIngress", args, DEADLINE_MS, () => false)
      assert.deepStrictEqual(left, whole, code)
    }
  })
})
