/** Sends the process the signal that SIGNAL names as soon as it has written three times. */
const fs = require("node:fs")

const { writeSync } = fs
let writes = 0
fs.writeSync = (...args) => {
  if (++writes === 3) process.kill(process.pid, process.env.SIGNAL)
  return writeSync(...args)
}
