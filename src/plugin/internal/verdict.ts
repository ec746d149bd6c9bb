/**
 * What became of a dispatch, by what the plugin's code or its runtime said of it.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { abandonExit } from "../../internal/promises.ts"
import type { Values } from "../../limits/Limits.ts"
import {
  DispatchFailed,
  DispatchTimeout,
  GuestError,
  InstanceLost,
  OutOfMemory,
  OutputInvalid,
  OutputTooLarge,
  type DispatchError,
  type RuntimeError
} from "../PluginError.ts"
import * as Output from "./output.ts"

/** What an instance died of: a defect, or, where its runtime has a clock of its own, its deadline. */
export const diedOf = (
  died: Cause.Cause<unknown>,
  during: DispatchTimeout["during"]
): InstanceLost | DispatchTimeout => {
  const cause = Cause.squash(died)
  try {
    if (cause instanceof DispatchTimeout) return new DispatchTimeout({ during, deadlineMs: cause.deadlineMs })
  } catch {
    // It can't be looked at, so it is no error of ours.
  }
  return new InstanceLost({ cause })
}

/** A typed failure of a handler. A runtime may find out itself what is wrong with the answer. */
const refused = (cause: unknown): DispatchError | RuntimeError => {
  try {
    // A plugin may hold on to its error: what is kept is made anew.
    if (isOutputInvalid(cause)) {
      return new OutputInvalid({ problems: cause.problems.map(({ message, path }) => ({ message, path })) })
    }
    if (isRuntimeRefusal(cause)) return refusal(cause)
  } catch {
    // It can't be looked at, so it is no error of ours.
  }
  return new DispatchFailed({ during: "event", cause })
}

const isOutputInvalid = Schema.is(OutputInvalid)
const isRuntimeRefusal = Schema.is(Schema.Union([GuestError, OutOfMemory, OutputTooLarge]))

const refusal = (error: GuestError | OutOfMemory | OutputTooLarge): RuntimeError => {
  switch (error._tag) {
    case "GuestError": {
      const { message, name, position } = error
      return new GuestError({ name, message, ...(position === undefined ? {} : { position }) })
    }
    case "OutOfMemory":
      return new OutOfMemory({ limit: error.limit })
    case "OutputTooLarge":
      return new OutputTooLarge({ bytes: error.bytes, limit: error.limit })
  }
}

/** The output of an answered dispatch or why it isn't one; by itself, what its instance has ended of. */
export type Verdict = Result.Result<Output.Checked, DispatchError | RuntimeError> | InstanceLost | DispatchTimeout

/** What became of a dispatch. Looking at how it ended may be running the plugin's code: an output may have getters, or be a proxy. */
export const verdictOf = (exit: Exit.Exit<unknown, unknown>, limits: Values): Verdict => {
  try {
    // Most handlers answer most events with nothing, of which nothing has to be checked.
    if (Exit.isSuccess(exit)) return exit.value === undefined ? Output.NOTHING : Output.check(exit.value, limits)
    abandonExit(exit)
    return Cause.hasDies(exit.cause) ? diedOf(exit.cause, "event") : Result.fail(refused(Cause.squash(exit.cause)))
  } catch (cause) {
    return new InstanceLost({ cause })
  }
}
