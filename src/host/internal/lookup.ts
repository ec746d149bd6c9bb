/**
 * What an entry names that stands elsewhere, and the answers of the port for it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { TlsSettings } from "../../connection/WebSocketClient.ts"
import * as Ports from "../../internal/ports.ts"
import { formatPath, type Problem } from "../../internal/wire.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import { placesIn, type Outside, type OutsideOrValue } from "../../manifest/Outside.ts"
import { SecretUnavailable, type Secrets } from "../../secrets/Secrets.ts"
import * as HadTime from "../../time/HadTime.ts"
import * as Usable from "../../secrets/Usable.ts"

/** A text that stands elsewhere. */
export interface Want {
  /** Its key in the entry. */
  readonly path: string
  readonly from: OutsideOrValue
  readonly purpose: Usable.Purpose
}

export const PEMS = ["ca", "cert", "key"] as const

export type Pem = (typeof PEMS)[number]

/** All that an entry names: each secret, each PEM, each text of its configuration. */
export const wantsOf = ({ config, secrets, sources }: Enablement): ReadonlyArray<Want> => [
  ...Object.entries(secrets).map(([name, from]): Want => ({ path: secretPath(name), from, purpose: "secret" })),
  ...Object.entries(sources).flatMap(([ingress, { tls = {} }]) =>
    PEMS.flatMap((key): ReadonlyArray<Want> => {
      const from = tls[key]
      return from === undefined ? [] : [{ path: pemPath(ingress, key), from, purpose: "pem" }]
    })
  ),
  ...placesIn(config).map(({ from, path }): Want => ({ path: formatPath(["config", ...path]), from, purpose: "text" }))
]

export const secretPath = (name: string): string => `secrets.${name}`
export const pemPath = (ingress: string, key: Pem): string => `sources.${ingress}.tls.${key}`

/** TLS of these values. */
export const tlsOf = (serverName: string | undefined, valueOf: (pem: Pem) => string | undefined): TlsSettings => {
  const [ca, cert, key] = PEMS.map(valueOf)
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: Redacted.make(key) }),
    ...(serverName === undefined ? {} : { serverName })
  }
}

/** The value, or what is wrong. */
export type Answer = Result.Result<string, Problem>

const ANSWER_WITHIN_MS = 5000
const AT_ONCE = 8
// What an application says is shown to people.
const SHOWN = /^[\x20-\x7e]{1,200}$/

const isUnavailable = Schema.is(SecretUnavailable)

/** The value of each, or what is wrong, in their order. */
export const look = (
  wants: ReadonlyArray<Want>,
  pluginRef: string,
  port: typeof Secrets.Service,
  time: HadTime.HadTime
): Effect.Effect<ReadonlyArray<Answer>> => {
  const find = ({ from, path, purpose }: Want): Effect.Effect<Answer> => {
    const checked = (value: unknown, isFile: boolean) =>
      Redacted.isRedacted(value) ? textOf(Redacted.value(value), purpose, isFile) : UNANSWERED
    const found = Redacted.isRedacted(from)
      ? Effect.succeed(checked(from, false))
      : Effect.map(ask(port, { pluginRef, path, from }, time), (value) => checked(value, "file" in from))
    return found.pipe(
      Effect.catchCause((cause) => Effect.succeed(Result.fail(problemOf(Cause.squash(cause))))),
      Effect.map(Result.mapError((message) => ({ path, message })))
    )
  }
  return Effect.forEach(wants, find, { concurrency: AT_ONCE })
}

const NO_ANSWER = "Expected an answer of the application's Secrets"
const UNANSWERED = Result.fail(NO_ANSWER)

const textOf = (value: unknown, purpose: Usable.Purpose, isFile: boolean) =>
  typeof value === "string" ? Usable.check(value, purpose, isFile) : UNANSWERED

const ask = (
  port: typeof Secrets.Service,
  request: { pluginRef: string; path: string; from: Outside },
  time: HadTime.HadTime
) =>
  Ports.effectFrom<unknown, unknown, never>(() => port.lookup(request)).pipe(
    HadTime.within(time, ANSWER_WITHIN_MS, () => Effect.fail("it didn't answer"))
  )

const problemOf = (failure: unknown): string => {
  try {
    return isUnavailable(failure) && SHOWN.test(failure.problem) ? failure.problem : NO_ANSWER
  } catch {
    // It can't be looked at, so it is no error of ours.
    return NO_ANSWER
  }
}
