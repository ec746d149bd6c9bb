/** An executor over small fakes of its ports: a connection is a few fields, and what was asked of it. */
import * as Result from "effect/Result"
import { type CommandError, type CommandResult, GrantError, Limits, type WebSocketTarget } from "mooring"
import { CommandExecutor, type Answered, type Destination } from "../../../src/commands/CommandExecutor.ts"
import { fromRecorded, type Recorded } from "../../../src/commands/CommandResult.ts"
import type { Addressee } from "../../../src/commands/internal/destinations.ts"
import { TimerLimit } from "../../../src/commands/CommandError.ts"
import type { RequestPort } from "../../../src/commands/RequestPort.ts"
import type { RequestRefusal } from "../../../src/commands/RequestRefusal.ts"
import type { TimerOwner, TimerSpec } from "../../../src/commands/TimerPort.ts"
import * as Filling from "../../../src/connection/Filling.ts"
import { idOf } from "../../../src/connection/Source.ts"
import { reconnectDefaults } from "../../../src/manifest/Enablement.ts"
import * as StandIns from "../../../src/secrets/StandIns.ts"
import * as RequestUrl from "../../../src/manifest/RequestUrl.ts"
import * as SocketUrl from "../../../src/manifest/SocketUrl.ts"

export const NOW = Date.parse("2026-11-26T00:00:00.000Z")

type Fields = {
  -readonly [
    K in Exclude<keyof Addressee, "mayDial" | "withheld" | "denial" | "send" | "close" | "reconnect">
  ]: Addressee[K]
}

/** A connection as commands see it. `asked` is what was asked of it, in order. */
export class FakeConnection implements Addressee {
  source: Fields["source"]
  limits: Fields["limits"] = Limits.defaults
  state: Fields["state"] = "open"
  epoch = 1
  target: Fields["target"] = null
  covered = true
  bufferedBytes = 0
  readonly asked: Array<ReadonlyArray<unknown>> = []
  /** How many texts were sent in whose place something else is written. */
  filled = 0
  readonly mayDial: Addressee["mayDial"]
  readonly withheld: Addressee["withheld"]
  readonly denial: Addressee["denial"]

  constructor(ingress: string, url: string, change: Partial<Addressee> = {}) {
    const parsed = SocketUrl.parse(url)
    this.source = {
      id: idOf(ingress, url),
      ingress,
      url,
      display: SocketUrl.display(url),
      canonical: Result.isSuccess(parsed) ? parsed.success.canonical : null,
      headers: {},
      filling: Filling.none,
      compression: false,
      fastPath: true,
      reconnect: reconnectDefaults,
      stopCodes: [],
      closeCode: 1001,
      staleAfterMs: 0,
      staleReconnect: false
    }
    // Nothing but Grants makes one, and nothing here looks into it.
    this.target = Result.isSuccess(parsed) ? ({ url: parsed.success } as never) : null
    const { denial = () => undefined, mayDial = () => true, withheld = () => undefined, ...fields } = change
    this.denial = denial
    this.mayDial = mayDial
    this.withheld = withheld
    Object.assign(this, fields)
  }

  /** What is noted is what is written where its turn comes at once. */
  send(data: Parameters<Addressee["send"]>[0], filled?: Parameters<Addressee["send"]>[1]): void {
    if (filled !== undefined) this.filled++
    this.asked.push(["send", filled === undefined ? data : filled()])
  }

  close(...given: Parameters<Addressee["close"]>): void {
    this.asked.push(["close", ...given])
  }

  reconnect(...given: Parameters<Addressee["reconnect"]>): void {
    this.asked.push(["reconnect", ...given])
  }
}

export interface FakeDestination extends Destination {
  readonly connection: FakeConnection
  epochSince: number
}

export const destination = (
  ingress: string,
  url: string,
  change: Partial<Addressee> & { readonly epochSince?: number } = {}
): FakeDestination => {
  const { epochSince = 0, ...fields } = change
  return { connection: new FakeConnection(ingress, url, fields), epochSince }
}

/** An event of a source, or of the host itself where there is none. */
export const eventOf = (from: FakeDestination | string, change: Partial<Answered> = {}): Answered => ({
  origin:
    typeof from === "string"
      ? { key: "run-0-t", source: "host:timer", id: null, url: null, ingressName: from }
      : {
          key: "run-0-0",
          source: `websocket:${from.connection.source.url}`,
          id: from.connection.source.id,
          url: from.connection.source.url,
          ingressName: from.connection.source.ingress
        },
  sequence: 7,
  epoch: 1,
  ...change
})

