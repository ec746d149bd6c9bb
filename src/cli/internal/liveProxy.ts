/**
 * The proxy that a host file names, whose credentials may be replaced while the
 * host runs: those that are there are used from the next dial on, and ones that
 * can't be used leave the last, or nothing that could be dialled with.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Problem } from "../../internal/wire.ts"
import * as HostFile from "../../node/HostFile.ts"
import type { ProxySettings } from "../../node/ProxySettings.ts"

const AUTHORIZATION = "proxy.authorization"

export class LiveProxy {
  /** What the client is given. */
  readonly settings: ProxySettings | "unusable" | undefined
  readonly #began: HostFile.HostFile
  readonly #hasCredentials: boolean
  #authorization: Redacted.Redacted<string> | undefined
  #problem: Problem | undefined

  constructor(began: HostFile.HostFile) {
    const { proxy, proxyTable: table } = began
    this.#began = began
    this.#hasCredentials = typeof table === "object" && table.authorization !== undefined
    this.#authorization = typeof proxy === "object" ? proxy.authorization : undefined
    this.#problem = this.#hasCredentials ? began.problems.find(({ path }) => path === AUTHORIZATION) : undefined
    this.settings =
      typeof table === "object" && this.#hasCredentials
        ? { connect: table.connect, authorization: () => this.#authorization }
        : proxy
  }

  /** Asks for the credentials again. Whether what is wrong with them is something else now. */
  get renewed(): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      if (!this.#hasCredentials) return Effect.succeed(false)
      return Effect.map(HostFile.proxyOf(this.#began.proxyTable), (found) => {
        const before = this.#problem
        this.#problem = Result.isFailure(found) ? found.failure : undefined
        if (Result.isSuccess(found) && typeof found.success === "object") {
          this.#authorization = found.success.authorization
        }
        return before?.message !== this.#problem?.message
      })
    })
  }

  isSame({ proxyTable }: HostFile.HostFile): boolean {
    return JSON.stringify(proxyTable) === JSON.stringify(this.#began.proxyTable)
  }

  /** What is wrong with a file, whose credentials may have become others since it was read. */
  problemsOf(file: HostFile.HostFile): ReadonlyArray<Problem> {
    if (!this.#hasCredentials || !this.isSame(file)) return file.problems
    const others = file.problems.filter(({ path }) => path !== AUTHORIZATION)
    if (this.#problem === undefined) return others
    const { message, path } = this.#problem
    return [...others, ...file.located([{ path, message }])]
  }
}
