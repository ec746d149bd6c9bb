import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Enablement, type GrantError, Grants, GrantStore, type ManifestError, type WebSocketTarget } from "mooring"
import { Standstill } from "mooring/testing"
import { authorityOver, grant, PERMISSIONS, REF, subject } from "../support/grants.ts"
import { settled } from "../support/host.ts"
import { unhandled } from "../support/rejections.ts"

const WS: WebSocketTarget.GrantedTarget = { scheme: "ws", host: "h", port: "*", pathPrefixes: ["/"] }
const NOTHING = { permissions: [], websocket: [], request: [], sign: [] }
const ASKING = subject({ websocket: [WS] })
const GOOD = grant({ websocket: [WS] })

/** A grant as a database would have it. */
const WIRE = {
  id: REF,
  version: "1.0.0",
  digest: GOOD.digest,
  permissions: PERMISSIONS,
  websocket: [{ scheme: "ws", host: "h", port: "*", path_prefixes: ["/"], sends_per_minute: 60 }],
  request: [
    {
      scheme: "https",
      host: "h",
      methods: ["GET"],
      path_prefixes: ["/"],
      headers: { authorization: "Bot {token}" },
      secrets: ["token"],
      tls: { ca: { file: "ca.pem" }, server_name: "h" },
      private_addresses: true,
      requests_per_minute: 60
    }
  ],
  sign: ["token"]
}

const problemsOf = (checked: Result.Result<GrantStore.Grant, ManifestError.ManifestInvalid>) => {
  if (Result.isSuccess(checked)) return []
  assert.strictEqual(checked.failure.subject, "grant")
  return checked.failure.problems.map(({ path }) => path).toSorted()
}

const denialOf = (checked: Result.Result<unknown, GrantError.GrantError>) => {
  const denial = Result.isFailure(checked) ? checked.failure : undefined
  assert.strictEqual(denial?._tag, "PermissionMissing")
  return denial?._tag === "PermissionMissing" ? denial : assert.fail("no denial")
}

type Lookup = GrantStore.GrantStore["Service"]["lookup"]

class DatabaseGone extends Schema.TaggedError<DatabaseGone>("DatabaseGone")("DatabaseGone", { host: Schema.String }) {}

describe("GrantStore.decode", () => {
  it("takes a grant as a host file writes it", () => {
    assert.deepStrictEqual<unknown>(Result.getOrThrow(GrantStore.decode(WIRE)), {
      ...grant(),
      websocket: [{ ...WS, sendsPerMinute: 60 }],
      request: [
        {
          scheme: "https",
          host: "h",
          methods: ["GET"],
          pathPrefixes: ["/"],
          headers: { authorization: "Bot {token}" },
          secrets: ["token"],
          tls: { ca: { file: "ca.pem" }, serverName: "h" },
          privateAddresses: true,
          requestsPerMinute: 60
        }
      ],
      sign: ["token"]
    })
  })

  it("takes a grant without requests and signatures, which grants none", () => {
    const { request: _, sign: __, ...rest } = WIRE
    const decoded = Result.getOrThrow(GrantStore.decode(rest))
    assert.isFalse("request" in decoded || "sign" in decoded)
    assert.isTrue(Result.isSuccess(GrantStore.check(decoded)))
  })

  it("refuses a header of a request that occurs twice, in whichever case", () => {
    const headers = { "X-Key": "1", "x-key": "2" }
    const request = WIRE.request.map((target) => ({ ...target, headers }))
    assert.deepStrictEqual(problemsOf(GrantStore.decode({ ...WIRE, request })), ["request[0].headers.x-key"])
  })

  it("lists all that is wrong, names of the TypeScript API included", () => {
    const { digest: _, ...rest } = WIRE
    const wrong = {
      ...rest,
      id: "test.plugin",
      version: ">=1",
      extra: 1,
      permissions: [{ kind: "ingress", name: "g", extra: 1 }],
      websocket: [{ ...WIRE.websocket[0], sendsPerMinute: 60, private_addresses: null }]
    }
    assert.deepStrictEqual(problemsOf(GrantStore.decode(wrong)), [
      "digest",
      "extra",
      "id",
      "permissions[0].extra",
      "version",
      "websocket[0].private_addresses",
      "websocket[0].sendsPerMinute"
    ])
    for (const nothing of [null, undefined, "", 1, [], [WIRE]]) {
      assert.deepStrictEqual(problemsOf(GrantStore.decode(nothing)), [""])
    }
  })

  it("checks a grant under the names of the TypeScript API, and copies it", () => {
    const target = { ...WS, pathPrefixes: ["/a"] }
    const given = { ...GOOD, websocket: [target] as Array<WebSocketTarget.GrantedTarget> }
    const checked = Result.getOrThrow(GrantStore.check(given))
    assert.deepStrictEqual(checked, given)
    target.pathPrefixes.push("/b")
    given.websocket.push(WS)
    assert.deepStrictEqual(checked.websocket, [{ ...WS, pathPrefixes: ["/a"] }])
    assert.deepStrictEqual(problemsOf(GrantStore.check({ ...GOOD, websocket: [{ ...WS, sends_per_minute: 1 }] })), [
      "websocket[0].sends_per_minute"
    ])
  })
})

