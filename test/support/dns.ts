/** A DNS server on loopback that answers as a test tells it to: well, late, wrongly, or never. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Dgram from "node:dgram"
import * as Net from "node:net"

export type Kind = "A" | "AAAA"

/** What is answered to a question. Without `afterMs` it is at once. */
export type Answer =
  | { readonly addresses: ReadonlyArray<string>; readonly afterMs?: number }
  | { readonly rcode: keyof typeof RCODES; readonly afterMs?: number }
  | "silent"

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

/** A response that points back at the name in its question (RFC 1035, section 4.1.4). */
const responseTo = (query: Buffer, question: Question, answer: Exclude<Answer, "silent">): Buffer => {
  const addresses = "addresses" in answer ? answer.addresses : []
  const head = Buffer.alloc(HEADER)
  query.copy(head, 0, 0, 2)
  head.writeUInt16BE(0x8180 | ("rcode" in answer ? RCODES[answer.rcode] : RCODES.NOERROR), 2)
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

export const serve = (
  answer: (name: string, kind: Kind, nth: number) => Answer
): Effect.Effect<DnsServer, never, Scope.Scope> =>
  Effect.suspend(() => {
    const socket = Dgram.createSocket("udp4")
    const asked: Array<string> = []
    const timers = new Set<NodeJS.Timeout>()
    socket.on("message", (query, { address, port }) => {
      const question = questionOf(query)
      const kind = TYPES.get(question.type as 1)
      if (kind === undefined) return
      const line = `${kind} ${question.name}`
      asked.push(line)
      const said = answer(question.name, kind, asked.filter((other) => other === line).length)
      if (said === "silent") return
      const send = () => socket.send(responseTo(query, question, said), port, address)
      if (said.afterMs === undefined) send()
      else timers.add(setTimeout(send, said.afterMs))
    })
    const bind = Effect.callback<DnsServer>((resume) => {
      socket.bind(0, "127.0.0.1", () => resume(Effect.succeed({ server: `127.0.0.1:${socket.address().port}`, asked })))
    })
    const close = Effect.callback<void>((resume) => {
      for (const timer of timers) clearTimeout(timer)
      socket.close(() => resume(Effect.void))
    })
    return Effect.acquireRelease(bind, () => close)
  })
