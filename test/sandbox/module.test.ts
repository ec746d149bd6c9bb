/** What the module mooring/guest has of the host's: signatures and base64, from inside of a guest. */
import { assert, describe, it } from "@effect/vitest"
import * as crypto from "node:crypto"
import { Signer } from "../../src/secrets/Signer.ts"
import { DEADLINE_MS, made, said, say } from "./support/guest.ts"
import { watching } from "./support/memories.ts"

const HMAC_KEY = "an exchange's key \u{1f511} of some length"
const PEM = String(crypto.generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }))
const RSA = String(
  crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" })
)
const KEYS = new Map([
  ["key", HMAC_KEY],
  ["pem", PEM],
  ["rsa", RSA]
])

const signing = async (expression: string, keys: ReadonlyMap<string, string> = KEYS, before = "", now = () => 0) => {
  const signer = new Signer({ keyOf: (name) => keys.get(name), now })
  const guest = await made(
    `import * as guest from "mooring/guest"\n${before}\nexport function handleIngress(n, e) { return ${expression} }`,
    { signer }
  )
  assert.deepInclude(guest.load(DEADLINE_MS), { kind: "answered" })
  return guest
}

const signed = async (expression: string): Promise<unknown> => {
  const answer = say(await signing(expression))
  return answer.kind === "answered" ? JSON.parse(answer.text) : answer
}

/** What comes of each of some expressions: a value, or what was thrown. */
const each = (...expressions: ReadonlyArray<string>): string =>
  `[${expressions.map((code) => `(() => { try { return ${code} } catch (e) { return e.name + ": " + e.message } })()`).join()}]`

