/**
 * The rates of the targets of one grant, and how they follow from those of the
 * grant before: what goes to an edited target is charged to the account that it
 * had. Nothing is kept of a target that is gone.
 */
import type { GrantedRequestTarget } from "../../manifest/RequestTarget.ts"
import type { GrantedTarget } from "../../manifest/WebSocketTarget.ts"

/**
 * What a rate is charged to: the same object for as long as something of that
 * scheme, host and port is granted, so that what was sent counts on when paths
 * or the rate itself are edited.
 */
interface Charged {
  readonly account: object
}

interface Sends {
  readonly sendsPerMinute: number | undefined
  readonly sendBytesPerMinute: number | undefined
}

interface Requests {
  readonly requestsPerMinute: number | undefined
}

/**
 * How much may be sent to what one granted target covers, in a minute;
 * `undefined`: any amount.
 *
 * @category models
 * @since 0.2.0
 */
export interface Rate extends Charged, Sends {}

/**
 * How many requests may go to what one granted target covers, in a minute.
 *
 * @category models
 * @since 0.5.0
 */
export interface RequestRate extends Charged, Requests {}

type Target = GrantedTarget | GrantedRequestTarget

interface Entry<Limits> {
  readonly site: string
  readonly rate: Limits & Charged
}

/** By all that a target is. */
export type Rates<Limits> = ReadonlyMap<string, Entry<Limits>>

type LimitsOf<T extends Target, Limits> = (target: T) => Limits

/** The rates of these targets after those that were there before. */
export const next = <T extends Target, Limits extends object>(
  former: Rates<Limits>,
  targets: ReadonlyArray<T>,
  limitsOf: LimitsOf<T, Limits>
): Rates<Limits> => {
  const keys = targets.map(keyOf)
  const stays = new Set(keys)
  const edited = [...former].filter(([key]) => !stays.has(key)).map(([, entry]) => entry)
  const rates = new Map<string, Entry<Limits>>()
  for (const [index, target] of targets.entries()) {
    const key = keys[index] ?? keyOf(target)
    if (rates.has(key)) continue
    rates.set(key, former.get(key) ?? entryOf(target, limitsOf, edited))
  }
  return rates
}

/** What bounds how much may go to a target, if anything does. */
export const boundOf = <Limits extends object>(
  rates: Rates<Limits>,
  target: Target
): Entry<Limits>["rate"] | undefined => {
  const rate = rates.get(keyOf(target))?.rate
  const { account: _, ...limits } = rate ?? { account: undefined }
  return Object.values(limits).every((limit) => limit === undefined) ? undefined : rate
}

const keyOf = (target: Target): string => JSON.stringify(target)

/** A target that wasn't granted just so: the account of the first one of its site that isn't any more goes on. */
const entryOf = <T extends Target, Limits extends object>(
  target: T,
  limitsOf: LimitsOf<T, Limits>,
  edited: Array<Entry<Limits>>
): Entry<Limits> => {
  const site = JSON.stringify([target.scheme, target.host, target.port])
  const at = edited.findIndex((entry) => entry.site === site)
  const [former] = at < 0 ? [] : edited.splice(at, 1)
  return { site, rate: { ...limitsOf(target), account: former?.rate.account ?? {} } }
}

/** What is said of nothing, for a plugin that is trusted with the process; and for one that isn't. */
const UNSAID = {
  inProcess: { sends: undefined, bytes: undefined, requests: undefined },
  sandboxed: { sends: 6000, bytes: 67_108_864, requests: 600 }
} as const

/** The limits of targets of a plugin, given or not. */
export const limits = (isInProcess: boolean) => {
  const unsaid = isInProcess ? UNSAID.inProcess : UNSAID.sandboxed
  return {
    sends: ({ sendBytesPerMinute, sendsPerMinute }: GrantedTarget): Sends => ({
      sendsPerMinute: bound(sendsPerMinute, unsaid.sends),
      sendBytesPerMinute: bound(sendBytesPerMinute, unsaid.bytes)
    }),
    requests: ({ requestsPerMinute }: GrantedRequestTarget): Requests => ({
      requestsPerMinute: bound(requestsPerMinute, unsaid.requests)
    })
  }
}

const bound = (limit: number | undefined, unsaid: number | undefined): number | undefined => {
  const given = limit ?? unsaid
  return given === 0 ? undefined : given
}
