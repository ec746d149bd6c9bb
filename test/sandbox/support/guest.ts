/** One guest on the test's own thread. */
import { assert } from "@effect/vitest"
import { Engines } from "../../../src/sandbox/internal/engine.ts"
import { Guest, type Answer } from "../../../src/sandbox/internal/guest.ts"
import { Signer } from "../../../src/secrets/Signer.ts"

export const engines = new Engines()

export const made = async (
  entry: string,
  change: Partial<{ map: string; memoryBytes: number; isUnwanted: () => boolean; signer: Signer }> = {}
) => {
  const { memoryBytes = 16_777_216 } = change
  const engine = await engines.of(memoryBytes)
  return Guest.make({
    ...engine,
    name: "plugin.js",
    entry,
    map: undefined,
    memoryBytes,
    stackBytes: 262_144,
    outputBytes: 262_144,
    isUnwanted: () => false,
    asked: () => {},
    now: Date.now,
    signer: new Signer({ keyOf: () => undefined, now: () => 0 }),
    ...change
  })
}

/** Far more than any call of these takes, beside many others. */
export const DEADLINE_MS = 20_000

/** A guest whose handler is this expression of the event `e`. */
export const handling = async (expression: string, before = ""): Promise<Guest> => {
  const guest = await made(`import * as guest from "mooring/guest"
${before}
export function handleIngress(n, e) { return ${expression} }`)
  assert.deepInclude(guest.load(DEADLINE_MS), { kind: "answered" })
  return guest
}

export const say = (guest: Guest, event: unknown = null): Answer =>
  guest.call("handleIngress", JSON.stringify(["gateway", event]), DEADLINE_MS)

export const said = async (expression: string, event: unknown = null, before = ""): Promise<unknown> => {
  const answer = say(await handling(expression, before), event)
  assert.strictEqual(answer.kind, "answered", JSON.stringify(answer))
  return answer.kind === "answered" && answer.text !== "" ? JSON.parse(answer.text) : undefined
}
