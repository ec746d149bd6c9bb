/**
 * Why a command was not executed. Each stands in the result of that command
 * and is a diagnostic; the commands beside it are not touched.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Wire from "../internal/wire.ts"

const id = (name: string) => `mooring/commands/${name}`

/**
 * The output has more commands than it may have: all of them are rejected.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommandsTooMany extends Schema.TaggedError<CommandsTooMany>(id("CommandsTooMany"))("CommandsTooMany", {
  count: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `${this.count} commands in one output, ${this.limit} are allowed`
  }
}

/**
 * The command doesn't have the form that it must have.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommandMalformed extends Schema.TaggedError<CommandMalformed>(id("CommandMalformed"))("CommandMalformed", {
  problems: Schema.Array(Wire.Problem)
}) {
  override get message(): string {
    return `the command is malformed: ${this.problems.map(Wire.formatProblem).join("; ")}`
  }
}

/**
 * The command's payload, text or reported status is too large. Sizes are bytes of UTF-8.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommandTooLarge extends Schema.TaggedError<CommandTooLarge>(id("CommandTooLarge"))("CommandTooLarge", {
  what: Schema.Literals(["payload", "text", "bytes", "body", "status"]),
  bytes: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    const subject = this.what === "bytes" ? "binary frame" : this.what
    return `the ${subject} has ${this.bytes} bytes, ${this.limit} are allowed`
  }
}

/**
 * The host doesn't execute commands of this kind.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommandUnsupported extends Schema.TaggedError<CommandUnsupported>(id("CommandUnsupported"))(
  "CommandUnsupported",
  { kind: Schema.String }
) {
  override get message(): string {
    return `commands of kind ${this.kind} are not executed by this host`
  }
}

const side = { manifest: "declared in the manifest", grant: "granted", enablement: "enabled" } as const

/**
 * The URL is not a source of this plugin, or no grant covers it. Of a request
 * there are also its `method`, the half that is `missing`, and the `permission`,
 * where it isn't a target that is.
 *
 * @category errors
 * @since 0.1.0
 */
export class CommandUngranted extends Schema.TaggedError<CommandUngranted>(id("CommandUngranted"))("CommandUngranted", {
  url: Schema.String,
  problem: Schema.Literals(["no source", "no grant"]),
  method: Schema.optionalKey(Schema.String),
  missing: Schema.optionalKey(Schema.Literals(["manifest", "grant", "enablement"])),
  permission: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const { method, missing, permission, problem, url } = this
    if (problem === "no source") return `${url} is not a source of this plugin`
    if (method === undefined || missing === undefined) return `no grant covers ${url}`
    const asked = `${method} ${url}`
    if (permission !== undefined) return `${asked} needs the permission '${permission}', which is not ${side[missing]}`
    const hint =
      method === method.toUpperCase()
        ? ""
        : `; methods are compared as written, ${method} is not ${method.toUpperCase()}`
    return `no target of requests that is ${side[missing]} covers ${asked} with this path${hint}`
  }
}

/**
 * Several connections have this URL and nothing says which one is meant.
 *
 * @category errors
 * @since 0.1.0
 */
export class AmbiguousConnection extends Schema.TaggedError<AmbiguousConnection>(id("AmbiguousConnection"))(
  "AmbiguousConnection",
  { url: Schema.String, ingresses: Schema.Array(Schema.String) }
) {
  override get message(): string {
    return `${this.url} is a source of ${this.ingresses.join(", ")}; the command names none of them`
  }
}

/**
 * The connection is at another epoch than the command is for.
 *
 * @category errors
 * @since 0.1.0
 */
export class StaleEpoch extends Schema.TaggedError<StaleEpoch>(id("StaleEpoch"))("StaleEpoch", {
  url: Schema.String,
  expected: Schema.Int,
  actual: Schema.Int
}) {
  override get message(): string {
    return `the command is for epoch ${this.expected} of ${this.url}, which is at epoch ${this.actual}`
  }
}

