/**
 * One contestant of a benchmark, in a process of its own so that its CPU time
 * is its own: `node client.ts <what it is told as JSON>`. Says its figures in
 * one line, unless its server is the judge.
 */
import type { Given } from "./contestants/contestant.ts"

type Mode = (given: Given) => unknown

// Only what a contestant needs is loaded: what is loaded is held.
const modes: { readonly [mode: string]: () => Promise<Mode> } = {
  bare: async () => (await import("./contestants/bare.ts")).counting,
  "bare-echo": async () => (await import("./contestants/bare.ts")).echoing,
  "bare-quiet": async () => (await import("./contestants/bare.ts")).quiet,
  "bare-open": async () => (await import("./contestants/opening.ts")).bare,
  "built-in": async () => (await import("./contestants/bare.ts")).builtIn,
  array: async () => (await import("./contestants/handWritten.ts")).array,
  "p-queue": async () => (await import("./contestants/handWritten.ts")).pQueue,
  partysocket: async () => (await import("./contestants/handWritten.ts")).partysocket,
  "effect-socket": async () => (await import("./contestants/handWritten.ts")).effectSocket,
  hosted: async () => (await import("./contestants/hosted.ts")).counting,
  echo: async () => (await import("./contestants/hosted.ts")).echoing,
  open: async () => (await import("./contestants/opening.ts")).hosted,
  nothing: async () => (await import("./contestants/opening.ts")).nothing,
  quiet: async () => (await import("./contestants/neighbours.ts")).quiet,
  loop: async () => (await import("./contestants/neighbours.ts")).loop,
  status: async () => (await import("./contestants/status.ts")).status,
  overload: async () => (await import("./contestants/overload.ts")).hosted,
  "overload-p-queue": async () => (await import("./contestants/overload.ts")).pQueue
}

const given = JSON.parse(process.argv[2] ?? "{}") as Given
const mode = modes[given.mode]
if (mode === undefined) throw new Error(`there is no contestant ${given.mode}`)
await (
  await mode()
)(given)