describe("a store of the application's own", () => {
  const failures: ReadonlyArray<readonly [how: string, lookup: Lookup, cause: RegExp]> = [
    ["fails with a tagged error", () => Effect.fail(new DatabaseGone({ host: "db" })), /DatabaseGone/],
    ["fails with an error", () => Effect.fail(new Error("the database is gone")), /the database is gone/],
    ["fails with a text", () => Effect.fail("the database is gone"), /the database is gone/],
    ["fails with nothing", () => Effect.fail(undefined), /no reason/],
    ["dies", () => Effect.die(new Error("the database is gone")), /the database is gone/],
    ["dies of null", () => Effect.die(null), /no reason/],
    ["is interrupted", () => Effect.interrupt, /nterrupt/],
    [
      "throws",
      () => {
        throw new TypeError("the database is gone")
      },
      /the database is gone/
    ],
    ["is a promise", () => Promise.resolve(Option.some(GOOD)) as never, /no Effect/],
    ["is a promise that is rejected", () => Promise.reject(new Error("the database is gone")) as never, /no Effect/],
    ["fails with a promise", () => Effect.fail(Promise.reject(new Error("gone"))), /./],
    ["dies of a promise", () => Effect.die(Promise.reject(new Error("gone"))), /./],
    ["is nothing", () => undefined as never, /no Effect/],
    ["answers a promise", () => Effect.succeed(Promise.reject(new Error("gone")) as never), /no Option/],
    [
      "answers an option of a promise",
      () => Effect.succeedSome(Promise.reject(new Error("gone")) as never),
      /grant is invalid/
    ],
    ["answers no option", () => Effect.succeed(GOOD as never), /no Option/],
    ["answers null", () => Effect.succeed(Option.some(null as never)), /Expected/],
    [
      "answers the names of the wire",
      () => Effect.succeed(Option.some({ ...GOOD, websocket: [{ ...WS, sends_per_minute: 1 }] })),
      /websocket\[0\]\.sends_per_minute/
    ],
    ["answers more than a grant", () => Effect.succeed(Option.some({ ...GOOD, admin: true })), /admin/],
    [
      "answers null for absent",
      () => Effect.succeed(Option.some({ ...GOOD, websocket: [{ ...WS, port: null as never }] })),
      /port/
    ],
    [
      "answers what can't be read",
      () =>
        Effect.succeed(
          Option.some({
            get id(): string {
              throw new Error("the session is closed")
            }
          } as never)
        ),
      /can be read/
    ],
    [
      "answers what has no end",
      () => {
        const endless: { [key: string]: unknown } = { ...GOOD }
        endless["websocket"] = [endless]
        return Effect.succeed(Option.some(endless as never))
      },
      /nested/
    ]
  ]
  for (const [how, lookup, cause] of failures) {
    it.effect(`rule 1: denies where the lookup ${how}, and says so`, () =>
      Effect.gen(function* () {
        const authority = yield* authorityOver(ASKING, lookup)
        const denial = denialOf(authority.service())
        assert.deepInclude(denial, { permission: "surface service", missing: "grant" })
        assert.match(denial.message, /grant store/)
        assert.match(Cause.pretty(Cause.fail(denial.cause)), cause)
        assert.strictEqual(denialOf(authority.authorize("gateway", "ws://h/")).cause, denial.cause)
        // What the manifest doesn't have is not the store's fault.
        assert.isUndefined(denialOf(authority.authorize("other", "ws://h/")).cause === denial.cause ? undefined : null)
      })
    )
  }

  it.effect("says nothing of a failure where there is none", () =>
    Effect.gen(function* () {
      const authority = yield* authorityOver(ASKING, () => Effect.succeedNone)
      const denial = denialOf(authority.service())
      assert.isFalse(Object.hasOwn(denial, "cause"))
      assert.notMatch(denial.message, /store/)
    })
  )

  it.effect("asks again by itself after a failure, until there is an answer", () =>
    Effect.gen(function* () {
      let asked = 0
      const authority = yield* authorityOver(ASKING, () =>
        ++asked < 3 ? Effect.fail(`failure ${asked}`) : Effect.succeedSome(GOOD)
      )
      const told = yield* Queue.unbounded<void>()
      yield* authority.watch(() => Queue.offerUnsafe(told, undefined))
      const revision = authority.revision()
      assert.strictEqual(denialOf(authority.service()).cause, "failure 1")
      yield* TestClock.adjust(4999)
      assert.strictEqual(asked, 1)
      yield* TestClock.adjust(1)
      // The reason is the latest one, and nobody is told of a denial that goes on.
      assert.strictEqual(denialOf(authority.service()).cause, "failure 2")
      assert.strictEqual(authority.revision(), revision)
      assert.strictEqual(yield* Queue.size(told), 0)
      yield* TestClock.adjust(5000)
      yield* Queue.take(told)
      assert.isTrue(Result.isSuccess(authority.service()))
      yield* TestClock.adjust(60_000)
      assert.strictEqual(asked, 3)
    })
  )

  it.effect("asks no more for a plugin that is gone, after a failure or a change", () =>
    Effect.gen(function* () {
      let asked = 0
      const changes = yield* Queue.unbounded<void>()
      const store = GrantStore.GrantStore.of({
        lookup: () =>
          Effect.andThen(
            Effect.sync(() => asked++),
            Effect.fail("gone")
          ),
        changes: Stream.fromQueue(changes)
      })
      const built = yield* Layer.build(Layer.provide(Grants.layer, Layer.succeed(GrantStore.GrantStore, store)))
      yield* Effect.scoped(Context.get(built, Grants.Grants).authority(ASKING))
      yield* Queue.offer(changes, undefined)
      yield* TestClock.adjust(60_000)
      assert.strictEqual(asked, 1)
    })
  )

  it.effect("rule 6: denies nothing where the process stood still while the store was asked", () =>
    Effect.gen(function* () {
      const twice = Effect.andThen(Effect.sleep(10), Effect.sleep(10))
      const asking = yield* Effect.forkChild(
        authorityOver(ASKING, () => Effect.andThen(twice, Effect.succeedSome(GOOD)))
      )
      yield* TestClock.adjust(5)
      yield* Standstill.cause("1300 millis")
      yield* settled
      // It still waits for the answer.
      assert.isUndefined(asking.pollUnsafe())
      yield* TestClock.adjust(10)
      assert.isTrue(Result.isSuccess((yield* Fiber.join(asking)).service()))
    }).pipe(Effect.provide(Standstill.layer))
  )

  it.effect("denies where there is no answer in time, and takes the answer when it comes", () =>
    Effect.gen(function* () {
      const authority = yield* Effect.all(
        [authorityOver(ASKING, () => Effect.delay(Effect.succeedSome(GOOD), 2000)), TestClock.adjust(500)],
        { concurrency: "unbounded" }
      ).pipe(Effect.map(([made]) => made))
      assert.match(String(denialOf(authority.service()).cause), /no answer within 500 ms/)
      yield* TestClock.adjust(1499)
      assert.isTrue(Result.isFailure(authority.service()))
      yield* TestClock.adjust(1)
      assert.isTrue(Result.isSuccess(authority.service()))
    })
  )

  it.effect("is asked about all plugins at once after a change: one that waits holds up no other", () =>
    Effect.gen(function* () {
      const changes = yield* Queue.unbounded<void>()
      let isSilent = false
      const store = GrantStore.GrantStore.of({
        lookup: () => (isSilent ? Effect.never : Effect.succeedSome(GOOD)),
        changes: Stream.fromQueue(changes)
      })
      const built = yield* Layer.build(Layer.provide(Grants.layer, Layer.succeed(GrantStore.GrantStore, store)))
      const grants = Context.get(built, Grants.Grants)
      const authorities = [yield* grants.authority(ASKING), yield* grants.authority(ASKING)]
      isSilent = true
      yield* Queue.offer(changes, undefined)
      yield* TestClock.adjust(500)
      for (const authority of authorities) assert.isTrue(Result.isFailure(authority.service()))
    })
  )

  it.effect("notices that the object was edited which it handed out, once it says so", () =>
    Effect.gen(function* () {
      const changes = yield* Queue.unbounded<string>()
      const handedOut = { ...GOOD, websocket: [WS] }
      const authority = yield* authorityOver(ASKING, () => Effect.succeedSome(handedOut), Stream.fromQueue(changes))
      const told = yield* Queue.unbounded<void>()
      yield* authority.watch(() => Queue.offerUnsafe(told, undefined))
      const target = Result.getOrThrow(authority.authorize("gateway", "ws://h/"))
      handedOut.websocket.pop()
      // Until it says so, what it said holds.
      assert.isTrue(authority.covers("gateway", target))
      assert.isTrue(Result.isSuccess(authority.authorize("gateway", "ws://h/")))
      yield* Queue.offer(changes, "of whatever kind")
      yield* Queue.take(told)
      assert.isFalse(authority.covers("gateway", target))
      assert.isTrue(Result.isFailure(authority.authorize("gateway", "ws://h/")))
    })
  )

  const endings: ReadonlyArray<readonly [how: string, ending: Stream.Stream<unknown, unknown>]> = [
    ["end at once", Stream.empty],
    ["end after an element", Stream.make(1)],
    ["fail", Stream.fail(new Error("the database is gone"))],
    ["die", Stream.die(new Error("the database is gone"))],
    ["are interrupted", Stream.fromEffect(Effect.interrupt)],
    ["are no stream", undefined as never]
  ]
  for (const [how, ending] of endings) {
    it.effect(`rule 1: looks at a store again whose changes ${how}, and goes on following it`, () => {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ message }) => lines.push(String(message)))
      return Effect.gen(function* () {
        const granted = new Map([[REF, GOOD]])
        const later = yield* Queue.unbounded<void>()
        let followed = 0
        const store = GrantStore.GrantStore.of({
          lookup: (ref) => Effect.sync(() => Option.fromUndefinedOr(granted.get(ref))),
          get changes() {
            return ++followed <= 3 ? ending : Stream.fromQueue(later)
          }
        })
        const built = yield* Layer.build(Layer.provide(Grants.layer, Layer.succeed(GrantStore.GrantStore, store)))
        const authority = yield* Context.get(built, Grants.Grants).authority(ASKING)
        assert.isTrue(Result.isSuccess(authority.service()))
        granted.clear()
        yield* TestClock.adjust(1000)
        assert.isTrue(Result.isFailure(authority.service()))
        granted.set(REF, GOOD)
        yield* TestClock.adjust(1000)
        assert.isTrue(Result.isSuccess(authority.service()))
        yield* TestClock.adjust(1000)
        assert.strictEqual(followed, 4)
        const told = yield* Queue.unbounded<void>()
        yield* authority.watch(() => Queue.offerUnsafe(told, undefined))
        granted.clear()
        yield* Queue.offer(later, undefined)
        yield* Queue.take(told)
        assert.isTrue(Result.isFailure(authority.service()))
        // Once, unless it was well in between; and nothing of a foreign text.
        const wells = how === "end after an element" ? 3 : 1
        const said = how.startsWith("end") ? "ended" : "failed"
        assert.deepStrictEqual(
          lines,
          Array.from({ length: wells }, () => `the changes of the grant store ${said}: they are followed anew`)
        )
      }).pipe(Effect.provide(Logger.layer([logger])))
    })
  }

  it.effect.each<readonly [what: string, changes: () => unknown]>([
    ["are a promise", () => Promise.reject(new Error("gone"))],
    ["are a stream of promises", () => Stream.make(Promise.reject(new Error("gone")))],
    ["fail with a promise", () => Stream.fail(Promise.reject(new Error("gone")))]
  ])("a store whose changes %s ends no process, and is followed anew", ([, changes]) => {
    let followed = 0
    const store = GrantStore.GrantStore.of({
      lookup: () => Effect.succeedNone,
      get changes() {
        followed++
        return changes() as Stream.Stream<unknown>
      }
    })
    return Effect.gen(function* () {
      const grants = Layer.build(Layer.provide(Grants.layer, Layer.succeed(GrantStore.GrantStore, store)))
      assert.deepStrictEqual(yield* unhandled(Effect.andThen(grants, TestClock.adjust(1000))), [])
      assert.strictEqual(followed, 2)
    }).pipe(Effect.provide(Logger.layer([])))
  })

  it.effect("ignores that there is no answer to a question that isn't the last one", () =>
    Effect.gen(function* () {
      const changes = yield* Queue.unbounded<void>()
      let asked = 0
      const lookup = () => (++asked === 1 ? Effect.never : Effect.succeedSome(GOOD))
      const later = Effect.gen(function* () {
        yield* TestClock.adjust(100)
        yield* Queue.offer(changes, undefined)
        yield* TestClock.adjust(399)
        yield* TestClock.adjust(1)
      })
      const [authority] = yield* Effect.all([authorityOver(ASKING, lookup, Stream.fromQueue(changes)), later], {
        concurrency: "unbounded"
      })
      assert.strictEqual(asked, 2)
      assert.isTrue(Result.isSuccess(authority.service()))
    })
  )

  it.effect("ignores the answer to a question that isn't the last one", () =>
    Effect.gen(function* () {
      const answers: Array<Queue.Queue<Option.Option<GrantStore.Grant>>> = []
      const changes = yield* Queue.unbounded<void>()
      const authority = yield* Effect.all(
        [
          authorityOver(
            ASKING,
            () =>
              Effect.gen(function* () {
                const answer = yield* Queue.unbounded<Option.Option<GrantStore.Grant>>()
                answers.push(answer)
                return yield* Effect.uninterruptible(Queue.take(answer))
              }),
            Stream.fromQueue(changes)
          ),
          TestClock.adjust(500)
        ],
        { concurrency: "unbounded" }
      ).pipe(Effect.map(([made]) => made))
      const told = yield* Queue.unbounded<void>()
      yield* authority.watch(() => Queue.offerUnsafe(told, undefined))
      yield* Queue.offer(changes, undefined)
      yield* TestClock.adjust(500)
      const [first, second] = answers
      assert.lengthOf(answers, 2)
      if (first === undefined || second === undefined) return
      yield* Queue.offer(second, Option.none())
      yield* Queue.take(told)
      yield* Queue.offer(first, Option.some(GOOD))
      yield* TestClock.adjust(1)
      assert.isTrue(Result.isFailure(authority.service()))
      assert.strictEqual(yield* Queue.size(told), 0)
    })
  )
})

