/** One source of a plugin: its connection now, over the last hour, and how the last ones ended. */
import { clean } from "../clean.ts"
import type { Connection } from "../document.ts"
import { count, time } from "../format.ts"
import { type History, OF_SOURCE, sourceKey, STATES } from "../history.ts"
import { h } from "../lib/preact.js"
import type { Actions } from "../state.ts"
import { ofConnection, received, sent } from "../summary.ts"
import type { End } from "../track.ts"
import { told } from "../trouble.ts"
import { Chart } from "./Chart.tsx"
import { Facts } from "./Facts.tsx"

interface Props {
  readonly plugin: string
  readonly connection: Connection
  readonly history: History
  readonly slot: number
  readonly actions: Actions
}

const factsOf = (connection: Connection): ReadonlyArray<readonly [string, string]> => [
  [
    "State",
    `${connection.state}${connection.stop_reason === null ? "" : ` (${connection.stop_reason})`}, since ${time(connection.since)}`
  ],
  ["Flow", connection.flow],
  ["Epoch", `${connection.epoch}, opened ${count(connection.opens)} times`],
  ["Received", count(received(connection))],
  ["Sent", count(sent(connection))],
  ["Dropped", count(connection.queue_drops)],
  ["Last error", told(connection.last_error) ?? "none"],
  ...(connection.next_attempt_at === null ? [] : [["Next attempt", time(connection.next_attempt_at)] as const]),
  ["Round trip", connection.round_trip_ms === null ? "\u2013" : `${connection.round_trip_ms} ms`]
]

const Ends = ({ ends, label }: { readonly ends: ReadonlyArray<End>; readonly label: string }) => (
  <table aria-label={label}>
    <thead>
      <tr>
        <th scope="col">Closed at</th>
        <th scope="col">Code</th>
        <th scope="col">Reason</th>
      </tr>
    </thead>
    <tbody>
      {ends.map(({ at, code, reason }) => (
        <tr key={`${at} ${code}`}>
          <td>{time(at)}</td>
          <td>{code}</td>
          <td>
            <bdi>{clean(reason)}</bdi>
          </td>
        </tr>
      ))}
    </tbody>
  </table>
)

export const Source = ({ actions, connection, history, plugin, slot }: Props) => {
  const { id, ingress_name, url } = connection
  const track = history.track(sourceKey(plugin, id))
  const ends = track?.ends ?? []
  return (
    <section class={`source trouble${ofConnection(connection)}`} aria-labelledby={`source-${id}`}>
      <h3 id={`source-${id}`}>
        <bdi>{clean(ingress_name)}</bdi>: <bdi>{clean(url)}</bdi>
      </h3>
      <p class="buttons">
        <button type="button" onClick={() => actions.ask({ _tag: "Reconnect", ref: plugin, id, url })}>
          Reconnect
        </button>
      </p>
      <Facts facts={factsOf(connection)} />
      <div class="charts">
        <Chart title="State" slot={slot} states={STATES} lines={[{ track, column: OF_SOURCE.state, name: "state" }]} />
        <Chart
          title="Frames a second"
          slot={slot}
          lines={[
            { track, column: OF_SOURCE.received, name: "received" },
            { track, column: OF_SOURCE.sent, name: "sent" }
          ]}
        />
        <Chart
          title="Dropped and opened"
          slot={slot}
          lines={[
            { track, column: OF_SOURCE.opens, name: "opened" },
            { track, column: OF_SOURCE.dropped, name: "dropped", isBad: true }
          ]}
        />
      </div>
      {ends.length === 0 ? null : <Ends ends={ends} label={`How connections of ${clean(url)} ended`} />}
    </section>
  )
}
