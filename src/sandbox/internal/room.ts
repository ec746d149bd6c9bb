/**
 * Whether there is address space for another worker. V8 ends the whole process
 * where a worker finds none for its heap and code, so it is looked at before.
 */
import { readFileSync } from "node:fs"

/** What a worker reserves (0.65 GB, Node 24 on x64), and some. */
const WORKER_BYTES = 1_000_000_000
const KIB = 1024

/** Throws where there is too little of it. Where nobody tells, there is enough. */
export const roomForWorker = (): void => {
  const left = leftBytes()
  if (left < WORKER_BYTES) throw new Error(`of the address space ${Math.max(0, left)} bytes are left`)
}

const leftBytes = (): number => {
  try {
    const [, most] = /^Max address space +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? []
    if (most === undefined) return Infinity
    const [, used = "0"] = /^VmSize:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1")) ?? []
    return Number(most) - Number(used) * KIB
  } catch {
    return Infinity
  }
}
