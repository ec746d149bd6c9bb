/**
 * Asks the control API of another process.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs/promises"
import * as Http from "node:http"
import type * as ControlSettings from "../../node/ControlSettings.ts"
import * as Settings from "../../node/ControlSettings.ts"
import { format } from "../../operate/ControlServer.ts"
import { clean } from "./cells.ts"
import { TOKEN_VARIABLE } from "./liveControl.ts"
import { WrongUsage } from "./wrongUsage.ts"

// Of TCP, and of the file of a unix socket.
const NOBODY: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOENT"])

/** Ends with exit code 5: nobody answers there as a control API does. `at` is where it was asked, where that is known. */
export class Unreachable extends Schema.TaggedError<Unreachable>("mooring/cli/Unreachable")("Unreachable", {
  reason: Schema.String,
  at: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const where = this.at === undefined ? "" : ` at ${this.at}`
    const advice = NOBODY.has(this.reason) ? "; a host serves it by --control or by a [control] table" : ""
    return `the control API can't be reached${where}: ${this.reason}${advice}`
  }
}

/** What to do, where the API can't know how it is asked. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ["PluginUnknown", "mooring ctl status has the plugin_ref of each, like project:example.echo"],
  ["SourceUnknown", "mooring ctl plugin has the id and the url of each"],
  ["Unauthorized", `the host takes it from --control-token-file, ctl and top from --token-file, or ${TOKEN_VARIABLE}`]
])

/** The API said no. */
export class Refused extends Schema.TaggedError<Refused>("mooring/cli/Refused")("Refused", {
  tag: Schema.String,
  said: Schema.String
}) {
  override get message(): string {
    const advice = ADVICE.get(this.tag)
    return `${this.tag}: ${this.said}${advice === undefined ? "" : `; ${advice}`}`
  }
}

/** Where an API is, and what gives whoever asks the right to act. */
export interface Asked {
  readonly address: ControlSettings.Address
  readonly token: Redacted.Redacted<string> | undefined
}

export interface Question {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly body?: string
}

/** Where it is unless somebody says otherwise. */
export const USUAL: ControlSettings.Address = { host: "127.0.0.1", port: 9477 }

/** How long an answer may take. */
const PATIENCE_MS = 10_000

/** The most that is read of an answer: a status of very many plugins, and no more than memory has room for. */
const MOST_CHARACTERS = 134_217_728

const tokenIn = (text: string, place: string): Effect.Effect<Redacted.Redacted<string>, WrongUsage> =>
  Settings.isToken(text)
    ? Effect.succeed(Redacted.make(text))
    : Effect.fail(new WrongUsage({ problem: `there is no token in ${place}` }))

/** The token of a file, or else that of the environment. */
export const tokenOf = (file: string | undefined): Effect.Effect<Redacted.Redacted<string> | undefined, WrongUsage> =>
  Effect.gen(function* () {
    if (file === undefined) {
      const variable = process.env[TOKEN_VARIABLE] ?? ""
      return variable === "" ? undefined : yield* tokenIn(variable, `the variable ${TOKEN_VARIABLE}`)
    }
    const text = yield* Effect.tryPromise({
      try: () => Fs.readFile(file, "utf8"),
      catch: () => new WrongUsage({ problem: `the file of the token can't be read: ${file}` })
    })
    return yield* tokenIn(text.replace(/\r?\n$/u, ""), `the file: ${file}`)
  })

// Whoever listens at every address of a machine is reached at its own.
const REACHED = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"]
])

const optionsOf = ({ address, token }: Asked, { body, method, path }: Question): Http.RequestOptions => ({
  method,
  path,
  agent: false,
  ...("path" in address
    ? { socketPath: address.path }
    : { host: REACHED.get(address.host) ?? address.host, port: address.port }),
  headers: {
    ...("path" in address ? { host: "localhost" } : {}),
    ...(token === undefined ? {} : { authorization: `Bearer ${Redacted.value(token)}` }),
    ...(method === "GET" ? {} : { "content-length": Buffer.byteLength(body ?? "") }),
    ...(body === undefined ? {} : { "content-type": "application/json" })
  }
})

interface Answer {
  readonly status: number
  readonly text: string
}

const exchange = (asked: Asked, question: Question): Effect.Effect<Answer, Unreachable> =>
  Effect.callback((resume) => {
    const failed = (error: Error) => {
      const reason = "code" in error && typeof error.code === "string" ? error.code : "what came is no answer"
      resume(Effect.fail(new Unreachable({ reason, at: format(asked.address) })))
    }
    const request = Http.request(optionsOf(asked, question), (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        text += chunk
        if (text.length > MOST_CHARACTERS) request.destroy(new Error("endless"))
      })
      response.on("error", failed)
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
    })
    request.on("error", failed)
    request.end(question.body)
    return Effect.sync(() => request.destroy())
  })

const decodeRefusal = Schema.decodeUnknownEffect(
  Schema.fromJsonString(Schema.Struct({ tag: Schema.String, message: Schema.String }))
)

const decodeJson = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))

/** What the API answers, as the text of a JSON document. */
export const ask = (asked: Asked, question: Question): Effect.Effect<string, Unreachable | Refused> =>
  Effect.gen(function* () {
    const { status, text } = yield* Effect.timeoutOrElse(exchange(asked, question), {
      duration: PATIENCE_MS,
      orElse: () => Effect.fail(new Unreachable({ reason: "it doesn't answer", at: format(asked.address) }))
    })
    const isGood = status >= 200 && status < 300
    const other = () =>
      new Unreachable({ reason: `it answers ${status}, as no control API does`, at: format(asked.address) })
    // Whatever listens there: no character of it is a terminal's.
    if (isGood) return JSON.stringify(yield* Effect.mapError(decodeJson(text), other))
    const { message, tag } = yield* Effect.mapError(decodeRefusal(text), other)
    return yield* new Refused({ tag: clean(tag), said: clean(message) })
  })