const entry = (change: Partial<Enablement.Enablement>): Enablement.Enablement => ({
  ...Result.getOrThrow(
    Enablement.make({ id: REF, version: "1.0.0", digest: GOOD.digest, grants: { permissions: PERMISSIONS } })
  ),
  ...change
})
const lookedUp = (layer: Layer.Layer<GrantStore.GrantStore>, ref = REF) =>
  Effect.gen(function* () {
    const store = yield* GrantStore.GrantStore
    return Option.getOrUndefined(yield* store.lookup(ref))
  }).pipe(Effect.provide(layer))

describe("the stores that there are", () => {
  const layers = [
    ["never changes", GrantStore.layer],
    ["is changed at run time", GrantStore.layerMutable]
  ] as const
  for (const [how, layer] of layers) {
    it.effect(
      `one that ${how} goes by the first entry of a reference, and grants nothing for one that can't be used`,
      () =>
        Effect.gen(function* () {
          const wider = entry({ grants: { ...NOTHING, permissions: PERMISSIONS, websocket: [WS] } })
          assert.deepStrictEqual(yield* lookedUp(layer([entry({}), wider])), grant())
          assert.deepStrictEqual(yield* lookedUp(layer([entry({ instance: "b" }), wider])), GOOD)
          assert.deepStrictEqual(yield* lookedUp(layer([entry({ instance: "b" }), wider]), `${REF}#b`), grant())
          let config: object = {}
          for (let depth = 0; depth < 2500; depth++) config = { config }
          for (const bad of [entry({ config: config as never }), entry({ grants: null as never }), null as never]) {
            assert.isUndefined(yield* lookedUp(layer([bad])))
            assert.deepStrictEqual(yield* lookedUp(layer([bad, wider])), GOOD)
          }
        })
    )
  }

  it("pins a grant to what it repeats, else to what the entry pins", () => {
    const own = { id: "user:other", version: "2.0.0", digest: `sha256:${"0".repeat(64)}` }
    const repeated = entry({ grants: { ...own, ...NOTHING } })
    assert.deepStrictEqual(GrantStore.grantOf(repeated), { ...own, ...NOTHING })
    assert.deepStrictEqual(GrantStore.grantOf(entry({})), grant())
  })

  it.effect("one that is changed says so, whatever was done", () =>
    Effect.gen(function* () {
      const store = yield* GrantStore.GrantStore
      const editor = yield* GrantStore.GrantEditor
      const told = yield* Queue.unbounded<unknown>()
      yield* Effect.forkScoped(
        Stream.runForEach(store.changes, (change) => Queue.offer(told, change)),
        {
          startImmediately: true
        }
      )
      const after = (edit: Effect.Effect<void>) =>
        Effect.gen(function* () {
          yield* edit
          yield* Queue.take(told)
          return Option.getOrUndefined(yield* store.lookup(REF))
        })
      assert.deepStrictEqual(yield* after(editor.set(REF, GOOD)), GOOD)
      assert.isUndefined(yield* after(editor.revoke(REF)))
      assert.deepStrictEqual(yield* after(editor.replace([entry({})])), grant())
      assert.isUndefined(yield* after(editor.replace([])))
    }).pipe(Effect.scoped, Effect.provide(GrantStore.layerMutable([])))
  )
})
