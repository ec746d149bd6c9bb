import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Vm from "node:vm"
import { abandon } from "../../src/internal/promises.ts"
import { abandonExit } from "../../src/plugin/internal/effects.ts"
import { unhandled } from "../support/rejections.ts"

const boom = (): Promise<never> => Promise.reject(new Error("boom"))
const cyclic: { self?: unknown } = {}
cyclic.self = cyclic
const nobody = (): never => assert.fail("nobody may ask")
const revoked = Proxy.revocable({}, {})
revoked.revoke()

describe("promises that nobody waits for", () => {
  it.effect.each<readonly [what: string, value: () => unknown]>([
    ["one itself", boom],
    ["one of another realm", () => Vm.runInNewContext("Promise.reject(new Error('boom'))") as unknown],
    ["one whose tag was changed", () => Object.defineProperty(boom(), Symbol.toStringTag, { value: "x" })],
    ["one in a list", () => [1, boom()]],
    ["several in fields of fields", () => ({ a: { b: [boom(), { c: boom() }] }, d: boom() })],
    [
      "one beside what can't be looked at",
      () => [revoked.proxy, Object.defineProperty({}, "a", { enumerable: true, get: nobody }), boom()]
    ],
    ["one in an error", () => Object.assign(new Error("x"), { work: boom() })],
    ["one that caused an error", () => new Error("x", { cause: boom() })],
    ["one beside a cycle", () => [cyclic, boom()]],
    ["one in an exit", () => ({ exit: Exit.succeed(boom()) })]
  ])("are found and taken care of: %s", ([, value]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* unhandled(Effect.sync(() => assert.isTrue(abandon(value())))), [])
    })
  )

  it.each<readonly [what: string, value: unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text", "Promise"],
    ["a function", boom],
    // oxlint-disable-next-line unicorn/no-thenable
    ["a thenable, which is never asked", Object.fromEntries([["then", nobody]])],
    ["a cycle", cyclic],
    ["what can't be looked at", revoked.proxy],
    ["one behind more values than are looked at", [...Array.from({ length: 300 }, () => 1), Promise.resolve()]],
    [
      "one behind more levels than are looked at",
      Array.from({ length: 300 }).reduce<unknown>((inner) => [inner], Promise.resolve())
    ]
  ])("are none in %s", (_, value) => {
    assert.isFalse(abandon(value))
  })

  it.effect.each<readonly [what: string, exit: () => Exit.Exit<unknown, unknown>]>([
    ["succeeds", () => Exit.succeed(boom())],
    ["fails", () => Exit.fail(boom())],
    ["dies", () => Exit.die(boom())]
  ])("are taken care of in an outcome that %s", ([, exit]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* unhandled(Effect.sync(() => abandonExit(exit()))), [])
    })
  )
})
