import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import { type GrantError, Grants, GrantStore, type RequestTarget, type WebSocketTarget } from "mooring"
import { authorityOf, grant, PERMISSIONS, REF, subject } from "../support/grants.ts"
import { refusals, requestDenials, requestRefusals, requestTwin } from "../support/refusals.ts"

const { AuthorizedRequest } = Grants

const ANY: RequestTarget.RequestTarget = { scheme: "*", host: "h", port: "*", methods: ["GET"], pathPrefixes: ["/"] }
const WS: WebSocketTarget.WebSocketTarget = { scheme: "*", host: "h", port: "*", pathPrefixes: ["/"] }

const tagOf = (checked: Result.Result<unknown, GrantError.GrantError>) =>
  Result.isFailure(checked) ? checked.failure._tag : null

/** The authority of a package that may ask for anything, and is granted this. */
const granted = (...request: ReadonlyArray<RequestTarget.GrantedRequestTarget>) =>
  authorityOf(subject({ request: [{ ...ANY, host: "*", methods: ["GET", "POST", "PUT"] }] }), { request })

/** What changes the grant of a package that may ask for what `ANY` covers, and its authority. */
const edited = Effect.gen(function* () {
  const services = yield* Layer.build(Grants.layer.pipe(Layer.provideMerge(GrantStore.layerMutable([]))))
  const editor = Context.get(services, GrantStore.GrantEditor)
  const authority = yield* Context.get(services, Grants.Grants).authority(subject({ request: [ANY] }))
  const told = yield* Queue.unbounded<void>()
  yield* authority.watch(() => Queue.offerUnsafe(told, undefined))
  const set = (change: Partial<GrantStore.Grant>) => Effect.andThen(editor.set(REF, grant(change)), Queue.take(told))
  return { authority, set }
})

describe("rule 1: URLs that are refused whatever is granted", () => {
  for (const [what, , urls] of refusals) {
    it.effect(`a dial to ${what}`, () =>
      Effect.gen(function* () {
        const anything = { ...WS, host: "*" }
        const authority = yield* authorityOf(subject({ websocket: [anything] }), { websocket: [anything] })
        for (const url of urls) assert.strictEqual(tagOf(authority.authorize("gateway", url)), "TargetInvalid", url)
      })
    )
  }

  for (const [what, , urls] of requestRefusals) {
    it.effect(`a request to ${what}`, () =>
      Effect.gen(function* () {
        const authority = yield* granted({ ...ANY, host: "*" })
        for (const url of urls.map(requestTwin)) {
          assert.strictEqual(tagOf(authority.authorizeRequest("gateway", "GET", url)), "TargetInvalid", url)
        }
      })
    )
  }
})

describe("rule 1: requests that are denied", () => {
  const api = { ...ANY, scheme: "https", host: "api.example.com", port: 8443, pathPrefixes: ["/v1"] } as const
  it.effect.each(requestDenials("https", 8443))("%s", ([, method, url, tag]) =>
    Effect.gen(function* () {
      const authority = yield* granted(api)
      assert.strictEqual(tagOf(authority.authorizeRequest("gateway", method, url)), tag)
      assert.isNull(tagOf(authority.authorizeRequest("gateway", "GET", "https://API.example.com.:8443/v1/users?q")))
    })
  )

  it.effect("without the permission on one side, or under an ingress that isn't granted", () =>
    Effect.gen(function* () {
      const others = PERMISSIONS.filter((permission) => permission.kind !== "host_api" || permission.api !== "request")
      const lacking = [
        yield* authorityOf(subject({ request: [ANY], permissions: others }), { request: [ANY] }),
        yield* authorityOf(subject({ request: [ANY] }), { request: [ANY], permissions: others }),
        yield* authorityOf(subject({ request: [ANY] }), undefined)
      ]
      for (const authority of lacking) {
        assert.strictEqual(tagOf(authority.authorizeRequest("gateway", "GET", "https://h/")), "PermissionMissing")
      }
      const authority = yield* granted(ANY)
      assert.strictEqual(tagOf(authority.authorizeRequest("other", "GET", "https://h/")), "PermissionMissing")
    })
  )

  it.effect("by targets of connections alone, and dials by targets of requests alone", () =>
    Effect.gen(function* () {
      const sockets = yield* authorityOf(subject({ websocket: [WS], request: [ANY] }), { websocket: [WS] })
      assert.strictEqual(tagOf(sockets.authorizeRequest("gateway", "GET", "https://h/")), "TargetUngranted")
      const requests = yield* authorityOf(subject({ websocket: [WS], request: [ANY] }), { request: [ANY] })
      assert.strictEqual(tagOf(requests.authorize("gateway", "wss://h/")), "TargetUngranted")
    })
  )

  it.effect("show no query", () =>
    Effect.gen(function* () {
      const authority = yield* granted(ANY)
      for (const url of ["https://g/?SECRET", "https://h/..?SECRET", "https://u:SECRET@h/"]) {
        const checked = authority.authorizeRequest("gateway", "GET", url)
        assert.notInclude(Result.isFailure(checked) ? checked.failure.message : "SECRET", "SECRET")
      }
    })
  )
})

