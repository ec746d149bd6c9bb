/**
 * What keeps a plugin's timers, as the executor of its commands sees it.
 * `plugin/Timers` implements it.
 *
 * @since 0.1.0
 */
import type { TimerLimit } from "./CommandError.ts"

/**
 * A timer as a plugin asks for it. Times in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface TimerSpec {
  readonly name: string
  readonly afterMs: number
  readonly everyMs?: number
}

/**
 * Whose timer it is: that of a connection, which ends with its epoch, or one
 * of the plugin. `ingressName` is the ingress that its events go to.
 *
 * @category models
 * @since 0.1.0
 */
export interface TimerOwner<D> {
  readonly destination: D | undefined
  readonly ingressName: string
}

/**
 * The port. Both act at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface TimerPort<D> {
  /** Sets a timer in place of one of the same name, or says that there are too many. */
  readonly set: (spec: TimerSpec, owner: TimerOwner<D>) => TimerLimit | undefined
  readonly clear: (name: string) => void
}
