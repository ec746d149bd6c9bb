import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import {
  type GrantError,
  Grants,
  GrantStore,
  type Permission,
  type RequestTarget,
  SocketUrl,
  type WebSocketTarget
} from "mooring"
import type { Subject } from "../../src/grants/Evaluation.ts"
import { either, list, maybe, oneOf, someOf } from "../support/arbitraries.ts"
import { authorityOf, authorityOver, grant, PERMISSIONS, REF, subject } from "../support/grants.ts"

const { AuthorizedRequest, AuthorizedTarget } = Grants

const WS: WebSocketTarget.WebSocketTarget = { scheme: "ws", host: "h", port: "*", pathPrefixes: ["/"] }

// ---------------------------------------------------------------------------------------------------------------------
// A reference: URLs and targets as parts, so that nothing here parses or matches text.

interface Place {
  readonly secure: boolean
  readonly method: string
  /** As written, and what it means. */
  readonly host: { readonly written: string; readonly name: ReadonlyArray<string> | string }
  readonly port: number | undefined
  readonly path: ReadonlyArray<string>
  /** Text behind the URL that makes it one that is refused, or nothing. */
  readonly spoiled: string
}

interface Pattern {
  readonly secure: boolean | "*"
  readonly methods: ReadonlyArray<string>
  readonly host: { readonly written: string; readonly name: ReadonlyArray<string> | string; readonly wild: boolean }
  readonly port: number | "*" | undefined
  readonly paths: ReadonlyArray<ReadonlyArray<string>>
  readonly subprotocols: ReadonlyArray<string>
}

const starts = (whole: ReadonlyArray<string>, head: ReadonlyArray<string>) =>
  head.every((segment, index) => whole[index] === segment)

const hostFits = ({ host: { name, wild } }: Pattern, place: Place): boolean => {
  const given = place.host.name
  if (typeof name === "string" || typeof given === "string") return name === given
  const tail = given.slice(given.length - name.length).join(".") === name.join(".")
  return tail && (wild ? given.length > name.length : given.length === name.length)
}

const fits = (pattern: Pattern, place: Place): boolean => {
  const standard = place.secure ? 443 : 80
  return (
    (pattern.secure === "*" || pattern.secure === place.secure) &&
    hostFits(pattern, place) &&
    (pattern.port === "*" || (place.port ?? standard) === (pattern.port ?? standard)) &&
    pattern.paths.some((path) => starts(place.path, path))
  )
}

/** A dial, or a request, of which the same holds. */
type Api = "websocket" | "request"

const SCHEMES = { websocket: ["ws", "wss"], request: ["http", "https"] } as const

const urlOf = (api: Api, { host, path, port, secure, spoiled }: Place): string =>
  `${SCHEMES[api][secure ? 1 : 0]}://${host.written}${port === undefined ? "" : `:${port}`}/${path.join("/")}${spoiled}`

const partsOf = ({ host, paths, port }: Pattern) => ({
  host: host.written,
  ...(port === undefined ? {} : { port }),
  pathPrefixes: paths.map((path) => `/${path.join("/")}`)
})

const targetOf = (pattern: Pattern): WebSocketTarget.WebSocketTarget => ({
  ...partsOf(pattern),
  scheme: pattern.secure === "*" ? "*" : pattern.secure ? "wss" : "ws",
  subprotocols: pattern.subprotocols
})

const requestOf = (pattern: Pattern): RequestTarget.RequestTarget => ({
  ...partsOf(pattern),
  scheme: pattern.secure === "*" ? "*" : pattern.secure ? "https" : "http",
  methods: pattern.methods
})

const Segment = oneOf("gateway", "gateway-admin", "a")
const Path = list(Segment, 0, 2)

const Place: Arbitrary.Arbitrary<Place> = Arbitrary.all({
  secure: oneOf(false, true),
  method: oneOf("GET", "GET", "GET", "POST", "get", "HEAD"),
  host: oneOf<Place["host"]>(
    { written: "example.com", name: ["example", "com"] },
    { written: "EXAMPLE.com.", name: ["example", "com"] },
    { written: "a.example.com", name: ["a", "example", "com"] },
    { written: "notexample.com", name: ["notexample", "com"] },
    { written: "127.0.0.1", name: "127.0.0.1" },
    { written: "127.1", name: "127.0.0.1" },
    { written: "[::1]", name: "::1" }
  ),
  port: oneOf(undefined, 80, 443, 7700),
  path: Path,
  spoiled: oneOf("?q", "?//../%2e", "#f", "/..", "//", "%2e", "\\")
})

