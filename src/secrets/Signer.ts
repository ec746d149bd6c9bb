/**
 * Signatures with secrets that whoever asks for them never sees: an HMAC whose
 * key is a secret as it is, and a signature by the private key in a PEM.
 *
 * Each is made at once, since the code of a sandboxed plugin can't wait for
 * anything: so it is the system's library that makes them, not Web Crypto. What
 * is refused is refused before a key is touched, and never says anything of one.
 *
 * @since 0.5.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { createHmac, createPrivateKey, sign, type KeyObject } from "node:crypto"

/**
 * The most signatures that a plugin has in any second.
 *
 * @category constants
 * @since 0.5.0
 */
export const MOST_A_SECOND = 1000

/**
 * The longest text that is signed, in bytes of UTF-8.
 *
 * @category constants
 * @since 0.5.0
 */
export const MOST_TEXT_BYTES = 65_536

const SECOND_MS = 1000

const MESSAGES = {
  form: 'hmac takes a name, a text, "sha256" or "sha512", and "hex" or "base64"; sign takes a name, a text and "base64"',
  surrogate: "a text with half a surrogate pair can't be signed",
  size: `a text that is signed has at most ${MOST_TEXT_BYTES} bytes`,
  ungranted: "no secret of this name is granted for signing: `sign` of the entry's grants has none",
  key: "the secret is no PEM of a private key, Ed25519 or RSA, without a passphrase",
  rate: `there are at most ${MOST_A_SECOND} signatures a second`
} as const

/**
 * Why nothing was signed.
 *
 * @category errors
 * @since 0.5.0
 */
export class SigningRefused extends Schema.TaggedError<SigningRefused>("mooring/secrets/SigningRefused")(
  "SigningRefused",
  { reason: Schema.Literals(["form", "surrogate", "size", "ungranted", "key", "rate"]) }
) {
  override get message(): string {
    return MESSAGES[this.reason]
  }
}

/**
 * The keys that a plugin may sign with, as they are now: `valueOf` has a value
 * where the secret is granted for signing, and `listen` calls back whenever that
 * or a value may have changed, until what it returns is called.
 *
 * @category models
 * @since 0.5.0
 */
export interface SigningKeys {
  /** Of all secrets of the plugin, granted or not. */
  readonly names: ReadonlyArray<string>
  readonly valueOf: (name: string) => string | undefined
  readonly listen: (changed: () => void) => () => void
}

/**
 * A signature, or why there is none.
 *
 * @category models
 * @since 0.5.0
 */
export type Signed = Result.Result<string, SigningRefused>

interface Options {
  readonly keyOf: SigningKeys["valueOf"]
  /** Milliseconds of a clock that is never set. */
  readonly now: () => number
}

interface Parsed {
  readonly pem: string
  /** Undefined where the PEM has no key that can be used. */
  readonly key: KeyObject | undefined
}

const ALGORITHMS: ReadonlySet<string> = new Set(["sha256", "sha512"])

/**
 * Signs for one instance of a plugin, and counts what it signs.
 *
 * @category models
 * @since 0.5.0
 */
export class Signer {
  readonly #keyOf: Options["keyOf"]
  readonly #now: Options["now"]
  readonly #pace = new Pace()
  /** By name: reading a PEM takes longer than signing with it. */
  readonly #parsed = new Map<string, Parsed>()

  constructor({ keyOf, now }: Options) {
    this.#keyOf = keyOf
    this.#now = now
  }

  /** RFC 2104, over SHA-256 or SHA-512. The key is the secret's bytes in UTF-8, the message those of the text. */
  hmac(name: string, text: string, algorithm: string, encoding: string): Signed {
    if (!ALGORITHMS.has(algorithm) || (encoding !== "hex" && encoding !== "base64")) return refused("form")
    const key = this.#keyFor(name, text)
    if (Result.isFailure(key)) return Result.fail(key.failure)
    if (!this.#pace.take(this.#now())) return refused("rate")
    return Result.succeed(createHmac(algorithm, key.success).update(text).digest(encoding))
  }

  /** Ed25519 as RFC 8032 has it, or RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017), by what the key is. */
  sign(name: string, text: string, encoding: string): Signed {
    if (encoding !== "base64") return refused("form")
    const pem = this.#keyFor(name, text)
    if (Result.isFailure(pem)) return Result.fail(pem.failure)
    const key = this.#read(name, pem.success)
    if (key === undefined) return refused("key")
    if (!this.#pace.take(this.#now())) return refused("rate")
    try {
      return Result.succeed(sign(digestOf(key), Buffer.from(text), key).toString(encoding))
    } catch {
      // An RSA key that is shorter than what it is to sign.
      return refused("key")
    }
  }

  /** The key for a text, if both may be used. */
  #keyFor(name: string, text: string): Signed {
    if (!text.isWellFormed()) return refused("surrogate")
    // The first look bounds what the other walks through.
    if (text.length > MOST_TEXT_BYTES || Buffer.byteLength(text) > MOST_TEXT_BYTES) return refused("size")
    const value = this.#keyOf(name)
    if (value !== undefined) return Result.succeed(value)
    this.#parsed.delete(name)
    return refused("ungranted")
  }

  #read(name: string, pem: string): KeyObject | undefined {
    const known = this.#parsed.get(name)
    if (known?.pem === pem) return known.key
    const key = keyIn(pem)
    this.#parsed.set(name, { pem, key })
    return key
  }
}

const refused = (reason: SigningRefused["reason"]): Signed => Result.fail(new SigningRefused({ reason }))

const keyIn = (pem: string): KeyObject | undefined => {
  try {
    const key = createPrivateKey(pem)
    return key.asymmetricKeyType === "ed25519" || key.asymmetricKeyType === "rsa" ? key : undefined
  } catch {
    // What it says may quote the PEM.
    return undefined
  }
}

/** Ed25519 hashes by itself. */
const digestOf = (key: KeyObject): "sha256" | null => (key.asymmetricKeyType === "rsa" ? "sha256" : null)

/** When the last signatures were made: in no second there are more than there may be. */
class Pace {
  #times: Float64Array | undefined = undefined
  #next = 0

  take(now: number): boolean {
    this.#times ??= new Float64Array(MOST_A_SECOND).fill(-Infinity)
    if (now - (this.#times[this.#next] ?? 0) < SECOND_MS) return false
    this.#times[this.#next] = now
    this.#next = (this.#next + 1) % MOST_A_SECOND
    return true
  }
}
