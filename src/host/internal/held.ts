/**
 * What an entry is set up with that doesn't stand in it: its configuration with
 * the texts that it names, the values of its secrets, and TLS of its sources.
 *
 * Values are asked for when the entry is set up and when the port says that they
 * may have changed; a new one is used from the next dial on, and one that can't
 * be used stays what it was.
 */
import * as Effect from "effect/Effect"
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
import { granted } from "../../grants/internal/grantedRequest.ts"
import { GrantedCredentials } from "./grantedCredentials.ts"
import type { KnownSecrets } from "./knownSecrets.ts"
import * as Lookup from "./lookup.ts"
import * as Placement from "./placement.ts"

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
  /** What is added to requests. */
  readonly credentials: GrantedCredentials
  #problems: ReadonlyArray<Problem> = []
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
    const { enablement, limits, port, ref, time } = options
    this.limits = { ...limits, ...enablement.limits }
    this.enablement = { ...enablement, config: withTexts(enablement.config, texts) }
    this.names = Object.keys(enablement.secrets)
    this.#texts = texts
    this.sources = sources
    this.#options = options
    this.#wants = wants
    this.#values = values
    this.credentials = new GrantedCredentials({
      secrets: this,
      ask: (requested) => Lookup.look(requested, ref, port, time)
    })
  }

  /** What was wrong when values were last asked for, and is with what is granted. */
  get problems(): ReadonlyArray<Problem> {
    return [...this.#problems, ...this.credentials.problems]
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
    return tls === undefined
      ? undefined
      : Lookup.tlsOf(tls.serverName, (pem) => this.#values.get(Lookup.pemPath(ingress, pem)))
  }

  /** Asks for everything again. */
  get refreshed(): Effect.Effect<Refreshed> {
    const { port, ref, time } = this.#options
    const answered = Effect.tap(Lookup.look(this.#wants, ref, port, time), () => this.credentials.refreshed)
    return Effect.map(answered, (answers) => {
      const { problems, texts, values } = read(this.#wants, answers)
      const next = new Map([...this.#values, ...values])
      const hasNewSecrets = remember(this.#options, next)
      const places = [...placesOf(this.sources), ...this.credentials.places]
      const misplaced = Placement.misplacedIn(places, (name) => valueIn(next, name))
      for (const { secrets } of misplaced) {
        for (const name of secrets) next.set(Lookup.secretPath(name), this.valueOf(name))
      }
      // What can't be used is a secret none the less.
      remember(this.#options, next)
      for (const [path, value] of next) {
        if (value !== this.#values.get(path)) this.#versions.set(path, (this.#versions.get(path) ?? 0) + 1)
      }
      this.#values = next
      this.#problems = [...problems, ...misplaced.map(({ problem }) => problem)]
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
export const hold = (options: Options): Effect.Effect<Held | HostFileInvalid> =>
  Effect.gen(function* () {
    const { enablement, manifest, port, ref, time } = options
    const wants = Lookup.wantsOf(enablement)
    const found = read(wants, yield* Lookup.look(wants, ref, port, time))
    remember(options, found.values)
    const held = new Held(options, wants, Source.all(manifest, enablement), found)
    const requests = enablement.grants.request.map(granted)
    held.credentials.follow(() => requests)
    yield* held.credentials.prepare(requests)
    const isFound = found.problems.length === 0
    const problems = [
      ...found.problems,
      ...(isFound ? Placement.misplacedIn(placesOf(held.sources), held.valueOf).map(({ problem }) => problem) : []),
      ...unpaired(enablement),
      ...held.credentials.problems,
      ...unfit(options)
    ]
    return problems.length === 0 ? held : new HostFileInvalid({ problems })
  })

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

/** Where secrets are filled in for sources. */
const placesOf = (sources: ReadonlyArray<Source.Source>): ReadonlyArray<Placement.Place> =>
  sources.map(({ filling, ingress, url }) => ({ at: `sources.${ingress}`, url, filling }))

/** A certificate of a source without its key, or the other way round. */
const unpaired = ({ sources }: Enablement): ReadonlyArray<Problem> =>
  Object.entries(sources).flatMap(([ingress, { tls }]) => Placement.unpaired(`sources.${ingress}`, tls))

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
