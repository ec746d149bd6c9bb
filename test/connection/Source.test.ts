import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { Enablement, Manifest } from "mooring"
import * as Filling from "../../src/connection/Filling.ts"
import * as Source from "../../src/connection/Source.ts"

const manifestOf = (ingresses: ReadonlyArray<{ readonly [key: string]: unknown }>): Manifest.Manifest =>
  Result.getOrThrow(
    Manifest.decode({ schema_version: 1, id: "a", name: "A", version: "1.0.0", surfaces: [], ingresses })
  )

const sourcesOf = (sources: unknown = {}): Enablement.Enablement =>
  Result.getOrThrow(
    Enablement.decode({ id: "project:a", version: "1.0.0", digest: `sha256:${"0".repeat(64)}`, sources })
  )

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8)

const URLS = ["ws://h/1?q=1", "wss://H:443/2"]

describe("Source", () => {
  it("is each URL of each ingress, without its prefix, in the manifest's order", () => {
    const manifest = manifestOf([
      { name: "b", sources: ["websocket:ws://h/1", "wss://h/2"] },
      { name: "a", sources: ["ws://h/1"] },
      { name: "c" }
    ])
    assert.deepStrictEqual(
      Source.all(manifest, sourcesOf()).map(({ ingress, url }) => [ingress, url]),
      [
        ["b", "ws://h/1"],
        ["b", "wss://h/2"],
        ["a", "ws://h/1"]
      ]
    )
  })

  it("keeps what the manifest says where the operator says nothing", () => {
    const [source] = Source.all(
      manifestOf([{ name: "g", sources: ["ws://h/1?token=SECRET123"], stop_codes: [4004], close_code: 3001 }]),
      sourcesOf()
    )
    assert.deepStrictEqual(source, {
      id: Source.idOf("g", "ws://h/1?token=SECRET123"),
      ingress: "g",
      url: "ws://h/1?token=SECRET123",
      display: "ws://h/1",
      canonical: "ws://h:80/1?token=SECRET123",
      headers: {},
      filling: Filling.none,
      compression: false,
      fastPath: true,
      reconnect: Enablement.reconnectDefaults,
      stopCodes: [4004],
      closeCode: 3001,
      staleAfterMs: 0,
      staleReconnect: false
    })
  })

  it("closes with 1001 and knows no stop codes unless somebody says otherwise", () => {
    const [source] = Source.all(manifestOf([{ name: "g", sources: ["ws://h/"] }]), sourcesOf())
    assert.strictEqual(source?.closeCode, 1001)
    assert.deepStrictEqual(source?.stopCodes, [])
  })

  it("lets the operator replace the URLs of an ingress, and of that ingress only", () => {
    const manifest = manifestOf([
      { name: "g", sources: ["ws://h/old"], stop_codes: [4004] },
      { name: "k", sources: ["ws://h/kept"] }
    ])
    const sources = Source.all(manifest, sourcesOf({ g: { urls: URLS, headers: { authorization: "Basic {key}" } } }))
    assert.deepStrictEqual(
      sources.map(({ url }) => url),
      [...URLS, "ws://h/kept"]
    )
    assert.deepStrictEqual(
      sources.map(({ headers }) => headers),
      [{ authorization: "Basic {key}" }, { authorization: "Basic {key}" }, {}]
    )
    assert.deepStrictEqual(sources[0]?.stopCodes, [4004])
    assert.strictEqual(sources[1]?.canonical, "wss://h:443/2")
    assert.deepStrictEqual(Source.all(manifest, sourcesOf({ g: { urls: [] } })).length, 1)
  })

  it("keeps the manifest's URLs where the operator sets only something else", () => {
    const manifest = manifestOf([{ name: "g", sources: URLS, stop_codes: [4004], close_code: 3001 }])
    const reconnect = { policy: "never", stop_codes: [], close_code: 1000 }
    const sources = Source.all(manifest, sourcesOf({ g: { reconnect } }))
    assert.deepStrictEqual(
      sources.map(({ url }) => url),
      URLS
    )
    for (const source of sources) {
      assert.strictEqual(source.reconnect.policy, "never")
      assert.deepStrictEqual(source.stopCodes, [])
      assert.strictEqual(source.closeCode, 1000)
    }
  })

  it("is there, with nothing to compare it by, where its URL is refused", () => {
    const [source] = Source.all(manifestOf([{ name: "g", sources: ["ws://u:SECRET123@h/"] }]), sourcesOf())
    assert.isNull(source?.canonical)
    assert.notInclude(source?.display, "SECRET123")
  })

  it("has the first 8 digits of the SHA-256 of ingress, zero byte and URL as written as its id", () => {
    const manifest = manifestOf([
      { name: "g", sources: ["websocket:ws://h/1", "WS://h:80/2"] },
      { name: "k", sources: ["ws://h/1"] }
    ])
    assert.deepStrictEqual(
      Source.all(manifest, sourcesOf()).map(({ id }) => id),
      [digest("g\0ws://h/1"), digest("g\0WS://h:80/2"), digest("k\0ws://h/1")]
    )
  })

  it("finds sources of the same id: all but the first are problems", () => {
    // Found by trying; as an ingress's name is hashed, too, they collide in `g` only.
    const urls = ["ws://h/18281", "ws://h/other", "ws://h/70010"]
    const of = (name: string) => Source.all(manifestOf([{ name, sources: urls }]), sourcesOf())
    const [first, , last] = of("g")
    assert.strictEqual(first?.id, "2b2ea755")
    assert.strictEqual(last?.id, "2b2ea755")
    assert.deepStrictEqual(
      Source.problems(of("g")).map(({ path }) => path),
      ["sources.g"]
    )
    assert.deepStrictEqual(Source.problems(of("k")), [])
    assert.deepStrictEqual(Source.problems([]), [])
  })

  it("is named by its id, or by its URL in any spelling", () => {
    const sources = Source.all(
      manifestOf([{ name: "g", sources: ["ws://h/1?a", "wss://h/1?a", "ws://h h/"] }]),
      sourcesOf()
    )
    const named = (name: string) => sources.filter(Source.isNamed(name)).map(({ url }) => url)
    assert.deepStrictEqual(named(Source.idOf("g", "ws://h/1?a")), ["ws://h/1?a"])
    assert.deepStrictEqual(named("websocket:WS://H:80/1?a"), ["ws://h/1?a"])
    assert.deepStrictEqual(named(Source.idOf("g", "ws://h h/")), ["ws://h h/"])
    // One that has no canonical form is no other one that has none.
    for (const unknown of ["", "ws://h/1", "ws://h h/", "ws://other host/", "null"]) {
      assert.deepStrictEqual(named(unknown), [], unknown)
    }
  })

  it("is not confused by an ingress whose name is one of JavaScript's own", () => {
    const manifest = manifestOf([
      { name: "constructor", sources: ["ws://h/1"] },
      { name: "__proto__", sources: ["ws://h/2"] }
    ])
    const settings: unknown = JSON.parse('{ "__proto__": { "urls": ["ws://h/3"] } }')
    assert.deepStrictEqual(
      Source.all(manifest, sourcesOf(settings)).map(({ headers, url }) => [url, headers]),
      [
        ["ws://h/1", {}],
        ["ws://h/3", {}]
      ]
    )
  })
})