const Pattern: Arbitrary.Arbitrary<Pattern> = Arbitrary.all({
  secure: oneOf<boolean | "*">("*", "*", false, true),
  methods: oneOf<ReadonlyArray<string>>(["GET", "POST", "get"], ["GET"], ["POST", "GET"], []),
  host: oneOf<Pattern["host"]>(
    { written: "*", name: [], wild: true },
    { written: "example.com", name: ["example", "com"], wild: false },
    { written: "*.Example.com", name: ["example", "com"], wild: true },
    { written: "127.0.0.1", name: "127.0.0.1", wild: false },
    { written: "0:0::1", name: "::1", wild: false }
  ),
  port: oneOf<number | "*" | undefined>("*", "*", undefined, 80, 7700),
  paths: either<ReadonlyArray<ReadonlyArray<string>>>(Arbitrary.Constant([[]]), list(Path, 0, 2)),
  subprotocols: oneOf<ReadonlyArray<string>>([], [], ["v1"], ["v1", "v2"])
})

const SPOILING: ReadonlySet<string> = new Set(["#f", "/..", "//", "%2e", "\\"])

interface World {
  readonly api: Api
  readonly surfaces: ReadonlyArray<string>
  readonly enabled: ReadonlyArray<string> | undefined
  readonly services: ReadonlyArray<string>
  readonly declared: ReadonlyArray<Permission.Permission>
  readonly granted: ReadonlyArray<Permission.Permission> | undefined
  readonly bound: Pick<GrantStore.Grant, "id" | "version" | "digest">
  readonly manifestTargets: ReadonlyArray<Pattern>
  readonly grantTargets: ReadonlyArray<Pattern>
  readonly place: Place
}

const EXACT = { id: REF, version: "1.0.0", digest: grant().digest }

/** A world in which nothing but perhaps the targets stands in the way. */
const CLEAN = {
  surfaces: ["service", "ingress"],
  enabled: undefined,
  services: ["main"],
  declared: PERMISSIONS,
  granted: PERMISSIONS,
  bound: EXACT
}

const MORE: ReadonlyArray<Permission.Permission> = [...PERMISSIONS, { kind: "service", name: "second" }]

const Nearly = Arbitrary.map(
  oneOf<Partial<Pattern>>(
    {},
    { secure: false },
    { methods: ["GET"] },
    { methods: ["POST", "get"] },
    { methods: [] },
    { host: { written: "*.example.com", name: ["example", "com"], wild: true } },
    { host: { written: "example.com", name: ["example", "com"], wild: false } },
    { host: { written: "127.0.0.1", name: "127.0.0.1", wild: false } },
    { port: undefined },
    { port: 7700 },
    { paths: [["gateway"]] },
    { subprotocols: ["v1", "v2"] }
  ),
  (change): Pattern => ({
    secure: "*",
    methods: ["GET", "POST", "get", "HEAD"],
    host: { written: "*", name: [], wild: true },
    port: "*",
    paths: [[]],
    subprotocols: [],
    ...change
  })
)

const World: Arbitrary.Arbitrary<World> = Arbitrary.all({
  api: oneOf<Api>("websocket", "request"),
  surfaces: someOf(["service", "ingress"]),
  enabled: maybe(someOf(["service", "ingress"])),
  services: someOf(["main", "second"]),
  declared: someOf(MORE),
  granted: maybe(someOf(MORE)),
  bound: oneOf<World["bound"]>(
    EXACT,
    { ...EXACT, id: "user:test.plugin" },
    { ...EXACT, version: "1.0.1" },
    { ...EXACT, digest: `sha256:${"0".repeat(64)}` }
  ),
  manifestTargets: list(Pattern, 0, 3),
  grantTargets: list(Pattern, 0, 3),
  place: Place
}).pipe(
  (world) =>
    Arbitrary.all({
      world,
      // What may be wrong beside the targets: mostly one thing at a time, or nothing at all.
      kept: oneOf<ReadonlyArray<keyof typeof CLEAN | "spoiled">>(
        [],
        [],
        ["spoiled"],
        ["spoiled"],
        ["spoiled"],
        ["surfaces"],
        ["enabled"],
        ["services"],
        ["services", "declared", "granted"],
        ["declared"],
        ["granted"],
        ["bound"],
        ["surfaces", "enabled", "services", "declared", "granted", "bound", "spoiled"]
      ),
      // A target that covers everything but for one thing: else hardly any pair would meet.
      nearly: maybe(Nearly),
      repeated: oneOf(true, true, false),
      offered: maybe(oneOf<ReadonlyArray<string>>([], ["v1"]))
    }),
  Arbitrary.map(({ kept, nearly, offered, repeated, world }): World => {
    const manifestTargets = nearly === undefined ? world.manifestTargets : [...world.manifestTargets, nearly]
    const grantTargets = repeated ? [...world.grantTargets, ...manifestTargets] : world.grantTargets
    return {
      ...world,
      ...CLEAN,
      ...Object.fromEntries(Object.entries(world).filter(([key]) => kept.some((each) => each === key))),
      manifestTargets,
      grantTargets:
        offered === undefined ? grantTargets : grantTargets.map((pattern) => ({ ...pattern, subprotocols: offered })),
      place: { ...world.place, spoiled: kept.includes("spoiled") ? world.place.spoiled : "" }
    }
  })
)