export interface Setup {
  readonly destinations?: ReadonlyArray<FakeDestination>
  readonly limits?: Partial<Limits.Values>
  readonly rate?: Pick<WebSocketTarget.GrantedTarget, "sendsPerMinute" | "sendBytesPerMinute">
  /** Ingresses that are granted; all, unless given. */
  readonly ingresses?: ReadonlyArray<string>
  readonly timers?: number
  /** The methods that may be requested, of whichever URL; none, unless given. */
  readonly requested?: ReadonlyArray<string>
  /** The headers that the grant of requests adds. */
  readonly headers?: { readonly [name: string]: string }
  /** Why none is accepted. */
  readonly refusal?: ReturnType<RequestPort["dispatch"]>
  /** By their names; each is opened for every target unless it is among the `shut`. */
  readonly secrets?: { readonly [secret: string]: string }
  readonly shut?: ReadonlySet<string>
}

/** An executor, what it recorded, and a clock that the test sets. */
export const executing = (setup: Setup) => {
  const { headers = {}, refusal, requested = [] } = setup
  const { destinations = [], ingresses, limits, rate, secrets = {}, shut = new Set(), timers = 8 } = setup
  const standIns = StandIns.make(Object.keys(secrets))
  const recorded: Array<Recorded> = []
  const reported: Array<string> = []
  const rejected: Array<readonly [CommandError.CommandError | RequestRefusal, string | null]> = []
  const asked: Array<Parameters<RequestPort["dispatch"]>> = []
  const set: Array<readonly [TimerSpec, TimerOwner<FakeDestination>]> = []
  const cleared: Array<string> = []
  const clock = { now: NOW }
  const granted = { account: {}, sendsPerMinute: undefined, sendBytesPerMinute: undefined, ...rate }
  for (const { connection } of destinations) connection.limits = { ...connection.limits, ...limits }
  const executor = new CommandExecutor<FakeDestination>({
    destinations,
    authority: {
      opens: (_ingress, _target, secret) => !shut.has(secret),
      rateOf: () => (rate === undefined ? undefined : granted),
      authorizeRequest: (_ingress, method, url) => {
        const parsed = RequestUrl.parse(url)
        if (Result.isFailure(parsed)) return Result.fail(new GrantError.TargetInvalid({ url, problem: parsed.failure }))
        if (!requested.includes(method)) return Result.fail(new GrantError.TargetUndeclared({ url, method }))
        // Nothing but Grants makes one.
        return Result.succeed({
          method,
          url: parsed.success,
          display: url,
          granted: { id: "", target: { headers } }
        } as never)
      },
      ingress: (name) =>
        ingresses === undefined || ingresses.includes(name)
          ? Result.void
          : Result.fail(new GrantError.PermissionMissing({ permission: `ingress ${name}`, missing: "grant" }))
    },
    secrets: { standIns: () => standIns, valueOf: (secret) => secrets[secret] ?? "" },
    timers: {
      set: (spec, owner) => {
        if (set.length >= timers) return new TimerLimit({ limit: timers })
        set.push([spec, owner])
        return undefined
      },
      clear: (name) => void cleared.push(name)
    },
    requests: {
      dispatch: (spec, asker) => {
        if (refusal !== undefined) return refusal
        asked.push([spec, asker])
        return undefined
      }
    },
    limits: { ...Limits.defaults, ...limits },
    now: () => clock.now,
    monotonic: () => clock.now - NOW,
    record: (result) => void recorded.push(result),
    reported: (status) => void reported.push(status),
    rejected: (error, sourceId) => void rejected.push([error, sourceId])
  })
  return {
    executor,
    standIns,
    clock,
    recorded,
    reported,
    rejected,
    set,
    cleared,
    asked,
    /** What became of these commands. */
    run: (
      event: Answered,
      commands: ReadonlyArray<unknown>,
      dispatch = 1
    ): ReadonlyArray<CommandResult.CommandResult> => {
      const before = recorded.length
      executor.execute(event, dispatch, commands)
      return recorded.slice(before).map(fromRecorded)
    }
  }
}

/** The tag of what went wrong, or the status. */
export const verdicts = (results: ReadonlyArray<CommandResult.CommandResult>): ReadonlyArray<string> =>
  results.map(({ error, status }) => error?.tag ?? status)