/** The bounds of a request and of a connection whose grant says so much. */
const rates = (isInProcess: boolean, requestsPerMinute?: number, sendsPerMinute?: number) =>
  Effect.gen(function* () {
    const asking = { ...subject({ request: [ANY], websocket: [WS] }), isInProcess }
    const authority = yield* authorityOf(asking, {
      request: [{ ...ANY, ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }) }],
      websocket: [{ ...WS, ...(sendsPerMinute === undefined ? {} : { sendsPerMinute }) }]
    })
    const request = Result.getOrThrow(authority.authorizeRequest("gateway", "GET", "https://h/"))
    const { rate } = Result.getOrThrow(authority.authorize("gateway", "wss://h/"))
    return [request.rate?.requestsPerMinute, rate?.sendsPerMinute, rate?.sendBytesPerMinute]
  })

describe("a request that is allowed", () => {
  it.effect("goes in everything by the first granted target that covers method and URL", () =>
    Effect.gen(function* () {
      const first = { ...ANY, methods: ["POST"], headers: { a: "1" }, requestsPerMinute: 1 }
      const second = {
        ...ANY,
        secrets: ["token"],
        privateAddresses: true,
        tls: { serverName: "s" },
        requestsPerMinute: 2
      }
      const third = { ...ANY, methods: ["GET", "POST"], headers: { a: "3" }, secrets: ["other"], requestsPerMinute: 3 }
      const authority = yield* granted(first, second, third)
      const of = (method: string) => Result.getOrThrow(authority.authorizeRequest("gateway", method, "https://h/a?b"))
      const [get, post] = [of("GET"), of("POST")]
      assert.deepStrictEqual([post.granted.target, get.granted.target], [first, second])
      assert.deepStrictEqual([post.privateAddresses, get.privateAddresses], [false, true])
      assert.deepStrictEqual([post.rate?.requestsPerMinute, get.rate?.requestsPerMinute], [1, 2])
      assert.deepStrictEqual([post.opens("token"), get.opens("token"), get.opens("other")], [false, true, false])
      assert.deepStrictEqual([get.method, get.url.raw, get.display], ["GET", "https://h/a?b", "https://h/a"])
      assert.deepStrictEqual(
        authority
          .requests()
          .map(({ id }) => id)
          .slice(0, 2),
        [post.granted.id, get.granted.id]
      )
    })
  )

  it.effect("is bounded unless its plugin runs in process or its grant says otherwise, and so are sends", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* rates(false), [600, 6000, 67_108_864])
      assert.deepStrictEqual(yield* rates(true), [undefined, undefined, undefined])
      assert.deepStrictEqual(yield* rates(false, 0, 0), [undefined, undefined, 67_108_864])
      assert.deepStrictEqual(yield* rates(true, 7, 8), [7, 8, undefined])
    })
  )

  it.effect("stays allowed exactly while it is granted, by whichever target", () =>
    Effect.gen(function* () {
      const { authority, set } = yield* edited
      yield* set({ request: [{ ...ANY, privateAddresses: true }] })
      const request = Result.getOrThrow(authority.authorizeRequest("gateway", "GET", "https://h/a"))
      const isCovered = () => authority.coversRequest("gateway", request)
      assert.isTrue(isCovered())
      assert.isFalse(authority.coversRequest("other", request))
      yield* set({ request: [{ ...ANY, methods: ["POST", "GET"], privateAddresses: true, pathPrefixes: ["/a"] }] })
      assert.isTrue(isCovered())
      for (const change of [
        { request: [ANY] },
        { request: [{ ...ANY, methods: ["POST"], privateAddresses: true }] },
        { request: [{ ...ANY, pathPrefixes: ["/b"], privateAddresses: true }] },
        { request: [] },
        { request: [{ ...ANY, privateAddresses: true }], permissions: PERMISSIONS.slice(0, 4) },
        { request: [{ ...ANY, privateAddresses: true }], version: "2.0.0" }
      ]) {
        yield* set(change)
        assert.isFalse(isCovered(), JSON.stringify(change))
      }
      yield* set({ request: [{ ...ANY, privateAddresses: true }] })
      assert.isTrue(isCovered())
    })
  )

  it.effect("is charged to the same account through edits of its target, and to none once it isn't granted", () =>
    Effect.gen(function* () {
      const { authority, set } = yield* edited
      yield* set({ request: [{ ...ANY, requestsPerMinute: 10 }] })
      const request = Result.getOrThrow(authority.authorizeRequest("gateway", "GET", "https://h/a"))
      const before = authority.requestRateOf("gateway", request)
      yield* set({ request: [{ ...ANY, requestsPerMinute: 20, pathPrefixes: ["/a"] }] })
      const after = authority.requestRateOf("gateway", request)
      assert.deepStrictEqual([before?.requestsPerMinute, after?.requestsPerMinute], [10, 20])
      assert.strictEqual(after?.account, before?.account)
      yield* set({ request: [{ ...ANY, pathPrefixes: ["/b"] }] })
      assert.isUndefined(authority.requestRateOf("gateway", request))
    })
  )

  it.effect("signs with the secrets that are granted, while the service may run", () =>
    Effect.gen(function* () {
      const { authority, set } = yield* edited
      assert.isFalse(authority.signs("key"))
      yield* set({ sign: ["key"] })
      assert.deepStrictEqual(
        [authority.signs("key"), authority.signs("other"), authority.signs("")],
        [true, false, false]
      )
      yield* set({ sign: ["key"], version: "2.0.0" })
      assert.isFalse(authority.signs("key"))
      yield* set({})
      assert.isFalse(authority.signs("key"))
    })
  )
})

