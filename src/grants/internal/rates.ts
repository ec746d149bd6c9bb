/**
 * The rates of the targets of one grant, and how they follow from those of the
 * grant before: what an edited target may be sent is charged to the account
 * that it had. Nothing is kept of a target that is gone.
 */
import type { GrantedTarget } from "../../manifest/WebSocketTarget.ts"

/**
 * How much may be sent to what one granted target covers, in a minute;
 * `undefined`: any amount. `account` is what it is charged to: the same object
 * for as long as something of that scheme, host and port is granted, so that
 * what was sent counts on when paths or the rate itself are edited.
 *
 * @category models
 * @since 0.2.0
 */
export interface Rate {
  readonly account: object
  readonly sendsPerMinute: number | undefined
  readonly sendBytesPerMinute: number | undefined
}

interface Entry {
  readonly site: string
  readonly rate: Rate
}

/** By all that a target is. */
export type Rates = ReadonlyMap<string, Entry>

export const none: Rates = new Map()

/** The rates of these targets after those that were there before. */
export const next = (former: Rates, targets: ReadonlyArray<GrantedTarget>): Rates => {
  const keys = targets.map(keyOf)
  const stays = new Set(keys)
  const edited = [...former].filter(([key]) => !stays.has(key)).map(([, entry]) => entry)
  const rates = new Map<string, Entry>()
  for (const [index, target] of targets.entries()) {
    const key = keys[index] ?? keyOf(target)
    if (rates.has(key)) continue
    rates.set(key, former.get(key) ?? entryOf(target, edited))
  }
  return rates
}

/** What bounds how much may be sent to a target, if anything does. */
export const boundOf = (rates: Rates, target: GrantedTarget): Rate | undefined => {
  const rate = rates.get(keyOf(target))?.rate
  return rate?.sendsPerMinute === undefined && rate?.sendBytesPerMinute === undefined ? undefined : rate
}

const keyOf = (target: GrantedTarget): string => JSON.stringify(target)

const bound = (limit: number | undefined): number | undefined => (limit === 0 ? undefined : limit)

/** A target that wasn't granted just so: the account of the first one of its site that isn't any more goes on. */
const entryOf = (target: GrantedTarget, edited: Array<Entry>): Entry => {
  const site = JSON.stringify([target.scheme, target.host, target.port])
  const at = edited.findIndex((entry) => entry.site === site)
  const [former] = at < 0 ? [] : edited.splice(at, 1)
  const { sendBytesPerMinute, sendsPerMinute } = target
  const account = former?.rate.account ?? {}
  return {
    site,
    rate: { account, sendsPerMinute: bound(sendsPerMinute), sendBytesPerMinute: bound(sendBytesPerMinute) }
  }
}
