/**
 * The printed JSON Schemas against the decoders, by a validator that knows
 * nothing of Effect.
 */
import { assert, describe, it } from "@effect/vitest"
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { CheckReport } from "../../src/cli/CheckReport.ts"
import { closed, document } from "../../src/cli/schema.ts"
import * as OutputCommand from "../../src/commands/OutputCommand.ts"
import { OutputCommandWire } from "../../src/commands/OutputCommandWire.ts"
import { HostStatus } from "../../src/host/HostStatus.ts"
import { IngressEventWire } from "../../src/ingress/IngressEventWire.ts"
import * as Wire from "../../src/internal/wire.ts"
import * as Manifest from "../../src/manifest/Manifest.ts"
import * as HostDocument from "../../src/node/internal/hostDocument.ts"
import type * as Toml from "../../src/node/internal/toml.ts"
import { OutputWire } from "../../src/plugin/PluginRuntime.ts"
import * as Documents from "./support/documents.ts"
import { fullest } from "./support/fullest.ts"
import { mutation, mutations } from "./support/mutations.ts"

type Json = Schema.Json

interface Subject {
  readonly of: Schema.Codec<unknown, Json>
  readonly schema: ReturnType<typeof document>
  readonly byHand: ReadonlyArray<Json>
  readonly decode: (input: unknown) => Result.Result<unknown, ReadonlyArray<Wire.Problem>>
}

const problemsOf = <A>(decoded: Result.Result<A, { readonly problems: ReadonlyArray<Wire.Problem> }>) =>
  Result.mapError(decoded, ({ problems }) => problems)

/** As the program does it with what it has read of a file. */
const decodeHost = (value: unknown): Result.Result<unknown, ReadonlyArray<Wire.Problem>> => {
  const file: Toml.Document = { value, problems: (found = []) => found, located: (found) => found }
  return Result.flatMap(HostDocument.read(file, { folder: "/", heapBytes: null }), (content) =>
    content.problems.length === 0 ? Result.succeed(content) : Result.fail(content.problems)
  )
}

const SUBJECTS = {
  manifest: {
    of: Manifest.Manifest,
    schema: document("manifest"),
    byHand: [Documents.manifest],
    decode: (input) => problemsOf(Manifest.decode(input))
  },
  host: { of: HostDocument.HostDocument, schema: document("host"), byHand: [Documents.host], decode: decodeHost },
  event: { of: IngressEventWire, schema: document("event"), byHand: [], decode: Wire.decoder(IngressEventWire) },
  output: { of: OutputWire, schema: document("output"), byHand: [Documents.output], decode: Wire.decoder(OutputWire) },
  command: {
    of: OutputCommandWire,
    schema: closed({ title: "", of: OutputCommandWire, beyond: [] }),
    byHand: [],
    decode: (input) => problemsOf(OutputCommand.decode(input))
  },
  status: { of: HostStatus, schema: document("status"), byHand: [], decode: Wire.decoder(HostStatus) },
  check: { of: CheckReport, schema: document("check"), byHand: [], decode: Wire.decoder(CheckReport) }
} as const satisfies Record<string, Subject>

interface Exception {
  readonly of: "manifest" | "host" | "output" | "event" | "status"
  readonly comment: string
  /** What the decoder says. */
  readonly message: RegExp
  readonly document: Json
}

const { ingresses, services, websocket } = Documents.manifest
const [ingress] = ingresses
const [target] = websocket

const requesting = (headers: Json): Json => ({
  output_commands: [{ kind: "host_request_dispatch", payload: { method: "GET", url: "https://a/b", headers } }]
})

const nested = (depth: number): Json => {
  let value: Json = 0
  for (let level = 0; level < depth; level++) value = [value]
  return value
}

