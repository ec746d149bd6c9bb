/** All plugins as a table, what isn't well first. A row is drawn anew only where something of it is another. */
import { clean } from "../clean.ts"
import { count, plural, rate } from "../format.ts"
import { type History, OF_SOURCE, sourceKey } from "../history.ts"
import { Component, h } from "../lib/preact.js"
import type { Actions, State } from "../state.ts"
import type { Summary } from "../summary.ts"

/** Where the page goes to show a plugin. */
export const hrefOf = (ref: string): string => `#plugin=${encodeURIComponent(ref)}`

/** Frames a second, of all sources. */
const rateOf = ({ ref, row }: Summary, history: History): number | null => {
  let sum: number | null = null
  for (const { id } of row.websocket_connections) {
    const one = history.track(sourceKey(ref, id))?.newest(OF_SOURCE.received, history.slot) ?? null
    if (one !== null) sum = (sum ?? 0) + one
  }
  return sum
}

interface RowProps {
  readonly summary: Summary
  readonly received: string
  readonly isSelected: boolean
}

/** Marks beside the words, for who looks at hundreds of rows. */
const MARKS = ["\u25cf", "\u25cf", "\u25b2", "\u25b2", "\u2716"]

class PluginRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { isSelected, received, summary } = this.props
    return next.summary !== summary || next.received !== received || next.isSelected !== isSelected
  }

  override render({ isSelected, received, summary }: RowProps) {
    const { dropped, note, open, ref, row, state, trouble } = summary
    // On what it colours: where it was the row's, Chromium kept the old colours of one that was moved in the same turn.
    const colour = `trouble${trouble}`
    return (
      <tr class={isSelected ? "chosen" : ""}>
        <th scope="row">
          <a href={hrefOf(ref)} aria-current={isSelected ? "true" : undefined}>
            <bdi>{clean(ref)}</bdi>
          </a>
        </th>
        <td class={`state ${colour}`}>
          <span class={`mark ${colour}`} aria-hidden="true">
            {MARKS[trouble]}
          </span>{" "}
          {state}
        </td>
        <td class={`note ${colour}`}>
          <bdi>{note}</bdi>
        </td>
        <td class="number">
          {open} of {row.websocket_connections.length}
        </td>
        <td class="number">{received}</td>
        <td class="number">{count(dropped)}</td>
        <td class="number less">{count(row.queue_depth)}</td>
        <td class="number less">{count(row.restarts)}</td>
      </tr>
    )
  }
}

const Headings = () => (
  <thead>
    <tr>
      <th scope="col">Plugin</th>
      <th scope="col">State</th>
      <th scope="col">What is wrong, or what it says</th>
      <th scope="col" class="number">
        Open
      </th>
      <th scope="col" class="number">
        Received
      </th>
      <th scope="col" class="number">
        Dropped
      </th>
      <th scope="col" class="number less">
        Waiting
      </th>
      <th scope="col" class="number less">
        Restarts
      </th>
    </tr>
  </thead>
)

export const Plugins = ({ actions, state }: { readonly actions: Actions; readonly state: State }) => {
  const { document, filter, history, selected, summaries } = state
  return (
    <section class="plugins" aria-labelledby="plugins">
      <h2 id="plugins">Plugins</h2>
      <p>
        <label for="filter">Show only</label>{" "}
        <input
          id="filter"
          type="search"
          value={filter}
          autoComplete="off"
          onInput={({ currentTarget }) => actions.filter(currentTarget.value)}
        />{" "}
        {filter === "" ? null : `${summaries.length} of ${plural(document.rows.size, "plugin", "plugins")}`}
      </p>
      <div class="scrolls" role="region" aria-label="The table of plugins" tabIndex={0}>
        <table>
          <Headings />
          <tbody>
            {summaries.map((summary) => (
              <PluginRow
                key={summary.ref}
                summary={summary}
                received={rate(rateOf(summary, history))}
                isSelected={summary.ref === selected}
              />
            ))}
          </tbody>
        </table>
      </div>
      {document.host !== undefined && document.rows.size === 0 ? <p>No plugin is enabled.</p> : null}
    </section>
  )
}
