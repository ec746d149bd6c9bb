/**
 * Two network namespaces with a line between them that a test can spoil: `host`, where the host under test runs, and
 * `far`, where its servers are. The line is a VXLAN tunnel whose datagrams go through a relay in a third namespace.
 *
 * The namespaces have no names: each lives as long as the processes in it, and all of those end when nothing more
 * can come on their stdin. So nothing is left, however the test ends.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as path from "node:path"
import * as Program from "./program.ts"
import type { Conditions, Line } from "./line.ts"
import type { Order } from "./relayProgram.ts"

/** The addresses of both ends of the line. */
export const HOST = "10.201.0.1"
export const FAR = "10.201.0.2"
/** Another one, that an end may move to. */
export const OTHER_HOST = "10.201.0.3"
export const OTHER_FAR = "10.201.0.4"
/** Where the name server is, also while the far end moves. */
export const RESOLVER = "10.201.0.9"
export const HOST6 = "fd00:201::1"
export const FAR6 = "fd00:201::2"

const PROBE = "ip link add mooring type vxlan id 1 remote 127.0.0.1 dstport 4789 && nsenter -t $$ -n true"

const probed = (): string | undefined => {
  if (process.platform !== "linux") return "needs Linux"
  if (process.getuid?.() !== 0) return "needs root"
  const { error, status } = spawnSync("unshare", ["-n", "sh", "-c", PROBE], { stdio: "ignore", timeout: 5000 })
  if (error !== undefined) return "needs unshare"
  return status === 0 ? undefined : "needs network namespaces, nsenter, ip and VXLAN"
}

/** Why there can be no such line here; undefined where there can. */
export const missing: string | undefined = probed()

/** What stands behind the name of what is skipped. */
export const skipped = missing === undefined ? "" : ` [skipped: ${missing}]`

interface Counts {
  readonly out: Line["counts"]
  readonly in: Line["counts"]
}

/** For tests that need it: they run beside each other, or not at all. */
export const atOnce = { concurrent: true, skip: missing !== undefined }

export interface Lab {
  readonly host: Program.Where
  readonly far: Program.Where
  /** Where the host is, with this name server in its /etc/resolv.conf. */
  readonly resolving: (server: string) => Effect.Effect<Program.Where, never, Scope.Scope>
  /** Changes what happens on the way out of the host, and in. */
  readonly spoil: (conditions: {
    readonly out?: Partial<Conditions>
    readonly in?: Partial<Conditions>
  }) => Effect.Effect<void>
  /** The same on both ways. */
  readonly spoilBoth: (conditions: Partial<Conditions>) => Effect.Effect<void>
  /** Whatever keeps a list of connections between host and server loses it: one way or both. */
  readonly forget: (ways: { readonly out: boolean; readonly in: boolean }) => Effect.Effect<void>
  /** How many packets each way has let pass and lost so far. */
  readonly counts: Effect.Effect<Counts>
  /** All as it was at first. */
  readonly heal: Effect.Effect<void>
  /** The device of the host's own end goes down, and comes back, with the same address or another. */
  readonly unplug: Effect.Effect<void>
  readonly plug: (address?: string) => Effect.Effect<void>
  /** A script of `sh` in a namespace. */
  readonly sh: (where: Program.Where, script: string) => Effect.Effect<void>
}

const sh = (where: Program.Where, script: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const [file = "", ...args] = [...where, "sh", "-ec", script]
    const { status, stderr } = spawnSync(file, args, { encoding: "utf8", timeout: 10_000 })
    return status === 0 ? Effect.void : Effect.die(new Error(`${script}\nended with ${status}: ${stderr}`))
  })

const holder = Effect.gen(function* () {
  const program = yield* Program.run<{ readonly held: boolean }, never>(
    ["unshare", "-n"],
    ["sh", "-c", `ip link set lo up; echo '{"held":true}'; exec cat`]
  )
  yield* program.until((line) => (line.held ? true : undefined))
  return program.child.pid ?? 0
})

/** Makes addresses of the other end known. */
const known = (mac: string, addresses: ReadonlyArray<string>) =>
  addresses.map((address) => `ip neigh replace ${address} lladdr ${mac} nud permanent dev line`).join("\n")