const has = (permissions: ReadonlyArray<Permission.Permission>, text: string) =>
  permissions.some((permission) => Object.values(permission).join(" ") === text)

/** Everything that stands in the way, as `tag` or `tag half what`. */
const obstacles = (world: World): ReadonlyArray<string> => {
  const { api, bound, declared, enabled, granted, grantTargets, manifestTargets, place, services, surfaces } = world
  const found: Array<string> = []
  if (granted !== undefined) {
    for (const field of ["id", "version", "digest"] as const) {
      if (bound[field] !== EXACT[field]) found.push(`GrantBindingMismatch ${field}`)
    }
  }
  for (const surface of ["service", "ingress"]) {
    if (!surfaces.includes(surface)) found.push(`PermissionMissing manifest surface ${surface}`)
    if (enabled?.includes(surface) === false) found.push(`PermissionMissing enablement surface ${surface}`)
  }
  const wanted = ["surface service", "surface ingress", "ingress gateway", `host_api ${api}`]
  for (const text of [...wanted, ...services.map((name) => `service ${name}`)]) {
    if (!has(declared, text)) found.push(`PermissionMissing manifest ${text}`)
    if (!has(granted ?? [], text)) found.push(`PermissionMissing grant ${text}`)
  }
  if (services.length === 0) found.push("PermissionMissing manifest service")
  if (SPOILING.has(place.spoiled)) found.push("TargetInvalid")
  const covers = (pattern: Pattern) =>
    fits(pattern, place) && (api === "websocket" || pattern.methods.includes(place.method))
  const offered = manifestTargets.filter(covers)
  const allowed = granted === undefined ? [] : grantTargets.filter(covers)
  if (offered.length === 0) found.push("TargetUndeclared")
  if (allowed.length === 0) found.push("TargetUngranted")
  if (api === "request") return found
  const subprotocols = allowed.flatMap((pattern) => pattern.subprotocols)
  for (const subprotocol of offered.flatMap((pattern) => pattern.subprotocols)) {
    if (!subprotocols.includes(subprotocol)) found.push(`TargetUngranted ${subprotocol}`)
  }
  return found
}

const nameOf = (error: GrantError.GrantError): string => {
  switch (error._tag) {
    case "PermissionMissing":
      return `PermissionMissing ${error.missing} ${error.permission}`
    case "GrantBindingMismatch":
      return `GrantBindingMismatch ${error.field}`
    case "TargetUngranted":
      return error.subprotocol === null ? "TargetUngranted" : `TargetUngranted ${error.subprotocol}`
    default:
      return error._tag
  }
}

const subjectOf = ({ declared, enabled, manifestTargets, services, surfaces }: World): Subject => ({
  ...subject({
    surfaces,
    permissions: declared,
    services: services.map((name) => ({ name, lifecycle: "host-managed" })),
    websocket: manifestTargets.map(targetOf),
    request: manifestTargets.map(requestOf)
  }),
  surfaces: enabled
})

const grantOf = ({ bound, granted, grantTargets }: World): Partial<GrantStore.Grant> | undefined =>
  granted === undefined
    ? undefined
    : {
        ...bound,
        permissions: granted,
        websocket: grantTargets.map(targetOf),
        request: grantTargets.map(requestOf)
      }

