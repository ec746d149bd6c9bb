import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Zlib from "node:zlib"
import * as Codings from "../../../src/node/internal/contentCodings.ts"

const ENCODERS = {
  gzip: Zlib.gzipSync,
  "x-gzip": Zlib.gzipSync,
  deflate: Zlib.deflateSync,
  "raw deflate": Zlib.deflateRawSync,
  br: Zlib.brotliCompressSync,
  zstd: Zlib.zstdCompressSync
} as const

type Encoder = keyof typeof ENCODERS

const nameOf = (encoder: Encoder) => (encoder === "raw deflate" ? "deflate" : encoder)
const codings = (...values: ReadonlyArray<string>) =>
  Codings.codingsOf(values.map((value) => ["content-encoding", value]))
const known = (...values: ReadonlyArray<string>) => Result.getOrThrow(codings(...values))
const encoded = (body: Uint8Array, ...encoders: ReadonlyArray<Encoder>): Uint8Array =>
  encoders.reduce((bytes: Uint8Array, encoder) => ENCODERS[encoder](bytes), body)

const TEXT = Buffer.from("a text that says the same, a text that says the same, and another thing")
const MOST = 100_000

const decoded = (body: Uint8Array, names: ReadonlyArray<string>, most = MOST) =>
  Codings.decode(body, known(...names) ?? [], most)

describe("what a body is encoded with", () => {
  it("is what the headers say, in any case and in several of them", () => {
    assert.deepStrictEqual(known("GZip, x-gzip ,DEFLATE", " br,zstd "), ["gzip", "gzip", "deflate", "br", "zstd"])
    assert.deepStrictEqual(known("", " , gzip,, "), ["gzip"])
    assert.deepStrictEqual(Codings.codingsOf([["content-type", "gzip"]]), Result.succeed(undefined))
  })

  it("counts as nothing where it is the identity", () => {
    for (const none of ["identity", "Identity, identity", "", " , "]) assert.deepStrictEqual(known(none), [], none)
    assert.deepStrictEqual(known("gzip, identity"), ["gzip"])
  })

  it("is left alone as a whole where one is unknown", () => {
    for (const unknown of ["compress", "utf-8", "gzip2", "*", "gzip;q=1", "gzip compress"]) {
      assert.strictEqual(known(unknown), undefined, unknown)
      assert.strictEqual(known("gzip", unknown), undefined, unknown)
      assert.strictEqual(known(unknown, "gzip"), undefined, unknown)
    }
  })

  it("may be five at most", () => {
    assert.strictEqual(known("gzip,gzip,gzip,gzip,gzip")?.length, 5)
    assert.deepStrictEqual(codings("gzip,gzip,gzip", "gzip,gzip,br"), Result.fail("TOO_MANY_CODINGS"))
    assert.deepStrictEqual(codings("gzip,gzip,gzip", "gzip,gzip,identity"), Result.fail("TOO_MANY_CODINGS"))
    // It isn't decoded at all.
    assert.deepStrictEqual(codings("gzip,gzip,gzip", "gzip,gzip,unknown"), Result.succeed(undefined))
  })

  it("is gone from the headers of what was decoded, with the length", () => {
    const headers = [
      ["content-encoding", "gzip"],
      ["etag", "1"],
      ["content-length", "9"],
      ["content-encoding", "br"]
    ] as const
    assert.deepStrictEqual(Codings.decodedHeaders(headers), [["etag", "1"]])
  })
})

