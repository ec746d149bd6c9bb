import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { PackageManifest } from "mooring/node"
import { CODE, ECHO, type Files, MANIFEST } from "./support/packages.ts"

const TOKEN = "xoxb-s3cr3t-t0ken"

const decode = (files: Files) =>
  PackageManifest.decode(Object.entries(files).map(([path, content]) => ({ path, bytes: Buffer.from(content) })))

/** The tag and all that is said. */
const refusal = (files: Files) =>
  Result.match(decode(files), {
    onFailure: (error) => `${error._tag}: ${error.message}`,
    onSuccess: ({ manifest }) => manifest.id
  })

const manifest = (text: string): Files => ({ ...ECHO, "plugin.toml": text })

/** CONTRACT's example with one piece of it replaced. */
const replaced = (piece: string, by: string): Files => {
  assert.include(MANIFEST, piece)
  return manifest(MANIFEST.replace(piece, by))
}

describe("PackageManifest", () => {
  it("reads a manifest and the module that it names", () => {
    const { entry, manifest: found } = Result.getOrThrow(decode(ECHO))
    assert.strictEqual(found.id, "example.echo")
    assert.deepStrictEqual(found.ingresses[0]?.sources, ["websocket:ws://127.0.0.1:7700/gateway"])
    assert.deepStrictEqual(entry, { path: "plugin.js", text: CODE })
  })

  it("reads one with a byte order mark and CRLF", () => {
    assert.strictEqual(refusal(manifest(`\ufeff${MANIFEST.replaceAll("\n", "\r\n")}`)), "example.echo")
  })

  it("lists everything that is wrong at once, in the order of the file, each with where it is", () => {
    const text = `schema_version = 2
id = "Echo!"
version = "1.x"
surfaces = ["service"]
descripton = "${TOKEN}"
runtime = { kind = "javascript", entry = "plugn.js" }

[[services]]
name = "a"
lifecycle = "host-managed"
[[services]]
name = "a"
lifecycle = "host-managed"

[[ingresses]]
close_code = 1002
stop_codes = [4000, 99999999999999999999]

[[websocket]]
scheme = "http"
host = "a"
port = nan
`
    const error = Result.match(decode(manifest(text)), {
      onFailure: (found) => found,
      onSuccess: () => assert.fail("it was read")
    })
    assert(error._tag === "ManifestInvalid")
    assert.deepStrictEqual(
      error.problems.map(({ column, file, line, path }) => `${file}:${line}:${column}: ${path}`),
      [
        "plugin.toml:1:1: schema_version",
        "plugin.toml:1:1: name",
        "plugin.toml:2:1: id",
        "plugin.toml:3:1: version",
        "plugin.toml:5:1: descripton",
        "plugin.toml:6:34: runtime.entry",
        "plugin.toml:11:3: services[1]",
        "plugin.toml:15:3: ingresses[0].name",
        "plugin.toml:16:1: ingresses[0].close_code",
        "plugin.toml:17:21: ingresses[0].stop_codes[1]",
        "plugin.toml:19:3: websocket[0].path_prefixes",
        "plugin.toml:20:1: websocket[0].scheme",
        "plugin.toml:22:1: websocket[0].port"
      ]
    )
    assert.include(
      error.message,
      "plugin.toml:5:1: descripton: Expected no excess property (did you mean description?)"
    )
    assert.notInclude(error.message, TOKEN.slice(0, 6))
  })

  it.each<readonly [what: string, files: Files, refusal: string]>([
    ["no manifest", { "plugin.js": CODE }, "PackageUnreadable: the package can't be read: it has no plugin.toml"],
    [
      "a manifest in a folder",
      { "lib/plugin.toml": MANIFEST, "plugin.js": CODE },
      "PackageUnreadable: the package can't be read: it has no plugin.toml"
    ],
    [
      "a manifest of more than 128 KiB",
      manifest(`${MANIFEST}# ${"x".repeat(131_072)}`),
      "PackageUnreadable: the package can't be read: more than 131072 bytes"
    ],
    [
      "a manifest that is not UTF-8",
      { ...ECHO, "plugin.toml": Buffer.from([0xff, 0x61]) },
      "ManifestInvalid: the manifest is invalid: plugin.toml: Expected UTF-8"
    ],
    [
      "an entry that isn't there",
      { "plugin.toml": MANIFEST },
      "ManifestInvalid: the manifest is invalid: plugin.toml:16:1: runtime.entry: Expected the path of a file of the package"
    ],
    [
      "an entry outside",
      replaced('"plugin.js"', '"../plugin.js"'),
      "ManifestInvalid: the manifest is invalid: plugin.toml:16:1: runtime.entry: Expected the path of a file of the package"
    ],
    [
      "an entry that is not UTF-8",
      { ...ECHO, "plugin.js": Buffer.from([0xff]) },
      "ManifestInvalid: the manifest is invalid: plugin.toml:16:1: runtime.entry: Expected a file of UTF-8"
    ],
    [
      "no entry",
      replaced('entry = "plugin.js"', ""),
      "ManifestInvalid: the manifest is invalid: plugin.toml:14:2: runtime.entry: required"
    ],
    [
      "no runtime",
      replaced('[runtime]\nkind = "javascript"\nentry = "plugin.js"', ""),
      "ManifestInvalid: the manifest is invalid: plugin.toml:1:1: runtime: required"
    ],
    [
      "WebAssembly by its old name",
      replaced('kind = "javascript"', 'kind = "wasm"'),
      "ManifestInvalid: the manifest is invalid: plugin.toml:15:1: runtime.kind: Expected 'javascript' (or 'wasm-component', which is reserved and takes the place of 'wasm')"
    ],
    [
      "a WebAssembly component",
      replaced('kind = "javascript"', 'kind = "wasm-component"'),
      "UnsupportedRuntime: this host runs no code of the kind wasm-component"
    ],
    [
      "a key that is a prototype's",
      replaced("[runtime]", "[__proto__]\npolluted = 1\n[constructor]\n[runtime]"),
      "ManifestInvalid: the manifest is invalid: plugin.toml:14:2: __proto__: Expected no excess property; plugin.toml:16:2: constructor: Expected no excess property"
    ],
    [
      "an error beside a token",
      manifest(`token = "${TOKEN}" x\n`),
      "ManifestInvalid: the manifest is invalid: plugin.toml:1:29: Expected TOML: each key-value declaration must be followed by an end-of-line"
    ]
  ])("refuses %s", (_, files, expected) => {
    assert.strictEqual(refusal(files), expected)
  })

  it("outlasts 5,000 dots", () => {
    assert.match(refusal(manifest(`a${".a".repeat(5000)} = 1`)), /^ManifestInvalid: /)
  })

  it("reads every prefix of a manifest or refuses it, with no piece of a text in it", () => {
    const text = MANIFEST.replace('"Echo"', `"${TOKEN}" # ${TOKEN}`)
    let taken = 0
    for (let end = 0; end < text.length; end += 3) {
      const found = refusal(manifest(text.slice(0, end)))
      if (found === "example.echo") taken++
      else assert.match(found, /^ManifestInvalid: the manifest is invalid: plugin\.toml:\d+:\d+: /)
      assert.notInclude(found, TOKEN.slice(0, 6))
    }
    // A beginning of a manifest is often one: it asks for less.
    assert.isAbove(taken, 0)
  })
})
