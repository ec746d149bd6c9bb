/**
 * What TLS needs to know of a dial, as Node wants it: made once for settings
 * that are the same, for it takes as long as many a handshake.
 *
 * Verification can't be switched off, neither here nor by the environment.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { createHash, X509Certificate } from "node:crypto"
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls"
import type { TlsSettings } from "../../connection/WebSocketClient.ts"
import { codeOf } from "./errorCode.ts"

/** What a client has for all that it dials. */
export interface ClientTls extends Pick<SecureContextOptions, "ca" | "cert" | "key"> {
  readonly minVersion?: "TLSv1.2" | "TLSv1.3"
}

// One for each source of a large host; those that were used longest ago are made again.
const KEPT = 1024

export class SecureContexts {
  /** For the client's own settings. */
  readonly common: SecureContext
  /** The same, for whom no certificate of the client's is. */
  readonly anonymous: SecureContext
  readonly #client: ClientTls
  readonly #kept = new Map<string, SecureContext>()

  /** Throws where the client's own settings can't be read. */
  constructor({ minVersion = "TLSv1.2", ...client }: ClientTls) {
    this.#client = { ...client, minVersion }
    this.common = createSecureContext(this.#client)
    this.anonymous = createSecureContext({ minVersion, ca: client.ca })
  }

  /** The context for a source, or the code that says why its settings are of no use. Nothing of them is in it. */
  of(tls: TlsSettings | undefined): Result.Result<SecureContext, string> {
    if (tls === undefined || (tls.ca ?? tls.cert ?? tls.key) === undefined) return Result.succeed(this.common)
    const key = tls.key === undefined ? undefined : Redacted.value(tls.key)
    // What is kept has no key in it that anybody could read.
    const name = createHash("sha256")
      .update(JSON.stringify([tls.ca, tls.cert, key]))
      .digest("base64")
    const kept = this.#kept.get(name)
    return kept === undefined
      ? Result.map(this.#make(tls, key), (made) => this.#keep(name, made))
      : Result.succeed(this.#keep(name, kept))
  }

  #make({ ca, cert }: TlsSettings, key: string | undefined): Result.Result<SecureContext, string> {
    if (cert === undefined && key !== undefined) return Result.fail("ENOCERT")
    if (cert !== undefined && key === undefined) return Result.fail("ENOKEY")
    return Result.try({
      try: () => {
        const own = { ...this.#client, ...(cert === undefined ? {} : { cert, key }) }
        return createSecureContext(ca === undefined ? own : { ...own, ca: [...authoritiesOf(ca)] })
      },
      catch: codeOf
    })
  }

  /** The one that was used last stands last. */
  #keep(name: string, context: SecureContext): SecureContext {
    this.#kept.delete(name)
    this.#kept.set(name, context)
    for (const [oldest] of this.#kept) {
      if (this.#kept.size <= KEPT) break
      this.#kept.delete(oldest)
    }
    return context
  }
}

/** Each by itself, for Node passes over what it can't read of several, and trusts nobody then. */
const authoritiesOf = (pem: string): ReadonlyArray<string> => {
  const blocks = pem.split(/^(?=-----BEGIN )/mu).filter((block) => block.startsWith("-----BEGIN "))
  return (blocks.length === 0 ? [pem] : blocks).map((block) => new X509Certificate(block).toString())
}