describe("decoding", () => {
  for (const encoder of Object.keys(ENCODERS) as ReadonlyArray<Encoder>) {
    const name = nameOf(encoder)
    const whole = encoded(TEXT, encoder)

    it.effect(`gives back what ${encoder} was made of`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(Buffer.from(yield* decoded(whole, [name])), TEXT)
        assert.strictEqual((yield* decoded(encoded(new Uint8Array(), encoder), [name])).length, 0)
      })
    )

    it.effect(`finds ${encoder} broken wherever it is cut`, () =>
      Effect.gen(function* () {
        for (let length = 1; length < whole.length; length++) {
          const error = yield* Effect.flip(decoded(whole.subarray(0, length), [name]))
          assert.deepInclude(error, { kind: "broken" }, `cut after ${length} of ${whole.length} bytes`)
        }
      })
    )

    it.effect(`bounds what ${encoder} becomes, to the byte`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* decoded(whole, [name], TEXT.length)).length, TEXT.length)
        const error = yield* Effect.flip(decoded(whole, [name], TEXT.length - 1))
        assert.deepStrictEqual(error, { kind: "too_large" })
        assert.deepStrictEqual(yield* Effect.flip(decoded(encoded(Buffer.from("x"), encoder), [name], 0)), error)
      })
    )

    it.effect(`stops a bomb of ${encoder} at its bound`, () =>
      Effect.gen(function* () {
        const bomb = encoded(Buffer.alloc(64 * 1024 * 1024), encoder)
        assert.deepStrictEqual(yield* Effect.flip(decoded(bomb, [name])), { kind: "too_large" })
        // A bomb in a wrapping that is no larger than it may be.
        const wrapped = encoded(bomb, "gzip")
        assert.deepStrictEqual(yield* Effect.flip(decoded(wrapped, [name, "gzip"])), { kind: "too_large" })
        // A bomb within a bomb: the outer one already is too much.
        assert.deepStrictEqual(yield* Effect.flip(decoded(wrapped, [name, "gzip"], 1)), { kind: "too_large" })
      })
    )
  }

  it.effect("takes several members of gzip and several frames of zstd for one body", () =>
    Effect.gen(function* () {
      for (const encoder of ["gzip", "zstd"] as const) {
        const both = Buffer.concat([encoded(TEXT, encoder), encoded(TEXT, encoder)])
        assert.strictEqual(Buffer.from(yield* decoded(both, [encoder])).toString(), `${TEXT}${TEXT}`)
        const most = 2 * TEXT.length - 1
        assert.deepStrictEqual(yield* Effect.flip(decoded(both, [encoder], most)), { kind: "too_large" })
        const cut = both.subarray(0, -1)
        assert.deepInclude(yield* Effect.flip(decoded(cut, [encoder])), { kind: "broken" })
      }
    })
  )

  it.effect("reads 64 frames of zstd, and passes over those that say nothing", () =>
    Effect.gen(function* () {
      const frames = (count: number) => Buffer.concat(Array.from({ length: count }, () => encoded(TEXT, "zstd")))
      assert.strictEqual((yield* decoded(frames(64), ["zstd"])).length, 64 * TEXT.length)
      const error = yield* Effect.flip(decoded(frames(65), ["zstd"]))
      assert.deepStrictEqual(error, { kind: "broken", code: "TOO_MANY_FRAMES" })
      // RFC 8878, section 3.1.2
      const skippable = Buffer.from("502a4d18050000000000000000", "hex")
      const between = Buffer.concat([skippable, encoded(TEXT, "zstd"), skippable, encoded(TEXT, "zstd"), skippable])
      assert.strictEqual((yield* decoded(between, ["zstd"])).length, 2 * TEXT.length)
    })
  )

  it.effect("has nothing to do where nothing came", () =>
    Effect.gen(function* () {
      for (const name of ["gzip", "deflate", "br", "zstd"]) {
        assert.strictEqual((yield* decoded(new Uint8Array(), [name])).length, 0)
      }
    })
  )

  it.effect("refuses a window of zstd that would take too much memory", () =>
    Effect.gen(function* () {
      // So that the window is what the frame says: a frame that knows its size needs no more than that.
      assert.strictEqual((yield* decoded(yield* streamed(Buffer.alloc(1000), windowOf(23)), ["zstd"])).length, 1000)
      assert.deepInclude(yield* Effect.flip(decoded(yield* streamed(Buffer.alloc(1000), windowOf(27)), ["zstd"])), {
        kind: "broken"
      })
    })
  )

  it.effect.prop(
    "undoes any chain of codings, whatever the bytes",
    {
      body: Schema.Uint8Array,
      chain: Schema.Array(Schema.Literals(["gzip", "x-gzip", "deflate", "raw deflate", "br", "zstd"])).check(
        Schema.isMaxLength(5)
      )
    },
    ({ body, chain }) =>
      Effect.gen(function* () {
        const names = chain.map(nameOf)
        const whole = encoded(body, ...chain)
        assert.isAtMost(whole.length, Codings.mostEncoded(known(...names) ?? [], body.length))
        const result = yield* decoded(whole, names, body.length)
        assert.deepStrictEqual(Buffer.from(result), Buffer.from(body))
      })
  )
})

const windowOf = (log: number) => ({
  params: { [Zlib.constants.ZSTD_c_windowLog]: log, [Zlib.constants.ZSTD_c_contentSizeFlag]: 0 }
})

const streamed = (body: Buffer, options: Zlib.ZstdOptions) =>
  Effect.callback<Buffer>((resume) => {
    const pieces: Array<Buffer> = []
    const encoder = Zlib.createZstdCompress(options)
    encoder.on("data", (piece: Buffer) => void pieces.push(piece))
    encoder.on("end", () => resume(Effect.succeed(Buffer.concat(pieces))))
    encoder.end(body)
  })

it("a body may be longer on the wire than decoded, but only where it is encoded", () => {
  assert.strictEqual(Codings.mostEncoded([], 1000), 1000)
  assert.strictEqual(Codings.mostEncoded(["br"], 1001), 1001 + 126 + 65_536)
})