describe("Grants", () => {
  it.effect.prop(
    "rule 1: a URL may be dialled or requested exactly if manifest and grant say so for this id, version and digest",
    { world: World },
    ({ world }) =>
      Effect.gen(function* () {
        const authority = yield* authorityOf(subjectOf(world), grantOf(world))
        const { api, place } = world
        const url = urlOf(api, place)
        const answer: Result.Result<Grants.AuthorizedTarget | Grants.AuthorizedRequest, GrantError.GrantError> =
          api === "websocket"
            ? authority.authorize("gateway", url)
            : authority.authorizeRequest("gateway", place.method, url)
        const expected = obstacles(world)
        if (Result.isSuccess(answer)) {
          assert.deepStrictEqual(expected, [])
          const is = api === "websocket" ? AuthorizedTarget.is : AuthorizedRequest.is
          assert.isTrue(is(answer.success))
          assert.strictEqual(answer.success.url.raw, url)
        } else {
          assert.include(expected, nameOf(answer.failure))
        }
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 2000 } }
  )

  it.effect("says of what is missing on both sides that the package should have declared it", () =>
    Effect.gen(function* () {
      const nowhere = yield* authorityOf(subject(), { websocket: [] })
      const denial = nowhere.authorize("gateway", "ws://h/")
      assert.strictEqual(Result.isFailure(denial) ? denial.failure._tag : null, "TargetUndeclared")
      const nothing = yield* authorityOf(subject({ permissions: [] }), { permissions: [] })
      const missing = nothing.service()
      assert.strictEqual(
        Result.isFailure(missing) ? nameOf(missing.failure) : null,
        "PermissionMissing manifest surface service"
      )
    })
  )

  it.effect("grants an ingress only by its own name", () =>
    Effect.gen(function* () {
      const authority = yield* authorityOf(subject({ websocket: [WS] }), { websocket: [WS] })
      assert.isTrue(Result.isSuccess(authority.ingress("gateway")))
      assert.isTrue(Result.isSuccess(authority.authorize("gateway", "ws://h/")))
      for (const name of ["", "Gateway", "gateway ", "gateway2", "other", "__proto__"]) {
        assert.isTrue(Result.isFailure(authority.ingress(name)), name)
        assert.isTrue(Result.isFailure(authority.authorize(name, "ws://h/")), name)
      }
    })
  )

  it.effect("offers the declared subprotocols in their order, and none that only the grant has", () =>
    Effect.gen(function* () {
      const declared = [
        { ...WS, subprotocols: ["v2", "v1"] },
        { ...WS, subprotocols: ["v1", "v3"] }
      ]
      const granted = [{ ...WS, subprotocols: ["v1", "v2", "v3", "v4"] }]
      const authority = yield* authorityOf(subject({ websocket: declared }), { websocket: granted })
      const target = Result.getOrThrow(authority.authorize("gateway", "ws://h/"))
      assert.deepStrictEqual(target.subprotocols, ["v2", "v1", "v3"])
    })
  )

  const broken: ReadonlyArray<readonly [how: string, lookup: GrantStore.GrantStore["Service"]["lookup"]]> = [
    ["dies", () => Effect.die(new Error("the database is gone"))],
    ["is interrupted", () => Effect.interrupt],
    [
      "throws",
      () => {
        throw new Error("the database is gone")
      }
    ],
    ["returns no option", () => Effect.succeed(undefined as never)],
    ["returns null for a grant", () => Effect.succeed(Option.some(null as never))],
    ["returns an empty object", () => Effect.succeed(Option.some({} as never))],
    ["returns no permissions", () => Effect.succeed(Option.some({ ...grant(), permissions: undefined as never }))],
    ["returns permissions that are none", () => Effect.succeed(Option.some(grant({ permissions: [null] as never })))],
    ["returns no targets", () => Effect.succeed(Option.some({ ...grant(), websocket: undefined as never }))],
    ["returns targets that are none", () => Effect.succeed(Option.some(grant({ websocket: [null, {}] as never })))]
  ]
  for (const [how, lookup] of broken) {
    it.effect(`rule 1: a store whose lookup ${how} grants nothing`, () =>
      Effect.gen(function* () {
        const authority = yield* authorityOver(subject({ websocket: [WS] }), lookup)
        assert.isTrue(Result.isFailure(authority.authorize("gateway", "ws://h/")))
      })
    )
  }

  for (const [how, lookup] of broken.slice(0, 3)) {
    it.effect(
      `rule 1: a store whose lookup ${how} after a change takes back what it granted, and may recover`,
      () =>
        Effect.gen(function* () {
          const changes = yield* Queue.unbounded<void>()
          let answer: GrantStore.GrantStore["Service"]["lookup"] = () =>
            Effect.succeed(Option.some(grant({ websocket: [WS] })))
          const good = answer
          const told = yield* Queue.unbounded<void>()
          const authority = yield* authorityOver(
            subject({ websocket: [WS] }),
            (ref) => answer(ref),
            Stream.fromQueue(changes)
          )
          yield* authority.watch(() => Queue.offerUnsafe(told, undefined))
          const target = Result.getOrThrow(authority.authorize("gateway", "ws://h/"))
          answer = lookup
          yield* Queue.offer(changes, undefined)
          yield* Queue.take(told)
          assert.isTrue(Result.isFailure(authority.authorize("gateway", "ws://h/")))
          assert.isFalse(authority.covers("gateway", target))
          answer = good
          yield* Queue.offer(changes, undefined)
          yield* Queue.take(told)
          assert.isTrue(authority.covers("gateway", target))
        }),
      2000
    )
  }
})

