/** The host in a few words, how it stands with its events, and what is said aloud. */
import { clean } from "../clean.ts"
import { mebibytes, plural, time } from "../format.ts"
import type { Link } from "../follow.ts"
import { LIFECYCLES } from "../history.ts"
import { h } from "../lib/preact.js"
import type { Actions, State } from "../state.ts"

const linkText = (link: Link): string => {
  switch (link._tag) {
    case "Connecting":
      return "Connecting"
    case "Live":
      return "Live"
    case "Silent":
      return `Nothing has come since ${time(link.since)}: what is shown may be old`
    case "Lost":
      return `Not connected (${clean(link.why)}): what is shown is old. Trying again at ${time(link.retryAt)}`
    case "Unauthorized":
      return `The token is needed: ${clean(link.why)}`
  }
}

const isWell = ({ _tag }: Link): boolean => _tag === "Live" || _tag === "Connecting"

const lifecyclesOf = ({ document }: State): string => {
  const counts = new Map<string, number>()
  for (const { lifecycle } of document.rows.values()) counts.set(lifecycle, (counts.get(lifecycle) ?? 0) + 1)
  const parts = LIFECYCLES.flatMap((name) => (counts.has(name) ? [`${counts.get(name)} ${name}`] : []))
  return parts.length === 0 ? "" : `: ${parts.join(", ")}`
}

const Host = ({ state }: { readonly state: State }) => {
  const { host, rows } = state.document
  if (host === undefined) return null
  const { config } = host
  return (
    <div class="host">
      <p>
        <strong>
          {plural(rows.size, "plugin", "plugins")}
          {lifecyclesOf(state)}
        </strong>
      </p>
      <p>
        mooring {clean(host.version)}, since {time(host.started_at)}. At {time(host.at)}: {mebibytes(host.rss_bytes)},
        event loop {host.event_loop_lag_ms} ms late, {plural(host.dials_waiting, "dial", "dials")} waiting.
      </p>
      {config.state === "applied" ? null : (
        <div class="wrong">
          <p>The host file is {config.state}:</p>
          <ul>
            {config.problems.map(({ message, path }) => (
              <li>
                <bdi>{clean(`${path}: ${message}`)}</bdi>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  )
}

export const Head = ({ actions, state }: { readonly actions: Actions; readonly state: State }) => (
  <header>
    <a class="skip" href="#main">
      Skip to the plugins
    </a>
    <div class="title">
      <h1>Mooring</h1>
      <p id="link" class={isWell(state.link) ? "link" : "link wrong"} role="status">
        {linkText(state.link)}
      </p>
      {state.link._tag === "Unauthorized" ? (
        <button
          type="button"
          onClick={() =>
            actions.ask({ _tag: "Token", why: "To read what it does, this host wants its token.", next: undefined })
          }
        >
          Give the token
        </button>
      ) : null}
    </div>
    <Host state={state} />
    <p id="news" class="news" aria-live="polite">
      <bdi>{state.news}</bdi>
    </p>
    <p id="said" class="news" role="status">
      <bdi>{state.said}</bdi>
    </p>
  </header>
)
