/**
 * What an entry is set up with that doesn't stand in it: its configuration with
 * the texts that it names, the values of its secrets, and TLS of its sources.
 *
 * Values are asked for when the entry is set up and when the port says that they
 * may have changed; a new one is used from the next dial on, and one that can't
 * be used stays what it was.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Filling from "../../connection/Filling.ts"
import * as Source from "../../connection/Source.ts"
import type { TlsSettings } from "../../connection/WebSocketClient.ts"
import type { Problem } from "../../internal/wire.ts"
import * as Limits from "../../limits/Limits.ts"
import type { Enablement } from "../../manifest/Enablement.ts"
import { HostFileInvalid } from "../../manifest/HostFileError.ts"
import type { Manifest } from "../../manifest/Manifest.ts"
import { withTexts } from "../../manifest/Outside.ts"
import type { HadTime } from "../../time/HadTime.ts"
import type { EntrySecrets } from "../../secrets/EntrySecrets.ts"
import * as Masking from "../../secrets/Masking.ts"
import type { Secrets } from "../../secrets/Secrets.ts"
import type { KnownSecrets } from "./knownSecrets.ts"
import * as Lookup from "./lookup.ts"

/** By key path. */
type Values = ReadonlyMap<string, string>

/** What asking again came to. */
interface Refreshed {
  /** The plugin has to be started anew. */
  readonly isReconfigured: boolean
  /** There is more to be masked. */
  readonly hasNewSecrets: boolean
}

interface Options {
  readonly ref: string
  readonly enablement: Enablement
  readonly manifest: Manifest
  readonly port: typeof Secrets.Service
  readonly limits: Limits.Values
  /** What is to be masked: all that are found are added. */
  readonly known: KnownSecrets
  readonly time: HadTime
}

export class Held implements EntrySecrets {
  /** The entry with the texts that its configuration names. */
  readonly enablement: Enablement
  readonly sources: ReadonlyArray<Source.Source>
  /** Of its secrets. */
  readonly names: ReadonlyArray<string>
  /** The plugin's own, where it has some, in place of the host's. */
  readonly limits: Limits.Values
  /** What was wrong when values were last asked for. */
  problems: ReadonlyArray<Problem> = []
  readonly #options: Options
  readonly #wants: ReadonlyArray<Lookup.Want>
  readonly #texts: ReadonlyArray<string>
  readonly #masks = new Map<string, Masking.Mask>()
  /** Those of each ingress, for all its sources. */
  readonly #limits = new Map<string, Limits.Values>()
  #values: Values
  /** How often each value has become another one. */
  readonly #versions = new Map<string, number>()
  readonly #listeners = new Set<() => void>()

  constructor(
    options: Options,
    wants: ReadonlyArray<Lookup.Want>,
    sources: ReadonlyArray<Source.Source>,
    { texts, values }: Found
  ) {
    const { enablement, limits } = options
    this.limits = { ...limits, ...enablement.limits }
    this.enablement = { ...enablement, config: withTexts(enablement.config, texts) }
    this.names = Object.keys(enablement.secrets)
    this.#texts = texts
    this.sources = sources
    this.#options = options
    this.#wants = wants
    this.#values = values
  }

  /** The value of a secret now. */
  readonly valueOf = (name: string): string => valueIn(this.#values, name)

  /** Calls back whenever a value may have become another one, until what it returns is called. */
  listen(changed: () => void): () => void {
    this.#listeners.add(changed)
    return () => void this.#listeners.delete(changed)
  }

  /** The values that a secret has had. */
  readonly valuesOf = (name: string): ReadonlyArray<string> => this.#options.known.valuesOf(this.#options.ref, name)

  /** What masks these values. It is made once, since a long token takes milliseconds and a megabyte or so. */
  readonly maskOf = (values: ReadonlyArray<string>): Masking.Mask => {
    const key = JSON.stringify(values)
    const mask = this.#masks.get(key) ?? Masking.make(values)
    this.#masks.set(key, mask)
    return mask
  }

  /** The limits of an ingress's sources: their own, where they have some, in place of the plugin's. */
  limitsOf(ingress: string): Limits.Values {
    const limits = this.#limits.get(ingress) ?? { ...this.limits, ...this.#settings(ingress)?.limits }
    this.#limits.set(ingress, limits)
    return limits
  }

  #settings(ingress: string) {
    const { sources } = this.enablement
    return Object.hasOwn(sources, ingress) ? sources[ingress] : undefined
  }

