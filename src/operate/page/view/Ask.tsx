/** What is asked before something is done: whether, and where it is needed the token. */
import { clean } from "../clean.ts"
import { Component, createRef, h } from "../lib/preact.js"
import type { Actions, Question } from "../state.ts"

interface Props {
  readonly question: Question
  readonly actions: Actions
}

const NAMES = { start: "Start", stop: "Stop", restart: "Restart" } as const

const nameOf = (question: Question): string => {
  if (question._tag === "Act") return NAMES[question.verb]
  return question._tag === "Reconnect" ? "Reconnect" : "Use the token"
}

const textOf = (question: Question): string => {
  if (question._tag === "Act") return `${NAMES[question.verb]} ${clean(question.ref)}?`
  if (question._tag === "Reconnect") return `Close ${clean(question.url)} of ${clean(question.ref)} and dial anew?`
  return question.why
}

export class Ask extends Component<Props> {
  readonly #dialog = createRef<HTMLDialogElement>()
  readonly #token = createRef<HTMLInputElement>()
  #before: Element | null = null

  override componentDidMount(): void {
    this.#before = document.activeElement
    this.#dialog.current?.showModal()
  }

  override componentWillUnmount(): void {
    this.#dialog.current?.close()
    if (this.#before instanceof HTMLElement && this.#before.isConnected) this.#before.focus()
  }

  readonly #submitted = (event: Event) => {
    event.preventDefault()
    this.props.actions.answer(this.#token.current?.value.trim())
  }

  override render({ actions, question }: Props) {
    return (
      <dialog ref={this.#dialog} aria-labelledby="question" onClose={actions.dismiss} onCancel={actions.dismiss}>
        <form onSubmit={this.#submitted}>
          <p id="question">
            <bdi>{textOf(question)}</bdi>
          </p>
          {question._tag === "Token" ? (
            <p>
              <label for="token">Token</label>{" "}
              <input id="token" ref={this.#token} type="password" autoComplete="off" spellcheck={false} required />
            </p>
          ) : null}
          <p class="buttons">
            <button type="submit">{nameOf(question)}</button>
            <button type="button" onClick={actions.dismiss}>
              Cancel
            </button>
          </p>
        </form>
      </dialog>
    )
  }
}
