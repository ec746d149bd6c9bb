/** Names and what they are, of which some is foreign text. */
import { clean } from "../clean.ts"
import { h } from "../lib/preact.js"

export const Facts = ({ facts }: { readonly facts: ReadonlyArray<readonly [name: string, value: string]> }) => (
  <dl>
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>
          <bdi>{clean(value)}</bdi>
        </dd>
      </div>
    ))}
  </dl>
)
