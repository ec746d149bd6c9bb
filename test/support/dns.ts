/** A DNS server that answers as a test tells it to: well, late, wrongly, cut short, or never. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Dgram from "node:dgram"
import * as Net from "node:net"

export type Kind = "A" | "AAAA"

/** What is answered to a question. Without `afterMs` it is at once. */
export type Answer =
  | { readonly addresses: ReadonlyArray<string>; readonly afterMs?: number }
  | { readonly rcode: keyof typeof RCODES; readonly afterMs?: number }
  /** Too long for a datagram, it says: ask again over TCP (RFC 1035, section 4.2.1). */
  | "truncated"
  | "silent"

export type Over = "udp" | "tcp"

export interface Options {
  /** Where it listens: loopback, at a port of its own, unless given. */
  readonly address?: string
  readonly port?: number
  /** Whether it takes questions over TCP, too. */
  readonly tcp?: boolean
}

export interface DnsServer {
  /** As `dns.setServers` takes it. */
  readonly server: string
  /** Every question so far, as `A name`. */
  readonly asked: ReadonlyArray<string>
}

const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const
const TYPES = new Map([
  [1, "A"],
  [28, "AAAA"]
] as const)
const HEADER = 12
const TRUNCATED = 0x0200

interface Question {
  readonly name: string
  readonly type: number
  /** The bytes of the whole question section. */
  readonly bytes: Buffer
}

/** The one question of a query (RFC 1035, section 4.1.2). */
const questionOf = (query: Buffer): Question => {
  const labels: Array<string> = []
  let at = HEADER
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), bytes: query.subarray(HEADER, at + 5) }
}

const groups = (text: string) => (text === "" ? [] : text.split(":"))

const bytesOf = (address: string): Buffer => {
  if (Net.isIPv4(address)) return Buffer.from(address.split(".").map(Number))
  const [head = "", tail = ""] = address.split("::")
  const missing = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array.from({ length: missing }, () => "0"), ...groups(tail)]
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex")
}

const said = (
  answer: Exclude<Answer, "silent">
): { readonly flags: number; readonly addresses?: ReadonlyArray<string> } => {
  if (answer === "truncated") return { flags: TRUNCATED }
  return "rcode" in answer ? { flags: RCODES[answer.rcode] } : { flags: RCODES.NOERROR, addresses: answer.addresses }
}

/** A response that points back at the name in its question (RFC 1035, section 4.1.4). */
const responseTo = (query: Buffer, question: Question, answer: Exclude<Answer, "silent">): Buffer => {
  const { addresses = [], flags } = said(answer)
  const head = Buffer.alloc(HEADER)
  query.copy(head, 0, 0, 2)
  head.writeUInt16BE(0x8180 | flags, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(addresses.length, 6)
  const records = addresses.map((address) => {
    const data = bytesOf(address)
    const record = Buffer.alloc(12)
    record.writeUInt16BE(0xc000 | HEADER, 0)
    record.writeUInt16BE(question.type, 2)
    record.writeUInt16BE(1, 4)
    record.writeUInt16BE(data.length, 10)
    return Buffer.concat([record, data])
  })
  return Buffer.concat([head, question.bytes, ...records])
}

/** Serves one stream of questions, each behind its length (RFC 1035, section 4.2.2). */
const stream = (socket: Net.Socket, asked: (query: Buffer, send: (response: Buffer) => void) => void) => {
  let bytes = Buffer.alloc(0)
  socket.on("error", () => {})
  socket.on("data", (chunk) => {
    bytes = Buffer.concat([bytes, chunk])
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
      const end = 2 + bytes.readUInt16BE(0)
      asked(bytes.subarray(2, end), (response) => {
        const length = Buffer.alloc(2)
        length.writeUInt16BE(response.length)
        socket.write(Buffer.concat([length, response]))
      })
      bytes = bytes.subarray(end)
    }
  })
}

export const serve = (
  answer: (name: string, kind: Kind, nth: number, over: Over) => Answer,
  { address = "127.0.0.1", port = 0, tcp = false }: Options = {}
): Effect.Effect<DnsServer, never, Scope.Scope> =>
  Effect.suspend(() => {
    const socket = Dgram.createSocket("udp4")
    const asked: Array<string> = []
    const timers = new Set<NodeJS.Timeout>()
    const take = (query: Buffer, over: Over, send: (response: Buffer) => void) => {
      const question = questionOf(query)
      const kind = TYPES.get(question.type as 1)
      if (kind === undefined) return
      const line = `${kind} ${question.name}`
      asked.push(line)
      const what = answer(question.name, kind, asked.filter((other) => other === line).length, over)
      if (what === "silent") return
      const response = responseTo(query, question, what)
      if (what === "truncated" || what.afterMs === undefined) send(response)
      else timers.add(setTimeout(() => send(response), what.afterMs))
    }
    socket.on("message", (query, from) => {
      take(query, "udp", (response) => socket.send(response, from.port, from.address))
    })
    const streams = new Set<Net.Socket>()
    const listener = Net.createServer((it) => {
      streams.add(it)
      stream(it, (query, send) => take(query, "tcp", send))
    })
    const bind = Effect.callback<DnsServer>((resume) => {
      socket.bind(port, address, () => {
        const own = socket.address().port
        const bound = Effect.succeed({ server: `${address}:${own}`, asked })
        if (tcp) listener.listen(own, address, () => resume(bound))
        else resume(bound)
      })
    })
    const close = Effect.callback<void>((resume) => {
      for (const timer of timers) clearTimeout(timer)
      for (const it of streams) it.destroy()
      if (tcp) listener.close()
      socket.close(() => resume(Effect.void))
    })
    return Effect.acquireRelease(bind, () => close)
  })
