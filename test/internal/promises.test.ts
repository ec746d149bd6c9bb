import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Vm from "node:vm"
import { abandon, abandonExit } from "../../src/internal/promises.ts"
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
    ["each of a long list", () => ({ commands: Array.from({ length: 10_000 }, boom) })],
    ["each of many objects", () => ({ commands: Array.from({ length: 2000 }, () => ({ payload: boom() })) })],
    [
      "the last of a list that is as long as is looked at",
      () => [...Array.from({ length: 1_000_000 }, () => 1), boom()]
    ],
    ["one behind many levels", () => Array.from({ length: 4000 }).reduce<unknown>((inner) => [inner], boom())],
    ["keys and values of a map", () => ({ status: new Map([[boom(), [boom()]]]) })],
    ["one in a set", () => [new Set([1, boom()])]],
    ["one in a map of another realm", () => Vm.runInNewContext("new Map([[1, Promise.reject(1)]])") as unknown],
    ["those of an error for several", () => new AggregateError([boom(), { a: boom() }])],
    [
      "one that caused an error of another realm",
      () => Vm.runInNewContext("new Error('x', { cause: Promise.reject(1) })") as unknown
    ],
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
    ["the bytes of a view, which hold none", new Uint8Array(100_000_000)],
    ["a list that is longer than is looked at", Object.assign([], { length: 4_294_967_295 })],
    [
      "one behind more levels than are looked at",
      Array.from({ length: 5000 }).reduce<unknown>((inner) => [inner], Promise.resolve())
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
