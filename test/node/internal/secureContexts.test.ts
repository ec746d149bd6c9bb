import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { SecureContexts } from "../../../src/node/internal/secureContexts.ts"
import { tlsFiles } from "../../support/servers.ts"

const ca = tlsFiles.ca.toString()
const cert = tlsFiles.client.cert.toString()
const key = () => Redacted.make(tlsFiles.client.key.toString())

describe("the TLS contexts of a client", () => {
  it("are made once for settings that are the same, and anew for others", () => {
    const contexts = new SecureContexts({})
    const of = (settings: Parameters<SecureContexts["of"]>[0]) => Result.getOrThrow(contexts.of(settings))
    assert.strictEqual(of(undefined), contexts.common)
    // A name is no matter of the context.
    assert.strictEqual(of({ serverName: "hub.test" }), contexts.common)
    const all = [of({ ca }), of({ cert, key: key() }), of({ ca, cert, key: key() }), contexts.common]
    assert.strictEqual(new Set(all).size, 4)
    assert.strictEqual(of({ ca }), all[0])
    assert.strictEqual(of({ cert, key: key(), serverName: "hub.test" }), all[1])
    assert.strictEqual(of({ ca, cert, key: key() }), all[2])
  })

  it("are made again for a file that has become another one", () => {
    const contexts = new SecureContexts({})
    const before = Result.getOrThrow(contexts.of({ ca }))
    assert.notStrictEqual(Result.getOrThrow(contexts.of({ ca: tlsFiles.otherCa.toString() })), before)
  })

  it("are so many at most, and those that are used stay", () => {
    const contexts = new SecureContexts({})
    const nth = (number: number) => Result.getOrThrow(contexts.of({ ca: `${ca}# ${number}\n` }))
    const [first, second] = [nth(0), nth(1)]
    for (let number = 2; number < 1024; number++) nth(number)
    assert.strictEqual(nth(0), first)
    nth(1024)
    assert.strictEqual(nth(0), first)
    assert.notStrictEqual(nth(1), second)
  })

  it("can't be had for a client whose own settings can't be read", () => {
    assert.throws(() => new SecureContexts({ cert: "no PEM", key: "none" }))
  })
})
