/**
 * What the page shows, as one value, and what can be done by it.
 */
import type { Verb } from "./api.ts"
import type { Document } from "./document.ts"
import type { Link } from "./follow.ts"
import type { History } from "./history.ts"
import type { Results } from "./search.ts"
import type { Summary } from "./summary.ts"

/** What is asked before something is done. */
export type Question =
  | { readonly _tag: "Act"; readonly ref: string; readonly verb: Verb }
  | { readonly _tag: "Reconnect"; readonly ref: string; readonly id: string; readonly url: string }
  | { readonly _tag: "Token"; readonly why: string; readonly next: Question | undefined }

export interface State {
  readonly document: Document
  readonly link: Link
  /** Those that fit the filter, what isn't well first. */
  readonly summaries: ReadonlyArray<Summary>
  readonly filter: string
  readonly selected: string | undefined
  readonly history: History
  /** The slot of the history that is shown. */
  readonly slot: number
  readonly query: string
  readonly results: Results
  readonly question: Question | undefined
  /** What is said aloud: what has got worse, and what has come of a button. */
  readonly news: string
  readonly said: string
}

export interface Actions {
  readonly filter: (text: string) => void
  readonly query: (text: string) => void
  readonly ask: (question: Question) => void
  /** Yes; of a question for the token, with it. */
  readonly answer: (token?: string) => void
  readonly dismiss: () => void
}