// ---------------------------------------------------------------------------------------------------------------------

const mutable = Effect.gen(function* () {
  const services = yield* Layer.build(Grants.layer.pipe(Layer.provideMerge(GrantStore.layerMutable([]))))
  return { grants: Context.get(services, Grants.Grants), editor: Context.get(services, GrantStore.GrantEditor) }
})

const URLS = ["ws://h/a", "ws://h/b", "wss://g/a"] as const

/** What may be granted: which of the three URLs, and whether to this package at all. */
type Edit =
  | { readonly kind: "revoke" }
  | { readonly kind: "set"; readonly urls: ReadonlyArray<string>; readonly exact: boolean; readonly service: boolean }

const targetFor = (url: string): WebSocketTarget.GrantedTarget => {
  const { host, pathname, protocol } = new URL(url)
  return { scheme: protocol === "ws:" ? "ws" : "wss", host, pathPrefixes: [pathname] }
}

const Edit: Arbitrary.Arbitrary<Edit> = either<Edit>(
  Arbitrary.all({
    kind: oneOf("set"),
    urls: someOf<string>(URLS),
    exact: oneOf(true, true, true, false),
    service: oneOf(true, true, true, false)
  }),
  Arbitrary.Constant({ kind: "revoke" })
)

describe("a store that changes", () => {
  it.effect.prop(
    "rule 1: whatever is edited, a target is covered exactly while its URL is granted, and each change is told once",
    { edits: list(Edit, 1, 12) },
    ({ edits }) =>
      Effect.gen(function* () {
        const { editor, grants } = yield* mutable
        const told = yield* Queue.unbounded<void>()
        const authority = yield* grants.authority(subject({ websocket: URLS.map(targetFor) }))
        yield* authority.watch(() => Queue.offerUnsafe(told, undefined))
        const minted = new Map<Grants.AuthorizedTarget, string>()
        let before = "{}"
        let revision = authority.revision()
        for (const edit of edits) {
          const now = edit.kind === "revoke" ? { urls: [], exact: false, service: false } : edit
          const set = grant({
            version: now.exact ? "1.0.0" : "2.0.0",
            permissions: now.service ? PERMISSIONS : PERMISSIONS.slice(1),
            websocket: now.urls.map(targetFor)
          })
          yield* edit.kind === "revoke" ? editor.revoke(REF) : editor.set(REF, set)
          const after = edit.kind === "revoke" ? "{}" : JSON.stringify(set)
          if (after === before) continue
          before = after
          yield* Queue.take(told)
          assert.strictEqual(yield* Queue.size(told), 0)
          assert.isAbove(authority.revision(), revision)
          revision = authority.revision()
          const allowed = (url: string) => now.exact && now.service && now.urls.some((granted) => granted === url)
          for (const url of URLS) {
            const answer = authority.authorize("gateway", url)
            assert.strictEqual(Result.isSuccess(answer), allowed(url), url)
            if (Result.isSuccess(answer)) minted.set(answer.success, url)
          }
          for (const [target, url] of minted) {
            assert.strictEqual(authority.covers("gateway", target), allowed(url), `${url} at ${target.revision}`)
          }
        }
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 200 } }
  )

  it.effect("takes a target's private addresses and subprotocols back with the grant for them", () =>
    Effect.gen(function* () {
      const { editor, grants } = yield* mutable
      const told = yield* Queue.unbounded<void>()
      const declared = { ...WS, subprotocols: ["v1"] }
      const authority = yield* grants.authority(subject({ websocket: [declared] }))
      yield* authority.watch(() => Queue.offerUnsafe(told, undefined))
      const set = (target: Partial<WebSocketTarget.GrantedTarget>) =>
        Effect.andThen(editor.set(REF, grant({ websocket: [{ ...declared, ...target }] })), Queue.take(told))
      yield* set({ privateAddresses: true })
      const target = Result.getOrThrow(authority.authorize("gateway", "ws://h/"))
      assert.isTrue(target.privateAddresses)
      yield* set({ privateAddresses: false })
      assert.isFalse(authority.covers("gateway", target))
      yield* set({ privateAddresses: true, subprotocols: ["v1", "v2"] })
      assert.isTrue(authority.covers("gateway", target))
      yield* set({ privateAddresses: true, subprotocols: [] })
      assert.isFalse(authority.covers("gateway", target))
    })
  )

  it.effect("says of another plugin's changes nothing", () =>
    Effect.gen(function* () {
      const { editor, grants } = yield* mutable
      const told = yield* Queue.unbounded<string>()
      const first = yield* grants.authority(subject())
      const second = yield* grants.authority({ ...subject(), pluginRef: `${REF}#second` })
      yield* first.watch(() => Queue.offerUnsafe(told, "first"))
      yield* second.watch(() => Queue.offerUnsafe(told, "second"))
      yield* editor.set(`${REF}#second`, grant())
      assert.strictEqual(yield* Queue.take(told), "second")
      yield* editor.set(REF, grant())
      assert.strictEqual(yield* Queue.take(told), "first")
      assert.isTrue(Result.isSuccess(second.service()))
    })
  )

  it.effect("calls nobody back whose scope has closed", () =>
    Effect.gen(function* () {
      const { editor, grants } = yield* mutable
      const told = yield* Queue.unbounded<string>()
      const authority = yield* grants.authority(subject())
      yield* Effect.scoped(authority.watch(() => Queue.offerUnsafe(told, "closed")))
      yield* authority.watch(() => Queue.offerUnsafe(told, "open"))
      yield* editor.set(REF, grant())
      assert.strictEqual(yield* Queue.take(told), "open")
      assert.strictEqual(yield* Queue.size(told), 0)
    })
  )

  it.effect("rule 1: covers nothing that another authority allowed, or that another ingress was allowed", () =>
    Effect.gen(function* () {
      const two = ["gateway", "other"].map((name) => ({ name, sources: [] }))
      const asking = subject({ websocket: [WS], ingresses: two })
      const mine = yield* authorityOf(asking, { websocket: [WS] })
      const others = yield* authorityOf(asking, { websocket: [{ ...WS, sendsPerMinute: 1 }] })
      const target = Result.getOrThrow(mine.authorize("gateway", "ws://h/"))
      assert.strictEqual(mine.revision(), others.revision())
      assert.isTrue(mine.covers("gateway", target))
      assert.isFalse(others.covers("gateway", target))
      assert.isUndefined(others.rateOf("gateway", target))
      assert.isFalse(mine.covers("other", target))
      const rated = Result.getOrThrow(others.authorize("gateway", "ws://h/"))
      assert.isDefined(others.rateOf("gateway", rated))
      assert.isUndefined(others.rateOf("other", rated))
      assert.isFalse(mine.covers("gateway", Object.create(target)))
    })
  )

  it.effect("goes by the first granted target that covers a URL, for rates and private addresses together", () =>
    Effect.gen(function* () {
      const websocket = [
        { ...WS, host: "other", sendsPerMinute: 1 },
        { ...WS, pathPrefixes: ["/slow"], sendsPerMinute: 6 },
        { ...WS, pathPrefixes: ["/slow", "/big"], privateAddresses: true, sendsPerMinute: 5, sendBytesPerMinute: 7 },
        { ...WS, pathPrefixes: ["/free"], sendsPerMinute: 0, sendBytesPerMinute: 0, privateAddresses: true },
        { ...WS, sendsPerMinute: 0, sendBytesPerMinute: 9 },
        { ...WS, privateAddresses: true }
      ]
      const authority = yield* authorityOf(subject({ websocket: [WS] }), { websocket })
      const found = (path: string) => {
        const target = Result.getOrThrow(authority.authorize("gateway", `ws://h${path}`))
        assert.strictEqual(authority.rateOf("gateway", target), target.rate)
        return [target.privateAddresses, target.rate?.sendsPerMinute, target.rate?.sendBytesPerMinute]
      }
      assert.deepStrictEqual(found("/slow/x"), [false, 6, undefined])
      assert.deepStrictEqual(found("/big"), [true, 5, 7])
      assert.deepStrictEqual(found("/free"), [true, undefined, undefined])
      assert.deepStrictEqual(found("/"), [false, undefined, 9])
      const free = Result.getOrThrow(authority.authorize("gateway", "ws://h/free"))
      assert.isUndefined(authority.rateOf("gateway", free))
    })
  )

  it.effect("keeps a rate for as long as its target is granted as it is, whatever else changes or fails", () =>
    Effect.gen(function* () {
      const { editor, grants } = yield* mutable
      const told = yield* Queue.unbounded<void>()
      const authority = yield* grants.authority(subject({ websocket: [WS] }))
      yield* authority.watch(() => Queue.offerUnsafe(told, undefined))
      const set = (...websocket: ReadonlyArray<WebSocketTarget.GrantedTarget>) =>
        Effect.andThen(editor.set(REF, grant({ websocket })), Queue.take(told))
      const [a, b] = [
        { ...WS, pathPrefixes: ["/a"], sendsPerMinute: 6 },
        { ...WS, pathPrefixes: ["/b"], sendsPerMinute: 6 }
      ]
      yield* set(a, b)
      const at = (path: string) => Result.getOrThrow(authority.authorize("gateway", `ws://h${path}`))
      const [first, other] = [at("/a"), at("/b")]
      const rate = first.rate
      assert.isDefined(rate)
      assert.notStrictEqual(rate, other.rate)
      yield* set(b, a)
      assert.strictEqual(authority.rateOf("gateway", first), rate)
      assert.strictEqual(at("/a").rate, rate)
      yield* Effect.andThen(editor.set(REF, null as never), Queue.take(told))
      assert.isUndefined(authority.rateOf("gateway", first))
      yield* set(a)
      assert.strictEqual(authority.rateOf("gateway", first), rate)
      yield* set({ ...a, sendsPerMinute: 60 })
      assert.strictEqual(authority.rateOf("gateway", first)?.sendsPerMinute, 60)
      assert.strictEqual(rate?.sendsPerMinute, 6)
      // What was sent counts on under what was edited.
      assert.strictEqual(authority.rateOf("gateway", first)?.account, rate?.account)
      // Another target now comes first.
      yield* set(WS, a)
      assert.isUndefined(authority.rateOf("gateway", first))
      assert.isTrue(authority.covers("gateway", first))
    })
  )

  it.effect("reads what a package declares once: nobody changes it afterwards", () =>
    Effect.gen(function* () {
      const declared: Array<WebSocketTarget.WebSocketTarget> = [{ ...WS, pathPrefixes: ["/a"] }]
      const permissions = [...PERMISSIONS]
      const asking = subject({ websocket: declared, permissions })
      const authority = yield* authorityOf(asking, { websocket: [WS] })
      declared.push(WS)
      permissions.length = 0
      assert.isTrue(Result.isFailure(authority.authorize("gateway", "ws://h/")))
      assert.isTrue(Result.isSuccess(authority.authorize("gateway", "ws://h/a")))
    })
  )

  it.effect("costs no more for many permissions and ingresses", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 3000 }, (_, index) => `ingress${index}`)
      const permissions = [...PERMISSIONS, ...names.map((name) => ({ kind: "ingress" as const, name }))]
      const authority = yield* authorityOf(subject({ permissions }), { permissions })
      for (const name of names) assert.isTrue(Result.isSuccess(authority.ingress(name)))
    })
  )
})

