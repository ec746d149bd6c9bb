/**
 * The control API that a program was asked for: by its options, by the
 * environment or by its host file. Its token may be replaced while it runs.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Path from "node:path"
import type { Problem } from "../../internal/wire.ts"
import type { Outside } from "../../manifest/Outside.ts"
import * as ControlSettings from "../../node/ControlSettings.ts"
import * as HostFile from "../../node/HostFile.ts"
import type * as ControlServer from "../../operate/ControlServer.ts"
import { LiveText } from "./liveText.ts"

/** The variable that has the token, of whoever serves and of whoever asks. */
export const TOKEN_VARIABLE = "MOORING_CONTROL_TOKEN"

/** What the command line says. */
export interface Asked {
  readonly control: ControlSettings.Address | undefined
  readonly tokenFile: string | undefined
}

/** Nothing: what the file says goes. */
export const NOTHING_ASKED: Asked = { control: undefined, tokenFile: undefined }

/** Where an API listens, and who may use it. */
export interface Served {
  readonly address: ControlServer.Address
  readonly isLocal: boolean
  readonly token: () => Redacted.Redacted<string> | undefined
  readonly hosts: ReadonlyArray<string>
  /** What is wrong with a token that the command line or the environment names. */
  readonly problem: string | undefined
}

/** Where the token is: what the command line says goes before the environment, and that before the file. */
const placeOf = ({ tokenFile }: Asked, table: ControlSettings.Table | undefined): Outside | undefined => {
  if (tokenFile !== undefined) return { file: Path.resolve(tokenFile) }
  return (process.env[TOKEN_VARIABLE] ?? "") === "" ? table?.token : { env: TOKEN_VARIABLE }
}

const OCTAL = 8

const addressOf = (
  address: ControlSettings.Address,
  table: ControlSettings.Table | undefined
): ControlServer.Address =>
  "path" in address
    ? {
        ...address,
        ...(table?.mode === undefined ? {} : { mode: Number.parseInt(table.mode, OCTAL) }),
        ...(table?.group === undefined ? {} : { group: table.group })
      }
    : address

export class LiveControl {
  /** What is to be served; undefined where nothing is. */
  readonly served: Served | undefined
  readonly #began: HostFile.HostFile
  readonly #live: LiveText | undefined

  private constructor(began: HostFile.HostFile, served: Served | undefined, live: LiveText | undefined) {
    this.#began = began
    this.served = served
    this.#live = live
  }

  /** The API that is asked for by the command line, or else by the file at the path. */
  static begin(asked: Asked, path: string, began: HostFile.HostFile): Effect.Effect<LiveControl> {
    return Effect.gen(function* () {
      const table = typeof began.controlTable === "object" ? began.controlTable : undefined
      const listen = table === undefined ? undefined : ControlSettings.parse(table.listen)
      const address =
        asked.control ?? (listen === undefined ? undefined : ControlSettings.from(HostFile.folderOf(path), listen))
      if (address === undefined) return new LiveControl(began, undefined, undefined)
      const from = placeOf(asked, table)
      const live = from === undefined ? undefined : new LiveText(yield* HostFile.tokenAt(from), HostFile.tokenAt(from))
      const served: Served = {
        address: addressOf(address, table),
        isLocal: ControlSettings.isLocal(address),
        token: () => live?.text,
        hosts: table?.hosts ?? [],
        problem: from === table?.token ? undefined : live?.problem
      }
      return new LiveControl(began, served, live)
    })
  }

  /** Asks for the token again. Whether what is wrong with it is something else now. */
  get renewed(): Effect.Effect<boolean> {
    return this.#live?.renewed ?? Effect.succeed(false)
  }

  isSame({ controlTable }: HostFile.HostFile): boolean {
    return JSON.stringify(controlTable) === JSON.stringify(this.#began.controlTable)
  }

  /** What is wrong with a file, whose token may have become another since it was read, or isn't the one that is used. */
  problemsOf(file: HostFile.HostFile, problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> {
    return this.#live === undefined || !this.isSame(file)
      ? problems
      : this.#live.problemsOf(HostFile.CONTROL_TOKEN, file, problems)
  }
}
