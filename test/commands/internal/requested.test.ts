import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { GrantStore, Manifest } from "mooring"
import { requested } from "../../../src/commands/internal/requested.ts"
import { authorityOf, PERMISSIONS, subject } from "../../support/grants.ts"

const API = { scheme: "https", host: "api.example.com", methods: ["GET"], pathPrefixes: ["/v1"] } as const
const WITHOUT = PERMISSIONS.filter((permission) => permission.kind !== "host_api" || permission.api !== "request")

type Sides = readonly [declared: Partial<Manifest.Manifest>, granted: Partial<GrantStore.Grant>]

const BOTH: Sides = [{ request: [API] }, { request: [API] }]

/** What a newcomer reads: which half of what was asked for isn't there. */
const refusals: ReadonlyArray<readonly [mistake: string, sides: Sides, method: string, url: string, says: string]> = [
  [
    "the permission isn't in the manifest",
    [{ request: [API], permissions: WITHOUT }, { request: [API] }],
    "GET",
    "https://api.example.com/v1",
    "GET https://api.example.com:443 needs the permission 'host_api request', which is not declared in the manifest"
  ],
  [
    "the permission isn't granted",
    [{ request: [API] }, { request: [API], permissions: WITHOUT }],
    "GET",
    "https://api.example.com/v1",
    "GET https://api.example.com:443 needs the permission 'host_api request', which is not granted"
  ],
  [
    "the manifest has no [[request]]",
    [{ request: [] }, { request: [API] }],
    "GET",
    "https://api.example.com/v1",
    "no target of requests that is declared in the manifest covers GET https://api.example.com:443 with this path"
  ],
  [
    "the grant has no target",
    [{ request: [API] }, { request: [] }],
    "GET",
    "https://api.example.com/v1",
    "no target of requests that is granted covers GET https://api.example.com:443 with this path"
  ],
  [
    "the method is written in lower case",
    BOTH,
    "get",
    "https://api.example.com/v1",
    "no target of requests that is declared in the manifest covers get https://api.example.com:443 with this path; methods are compared as written, get is not GET"
  ],
  [
    "the scheme is http, and the path a secret",
    BOTH,
    "GET",
    "http://api.example.com/v1/s3cret?token=s3cret",
    "no target of requests that is declared in the manifest covers GET http://api.example.com:80 with this path"
  ]
]

describe("a request that isn't granted", () => {
  it.effect.each(refusals)("because %s", ([, [declared, granted], method, url, says]) =>
    Effect.gen(function* () {
      const authority = yield* authorityOf(subject(declared), granted)
      const limits = { requestBodyBytes: 100, requestDeadlineMs: 1000 }
      const refused = requested({ method, url }, "gateway", { authority, limits }, () => undefined)
      assert.strictEqual(Result.isFailure(refused) ? refused.failure.message : "", says)
    })
  )
})
