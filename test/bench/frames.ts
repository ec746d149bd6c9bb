/** The fast path: what a frame, a round trip and an idle connection cost beside their peers. */
import { compare, FRAMES, rounds, say, type Figures } from "./harness.ts"

await compare(`a received text frame of 128 bytes, ${FRAMES} frames, CPU`, "cpuUs", "µs", [
  { mode: "bare" },
  { mode: "exit" },
  { mode: "exit-no-fast-path" },
  { mode: "effect-socket" }
])
await compare("the same with a generator per frame", "cpuUs", "µs", [{ mode: "bare-generator" }, { mode: "generator" }])
await compare("the same from 16 connections", "cpuUs", "µs", [
  { mode: "bare", connections: 16 },
  { mode: "exit", connections: 16 },
  { mode: "exit-no-fast-path", connections: 16 }
])
await compare("a round trip of 120 bytes, p50", "p50Us", "µs", [
  { mode: "bare-echo", from: "server" },
  { mode: "echo", from: "server" }
])
await compare("a quiet source beside a flood, round trip p50", "p50Us", "µs", [
  { mode: "quiet", from: "server" },
  { mode: "quiet-beside-own-flood", from: "server", frames: 4_000_000 },
  { mode: "quiet-beside-other-flood", from: "server", frames: 4_000_000 },
  { mode: "bare-quiet-beside-flood", from: "server", frames: 4_000_000 }
])

const CONNECTIONS = 1000
const [nothing, bareIdle, idle] = await rounds([
  { mode: "nothing" },
  { mode: "bare-idle", connections: CONNECTIONS },
  { mode: "idle", connections: CONNECTIONS }
])
const perConnection = (figures: Figures | undefined) =>
  ((figures?.["rssKib"] ?? 0) - (nothing?.["rssKib"] ?? 0)) / CONNECTIONS
say(`\nmemory of an idle connection, ${CONNECTIONS} connections`)
say(`  bare ws ${perConnection(bareIdle).toFixed(1)} KiB, mooring ${perConnection(idle).toFixed(1)} KiB`)