describe("signatures of a guest's", () => {
  it("are those of anybody who has the key", async () => {
    const text = "1538054050{}\0ü\u{1f600}"
    const code = JSON.stringify(text)
    const hmac = (algorithm: string) => crypto.createHmac(algorithm, HMAC_KEY).update(text)
    assert.deepStrictEqual(
      await signed(`[
        guest.hmac("key", ${code}, "sha256", "hex"), guest.hmac("key", ${code}, "sha256", "base64"),
        guest.hmac("key", ${code}, "sha512", "hex"), guest.hmac("key", ${code}, "sha512", "base64"),
        guest.sign("pem", ${code}, "base64"), guest.sign("rsa", ${code}, "base64"), guest.hmac("key", "", "sha256", "hex")
      ]`),
      [
        hmac("sha256").digest("hex"),
        hmac("sha256").digest("base64"),
        hmac("sha512").digest("hex"),
        hmac("sha512").digest("base64"),
        crypto.sign(null, Buffer.from(text), PEM).toString("base64"),
        crypto.sign("sha256", Buffer.from(text), RSA).toString("base64"),
        crypto.createHmac("sha256", HMAC_KEY).update("").digest("hex")
      ]
    )
  })

  it("are made wherever its code runs: when it is loaded, in start, and in between", async () => {
    const guest = await signing("[early, e]", KEYS, 'const early = guest.hmac("key", "x", "sha256", "hex")')
    const hmac = crypto.createHmac("sha256", HMAC_KEY).update("x").digest("hex")
    assert.deepStrictEqual(say(guest, 1), { kind: "answered", text: JSON.stringify([hmac, 1]) })
  })

  it("rule 11: throw a plain Error of its own where there is none, without a stack or a path of the host's", async () => {
    const refused = [
      'guest.hmac("other", "x", "sha256", "hex")',
      'guest.sign("other", "x", "base64")',
      'guest.hmac("key", "x", "sha1", "hex")',
      'guest.hmac("key", "x", "sha256", "latin1")',
      'guest.sign("key", "x", "base64")',
      'guest.sign("pem", "x", "hex")',
      'guest.hmac("key", "\\ud800", "sha256", "hex")',
      'guest.hmac("key", "x".repeat(65537), "sha256", "hex")'
    ]
    const thrown = (await signed(
      `[${refused.map((code) => `(() => { try { ${code} } catch (e) { return [e.constructor === Error, e.message, e.stack] } })()`).join()}]`
    )) as ReadonlyArray<readonly [boolean, string, string]>
    for (const [isPlain, message, stack] of thrown) {
      assert.isTrue(isPlain)
      assert.match(message, /sign|private key/)
      assert.notMatch(stack, /node_modules|\.ts|file:|wasm|\/src\//)
    }
    assert.strictEqual(new Set(thrown.map(([, message]) => message)).size, 5)
    assert.include(String(thrown[0]?.[1]), "granted")
  })

  it("take texts and nothing else", async () => {
    const given = ["1", "null", "undefined", "[]", "{}", "{ toString: () => 'x' }", "new Uint8Array(3)", "Symbol()"]
    const codes = given.flatMap((odd) => [
      `guest.hmac(${odd}, "x", "sha256", "hex")`,
      `guest.hmac("key", ${odd}, "sha256", "hex")`,
      `guest.hmac("key", "x", ${odd}, "hex")`,
      `guest.hmac("key", "x", "sha256", ${odd})`,
      `guest.sign("pem", ${odd}, "base64")`
    ])
    for (const answer of (await signed(each(...codes))) as ReadonlyArray<string>) {
      assert.strictEqual(answer, "TypeError: expected a text")
    }
  })

  it("hold at most 1,000 of any second", async () => {
    let now = 0
    const guest = await signing(
      `(() => { let made = 0; try { for (; made < 5000; made++) guest.hmac("key", "x", "sha256", "hex") } catch { } return made })()`,
      KEYS,
      "",
      () => now
    )
    for (const [at, count] of [
      [0, 1000],
      [999, 0],
      [1000, 1000]
    ] as const) {
      now = at
      assert.deepStrictEqual(say(guest), { kind: "answered", text: String(count) })
    }
  })

  it("aren't changed by what it makes of its globals", async () => {
    const guest = await signing(
      `guest.hmac("key", "x", "sha256", "hex")`,
      KEYS,
      `String.prototype.isWellFormed = () => { throw 1 }
      Object.defineProperty(Object.prototype, "hmac", { get() { throw 2 }, set() { throw 3 } })
      for (const name of ["Reflect", "Uint8Array", "Object", "String", "TypeError"]) globalThis[name] = undefined`
    )
    const hmac = crypto.createHmac("sha256", HMAC_KEY).update("x").digest("hex")
    assert.deepStrictEqual(say(guest), { kind: "answered", text: JSON.stringify(hmac) })
  })

  it("leave nothing behind in its globals", async () => {
    const before = 'const names = Object.getOwnPropertyNames(globalThis).concat("mooring/guest" in globalThis)'
    const guest = await signing("names.filter((name) => /mooring|guest|true/.test(name))", KEYS, before)
    assert.deepStrictEqual(say(guest), { kind: "answered", text: "[]" })
  })

  it("rule 11: bring no value of a key into its memory, before nor after", async () => {
    await watching(async (formsOf) => {
      const guest = await signing(`(() => {
        const text = "the text that is signed"
        const made = [guest.hmac("key", text, "sha512", "base64"), guest.sign("pem", text, "base64")]
        made.push(guest.sign("rsa", text, "base64"))
        for (const name of ["key", "none"]) try { guest.sign(name, text, "base64") } catch (e) { made.push(e.stack) }
        return (globalThis.kept = made)
      })()`)
      const keys = [...KEYS.values()]
      assert.deepStrictEqual(formsOf(keys), [])
      const answer = say(guest)
      const [hmac = "", ...others]: ReadonlyArray<string> = answer.kind === "answered" ? JSON.parse(answer.text) : []
      assert.strictEqual(others.length, 4)
      assert.deepStrictEqual(formsOf(keys), [])
      // Whoever looks finds what is there.
      assert.isNotEmpty(formsOf(["the text that is signed"]))
      assert.isNotEmpty(formsOf([hmac]))
    })
  })
})

describe("base64 of a guest's", () => {
  // RFC 4648, section 10.
  const VECTORS = [
    "",
    "",
    "f",
    "Zg==",
    "fo",
    "Zm8=",
    "foo",
    "Zm9v",
    "foob",
    "Zm9vYg==",
    "fooba",
    "Zm9vYmE=",
    "foobar",
    "Zm9vYmFy"
  ]

  it("is that of the vectors, in both directions", async () => {
    assert.deepStrictEqual(
      await said(
        `e.map((text, index) => index % 2 === 0
          ? guest.toBase64(new TextEncoder().encode(text))
          : new TextDecoder().decode(guest.fromBase64(text)))`,
        VECTORS
      ),
      VECTORS.map((_, index) => VECTORS[index % 2 === 0 ? index + 1 : index - 1])
    )
  })

  it("has all bytes, however many there are and wherever in a buffer they stand", async () => {
    const trip = `[0, 1, 2, 3, 255, 4095, 4096, 4097, 65536, 1048576].map((length) => {
      const bytes = Uint8Array.from({ length }, (_, index) => index * 7)
      const part = new Uint8Array(length + 5).subarray(3, length + 3)
      part.set(bytes)
      const back = guest.fromBase64(guest.toBase64(part))
      return back.constructor === Uint8Array && back.length === length && back.every((byte, at) => byte === bytes[at])
    })`
    assert.deepStrictEqual(
      await said(trip),
      Array.from({ length: 10 }, () => true)
    )
  })

  it("isn't read where it is any other text than the host would take in a command", async () => {
    // The forms of RFC 4648, sections 3.1 to 3.5 and 5, and of those who took more.
    const invalid = ["Z", "Zg", "Zg=", "Zg===", "Zm9", "Zm9vYg=", "=", "====", "Zm8=Zm8=", "Zg==\n"]
    const others = [" Zg==", "Zm 9v", "Zm9\nv", "_-8=", "Zm9v.", "Zm9*", "Zg==\0", "\u00e9m9v", "Zg\u003d\u003d\ufeff"]
    for (const answer of (await said(
      each(...[...invalid, ...others].map((text) => `guest.fromBase64(${JSON.stringify(text)})`))
    )) as ReadonlyArray<unknown>) {
      assert.strictEqual(answer, "Error: expected base64, of the standard alphabet and padded")
    }
  })

  it("is made of a Uint8Array and read from a text, and of nothing else", async () => {
    const odd = ["1", "null", "undefined", "[1]", "{ length: 1 }", "new Uint16Array(2)", "new ArrayBuffer(2)", '"eA=="']
    const encoded = (await said(each(...odd.map((value) => `guest.toBase64(${value})`)))) as ReadonlyArray<unknown>
    for (const answer of encoded) assert.match(String(answer), /^TypeError: /)
    const read = (await said(
      each(...odd.slice(0, -1).map((value) => `guest.fromBase64(${value})`))
    )) as ReadonlyArray<unknown>
    for (const answer of read) assert.strictEqual(answer, "TypeError: expected a text")
  })

  it("takes buffers that shrink or are gone as they are now", async () => {
    const given = `(() => {
      const buffer = new ArrayBuffer(8, { maxByteLength: 16 })
      const all = new Uint8Array(buffer)
      const end = new Uint8Array(buffer, 4)
      all.fill(255)
      buffer.resize(2)
      const shrunk = [guest.toBase64(all), (() => { try { return guest.toBase64(end) } catch (e) { return e.name } })()]
      const gone = new Uint8Array(4)
      gone.buffer.transfer()
      return [...shrunk, (() => { try { return guest.toBase64(gone) } catch (e) { return e.name } })()]
    })()`
    const [all, ...others] = (await said(given)) as ReadonlyArray<string>
    assert.strictEqual(all, "//8=")
    for (const other of others) assert.include(["", "TypeError"], other)
  })

  it("rule 3: that has no room is a failed call, and the guest goes on", async () => {
    const guest = await made(
      `import { fromBase64, toBase64 } from "mooring/guest"
      export function handleIngress(name, length) { return fromBase64(toBase64(new Uint8Array(length))).length }`,
      { memoryBytes: 2_097_152 }
    )
    guest.load(DEADLINE_MS)
    assert.deepStrictEqual(say(guest, 1000), { kind: "answered", text: "1000" })
    assert.include(["memory", "threw"], say(guest, 1_000_000).kind)
    assert.deepStrictEqual(say(guest, 1000), { kind: "answered", text: "1000" })
  })
})
