/**
 * `npm run bench`: what has a target, beside its peers (`targets.ts`).
 * `npm run bench -- <name>` runs one topic of it, or another benchmark; each
 * says in its first lines what it does.
 */
import { measure, names } from "./targets.ts"

const others: { readonly [name: string]: () => Promise<unknown> } = {
  storm: () => import("./storm.ts"),
  soak: () => import("./soak.ts"),
  sandbox: () => import("./sandbox.ts"),
  minutes: () => import("./fiveMinutes.ts"),
  abuse: () => import("./abuse.ts"),
  page: () => import("./dashboardPage.ts")
}

const args = process.argv.slice(2)
const [name = ""] = args
const other = others[name]
if (name === "" || name.startsWith("--") || names.includes(name)) await measure(args)
else if (other !== undefined) await other()
else {
  process.stderr.write(`There is no benchmark ${name}; there are ${[...names, ...Object.keys(others)].join(", ")}.\n`)
  process.exitCode = 2
}
