/**
 * The proxy that a host file names, whose credentials may be replaced while the
 * host runs: those that are there are used from the next dial on, and ones that
 * can't be used leave the last, or nothing that could be dialled with.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Problem } from "../../internal/wire.ts"
import * as HostFile from "../../node/HostFile.ts"
import type { ProxySettings } from "../../node/ProxySettings.ts"
import { LiveText } from "./liveText.ts"

const AUTHORIZATION = "proxy.authorization"

const authorizationOf = (proxy: HostFile.HostFile["proxy"]) =>
  typeof proxy === "object" ? proxy.authorization : undefined

export class LiveProxy {
  /** What the client is given. */
  readonly settings: ProxySettings | "unusable" | undefined
  readonly #began: HostFile.HostFile
  /** The credentials, where it has any. */
  readonly #live: LiveText | undefined

  constructor(began: HostFile.HostFile) {
    const { proxy, proxyTable: table } = began
    this.#began = began
    if (typeof table !== "object" || table.authorization === undefined) {
      this.settings = proxy
      return
    }
    const problem = began.problems.find(({ path }) => path === AUTHORIZATION)
    const live = new LiveText(
      problem === undefined ? Result.succeed(authorizationOf(proxy)) : Result.fail(problem),
      Effect.map(HostFile.proxyOf(table), Result.map(authorizationOf))
    )
    this.#live = live
    this.settings = { connect: table.connect, authorization: () => live.text }
  }

  /** Asks for the credentials again. Whether what is wrong with them is something else now. */
  get renewed(): Effect.Effect<boolean> {
    return this.#live?.renewed ?? Effect.succeed(false)
  }

  isSame({ proxyTable }: HostFile.HostFile): boolean {
    return JSON.stringify(proxyTable) === JSON.stringify(this.#began.proxyTable)
  }

  /** What is wrong with a file, whose credentials may have become others since it was read. */
  problemsOf(file: HostFile.HostFile, problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> {
    return this.#live === undefined || !this.isSame(file)
      ? problems
      : this.#live.problemsOf(AUTHORIZATION, file, problems)
  }
}
