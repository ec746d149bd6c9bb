/**
 * Settles what the plugin's code was busy with once it has ended: counts it,
 * hands on what it answered, reports what went wrong, and ends the instance
 * where that was a crash.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Answered } from "../../commands/CommandExecutor.ts"
import type { Accounting } from "../../ingress/Accounting.ts"
import { abandonExit } from "../../internal/promises.ts"
import type { Values } from "../../limits/Limits.ts"
import { DispatchFailed, DispatchTimeout, InstanceLost, type DispatchError, type RuntimeError } from "../PluginError.ts"
import * as Output from "./output.ts"
import { diedOf, verdictOf } from "./verdict.ts"

export interface Options {
  readonly accounting: Accounting
  readonly limits: Values
  readonly answered: (event: Answered, output: Output.Checked, at: number) => void
  readonly failed: (error: DispatchError | RuntimeError) => void
  readonly reported: (status: string) => void
}

export class Settling {
  readonly #options: Options
  readonly #crashed: (end: InstanceLost | DispatchTimeout) => void

  constructor(options: Options, crashed: (end: InstanceLost | DispatchTimeout) => void) {
    this.#options = options
    this.#crashed = crashed
  }

  /** A dispatch has ended, at about this time. The tag of what went wrong, null where it was answered. */
  event(event: Answered, exit: Exit.Exit<unknown, unknown>, at: number): string | null {
    const { accounting, answered, failed, limits } = this.#options
    const verdict = verdictOf(exit, limits)
    if (verdict instanceof InstanceLost) {
      accounting.failed++
      this.#crashed(verdict)
      return verdict._tag
    }
    if (verdict instanceof DispatchTimeout) {
      accounting.timedOut++
      this.#crashed(verdict)
      return verdict._tag
    }
    if (Result.isFailure(verdict)) {
      accounting.failed++
      failed(verdict.failure)
      return verdict.failure._tag
    }
    accounting.dispatched++
    answered(event, verdict.success, at)
    return null
  }

  /** The plugin said what it has to say of itself. */
  status(exit: Exit.Exit<unknown, unknown>): void {
    const { failed, limits, reported } = this.#options
    if (Exit.isFailure(exit)) {
      abandonExit(exit)
      if (Cause.hasDies(exit.cause)) this.#crashed(diedOf(exit.cause, "status"))
      else failed(new DispatchFailed({ during: "status", cause: Cause.squash(exit.cause) }))
      return
    }
    const text = Output.json("status", exit.value, limits.reportedStatusBytes)
    if (Result.isFailure(text)) failed(text.failure)
    else if (text.success !== undefined) reported(text.success)
  }
}
