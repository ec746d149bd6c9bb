import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { AddressPolicy, CheckedAddresses, type Grants, ResolveAddresses } from "mooring"
import { authorityOf, subject } from "../support/grants.ts"
import { unhandled } from "../support/rejections.ts"

const target = (host: string, privateAddresses: boolean) =>
  Effect.gen(function* () {
    const websocket = [{ scheme: "wss", host, port: 443, pathPrefixes: ["/"] }] as const
    const authority = yield* authorityOf(subject({ websocket }), {
      websocket: websocket.map((declared) => ({ ...declared, privateAddresses }))
    })
    return Result.getOrThrow(authority.authorize("gateway", `wss://${host.includes(":") ? `[${host}]` : host}/x?key=1`))
  })

const names = ResolveAddresses.layerStatic({
  "public.example": ["93.184.215.14", "2606:2800:220:1::1"],
  "private.example": ["10.1.2.3"],
  "mixed.example": ["93.184.215.14", "10.1.2.3"],
  "metadata.example": ["93.184.215.14", "169.254.169.254"],
  "nothing.example": []
})

const all = (to: Grants.AuthorizedTarget) =>
  Effect.map(Effect.result(Effect.provide(CheckedAddresses.all(to), names)), (result) =>
    Result.isSuccess(result) ? result.success : result.failure
  )

describe("CheckedAddresses", () => {
  for (const [host, isPrivate, expected] of [
    ["public.example", false, ["93.184.215.14", "2606:2800:220:1::1"]],
    ["private.example", true, ["10.1.2.3"]],
    ["mixed.example", true, ["93.184.215.14", "10.1.2.3"]],
    ["127.0.0.1", false, ["127.0.0.1"]],
    ["fe80::1", false, ["fe80::1"]],
    ["private.example", false, { _tag: "AddressDenied", address: "10.1.2.3" }],
    ["mixed.example", false, { _tag: "AddressDenied", address: "10.1.2.3" }],
    ["metadata.example", true, { _tag: "AddressDenied", address: "169.254.169.254" }],
    ["nothing.example", true, { _tag: "DialFailed", phase: "dns", code: "ENOTFOUND" }],
    ["unknown.example", true, { _tag: "DialFailed", phase: "dns", code: "ENOTFOUND" }],
    ["constructor", true, { _tag: "DialFailed", phase: "dns", code: "ENOTFOUND" }]
  ] as const) {
    it.effect(`of ${host}${isPrivate ? " with private_addresses" : ""} are ${JSON.stringify(expected)}`, () =>
      Effect.gen(function* () {
        const said = yield* all(yield* target(host, isPrivate))
        if (Array.isArray(expected)) assert.deepStrictEqual<unknown>(said, expected)
        else assert.deepInclude<object>(said, { ...expected, url: `wss://${host}/x` })
      })
    )
  }

  it.effect.each<readonly [what: string, resolve: () => unknown]>([
    ["a promise", () => Promise.reject(new Error("gone"))],
    ["promises", () => Stream.make(Promise.reject(new Error("gone")))],
    ["lists of promises", () => Stream.make([Promise.reject(new Error("gone"))])],
    ["a text", () => Stream.make("93.184.215.14")],
    ["what is no text", () => Stream.make([{}])]
  ])("rule 1: are none, where a resolver answers %s", ([, resolve]) =>
    Effect.gen(function* () {
      const to = yield* target("gateway.example", true)
      const said = CheckedAddresses.stream(to, resolve as ResolveAddresses.Resolve)
      const run = Effect.map(Effect.exit(Stream.runCollect(said)), (exit) => assert.isTrue(Exit.hasDies(exit)))
      assert.deepStrictEqual(yield* unhandled(run), [])
    })
  )

  it.effect("rule 1: are judged by the host's own addresses as they are when the answer comes", () =>
    Effect.gen(function* () {
      const address = "93.184.215.14"
      const to = yield* target("public.example", false)
      let ours = AddressPolicy.own([])
      const checked = Effect.provide(
        CheckedAddresses.all(to, () => ours),
        names
      )
      assert.include(yield* checked, address)
      ours = AddressPolicy.own([address])
      assert.deepInclude(yield* Effect.flip(checked), { _tag: "AddressDenied", address })
    })
  )

  it.effect("rule 1: are judged as they come, each answer whole", () =>
    Effect.gen(function* () {
      const to = yield* target("gateway.example", false)
      const answers = Stream.make(["93.184.215.14"], ["2606:2800:220:1::1", "fd00::1"], ["93.184.215.15"])
      const seen: Array<string> = []
      const failure = yield* CheckedAddresses.stream(to, () => answers).pipe(
        Stream.runForEach((addresses) => Effect.sync(() => seen.push(...addresses))),
        Effect.flip
      )
      assert.deepStrictEqual(seen, ["93.184.215.14"])
      assert.deepInclude(failure, { _tag: "AddressDenied", address: "fd00::1" })
    })
  )
})
