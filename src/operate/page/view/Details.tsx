/** One plugin: how it is, its life over the last hour, its sources, and what can be done to it. */
import type { Verb } from "../api.ts"
import { clean } from "../clean.ts"
import type { Row } from "../document.ts"
import { count, time } from "../format.ts"
import { type History, LIFECYCLES, OF_PLUGIN } from "../history.ts"
import { Component, createRef, h } from "../lib/preact.js"
import type { Actions } from "../state.ts"
import { reported } from "../summary.ts"
import { told } from "../trouble.ts"
import { Chart } from "./Chart.tsx"
import { Facts } from "./Facts.tsx"
import { Source } from "./Source.tsx"

interface Props {
  readonly selected: string
  /** Undefined where there is no such plugin, or none any more. */
  readonly row: Row | undefined
  readonly history: History
  readonly slot: number
  readonly actions: Actions
}

const VERBS: ReadonlyArray<readonly [Verb, string]> = [
  ["start", "Start"],
  ["stop", "Stop"],
  ["restart", "Restart"]
]

const factsOf = (row: Row): ReadonlyArray<readonly [string, string]> => [
  ["Lifecycle", row.lifecycle],
  ["Says", reported(row)],
  ["Last error", told(row.last_error) ?? "none"],
  ...(row.retry_at === null ? [] : [["Starts again", time(row.retry_at)] as const]),
  ["Restarts after crashes", count(row.restarts)],
  ["Queue", `${count(row.queue_depth)} of ${count(row.queue_capacity)}`],
  ["Handled", `${count(row.dispatch_counters.dispatched)}, ${count(row.dispatch_counters.failed)} failed`],
  [
    "Requests",
    `${count(row.requests.executed)}, ${count(row.requests.failed)} failed, ${count(row.requests.in_flight)} under way`
  ],
  ["Timers", count(row.timers.length)],
  ["Version", row.version]
]

export class Details extends Component<Props> {
  readonly #heading = createRef<HTMLHeadingElement>()

  /** Who went here goes on here; who only opened the page isn't led away. */
  override componentDidMount(): void {
    if (document.activeElement !== document.body) this.#heading.current?.focus()
  }

  override shouldComponentUpdate(next: Props): boolean {
    return next.row !== this.props.row || next.slot !== this.props.slot
  }

  override render({ row, selected }: Props) {
    return (
      <section class="details" aria-labelledby="details">
        <p>
          <a href="#all">Close, back to all plugins</a>
        </p>
        <h2 id="details" tabIndex={-1} ref={this.#heading}>
          <bdi>{clean(selected)}</bdi>
        </h2>
        {row === undefined ? <p>There is no such plugin.</p> : this.#shown(row)}
      </section>
    )
  }

  #shown(row: Row) {
    const { actions, history, slot } = this.props
    const ref = row.plugin_ref
    const track = history.track(ref)
    return (
      <div>
        <p class="buttons">
          {VERBS.map(([verb, name]) => (
            <button type="button" onClick={() => actions.ask({ _tag: "Act", ref, verb })}>
              {name}
            </button>
          ))}
        </p>
        <Facts facts={factsOf(row)} />
        <div class="charts">
          <Chart
            title="Lifecycle"
            slot={slot}
            states={LIFECYCLES}
            lines={[{ track, column: OF_PLUGIN.lifecycle, name: "lifecycle" }]}
          />
          <Chart
            title="Starts and crashes"
            slot={slot}
            lines={[
              { track, column: OF_PLUGIN.starts, name: "starts" },
              { track, column: OF_PLUGIN.crashes, name: "crashes", isBad: true }
            ]}
          />
          <Chart
            title="Events handled a second"
            slot={slot}
            lines={[{ track, column: OF_PLUGIN.dispatched, name: "handled" }]}
          />
          <Chart title="Events waiting" slot={slot} lines={[{ track, column: OF_PLUGIN.waiting, name: "waiting" }]} />
        </div>
        {row.websocket_connections.map((connection) => (
          <Source
            key={connection.id}
            plugin={ref}
            connection={connection}
            history={history}
            slot={slot}
            actions={actions}
          />
        ))}
      </div>
    )
  }
}
