/** The whole page. */
import { h } from "../lib/preact.js"
import type { Actions, State } from "../state.ts"
import { Details } from "./Details.tsx"
import { Diagnostics } from "./Diagnostics.tsx"
import { Head } from "./Head.tsx"
import { Plugins } from "./Plugins.tsx"
import { Ask } from "./Ask.tsx"

export const App = ({ actions, state }: { readonly actions: Actions; readonly state: State }) => {
  const { document, history, query, question, results, selected, slot } = state
  const row = selected === undefined ? undefined : document.rows.get(selected)
  return (
    <div class={selected === undefined ? "page" : "page selecting"}>
      <Head state={state} actions={actions} />
      <main id="main" tabIndex={-1}>
        <Plugins state={state} actions={actions} />
        {selected === undefined ? null : (
          <Details key={selected} selected={selected} row={row} history={history} slot={slot} actions={actions} />
        )}
        <Diagnostics results={results} query={query} onQuery={actions.query} />
      </main>
      {question === undefined ? null : <Ask question={question} actions={actions} />}
    </div>
  )
}
