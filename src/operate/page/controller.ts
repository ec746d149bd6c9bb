/**
 * Takes what is told and what somebody does, and has the page drawn: at most
 * ten times a second, however much comes, and never while nobody sees it.
 */
import { Api, pluginPath, reconnectPath, Refused } from "./api.ts"
import { clean } from "./clean.ts"
import { after, NOTHING, type Told } from "./document.ts"
import { History } from "./history.ts"
import { News } from "./news.ts"
import { hasWords, search, wordsOf } from "./search.ts"
import { Sharing } from "./sharing.ts"
import type { Actions, Question, State } from "./state.ts"
import { Summaries, type Summary } from "./summary.ts"

const DRAW_EVERY_MS = 100
const LOOK_EVERY_MS = 1000

const selectedIn = (hash: string): string | undefined => {
  const [, name] = /^#plugin=(.+)$/u.exec(hash) ?? []
  try {
    return name === undefined ? undefined : decodeURIComponent(name)
  } catch {
    return undefined
  }
}

const pathOf = (question: Question): string | undefined => {
  if (question._tag === "Act") return pluginPath(question.ref, question.verb)
  return question._tag === "Reconnect" ? reconnectPath(question.ref, question.id) : undefined
}

const doneBy = (question: Question): string => {
  if (question._tag === "Act") return `Told to ${question.verb}: ${question.ref}`
  return question._tag === "Reconnect" ? `Told to reconnect: ${question.url}` : ""
}

export class Controller {
  readonly #api = new Api()
  readonly #history = new History(Date.now())
  readonly #summaries = new Summaries()
  readonly #news = new News()
  readonly #sharing: Sharing
  readonly #render: (state: State, actions: Actions) => void
  #all: ReadonlyArray<Summary> = []
  #state: State
  #isDue = false

  constructor(render: (state: State, actions: Actions) => void) {
    this.#render = render
    this.#state = {
      document: NOTHING,
      link: { _tag: "Connecting" },
      summaries: [],
      filter: "",
      selected: selectedIn(location.hash),
      history: this.#history,
      slot: this.#history.slot,
      query: "",
      results: { found: [], count: 0 },
      question: undefined,
      news: "",
      said: ""
    }
    this.#sharing = new Sharing(this.#api, {
      told: (events) => this.#told(events),
      link: (link) => {
        this.#change({ link })
        if (link._tag === "Unauthorized") this.#wantToken(link.why, undefined)
      },
      known: () => this.#known,
      adopt: (history) => {
        this.#history.adopt(history)
        this.#change({})
      }
    })
  }

  begin(): void {
    const looked = () => {
      this.#sharing.isSeen = document.visibilityState === "visible"
      this.#draw()
    }
    document.addEventListener("visibilitychange", looked)
    addEventListener("hashchange", () => this.#selected())
    setInterval(() => this.#look(), LOOK_EVERY_MS)
    looked()
  }

  readonly #actions: Actions = {
    filter: (filter) => this.#shows({ filter }),
    query: (query) => this.#shows({ query, results: search(this.#state.document, query) }),
    ask: (question) => this.#shows({ question }),
    answer: (token) => void this.#answer(token),
    dismiss: () => this.#shows({ question: undefined })
  }

  get #known() {
    const { document } = this.#state
    const { host, rows } = document
    const status = host === undefined ? undefined : JSON.stringify({ schema: 1, host, plugins: [...rows.values()] })
    return { status, history: this.#history.copy }
  }

  #told(events: ReadonlyArray<Told>): void {
    const begun = performance.now()
    const before = this.#state.document
    const now = after(before, events)
    for (const [ref, row] of now.rows) if (row !== before.rows.get(ref)) this.#history.see(row)
    this.#change({ document: now })
    performance.measure("told", { start: begun })
  }

  /** What time alone changes. */
  #look(): void {
    if (document.visibilityState !== "visible") return
    const { document: known, link } = this.#state
    if (link._tag === "Live" && this.#history.record(known.rows, Date.now())) this.#change({ slot: this.#history.slot })
    const news = this.#news.since(this.#all)
    if (news !== "") this.#change({ news: clean(news) })
    const results = search(known, this.#state.query)
    if (
      !isSame(
        results.found.map(({ diagnostic }) => diagnostic),
        this.#state.results.found.map(({ diagnostic }) => diagnostic)
      )
    ) {
      this.#change({ results })
    }
  }

  #selected(): void {
    // Who skips to the plugins leaves nothing.
    if (location.hash === "#main") return
    const { selected: before } = this.#state
    const selected = selectedIn(location.hash)
    this.#shows({ selected })
    // Who comes back goes on where he was.
    if (selected === undefined && before !== undefined) {
      document.querySelector<HTMLElement>(`a[href="#plugin=${CSS.escape(encodeURIComponent(before))}"]`)?.focus()
    }
  }

  async #answer(token: string | undefined): Promise<void> {
    const { question } = this.#state
    if (question === undefined) return
    this.#shows({ question: undefined })
    if (question._tag === "Token") {
      if (token === undefined || token === "") return
      this.#api.token = token
      if (this.#state.link._tag === "Unauthorized") this.#sharing.renew()
      if (question.next !== undefined) await this.#act(question.next)
      return
    }
    await this.#act(question)
  }

  async #act(question: Question): Promise<void> {
    const path = pathOf(question)
    if (path === undefined) return
    try {
      await this.#api.act(path)
      this.#change({ said: clean(doneBy(question)) })
    } catch (error) {
      if (error instanceof Refused && error.needsToken) return this.#wantToken(error.message, question)
      const why = error instanceof Error ? error.message : String(error)
      this.#change({ said: `Not done: ${clean(why)}` })
    }
  }

  #wantToken(why: string, next: Question | undefined): void {
    const had = this.#api.hasToken
    this.#api.token = ""
    this.#change({
      question: {
        _tag: "Token",
        why: had ? `That isn't the token of this host: ${why}.` : `This host wants its token: ${why}.`,
        next
      }
    })
  }

  /** Who does something sees at once what comes of it. */
  #shows(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change }
    this.#draw()
  }

  #change(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change }
    if (this.#isDue) return
    this.#isDue = true
    setTimeout(() => this.#draw(), DRAW_EVERY_MS)
  }

  #draw(): void {
    this.#isDue = false
    if (document.visibilityState !== "visible") return
    const begun = performance.now()
    const { document: known, filter } = this.#state
    this.#all = this.#summaries.inOrder(known.rows.values(), Date.now())
    const words = wordsOf(filter)
    const summaries =
      words.length === 0 ? this.#all : this.#all.filter(({ note, ref, state }) => hasWords(words, ref, state, note))
    this.#state = { ...this.#state, summaries }
    this.#render(this.#state, this.#actions)
    performance.clearMeasures()
    performance.measure("drawn", { start: begun })
  }
}

const isSame = (one: ReadonlyArray<unknown>, other: ReadonlyArray<unknown>): boolean =>
  one.length === other.length && one.every((each, index) => each === other[index])