  /** Another one once a value has changed that a source shows to its server. */
  versionOf({ filling, ingress }: Source.Source): number {
    // Asked at each step of each connection, and most plugins have nothing that changes.
    if (this.#versions.size === 0) return 0
    const paths = [
      ...Filling.secretsOf(filling).map(Lookup.secretPath),
      ...Lookup.PEMS.map((each) => Lookup.pemPath(ingress, each))
    ]
    return paths.reduce((sum, path) => sum + (this.#versions.get(path) ?? 0), 0)
  }

  /** TLS of an ingress's sources now. */
  tlsOf(ingress: string): TlsSettings | undefined {
    const tls = this.#settings(ingress)?.tls
    if (tls === undefined) return undefined
    const [ca, cert, key] = Lookup.PEMS.map((each) => this.#values.get(Lookup.pemPath(ingress, each)))
    return {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key: Redacted.make(key) }),
      ...(tls.serverName === undefined ? {} : { serverName: tls.serverName })
    }
  }

  /** Asks for everything again. */
  get refreshed(): Effect.Effect<Refreshed> {
    const { port, ref, time } = this.#options
    return Effect.map(Lookup.look(this.#wants, ref, port, time), (answers) => {
      const { problems, texts, values } = read(this.#wants, answers)
      const next = new Map([...this.#values, ...values])
      const hasNewSecrets = remember(this.#options, next)
      const misplaced = misplacedIn(this.sources, next)
      for (const { secrets } of misplaced) {
        for (const name of secrets) next.set(Lookup.secretPath(name), this.valueOf(name))
      }
      // What can't be used is a secret none the less.
      remember(this.#options, next)
      for (const [path, value] of next) {
        if (value !== this.#values.get(path)) this.#versions.set(path, (this.#versions.get(path) ?? 0) + 1)
      }
      this.#values = next
      this.problems = [...problems, ...misplaced.map(({ problem }) => problem)]
      if (hasNewSecrets) this.#masks.clear()
      for (const changed of this.#listeners) changed()
      return {
        isReconfigured: texts.length === this.#texts.length && texts.some((text, at) => text !== this.#texts[at]),
        hasNewSecrets
      }
    })
  }
}

/** Whether a secret has a value that isn't known. */
const remember = ({ enablement, known, ref }: Options, values: Values): boolean => {
  const secrets = new Map<string, string>()
  for (const name of Object.keys(enablement.secrets)) {
    const value = values.get(Lookup.secretPath(name))
    if (value !== undefined) secrets.set(name, value)
  }
  return known.set(ref, secrets)
}

const valueIn = (values: Values, name: string): string => values.get(Lookup.secretPath(name)) ?? ""

/** Asks for what an entry names; all that is wrong with it where it can't be set up. */
export const hold = (options: Options): Effect.Effect<Held | HostFileInvalid> => {
  const wants = Lookup.wantsOf(options.enablement)
  return Effect.map(Lookup.look(wants, options.ref, options.port, options.time), (answers) => {
    const found = read(wants, answers)
    remember(options, found.values)
    const sources = Source.all(options.manifest, options.enablement)
    const problems = [
      ...found.problems,
      ...(found.problems.length === 0 ? misplacedIn(sources, found.values).map(({ problem }) => problem) : []),
      ...unpaired(options.enablement),
      ...unfit(options)
    ]
    return problems.length === 0 ? new Held(options, wants, sources, found) : new HostFileInvalid({ problems })
  })
}

/** What was found: the texts of a configuration in their order, everything else by its path. */
interface Found {
  readonly values: Values
  readonly texts: ReadonlyArray<string>
  readonly problems: ReadonlyArray<Problem>
}

const read = (wants: ReadonlyArray<Lookup.Want>, answers: ReadonlyArray<Lookup.Answer>): Found => {
  const values = new Map<string, string>()
  const texts: Array<string> = []
  const problems: Array<Problem> = []
  for (const [index, answer] of answers.entries()) {
    const { path = "", purpose } = wants[index] ?? {}
    if (Result.isFailure(answer)) problems.push(answer.failure)
    else if (purpose === "text") texts.push(answer.success)
    else values.set(path, answer.success)
  }
  return { values, texts, problems }
}

/** What can't stand where it is filled in, and the secrets that are. */
const misplacedIn = (sources: ReadonlyArray<Source.Source>, values: Values) => {
  const valueOf = (name: string) => valueIn(values, name)
  const found = new Map<string, { readonly problem: Problem; readonly secrets: ReadonlyArray<string> }>()
  for (const { filling, ingress, url } of sources) {
    for (const { message, path, secrets } of Filling.problems(url, filling, valueOf)) {
      const at = `sources.${ingress}.${path}`
      found.set(`${at} ${secrets.join()}`, { problem: { path: at, message }, secrets })
    }
  }
  return [...found.values()]
}

/** A certificate is of no use without its key, nor a key without its certificate. */
const unpaired = ({ sources }: Enablement): ReadonlyArray<Problem> =>
  Object.entries(sources).flatMap(([ingress, { tls = {} }]) =>
    (tls.cert === undefined) === (tls.key === undefined)
      ? []
      : [{ path: `sources.${ingress}.tls`, message: "Expected cert and key together" }]
  )

/** Limits of its own that can't work together, or with the host's. */
const unfit = ({ enablement, limits, manifest }: Options): ReadonlyArray<Problem> => {
  const plugin = { path: "limits", limits: enablement.limits ?? {} }
  // What is the plugin's has to fit whatever each of its sources has.
  const problems = manifest.ingresses.flatMap(({ name }) => {
    const settings = Object.hasOwn(enablement.sources, name) ? enablement.sources[name] : undefined
    return Limits.problemsOf(limits, plugin, { path: `sources.${name}.limits`, limits: settings?.limits ?? {} })
  })
  const texts = new Set<string>()
  return problems.filter(({ message, path }) => {
    const text = `${path} ${message}`
    return texts.size < texts.add(text).size
  })
}
