/**
 * `npm run bench`: the fast path beside its peers. `npm run bench -- <name>`
 * runs another one; each says in its first lines what it does.
 */
const benchmarks: { readonly [name: string]: () => Promise<unknown> } = {
  frames: () => import("./frames.ts"),
  connections: () => import("./connections.ts"),
  storm: () => import("./storm.ts"),
  soak: () => import("./soak.ts"),
  sandbox: () => import("./sandbox.ts"),
  minutes: () => import("./fiveMinutes.ts"),
  abuse: () => import("./abuse.ts")
}

const name = process.argv[2] ?? "frames"
const benchmark = benchmarks[name]
if (benchmark === undefined) {
  process.stderr.write(`There is no benchmark ${name}; there are ${Object.keys(benchmarks).join(", ")}.\n`)
  process.exitCode = 2
} else await benchmark()
