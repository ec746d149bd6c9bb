/**
 * A WebSocket server in a process of its own that sends texts as fast as they are taken:
 * `node firehose.mjs <frames per connection> <bytes>`. Each text begins with its number, from 1. Writes its port.
 */
import { createHash } from "node:crypto"
import { createServer } from "node:http"

const [frames, bytes] = process.argv.slice(2).map(Number)
const FRAMES_PER_CHUNK = 500
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

const frame = (number) => {
  const head = bytes < 126 ? Buffer.from([0x81, bytes]) : Buffer.from([0x81, 126, bytes >> 8, bytes & 255])
  return Buffer.concat([head, Buffer.from(`${number} `.padEnd(bytes, "."))])
}

const chunks = []
for (let number = 1; number <= frames; number += FRAMES_PER_CHUNK) {
  const length = Math.min(FRAMES_PER_CHUNK, frames + 1 - number)
  chunks.push(Buffer.concat(Array.from({ length }, (_, index) => frame(number + index))))
}

const server = createServer().on("upgrade", (request, socket) => {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`).digest("base64")
  const head = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: upgrade"]
  socket.write([...head, `sec-websocket-accept: ${accept}`, "", ""].join("\r\n"))
  let sent = 0
  const send = () => {
    while (sent < chunks.length) if (!socket.write(chunks[sent++])) return
  }
  socket.on("drain", send)
  socket.on("error", () => {})
  socket.resume()
  send()
})
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`))
