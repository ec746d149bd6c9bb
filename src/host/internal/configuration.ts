/**
 * What a host was configured from, as its status tells it: the file that was
 * applied last, all that is wrong with it and with what it names, and whether
 * the one that is there now is of no use.
 */
import type * as Clock from "effect/Clock"
import * as DiagnosticLog from "../../diagnostics/DiagnosticLog.ts"
import * as Redaction from "../../diagnostics/Redaction.ts"
import type { Words } from "../../diagnostics/Words.ts"
import type { Problem } from "../../internal/wire.ts"
import { HostFileInvalid, ReloadRejected, type HostFileError } from "../../manifest/HostFileError.ts"
import type { ExportFailed } from "../ExportError.ts"
import * as HostError from "../HostError.ts"
import type { HostStatus } from "../HostStatus.ts"
import type { ChangeLog } from "./changeLog.ts"

type Problems = ReadonlyArray<Problem>

/** What a host reports that is no plugin's. */
export type OwnError = HostFileError | ExportFailed

/**
 * The file that the entries are from, as `HostFile.read` gives it.
 *
 * @category models
 * @since 0.4.0
 */
export interface ConfigFile {
  /** Of its bytes, as status shows it. */
  readonly digest: string
  /** All that is wrong with it, its entries included. */
  readonly problems: Problems
  /** Says of what else is found wrong where in the file it stands. */
  readonly located: (found: Problems) => Problems
}

interface Options {
  readonly clock: Clock.Clock
  readonly capacity: number
  /** What is masked. */
  readonly secrets: Words
  readonly changeLog: ChangeLog
  /** There is a new diagnostic. */
  readonly recorded: (record: DiagnosticLog.Recorded<OwnError>) => void
}

/** What was applied: where the entries stand that have a row, and what is wrong with any. */
interface Applied {
  readonly file: ConfigFile | undefined
  readonly places: ReadonlyArray<string>
  readonly problems: Problems
}

export class Configuration {
  readonly diagnostics: DiagnosticLog.DiagnosticLog<OwnError>
  readonly #options: Options
  #file: ConfigFile | undefined
  #problems: Problems = []
  #rejected: Problems | undefined
  #appliedAt: number

  constructor(options: Options) {
    const now = () => options.clock.currentTimeMillisUnsafe()
    this.#options = options
    this.#appliedAt = now()
    this.diagnostics = DiagnosticLog.make<OwnError>({
      capacity: options.capacity,
      now,
      encode: HostError.encode(Redaction.make({ secrets: options.secrets, config: [] })),
      recorded: options.recorded
    })
  }

  /** Other entries are enabled from now on. Without a file they are from the one that there is, if there is one. */
  applied({ file, places, problems }: Applied): void {
    this.#appliedAt = this.#options.clock.currentTimeMillisUnsafe()
    if (file !== undefined) {
      this.#file = file
      this.#rejected = undefined
    }
    this.#problems = this.#wrong(problems)
    this.#options.changeLog.applied(places.length, this.#problems)
    // What stays as it is was told when it was read.
    if (file === undefined && this.#file !== undefined) return
    const strays = this.#problems.filter(({ path }) => !places.some((place) => isUnder(path, place)))
    if (strays.length > 0) this.diagnostics.add(new HostFileInvalid({ problems: strays }))
  }

  /** What is there now is of no use. */
  reject(problems: Problems): void {
    this.#rejected = problems
    this.#options.changeLog.rejected(problems)
    this.diagnostics.add(new ReloadRejected({ problems }))
  }

  /** `lacking`: what the entries name and isn't there, or can't be used. */
  status(lacking: Problems): HostStatus["host"]["config"] {
    const problems = lacking.length === 0 ? this.#problems : [...this.#problems, ...this.#located(lacking)]
    const rejected = this.#rejected
    return {
      state: rejected !== undefined ? "rejected" : problems.length === 0 ? "applied" : "partly",
      appliedAt: new Date(this.#appliedAt).toISOString(),
      digest: this.#file?.digest ?? null,
      problems: [...(rejected ?? []), ...problems]
    }
  }

  /** What is wrong with the file, and with its entries what whoever read it didn't see. */
  #wrong(found: Problems): Problems {
    const known = this.#file?.problems ?? []
    const texts = new Set(known.map(textOf))
    return [...known, ...this.#located(found.filter((problem) => !texts.has(textOf(problem))))]
  }

  #located(found: Problems): Problems {
    return this.#file === undefined ? found : this.#file.located(found)
  }
}

const textOf = ({ message, path }: Problem): string => `${path}: ${message}`

const isUnder = (path: string, place: string): boolean => path === place || path.startsWith(`${place}.`)
