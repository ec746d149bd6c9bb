/** What stands in front of a host: nginx, where there is one, and a proxy that does by default what nginx does. */
import * as Effect from "effect/Effect"
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"

/** Whether there is one here. */
export const isThere = spawnSync("sh", ["-c", "nginx -v"], { stdio: "ignore" }).status === 0

const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]

const configuration = (folder: string, location: string) => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  ${TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n  ")}
  server {
    listen unix:${folder}/front.sock;
    ${location}
  }
}
`

/** Completes once somebody listens there. */
const listening = (socketPath: string): Effect.Effect<void> =>
  Effect.callback<boolean>((resume) => {
    const socket = net.connect(socketPath)
    socket.on("connect", () => resume(Effect.succeed(true)))
    socket.on("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => socket.destroy())
  }).pipe(
    Effect.delay("20 millis"),
    Effect.repeat({ until: (isListening) => isListening }),
    Effect.timeout("10 seconds"),
    Effect.orDie,
    Effect.asVoid
  )

/** nginx with a location of ours and else its defaults; where it listens. */
export const nginx = (folder: string, location: string) =>
  Effect.gen(function* () {
    const file = path.join(folder, "nginx.conf")
    fs.writeFileSync(file, configuration(folder, location))
    yield* Effect.acquireRelease(
      Effect.sync(() => spawn("nginx", ["-p", folder, "-e", "stderr", "-c", file], { stdio: "inherit" })),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const at = path.join(folder, "front.sock")
    yield* listening(at)
    return at
  })

/** What it holds back: one buffer for the head, eight for the body. nginx hands on what is in a full one; this waits. */
const BUFFERS = 9 * 4096

interface Buffering {
  readonly at: string
  /** Bytes that came and that it has handed to nobody. */
  readonly held: () => number
}

/** The request as nginx makes it of one that came: HTTP/1.0, a connection of its own, the host of `proxy_pass`. */
const forwarded = (head: string, prefix: string, upstream: string): string => {
  const [first = "", ...fields] = head.split("\r\n")
  const [method, target = ""] = first.split(" ")
  const others = fields.filter((field) => !/^(?:host|connection):/i.test(field))
  return [
    `${method} /${target.slice(prefix.length)} HTTP/1.0`,
    `Host: ${upstream}`,
    "Connection: close",
    ...others,
    "",
    ""
  ].join("\r\n")
}

/** Passes on what comes of a server once its buffers are full or it ends, unless the server wants none of that. */
const passing = (socket: net.Socket, server: net.Socket, heeds: boolean, count: (bytes: number) => void) => {
  let held = Buffer.alloc(0)
  let isThrough = false
  server.on("data", (chunk) => {
    held = Buffer.concat([held, chunk])
    count(chunk.length)
    if (heeds && /^x-accel-buffering: no\r$/im.test(held.toString("latin1"))) isThrough = true
    if (!isThrough && held.length < BUFFERS) return
    count(-held.length)
    socket.write(held)
    held = Buffer.alloc(0)
  })
  server.on("end", () => socket.end(held))
  server.on("error", () => socket.destroy())
  socket.on("close", () => server.destroy())
}

/** A proxy that buffers as nginx does, of what is below a path; `heeds`: whether a server may say that it is not to. */
export const buffering = (folder: string, prefix: string, upstream: string, heeds = true) =>
  Effect.gen(function* () {
    let held = 0
    const [host, port] = upstream.split(":")
    const proxy = net.createServer((socket) => {
      let head = ""
      socket.on("error", () => {})
      const read = (chunk: Buffer) => {
        head += chunk.toString("latin1")
        const end = head.indexOf("\r\n\r\n")
        if (end === -1) return
        socket.off("data", read)
        const server = net.connect(Number(port), host)
        server.write(forwarded(head.slice(0, end), prefix, upstream) + head.slice(end + 4), "latin1")
        passing(socket, server, heeds, (bytes) => (held += bytes))
        socket.resume()
      }
      socket.on("data", read)
    })
    const at = path.join(folder, "front.sock")
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        proxy.listen(at, () => resume(Effect.void))
      }),
      () => Effect.sync(() => proxy.close())
    )
    return { at, held: () => held } satisfies Buffering
  })
