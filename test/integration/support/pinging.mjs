/**
 * A WebSocket server in a process of its own, so that the thread of its client may be blocked: `node pinging.mjs <ms>`.
 * It pings that often, and with each ping it sends how many there were before. Writes its port.
 */
import { WebSocketServer } from "ws"

const everyMs = Number(process.argv[2])
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
server.on("listening", () => process.stdout.write(`${server.address().port}\n`))
server.on("connection", (peer) => {
  const begun = performance.now()
  let pings = 0
  setInterval(() => {
    for (; pings * everyMs <= performance.now() - begun; pings++) {
      peer.ping()
      peer.send(String(pings))
    }
  }, everyMs)
})
