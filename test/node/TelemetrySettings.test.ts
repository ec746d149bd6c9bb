/** The tables of metrics and traces: what can stand in them, and what can't. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { TelemetrySettings } from "mooring/node"
import { StaticSecrets } from "mooring/testing"
import * as HostDocument from "../../src/node/internal/hostDocument.ts"
import * as Toml from "../../src/node/internal/toml.ts"

/** Each problem of a file that has these tables, as `line: path`. */
const problemsOf = (tables: string): ReadonlyArray<string> => {
  const content = Result.flatMap(
    Result.mapError(Toml.parse(`${tables}\n[plugins]\nenabled = []`, "host.toml"), (problem) => [problem]),
    (document) => HostDocument.read(document, { folder: "/", heapBytes: null })
  )
  const problems = Result.isSuccess(content) ? content.success.problems : content.failure
  return problems.map(({ line, path }) => `${line}: ${path}`)
}

describe("the tables [metrics] and [traces]", () => {
  const bases = [
    "http://127.0.0.1:4318",
    "http://127.0.0.1:4318/",
    "https://collector.example/otlp",
    "http://[::1]:4318",
    "https://collector.example/v1/metrics/base",
    "http://collector.example/v1"
  ]
  for (const url of bases) {
    it(`take the base ${url}`, () => {
      assert.deepStrictEqual(
        problemsOf(`[metrics]\notlp = { url = "${url}" }\n[traces]\notlp = { url = "${url}" }`),
        []
      )
    })
  }

  const others = [
    "http://127.0.0.1:4318/v1/metrics",
    "http://127.0.0.1:4318/v1/traces/",
    "http://127.0.0.1:4318/otlp/v1/METRICS",
    "http://user:password@collector.example",
    "http://collector.example/?token=1",
    "http://collector.example/#a",
    "http://collector.example:99999",
    "ftp://collector.example",
    "collector.example:4318",
    "unix:/run/otel.sock",
    "http://",
    "http://a b",
    "http://a\\\\b",
    ""
  ]
  for (const url of others) {
    it(`refuse ${url === "" ? "nothing" : url}, and say where it stands`, () => {
      assert.deepStrictEqual(problemsOf(`[metrics]\nprometheus = true\notlp = { url = "${url}" }`), [
        "3: metrics.otlp.url"
      ])
      assert.deepStrictEqual(problemsOf(`[traces]\notlp = { url = "${url}" }`), ["2: traces.otlp.url"])
    })
  }

  const wrong: ReadonlyArray<readonly [table: string, path: string]> = [
    ["sample = 1.5", "metrics.sample"],
    ["sample = -1", "metrics.sample"],
    ["sample = nan", "metrics.sample"],
    ["prometheus = 1", "metrics.prometheus"],
    ["promethius = true", "metrics.promethius"],
    ['otlp = "http://127.0.0.1:4318"', "metrics.otlp"],
    ["otlp = {}", "metrics.otlp.url"],
    ['otlp = { url = "http://a", interval = 10 }', "metrics.otlp.interval"],
    ['otlp = { url = "http://a", interval = "10ms" }', "metrics.otlp.interval"],
    [
      'otlp = { url = "http://a", headers = { authorization = "Bearer written-here" } }',
      "metrics.otlp.headers.authorization"
    ],
    [
      'otlp = { url = "http://a", headers = { authorization = { file = "a", env = "b" } } }',
      "metrics.otlp.headers.authorization"
    ],
    ...["Host", "content-length", "Transfer-Encoding", "connection", "expect", "a b", "a:"].map((name) => {
      const table = `otlp = { url = "http://a", headers = { "${name}" = { env = "A_VALUE" } } }`
      return [table, `metrics.otlp.headers.${name}`] as const
    })
  ]
  for (const [table, path] of wrong) {
    it(`refuse ${table}`, () => {
      const problems = problemsOf(`[metrics]\n${table}`)
      assert.isAbove(problems.length, 0)
      for (const problem of problems) assert.isTrue(problem.startsWith(`2: ${path}`), problem)
    })
  }

  it.effect("have the headers that there are, and say which can't be used, without a piece of any", () =>
    Effect.gen(function* () {
      const { headers, problems } = yield* TelemetrySettings.headersOf(
        {
          url: "http://a",
          headers: { good: { env: "GOOD" }, gone: { env: "GONE" }, short: { env: "SHORT" }, wide: { env: "WIDE" } }
        },
        "traces.otlp"
      )
      assert.deepStrictEqual(
        Object.entries(headers).map(([name, value]) => [name, Redacted.value(value)]),
        [["good", "Bearer good-one"]]
      )
      assert.deepStrictEqual(
        problems.map(({ path }) => path),
        ["traces.otlp.headers.gone", "traces.otlp.headers.short", "traces.otlp.headers.wide"]
      )
      assert.notMatch(JSON.stringify(problems), /wide-\u20ac|abc/)
    }).pipe(Effect.provide(secrets))
  )
})

const secrets = StaticSecrets.layer({ env: { GOOD: "Bearer good-one", SHORT: "abc", WIDE: "wide-\u20ac-value" } })
