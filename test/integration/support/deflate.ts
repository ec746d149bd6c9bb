/** The other end of permessage-deflate (RFC 7692), by zlib alone. */
import type { Socket } from "node:net"
import * as Zlib from "node:zlib"
import * as Servers from "../../support/servers.ts"
import { ClientFrames, type ClientFrame } from "./clientFrames.ts"

/** The first byte of a compressed message's first frame, without the opcode. */
export const COMPRESSED = 0xc0
export const COMPRESSED_NOT_LAST = 0x40

const TAIL = Buffer.from([0, 0, 0xff, 0xff])

const flushed = (stream: Zlib.DeflateRaw | Zlib.InflateRaw, bytes: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    const take = (chunk: Buffer) => void chunks.push(chunk)
    stream.on("data", take).once("error", reject)
    stream.write(bytes)
    stream.flush(Zlib.constants.Z_SYNC_FLUSH, () => {
      stream.off("data", take).off("error", reject)
      resolve(Buffer.concat(chunks))
    })
  })

/** The payload of one compressed message, with a context of its own. */
export const deflated = (data: string | Buffer, options: Zlib.ZlibOptions = {}): Buffer => {
  const all = Zlib.deflateRawSync(data, { ...options, finishFlush: Zlib.constants.Z_SYNC_FLUSH })
  return all.subarray(0, all.length - TAIL.length)
}

export const compressed = (data: string | Buffer, opcode = Servers.TEXT): Buffer =>
  Servers.frame(opcode, deflated(data), COMPRESSED)

/** Compresses messages of which each may refer to those before it. */
export const deflater = (windowBits: number, takesOver: boolean) => {
  const shared = Zlib.createDeflateRaw({ windowBits })
  return async (data: string): Promise<Buffer> => {
    const bytes = await flushed(takesOver ? shared : Zlib.createDeflateRaw({ windowBits }), Buffer.from(data))
    return Servers.frame(Servers.TEXT, bytes.subarray(0, bytes.length - TAIL.length), COMPRESSED)
  }
}

/** Inflates what a client sends with no larger a window than was agreed upon. */
export const inflater = (windowBits: number, takesOver: boolean) => {
  const shared = Zlib.createInflateRaw({ windowBits })
  return (bytes: Buffer): Promise<Buffer> =>
    flushed(takesOver ? shared : Zlib.createInflateRaw({ windowBits }), Buffer.concat([bytes, TAIL]))
}

/** A server that answers the offer with these extensions, or none, and tells of the client's frames. */
export const agreeing = (
  extensions: string | undefined,
  begin: (socket: Socket, offer: string) => void,
  told: (frame: ClientFrame, socket: Socket) => void = () => {}
) =>
  Servers.answering((socket, request) => {
    const offer = /^sec-websocket-extensions: *(.*)\r$/imu.exec(request)?.[1] ?? ""
    const headers = extensions === undefined ? [] : [`sec-websocket-extensions: ${extensions}`]
    socket.write(Servers.switching(request, ...headers))
    const frames = new ClientFrames((frame) => told(frame, socket))
    socket.on("data", frames.take)
    begin(socket, offer)
  })
