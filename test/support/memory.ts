/** How much memory is reachable: for tests that say that something isn't kept. */
import * as V8 from "node:v8"
import * as Vm from "node:vm"

V8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = Vm.runInNewContext("gc")

/** Bytes that are reachable now. */
export const heapUsed = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
