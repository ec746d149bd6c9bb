/**
 * How a plugin's own code signs with secrets of its entry that the operator lets
 * it sign with: `sign = ["key"]` under its `grants`. It is given the signature,
 * never the secret.
 *
 * It works for as long as the instance that it was given to runs, and a secret
 * that isn't granted any more is refused from that moment on.
 *
 * @since 0.5.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { monotonic } from "../internal/monotonic.ts"
import { Signer, type Signed, type SigningKeys, type SigningRefused } from "../secrets/Signer.ts"

export { SigningRefused, type SigningKeys } from "../secrets/Signer.ts"

/**
 * The service that a plugin's `layer`, its handlers, `status` and `stop` may
 * require without providing it.
 *
 * **Details**
 *
 * `hmac` is that of RFC 2104, with the secret's bytes in UTF-8 as its key.
 * `sign` takes a secret that is the PEM of a private key without a passphrase:
 * of Ed25519 (RFC 8032), or of RSA, which signs by RSASSA-PKCS1-v1_5 with
 * SHA-256. Of one instance there are at most 1,000 signatures in any second, by
 * the clock that is never set, each of a text of at most 65,536 bytes.
 *
 * **Example** (A login that an exchange wants signed)
 *
 * ```ts
 * import { Effect, type Schema } from "effect"
 * import { OutputCommand, type ServicePlugin, Signing } from "mooring"
 *
 * export const handlers: ServicePlugin.Handlers<Schema.Json, Signing.Signing> = {
 *   websocket_open: Effect.fnUntraced(function* (event) {
 *     const signing = yield* Signing.Signing
 *     const signature = yield* signing.hmac("key", `${event.at}GET/realtime`, "sha256", "hex")
 *     return { commands: [OutputCommand.send(event, JSON.stringify({ op: "login", at: event.at, signature }))] }
 *   })
 * }
 * ```
 *
 * @category services
 * @since 0.5.0
 */
export class Signing extends Context.Service<
  Signing,
  {
    readonly hmac: (
      secret: string,
      text: string,
      algorithm: "sha256" | "sha512",
      encoding: "hex" | "base64"
    ) => Effect.Effect<string, SigningRefused>
    readonly sign: (secret: string, text: string, encoding: "base64") => Effect.Effect<string, SigningRefused>
  }
>()("mooring/plugin/Signing") {}

/**
 * The service of one instance, until the scope closes.
 *
 * @category constructors
 * @since 0.5.0
 */
export const make = (keys: SigningKeys): Effect.Effect<Signing["Service"], never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clockWith(Effect.succeed)
    let hasEnded = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        hasEnded = true
      })
    )
    const keyOf = (secret: string) => (hasEnded ? undefined : keys.valueOf(secret))
    const signer = new Signer({ keyOf, now: monotonic(clock) })
    return {
      hmac: (...given) => signed(() => signer.hmac(...given)),
      sign: (...given) => signed(() => signer.sign(...given))
    }
  })

const signed = (sign: () => Signed): Effect.Effect<string, SigningRefused> =>
  Effect.suspend(() => Effect.fromResult(sign()))