/** What no JSON Schema can say; each `$comment` lists it. */
const EXCEPTIONS: ReadonlyArray<Exception> = [
  {
    of: "manifest",
    comment: "names of services, names of ingresses, sources and auto_replies of one ingress occur once",
    message: /^Expected a name that occurs once$/,
    document: { ...Documents.manifest, services: [...services, ...services] }
  },
  {
    of: "manifest",
    comment: "names of services, names of ingresses, sources and auto_replies of one ingress occur once",
    message: /^Expected a name that occurs once$/,
    document: { ...Documents.manifest, ingresses: [...ingresses, { ...ingress, sources: [] }] }
  },
  {
    of: "manifest",
    comment: "names of services, names of ingresses, sources and auto_replies of one ingress occur once",
    message: /^Expected a name that occurs once$/,
    document: { ...Documents.manifest, ingresses: [{ ...ingress, sources: ["ws://a/b", "websocket:ws://a/b"] }] }
  },
  {
    of: "manifest",
    comment: "hosts, paths and URLs have a canonical form",
    message: /^Expected a host name, an address literal, '\*\.' with at least two labels behind it, or '\*'$/,
    document: { ...Documents.manifest, websocket: [{ ...target, host: "256.0.0.1" }] }
  },
  {
    of: "manifest",
    comment: "hosts, paths and URLs have a canonical form",
    message: /^Expected a path that starts with '\/'/,
    document: { ...Documents.manifest, websocket: [{ ...target, path_prefixes: ["/a%ef%bc%8eb"] }] }
  },
  {
    of: "manifest",
    comment: "some lengths count bytes of UTF-8",
    message: /^Expected a text of \d+ to \d+ bytes of UTF-8$/,
    document: { ...Documents.manifest, ingresses: [{ ...ingress, urgent: ["\u00e4".repeat(33)] }] }
  },
  {
    of: "manifest",
    comment: "names of services, names of ingresses, sources and auto_replies of one ingress occur once",
    message: /^Expected a name that occurs once$/,
    document: {
      ...Documents.manifest,
      ingresses: [
        {
          ...ingress,
          auto_replies: [
            { text: "ping", reply: "pong" },
            { text: "ping", reply: "pang" }
          ]
        }
      ]
    }
  },
  {
    of: "manifest",
    comment: "values are nested at most 128 deep",
    message: /^Expected a value that is nested at most \d+ deep$/,
    document: { ...Documents.manifest, status_schema: nested(128) }
  },
  {
    of: "manifest",
    comment: "at most 262144 of them, with 16777216 characters together",
    message: /^Expected at most \d+ values and \d+ characters$/,
    document: { ...Documents.manifest, status_schema: Array.from({ length: 262_144 }, () => 0) }
  },
  {
    of: "host",
    comment: "ids with their instances, sources of one ingress and headers in whichever case occur once",
    message: /^Expected an id and instance that occur once$/,
    document: { plugins: { enabled: [Documents.enablement, Documents.enablement] } }
  },
  {
    of: "host",
    comment: "ids with their instances, sources of one ingress and headers in whichever case occur once",
    message: /^Expected a header that occurs once, in whichever case$/,
    document: {
      plugins: { enabled: [{ ...Documents.enablement, sources: { gateway: { headers: { a: "1", A: "2" } } } }] }
    }
  },
  {
    of: "host",
    comment: "ids with their instances, sources of one ingress and headers in whichever case occur once",
    message: /^Expected a header that occurs once, in whichever case$/,
    document: {
      plugins: {
        enabled: [
          {
            ...Documents.enablement,
            grants: { request: [{ ...Documents.enablement.grants.request[0], headers: { a: "1", A: "2" } }] }
          }
        ]
      }
    }
  },
  {
    of: "host",
    comment: "grants name secrets of their entry",
    message: /^Expected the name of a secret of this entry$/,
    document: { plugins: { enabled: [{ ...Documents.enablement, grants: { sign: ["none"] } }] } }
  },
  {
    of: "host",
    comment: "limits fit together, and into the heap",
    message: /^Expected at most (?:half of )?[a-z_]+(?: less 8192)?$/,
    document: { ...Documents.host, limits: { max_message_bytes: 8_388_608 } }
  },
  {
    of: "host",
    comment: "a control address is one that can be, and has a token where other machines reach it",
    message: /^Expected an address and a port, like /,
    document: { ...Documents.host, control: { listen: "127.0.0.256:9477" } }
  },
  {
    of: "host",
    comment: "in config a table of exactly from_env or from_file names a variable or a file",
    message: /^Expected the name of a variable or file$/,
    document: { plugins: { enabled: [{ ...Documents.enablement, config: { a: { from_env: "" } } }] } }
  },
  {
    of: "output",
    comment: "status, state and each command are nested at most 100 deep",
    message: /^Expected a value that is nested at most \d+ deep$/,
    document: { state: nested(128) }
  },
  {
    of: "output",
    comment: "some lengths count bytes of UTF-8",
    message: /^Expected at most 123 bytes of UTF-8$/,
    document: {
      output_commands: [{ kind: "websocket_close", payload: { url: "ws://a/b", reason: "\u00e4".repeat(62) } }]
    }
  },
  {
    of: "output",
    comment: "headers of a request occur once, in whichever case, and have 16384 bytes together",
    message: /^Expected each name once, in whichever case$/,
    document: requesting({ a: "1", A: "2" })
  },
  {
    of: "output",
    comment: "headers of a request occur once, in whichever case, and have 16384 bytes together",
    message: /^Expected at most 16384 bytes of names and values$/,
    document: requesting({ a: "x".repeat(16_384) })
  }
]

