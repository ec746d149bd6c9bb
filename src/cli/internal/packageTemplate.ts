/**
 * A package that runs, for whoever writes a first one: against the gateway of
 * `mooring demo`, until its author says otherwise.
 */
import * as Result from "effect/Result"
import * as BuiltEntry from "./builtEntry.ts"
import { inline } from "./enablementToml.ts"
import { typeless } from "./typeless.ts"

const MOST_CHARACTERS = 128
const WITHOUT_NAME = "plugin"

/**
 * The id of a package in a folder of this name: in lower case, with `-` for what an id can't have, from the first
 * character on that it can begin with. A name that has none says nothing that could be one.
 */
export const idOf = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]/gu, "-")
    .replace(/^[._-]+/, "")
    .slice(0, MOST_CHARACTERS) || WITHOUT_NAME

const manifest = (id: string, name: string): string => `schema_version = 1
id = ${inline(id)}
name = ${inline(name)}
version = "0.1.0"
surfaces = ["service", "ingress"]
permissions = [
  { kind = "surface", surface = "service" },
  { kind = "service", name = ${inline(id)} },
  { kind = "surface", surface = "ingress" },
  { kind = "ingress", name = "gateway" },
  { kind = "host_api", api = "websocket" },
]

[runtime]
kind = "javascript"
entry = "plugin.js"

[[services]]
name = ${inline(id)}
lifecycle = "host-managed"

# What it listens to: the gateway of \`mooring demo\`.
[[ingresses]]
name = "gateway"
sources = ["ws://127.0.0.1:7700/gateway"]

# Where it may be connected to, if the operator grants it too.
[[websocket]]
scheme = "ws"
host = "127.0.0.1"
port = 7700
path_prefixes = ["/gateway"]
`

const JAVASCRIPT = `import { websocketSend } from "mooring/guest"

let seen = 0

// \`state\` is what the instance before this one handed over last.
export function start(config, { state }) {
  if (typeof state === "number") seen = state
}

export function handleIngress(name, event) {
  if (event.kind === "websocket_open") return { output_commands: [websocketSend(event, "hello")] }
  if (event.kind !== "websocket_text") return {}
  seen++
  const replies = event.payload.text === "tick" ? [websocketSend(event, \`tock \${seen}\`)] : []
  return { state: seen, status: { seen }, output_commands: replies }
}
`

const TYPESCRIPT = `import { type IngressEvent, type Json, type Output, type StartContext, websocketSend } from "mooring/guest"

let seen = 0

// \`state\` is what the instance before this one handed over last.
export function start(config: Json, { state }: StartContext): void {
  if (typeof state === "number") seen = state
}

export function handleIngress(name: string, event: IngressEvent): Output {
  if (event.kind === "websocket_open") return { output_commands: [websocketSend(event, "hello")] }
  if (event.kind !== "websocket_text") return {}
  seen++
  const replies = event.payload.text === "tick" ? [websocketSend(event, \`tock \${seen}\`)] : []
  return { state: seen, status: { seen }, output_commands: replies }
}
`

// What the sandbox runs (ES2023), and what can be made of TypeScript by leaving its types out.
const TSCONFIG = `{
  "compilerOptions": {
    "target": "es2023",
    "lib": ["es2023"],
    "types": [],
    "module": "esnext",
    "moduleResolution": "bundler",
    "strict": true,
    "verbatimModuleSyntax": true,
    "erasableSyntaxOnly": true,
    "noEmit": true
  },
  "include": ["plugin.ts"]
}
`

// Line ends are content: a package of which Git has changed them is another one.
const ATTRIBUTES = "* -text\n"

/** The files of a package in a folder of this name, by their names. */
export const filesFor = (
  name: string,
  isTypeScript: boolean
): ReadonlyArray<readonly [name: string, content: string]> => [
  ["plugin.toml", manifest(idOf(name), name)],
  ...(isTypeScript
    ? ([
        [BuiltEntry.SOURCE, TYPESCRIPT],
        [BuiltEntry.BUILT, Result.getOrThrow(typeless(TYPESCRIPT))],
        ["tsconfig.json", TSCONFIG]
      ] as const)
    : ([[BuiltEntry.BUILT, JAVASCRIPT]] as const)),
  [".gitattributes", ATTRIBUTES]
]