/**
 * The connection is not open.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotConnected extends Schema.TaggedError<NotConnected>(id("NotConnected"))("NotConnected", {
  url: Schema.String,
  state: Schema.String
}) {
  override get message(): string {
    return `${this.url} is ${this.state}`
  }
}

/**
 * A secret would go where it may not: to a server for which it isn't granted
 * (`not opened`), or by a stand-in that stands where no secret is filled in
 * (`misplaced`) or where the value can't stand (`unfit`). `unknown`: what has the
 * form of a stand-in is none of this start's, so `secret` is null.
 *
 * @category errors
 * @since 0.3.0
 */
export class SecretUngranted extends Schema.TaggedError<SecretUngranted>(id("SecretUngranted"))("SecretUngranted", {
  url: Schema.String,
  secret: Schema.NullOr(Schema.String),
  problem: Schema.Literals(["unknown", "not opened", "misplaced", "unfit"])
}) {
  override get message(): string {
    switch (this.problem) {
      case "unknown":
        return `what stands for a secret in what would go to ${this.url} is no stand-in of this start`
      case "not opened":
        return `the granted target that covers ${this.url} doesn't open the secret '${this.secret}' by its 'secrets'`
      case "misplaced":
        return `no secret is filled in where '${this.secret}' stands for ${this.url}`
      case "unfit":
        return `the value of ${this.secret === null ? "a secret" : `the secret '${this.secret}'`} can't stand where it would for ${this.url}`
    }
  }
}

/**
 * The grant allows no further send in this minute. It does after `retryAfterMs`,
 * unless something else is sent first.
 *
 * @category errors
 * @since 0.1.0
 */
export class SendRateLimited extends Schema.TaggedError<SendRateLimited>(id("SendRateLimited"))("SendRateLimited", {
  url: Schema.String,
  per: Schema.Literals(["sends", "bytes"]),
  limit: Schema.Int,
  retryAfterMs: Schema.Int
}) {
  override get message(): string {
    return `${this.url} may be sent ${this.limit} ${this.per === "sends" ? "texts" : "bytes"} a minute`
  }
}

/**
 * The peer doesn't read fast enough: what waits to be written would exceed
 * `send_buffer_bytes`.
 *
 * @category errors
 * @since 0.1.0
 */
export class SendBufferFull extends Schema.TaggedError<SendBufferFull>(id("SendBufferFull"))("SendBufferFull", {
  url: Schema.String,
  bufferedBytes: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `${this.bufferedBytes} bytes wait to be written to ${this.url}, ${this.limit} are allowed`
  }
}

/**
 * The connection isn't dialled anew at the plugin's wish: what it is stopped
 * for is not the plugin's to lift, or its budget of dials is used up.
 *
 * @category errors
 * @since 0.1.0
 */
export class ReconnectDenied extends Schema.TaggedError<ReconnectDenied>(id("ReconnectDenied"))("ReconnectDenied", {
  url: Schema.String,
  stopReason: Schema.Literals(["grant", "address", "http", "limit", "never", "exhausted"])
}) {
  override get message(): string {
    return `${this.url} is not dialled anew at the plugin's wish: ${this.stopReason}`
  }
}

/**
 * The plugin has as many timers as it may have.
 *
 * @category errors
 * @since 0.1.0
 */
export class TimerLimit extends Schema.TaggedError<TimerLimit>(id("TimerLimit"))("TimerLimit", {
  limit: Schema.Int
}) {
  override get message(): string {
    return `${this.limit} timers are allowed, and none of them has this name`
  }
}

/**
 * The errors of this stage.
 *
 * @category errors
 * @since 0.1.0
 */
export const CommandError = Schema.Union([
  CommandsTooMany,
  CommandMalformed,
  CommandTooLarge,
  CommandUnsupported,
  CommandUngranted,
  AmbiguousConnection,
  StaleEpoch,
  NotConnected,
  SecretUngranted,
  SendRateLimited,
  SendBufferFull,
  ReconnectDenied,
  TimerLimit
])

/**
 * @category errors
 * @since 0.1.0
 */
export type CommandError = typeof CommandError.Type
