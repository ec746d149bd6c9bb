/** The diagnostics of all plugins, to be searched, each with its page of the documentation. */
import { clean } from "../clean.ts"
import { count, time } from "../format.ts"
import { Component, h } from "../lib/preact.js"
import type { Found, Results } from "../search.ts"
import { hrefOf } from "./Plugins.tsx"

interface Props {
  readonly results: Results
  readonly query: string
  readonly onQuery: (text: string) => void
}

/** What explains a tag, in the documentation that the host serves. */
const explained = (tag: string): string => `docs.html?errors.md#${encodeURIComponent(tag.toLowerCase())}`

const Line = ({ found: { diagnostic, plugin } }: { readonly found: Found }) => (
  <tr class={diagnostic.severity}>
    <td>{time(diagnostic.at)}</td>
    <td>
      {plugin === null ? (
        "the host"
      ) : (
        <a href={hrefOf(plugin)}>
          <bdi>{clean(plugin)}</bdi>
        </a>
      )}
    </td>
    <td>{diagnostic.severity}</td>
    <td>
      <a href={explained(diagnostic.tag)} target="_blank" rel="noopener">
        {clean(diagnostic.tag)}
      </a>
    </td>
    <td class="number">{count(diagnostic.count)}</td>
    <td class="note">
      <bdi>{clean(diagnostic.message)}</bdi>
    </td>
  </tr>
)

export class Diagnostics extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    return next.results !== this.props.results || next.query !== this.props.query
  }

  override render({ onQuery, query, results: { count: all, found } }: Props) {
    return (
      <section class="diagnostics" aria-labelledby="diagnostics">
        <h2 id="diagnostics">Diagnostics</h2>
        <p>
          <label for="query">Search plugin, tag, stage, severity and message</label>{" "}
          <input
            id="query"
            type="search"
            value={query}
            autoComplete="off"
            onInput={({ currentTarget }) => onQuery(currentTarget.value)}
          />{" "}
          <span id="found">{all > found.length ? `The newest ${found.length} of ${count(all)}` : count(all)}</span>
        </p>
        <div class="scrolls" role="region" aria-label="The table of diagnostics" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">At</th>
                <th scope="col">Plugin</th>
                <th scope="col">Severity</th>
                <th scope="col">Tag (opens what explains it)</th>
                <th scope="col" class="number">
                  Times
                </th>
                <th scope="col">Message</th>
              </tr>
            </thead>
            <tbody>
              {found.map((one) => (
                <Line found={one} />
              ))}
            </tbody>
          </table>
        </div>
      </section>
    )
  }
}
