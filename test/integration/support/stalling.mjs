/**
 * A WebSocket server in a process of its own whose queue for new connections is tiny, so that whoever stops it and fills
 * that queue has a server at which connecting takes as long as it is stopped: `node stalling.mjs <port> <address>…`.
 * Port 0: any; writes the port.
 */
import { createServer } from "node:http"
import { WebSocketServer } from "ws"

const [first, ...addresses] = process.argv.slice(2)
const upgrades = new WebSocketServer({ noServer: true })
let port = Number(first)
for (const host of addresses) {
  const http = createServer().on("upgrade", (request, socket, head) => {
    upgrades.handleUpgrade(request, socket, head, () => {})
  })
  await new Promise((listening) => http.listen({ port, host, backlog: 1 }, listening))
  port = http.address().port
}
process.stdout.write(`${port}\n`)