describe("AuthorizedRequest", () => {
  const real = Effect.map(granted({ ...ANY, headers: { a: "1" }, secrets: ["token"] }), (authority) =>
    Result.getOrThrow(authority.authorizeRequest("gateway", "GET", "https://h/a"))
  )

  it.effect("rule 1: is not taken in by casts, copies or an AuthorizedTarget", () =>
    Effect.gen(function* () {
      const request = yield* real
      const sockets = yield* authorityOf(subject({ websocket: [WS] }), { websocket: [WS] })
      const target = Result.getOrThrow(sockets.authorize("gateway", "ws://h/"))
      assert.deepStrictEqual([AuthorizedRequest.is(request), Grants.AuthorizedTarget.is(request)], [true, false])
      const { method, url } = request
      const forged: ReadonlyArray<unknown> = [
        null,
        target,
        { method, url },
        { ...request },
        Object.create(AuthorizedRequest.prototype),
        Object.create(request),
        Object.setPrototypeOf({ url }, AuthorizedRequest.prototype),
        structuredClone(request),
        new Proxy(request, {})
      ]
      for (const [index, value] of forged.entries()) assert.isFalse(AuthorizedRequest.is(value), String(index))
      const Made = AuthorizedRequest as unknown as new (...args: ReadonlyArray<unknown>) => object
      for (const key of [undefined, Symbol("mooring/grants/mint"), Symbol.for("mooring/grants/mint")]) {
        assert.throws(() => new Made(key, {}, {}), "only Grants makes an AuthorizedRequest")
      }
    })
  )

  it.effect("rule 1: can't be changed, nor anything in it: what was allowed is what is requested", () =>
    Effect.gen(function* () {
      const request = yield* real
      const holders: ReadonlyArray<readonly [object, PropertyKey]> = [
        [request, "method"],
        [request, "url"],
        [request.url, "host"],
        [request.granted, "id"],
        [request.granted.target, "headers"],
        [request.granted.target.headers ?? {}, "a"],
        [request.granted.target.secrets ?? [], 0],
        [AuthorizedRequest.prototype, "method"],
        [AuthorizedRequest, "is"]
      ]
      for (const [holder, key] of holders) {
        assert.isFalse(Reflect.set(holder, key, "x"), String(key))
        assert.isFalse(Reflect.defineProperty(holder, key, { value: "x" }), String(key))
      }
      assert.deepStrictEqual([request.method, request.url.host], ["GET", "h"])
    })
  )
})
