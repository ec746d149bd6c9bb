/** Sends the process the signal that SIGNAL names as soon as it has written three times, or throws where it is `throw`. */
const fs = require("node:fs")

const { writeSync } = fs
let writes = 0
const throwIt = () => {
  throw new Error("nobody catches this")
}
fs.writeSync = (...args) => {
  if (++writes === 3) {
    if (process.env.SIGNAL === "throw") setImmediate(throwIt)
    else process.kill(process.pid, process.env.SIGNAL)
  }
  return writeSync(...args)
}