describe("AuthorizedTarget", () => {
  const real = Effect.gen(function* () {
    const authority = yield* authorityOf(subject({ websocket: [WS] }), { websocket: [WS] })
    return Result.getOrThrow(authority.authorize("gateway", "ws://h/"))
  })

  it.effect("rule 1: can't be changed, nor anything in it: what was allowed is what is dialled", () =>
    Effect.gen(function* () {
      const websocket = [{ ...WS, subprotocols: ["v1"], sendsPerMinute: 6 }]
      const authority = yield* authorityOf(subject({ websocket }), { websocket })
      const target = Result.getOrThrow(authority.authorize("gateway", "ws://h/"))
      const before = JSON.stringify([
        target.url,
        target.display,
        target.subprotocols,
        target.privateAddresses,
        target.rate
      ])
      const url = Result.getOrThrow(SocketUrl.parse("ws://evil/"))
      for (const [holder, key, value] of [
        [target, "url", url],
        [target, "display", "x"],
        [target, "subprotocols", ["v2"]],
        [target, "privateAddresses", true],
        [target, "revision", 7],
        [target, "rate", undefined],
        [target.url, "raw", url.raw],
        [target.url, "host", "evil"],
        [target.url, "canonical", url.canonical],
        [target.url, "literal", true],
        [target.subprotocols, 0, "v2"],
        [target.subprotocols, 1, "v2"],
        [target.rate ?? {}, "sendsPerMinute", 1000],
        [AuthorizedTarget, "is", () => true],
        [AuthorizedTarget.prototype, "url", url]
      ] as ReadonlyArray<readonly [object, PropertyKey, unknown]>) {
        assert.isFalse(Reflect.set(holder, key, value), String(key))
        assert.isFalse(Reflect.defineProperty(holder, key, { value }), String(key))
        assert.isFalse(Reflect.setPrototypeOf(holder, { [key]: value }), String(key))
      }
      const after = JSON.stringify([
        target.url,
        target.display,
        target.subprotocols,
        target.privateAddresses,
        target.rate
      ])
      assert.strictEqual(after, before)
      assert.isTrue(AuthorizedTarget.is(target))
      assert.isFalse(AuthorizedTarget.is({}))
    })
  )

  it.effect("knows the real one, and says of it what was allowed", () =>
    Effect.gen(function* () {
      assert.isTrue(AuthorizedTarget.is(yield* real))
      const authority = yield* authorityOf(subject({ websocket: [WS] }), { websocket: [WS] })
      const own = Result.getOrThrow(authority.authorize("gateway", "ws://h/a?token=b"))
      assert.strictEqual(own.display, "ws://h/a")
      assert.strictEqual(own.revision, authority.revision())
      assert.deepStrictEqual([own.subprotocols, own.privateAddresses, own.rate], [[], false, undefined])
      // What is dialled for a source instead of its own URL is shown as the source.
      const other = Result.getOrThrow(authority.authorize("gateway", "ws://h/b", "ws://h/a"))
      assert.strictEqual(other.display, "ws://h/a")
      assert.strictEqual(other.url.path, "/b")
    })
  )

  it.effect("rule 1: is not taken in by casts, copies or anything that only looks like one", () =>
    Effect.gen(function* () {
      const target = yield* real
      const { privateAddresses, revision, subprotocols, url } = target
      const forged: ReadonlyArray<unknown> = [
        undefined,
        null,
        "ws://h/",
        1,
        {},
        [],
        () => target,
        { url, subprotocols, privateAddresses, revision },
        { ...target },
        Object.create(AuthorizedTarget.prototype),
        Object.create(target),
        Object.setPrototypeOf({ url }, AuthorizedTarget.prototype),
        Object.assign(Object.create(AuthorizedTarget.prototype), { target }),
        Object.defineProperties({}, Object.getOwnPropertyDescriptors(target)),
        structuredClone(target),
        JSON.parse(JSON.stringify(target)),
        new Proxy(target, {}),
        class extends (AuthorizedTarget as unknown as new () => object) {}
      ]
      for (const [index, value] of forged.entries()) assert.isFalse(AuthorizedTarget.is(value), String(index))
    })
  )

  it.effect("rule 1: can't be made by its constructor, whatever key it is given", () =>
    Effect.gen(function* () {
      const target = yield* real
      const Made = AuthorizedTarget as unknown as new (...args: ReadonlyArray<unknown>) => object
      const authorization = { url: target.url, subprotocols: [], privateAddresses: true }
      const keys = [undefined, Symbol("mooring/grants/mint"), Symbol.for("mooring/grants/mint"), "mint", target]
      for (const key of keys) {
        assert.throws(() => new Made(key, authorization, 1), TypeError)
        assert.throws(() => Reflect.construct(Made, [key, authorization, 1], Object), TypeError)
        assert.throws(() => new (class extends Made {})(key, authorization, 1), TypeError)
      }
      assert.throws(() => new Made(), TypeError)
    })
  )
})