const MAC_HOST = "02:00:00:00:00:01"
const MAC_FAR = "02:00:00:00:00:02"
const FAR_ADDRESSES = [FAR, OTHER_FAR, RESOLVER, FAR6]

/** One end of the tunnel: the device `line`, with all addresses of the other end known, so that nobody has to ask. */
const end = (
  mac: string,
  otherMac: string,
  own: string,
  relay: string,
  addresses: ReadonlyArray<string>,
  others: ReadonlyArray<string>
) => `
ip addr add ${own}/30 dev under
ip link set under up
ip link add line address ${mac} type vxlan id 1 local ${own} remote ${relay} dstport 4789
ip link set line mtu 1400 gso_max_segs 1
echo 0 > /proc/sys/net/ipv6/conf/line/accept_dad
echo 1 > /proc/sys/net/ipv4/conf/line/promote_secondaries
${addresses.map((address) => `ip addr add ${address}/${address.includes(":") ? 64 : 24} dev line`).join("\n")}
ip link set line up
${known(otherMac, others)}
`

const within = (pid: number): Program.Where => ["nsenter", "-t", String(pid), "-n"]

const resolvConf = (server: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => Fs.mkdtempSync(path.join(Os.tmpdir(), "mooring-faults-"))),
      (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true }))
    ),
    (folder) => {
      const file = path.join(folder, "resolv.conf")
      Fs.writeFileSync(file, `nameserver ${server}\n`)
      return file
    }
  )

/** A command in a mount namespace of its own, where a file lies over /etc/resolv.conf. */
const mounted = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf; exec "$@"']

/** One end of a cable of the relay; the other is `under` in a namespace. */
const cable = (name: string, address: string, pid: number) => `
ip link add name ${name} type veth peer name under netns ${pid}
ip addr add ${address}/30 dev ${name}
ip link set ${name} up
`

interface Said {
  readonly ready?: true
  readonly done?: string
  readonly counts?: Counts
}

/** Makes the namespaces and the line; all of it is gone with the scope. */
export const make: Effect.Effect<Lab, never, Scope.Scope> = Effect.gen(function* () {
  const [host, far, middle] = yield* Effect.all([holder, holder, holder], { concurrency: 3 })
  yield* sh(within(middle), cable("tohost", "10.200.0.2", host) + cable("tofar", "10.200.1.2", far))
  yield* sh(within(host), end(MAC_HOST, MAC_FAR, "10.200.0.1", "10.200.0.2", [HOST, HOST6], FAR_ADDRESSES))
  yield* sh(
    within(far),
    end(MAC_FAR, MAC_HOST, "10.200.1.1", "10.200.1.2", [FAR, RESOLVER, FAR6], [HOST, OTHER_HOST, HOST6])
  )
  const relay = yield* Program.start<Said, Order>(
    "relayProgram.ts",
    ["10.200.0.2", "10.200.0.1", "10.200.1.2", "10.200.1.1"],
    within(middle)
  )
  yield* relay.until((line) => line.ready)
  const ask = <Found>(what: Order, look: (line: Said) => Found | undefined) =>
    Effect.suspend(() => {
      const after = relay.said.length
      relay.tell(what)
      return relay.until(look, 5000, after)
    })
  const order = (what: Order) => Effect.asVoid(ask(what, ({ done }) => done))
  return {
    host: within(host),
    far: within(far),
    resolving: (server) => Effect.map(resolvConf(server), (file) => [...within(host), ...mounted, file]),
    spoil: (conditions) => order({ do: "set", ...conditions }),
    spoilBoth: (conditions) => order({ do: "set", out: conditions, in: conditions }),
    forget: (ways) => order({ do: "forget", ...ways }),
    counts: ask({ do: "count" }, ({ counts }) => counts),
    heal: order({ do: "heal" }),
    unplug: sh(within(host), "ip link set line down"),
    plug: (address = HOST) =>
      sh(
        within(host),
        `ip addr flush dev line; ip addr add ${address}/24 dev line; ip link set line up\n${known(MAC_FAR, FAR_ADDRESSES)}`
      ),
    sh
  }
})