/** Told only beside something else that is wrong: alone it is no problem of the document. */
const BESIDE = /^Expected a URL that isn't refused: /

const isException = ({ message }: Wire.Problem) =>
  BESIDE.test(message) || EXCEPTIONS.some((exception) => exception.message.test(message))

const validator = (schema: object): ValidateFunction =>
  new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema)

/** Why the two don't agree about a document; undefined where they do, or where they may not. */
const disagreement = ({ decode }: Subject, validate: ValidateFunction, input: Json): string | undefined => {
  const decoded = decode(input)
  const valid = validate(input)
  if (valid === Result.isSuccess(decoded)) return undefined
  if (Result.isSuccess(decoded)) {
    return `refused by the schema alone: ${JSON.stringify(validate.errors)} ${JSON.stringify(input)}`
  }
  return decoded.failure.every(isException)
    ? undefined
    : `refused by the program alone: ${JSON.stringify(decoded.failure)}`
}

/** A document of a host file has thousands of mutations, on a machine that does other things beside. */
const MUTATIONS_MS = 120_000

const random = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 }))

describe("mooring schema", () => {
  it("has no pattern that an engine of another language refuses: editors check TOML with such", () => {
    const patterns: Array<string> = []
    const collect = (key: string, value: unknown) => {
      if (key === "pattern") patterns.push(String(value))
      return value
    }
    JSON.stringify(
      Object.values<Subject>(SUBJECTS).map((subject) => subject.schema),
      collect
    )
    assert.isAbove(patterns.length, 20)
    // To them half of a surrogate pair is no character, and \0 no escape.
    for (const pattern of patterns) assert.notMatch(pattern, /\\u\{?d[89a-f]|\\0/i)
  })

  for (const [name, subject] of Object.entries<Subject>(SUBJECTS)) {
    const validate = validator(subject.schema)
    const documents = [...fullest({ ...subject.schema }), ...subject.byHand]

    it(`accepts ${name} documents with everything that there is`, () => {
      for (const whole of documents) {
        assert.isTrue(validate(whole), `${JSON.stringify(validate.errors)} ${JSON.stringify(whole)}`)
        assert.isUndefined(disagreement(subject, validate, whole))
      }
    })

    it(
      `refuses of ${name} documents with one mutation what the program refuses, and nothing else`,
      () => {
        const found = new Set<string>()
        for (const whole of documents) {
          for (const mutated of mutations(whole)) {
            const problem = disagreement(subject, validate, mutated)
            if (problem !== undefined) found.add(problem.slice(0, 400))
          }
        }
        assert.deepStrictEqual([...found], [])
      },
      MUTATIONS_MS
    )

    it.effect.prop(
      `agrees with the program about ${name} documents of any content, as they are and with some mutations`,
      { value: subject.of, choices: Schema.Array(random).check(Schema.isMaxLength(3)) },
      ({ choices, value }) =>
        Effect.gen(function* () {
          let input: Json = yield* Schema.encodeEffect(subject.of)(value)
          assert.isUndefined(disagreement(subject, validate, input))
          for (const choice of choices) {
            input = mutation(input, choice)
            assert.isUndefined(disagreement(subject, validate, input))
          }
        }),
      { arbitrary: { runs: 50 } }
    )
  }

  for (const [index, { comment, document: input, message, of }] of EXCEPTIONS.entries()) {
    it(`accepts, as the comment of ${of} tells, what the program refuses (${index}): ${comment}`, () => {
      const decoded = (SUBJECTS as { readonly [name in typeof of]: Subject })[of].decode(input)
      assert.include(document(of).$comment, comment)
      assert.isTrue(validator(document(of))(input))
      const [problem, ...others] = Result.isFailure(decoded) ? decoded.failure : []
      assert.match(problem?.message ?? "", message)
      assert.deepStrictEqual(others, [])
    })
  }
})
